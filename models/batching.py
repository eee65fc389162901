"""From letters to the tensors of ``FenbanClassifier``; the same code in training and in serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.features import NgramVocabulary

Ngrams = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


class Batch(TypedDict, total=False):
    """Keyword arguments of ``FenbanClassifier.forward``."""

    ngram_ids: Tensor
    ngram_offsets: Tensor
    ngram_weights: Tensor
    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor


def special_id(tokenizer: Tokenizer, token: str) -> int:
    """Id of a special token.

    Raises:
        ValueError: the tokenizer does not have it; only BERT-style special tokens are served.
    """
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the encoder's tokenizer has no {token}: choose an encoder with BERT-style special tokens")
    return int(found)


def encode_tokens(tokenizer: Tokenizer, title: str, body: str, max_tokens: int) -> list[int]:
    """Token ids of ``[CLS] title [SEP] body [SEP]``; a long body keeps its head (three quarters) and tail."""
    first = tokenizer.encode(title, add_special_tokens=False).ids[: max_tokens // 4]
    second = tokenizer.encode(body, add_special_tokens=False).ids
    room = max_tokens - len(first) - 3
    if len(second) > room:
        tail = room // 4
        second = second[: room - tail] + second[len(second) - tail :]
    begin, end = special_id(tokenizer, "[CLS]"), special_id(tokenizer, "[SEP]")
    return [begin, *first, end, *second, end]


def collate_ngrams(rows: Sequence[Ngrams]) -> Batch:
    """Lay the n-grams of a batch end to end for ``EmbeddingBag``."""
    lengths = [len(ids) for ids, _ in rows]
    return Batch(
        ngram_ids=torch.from_numpy(np.concatenate([ids for ids, _ in rows])),
        ngram_weights=torch.from_numpy(np.concatenate([weights for _, weights in rows])),
        ngram_offsets=torch.tensor(np.cumsum([0, *lengths[:-1]])),
    )


def collate_tokens(rows: Sequence[Sequence[int]], pad: int) -> Batch:
    """Pad token rows to the longest of the batch."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return Batch(input_ids=ids, attention_mask=mask)


def make_batch(
    letters: Sequence[tuple[str, str]],
    vocabulary: NgramVocabulary | None,
    tokenizer: Tokenizer | None,
    max_tokens: int,
) -> Batch:
    """Everything ``FenbanClassifier.forward`` needs for ``(title, body)`` letters."""
    batch = Batch()
    if vocabulary is not None:
        batch.update(collate_ngrams(vocabulary.batch(letters)))
    if tokenizer is not None:
        rows = [encode_tokens(tokenizer, title, body, max_tokens) for title, body in letters]
        batch.update(collate_tokens(rows, special_id(tokenizer, "[PAD]")))
    return batch

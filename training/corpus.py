"""Pretraining corpora as flat token arrays with word boundaries, cached on disk.

A corpus is a text file (one document a line) or JSON lines, gzipped or not. Each document becomes
token ids plus a flag per token that says whether a jieba word starts there; whole-word masking needs
the flags. The arrays are cached beside the run, keyed by the file's hash, the vocabulary and the filter.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jieba
import numpy as np
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Corpus:
    """One source of pretraining text.

    Attributes:
        path: text or JSON-lines file, ``.gz`` or plain.
        weight: share of the training blocks drawn from this corpus; weights are normalised.
        fields: JSON keys joined with a newline; empty for plain text.
        where: JSON keys with the values a row must have to be used.
    """

    path: Path
    weight: float
    fields: tuple[str, ...] = ()
    where: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"corpus {self.path}: weight must be positive, not {self.weight}")

    def documents(self) -> Iterator[str]:
        """Yield the non-empty documents of the file.

        Raises:
            ValueError: a line is not JSON or lacks a field; names the file and the line.
        """
        opener = gzip.open if self.path.suffix == ".gz" else open
        with opener(self.path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                text = line.strip() if not self.fields else self._join(line, number)
                if text:
                    yield text

    def _join(self, line: str, number: int) -> str:
        try:
            row = json.loads(line)
            if any(row[key] not in allowed for key, allowed in self.where.items()):
                return ""
            return "\n".join(str(row[name]) for name in self.fields if row[name])
        except (json.JSONDecodeError, KeyError) as error:
            raise ValueError(f"{self.path}, line {number}: not JSON with fields {self.fields} ({error})") from None


@dataclass(frozen=True)
class TokenStream:
    """Concatenated documents: ``ids`` uint16 ``(n,)`` and ``starts`` bool ``(n,)``, true where a word starts."""

    ids: np.ndarray
    starts: np.ndarray


def encode_corpus(corpus: Corpus, tokenizer: PreTrainedTokenizerFast, cache: Path) -> TokenStream:
    """Tokenise a corpus, or read it from ``cache`` if the same bytes were tokenised before."""
    key = hashlib.sha256(corpus.path.read_bytes())
    key.update(repr((corpus.fields, sorted(corpus.where.items()))).encode())
    key.update(tokenizer.backend_tokenizer.to_str().encode())
    target = cache / f"{corpus.path.name}.{key.hexdigest()[:16]}.npz"
    if target.exists():
        with np.load(target) as stored:
            return TokenStream(stored["ids"], stored["starts"])
    ids: list[np.ndarray] = []
    starts: list[np.ndarray] = []
    for text in tqdm(corpus.documents(), desc=f"tokenise {corpus.path.name}", unit="doc", mininterval=5):
        encoded = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        boundary = np.zeros(len(text) + 1, dtype=bool)
        for _, begin, _end in jieba.tokenize(text):
            boundary[begin] = True
        offsets = np.array([begin for begin, _ in encoded.offsets], dtype=np.int64)
        ids.append(np.array([*encoded.ids, tokenizer.sep_token_id], dtype=np.uint16))
        starts.append(np.append(boundary[offsets] if len(offsets) else [], True).astype(bool))
    stream = TokenStream(np.concatenate(ids), np.concatenate(starts))
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(target, ids=stream.ids, starts=stream.starts)
    return stream


def read_block(stream: TokenStream, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a random window of ``length`` tokens; short streams wrap around."""
    begin = int(rng.integers(0, len(stream.ids)))
    index = np.arange(begin, begin + length) % len(stream.ids)
    starts = stream.starts[index].copy()
    starts[0] = True
    return stream.ids[index].astype(np.int64), starts


def mask_whole_words(
    ids: np.ndarray,
    starts: np.ndarray,
    rng: np.random.Generator,
    *,
    mask_id: int,
    special_ids: frozenset[int],
    vocab_size: int,
    rate: float = 0.15,
) -> tuple[np.ndarray, np.ndarray]:
    """Mask whole words until ``rate`` of the tokens are chosen (80 % mask, 10 % random, 10 % kept).

    Whole-word masking after Cui et al. 2021, with jieba words.

    Returns:
        The corrupted ids and the bool array of chosen positions, both ``(length,)``.
    """
    words = np.cumsum(starts) - 1
    n_words = int(words[-1]) + 1
    order = rng.permutation(n_words)
    sizes = np.bincount(words, minlength=n_words)
    budget = max(1, round(rate * len(ids)))
    taken = order[: int(np.searchsorted(np.cumsum(sizes[order]), budget)) + 1]
    chosen = np.isin(words, taken) & ~np.isin(ids, list(special_ids))
    corrupted = ids.copy()
    draw = rng.random(len(ids))
    corrupted[chosen & (draw < 0.8)] = mask_id
    swap = chosen & (draw >= 0.8) & (draw < 0.9)
    corrupted[swap] = rng.integers(len(special_ids), vocab_size, int(swap.sum()))
    return corrupted, chosen

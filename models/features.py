"""N-gram features of a letter: characters of title and body, and jieba words, as 64-bit hashes.

Namespaces keep ``title`` and ``body`` apart where that helps: characters 1-4 of the whole letter,
characters 1-3 of the title again, words 1-2 of the whole letter. Weights are sublinear TF-IDF with
unit length, as in scikit-learn's ``TfidfTransformer``. Beside them stand the letter's distinct words by
*meaning* (``training.vectors``), weighted by IDF alone, with a unit length of their own.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jieba
import numpy as np
import numpy.typing as npt

jieba.setLogLevel(logging.WARNING)

Hashes = npt.NDArray[np.uint64]
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)
_TITLE, _BODY, _WORD, _WORD_PAIR = (np.uint64(n) for n in (11, 13, 17, 19))
MAX_CHARACTERS = 4000


def normalize(text: str) -> str:
    """NFKC, lower case, all white space removed; what every feature is computed on."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


class Features(NamedTuple):
    """What a letter holds: distinct n-gram ``hashes`` and their ``counts`` ``(n,)``, distinct ``words`` ``(m,)``."""

    hashes: Hashes
    counts: npt.NDArray[np.int64]
    words: Hashes


def letter_features(title: str, body: str) -> Features:
    """N-grams and words of a letter; it is segmented once.

    A body longer than ``MAX_CHARACTERS`` keeps its head and tail, half each.
    """
    heading, text = normalize(title), normalize(body)
    if len(text) > MAX_CHARACTERS:
        text = text[: MAX_CHARACTERS // 2] + text[-MAX_CHARACTERS // 2 :]
    whole = f"{heading}\n{text}"
    words = word_hashes(segment(whole))
    parts = [*_characters(whole, 4, _BODY), *_characters(heading, 3, _TITLE), *_word_grams(words)]
    hashes, counts = np.unique(np.concatenate(parts), return_counts=True)
    return Features(hashes, counts, np.unique(words))


def segment(text: str) -> list[str]:
    """Words of a normalised text, without white space."""
    return [word for word in jieba.cut(text, HMM=False) if word.strip()]


def word_hashes(words: Iterable[str]) -> Hashes:
    """One hash a word, in order, uint64 ``(n,)``."""
    return np.fromiter((_word_hash(word) for word in words), dtype=np.uint64)


def _characters(text: str, longest: int, namespace: np.uint64) -> list[Hashes]:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    grams = []
    with np.errstate(over="ignore"):
        rolling = np.full(len(codes), namespace, dtype=np.uint64)
        for size in range(1, longest + 1):
            if len(codes) < size:
                break
            end = len(codes) - size + 1
            rolling = rolling[:end] * _PRIME + codes[size - 1 :]
            grams.append(_finish(rolling, size))
    return grams


def _word_grams(single: Hashes) -> list[Hashes]:
    with np.errstate(over="ignore"):
        pairs = (single[:-1] * _PRIME) ^ single[1:]
        return [_finish(single ^ _WORD, 1), _finish(pairs ^ _WORD_PAIR, 2)]


def _word_hash(word: str) -> int:
    value = 1469598103934665603
    for byte in word.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return value


def _finish(values: Hashes, size: int) -> Hashes:
    mixed = (values ^ (values >> _SHIFT)) * _MIX + np.uint64(size)
    return mixed ^ (mixed >> _SHIFT)


@dataclass(frozen=True)
class WordTable:
    """Words with a meaning: ascending ``hashes`` uint64 ``(k,)`` and ``idf`` float32 ``(k,)``."""

    hashes: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    idf: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def weigh(self, words: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Ids and unit-length IDF weights of the known among ``words``, both ``(m,)``."""
        ids, _ = _find(self.hashes, words)
        return ids, _unit(self.idf[ids])


@dataclass(frozen=True)
class NgramVocabulary:
    """The n-grams a model knows: ascending ``hashes`` uint64 ``(k,)`` and ``idf`` float32 ``(k,)``; and its ``words``.

    A table of known hashes instead of hashing into buckets: no collisions, and n-grams seen in
    fewer than ``min_count`` letters take no space (docs/decisions/0002-wide-branch.md).
    """

    hashes: Hashes
    idf: npt.NDArray[np.float32]
    words: WordTable = field(default_factory=WordTable)

    def __len__(self) -> int:
        """Rows of the embedding: n-grams first, then words."""
        return len(self.hashes) + len(self.words.hashes)

    @classmethod
    def fit(
        cls,
        letters: Iterable[Hashes],
        *,
        min_count: int = 3,
        max_size: int = 120_000,
        words: WordTable | None = None,
    ) -> NgramVocabulary:
        """Keep the ``max_size`` n-grams found in the most letters, each in at least ``min_count``."""
        rows = list(letters)
        known, counts = np.unique(np.concatenate(rows), return_counts=True)
        kept = counts >= min_count
        known, counts = known[kept], counts[kept]
        if len(known) > max_size:
            top = np.sort(np.argsort(-counts, kind="stable")[:max_size])
            known, counts = known[top], counts[top]
        idf = np.log((1 + len(rows)) / (1 + counts)) + 1
        return cls(known, idf.astype(np.float32), words or WordTable())

    def weigh(self, letter: Features) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Rows of the embedding and the weights of one letter, both ``(m,)``; n-grams and words each of unit length."""
        ids, known = _find(self.hashes, letter.hashes)
        weights = _unit((1 + np.log(letter.counts[known])) * self.idf[ids])
        word_ids, word_weights = self.words.weigh(letter.words)
        return (
            np.concatenate([ids, word_ids + len(self.hashes)]),
            np.concatenate([weights, word_weights]).astype(np.float32),
        )

    def batch(self, letters: Sequence[tuple[str, str]]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """``weigh`` for a list of ``(title, body)``."""
        return [self.weigh(letter_features(title, body)) for title, body in letters]


def _find(table: Hashes, wanted: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Places in ``table`` of those that it has, ``(m,)``, and which of ``wanted`` these are, ``(n,)``."""
    if not len(table):
        return np.empty(0, np.int64), np.zeros(len(wanted), bool)
    place = np.searchsorted(table, wanted).clip(max=len(table) - 1)
    known = table[place] == wanted
    return place[known].astype(np.int64), known


def _unit(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return np.asarray(weights / (float(np.linalg.norm(weights)) or 1.0), np.float32)

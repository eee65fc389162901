"""N-gram features of a letter in three blocks, as 64-bit hashes.

Words 1-2 (jieba) and characters 1-4 of the whole letter, and characters 1-3 of the title again. Weights are sublinear
TF-IDF as in scikit-learn's ``TfidfTransformer``, with unit length for each block, so that neither the many characters
nor a long body drown the rest. Beside them stand the letter's distinct words by *meaning* (``training.vectors``),
weighted by IDF alone, with a unit length of their own.
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
BLOCKS = ("words", "characters", "title")


def normalize(text: str) -> str:
    """NFKC, lower case, all white space removed; what every feature is computed on."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


class Grams(NamedTuple):
    """Distinct n-gram ``hashes`` and their ``counts``, both ``(n,)``."""

    hashes: Hashes
    counts: npt.NDArray[np.int64]


class Features(NamedTuple):
    """What a letter holds: n-grams of each of ``BLOCKS``, and its distinct ``words`` ``(m,)``."""

    blocks: tuple[Grams, ...]
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
    parts = _word_grams(words), _characters(whole, 4, _BODY), _characters(heading, 3, _TITLE)
    return Features(tuple(_count(grams) for grams in parts), np.unique(words))


def _count(grams: list[Hashes]) -> Grams:
    return Grams(*np.unique(np.concatenate([np.empty(0, np.uint64), *grams]), return_counts=True))


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
class Table:
    """Known n-grams or words: ascending ``hashes`` uint64 ``(k,)`` and ``idf`` float32 ``(k,)``.

    A table of known hashes instead of hashing into buckets: no collisions, and what was seen too rarely
    takes no space (docs/decisions/0002-wide-branch.md).
    """

    hashes: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    idf: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, wanted: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Rows of those that it has, ``(m,)``, and which of ``wanted`` these are, ``(n,)``."""
        if not len(self):
            return np.empty(0, np.int64), np.zeros(len(wanted), bool)
        place = np.searchsorted(self.hashes, wanted).clip(max=len(self) - 1)
        known = self.hashes[place] == wanted
        return place[known].astype(np.int64), known

    def keep(self, rows: npt.NDArray[np.bool_]) -> Table:
        """The table of some of its rows."""
        return Table(self.hashes[rows], self.idf[rows])


@dataclass(frozen=True)
class NgramVocabulary:
    """The n-grams a model knows, a table for each of ``BLOCKS``; and its ``words`` with a meaning."""

    blocks: tuple[Table, ...]
    words: Table = field(default_factory=Table)

    @property
    def n_ngrams(self) -> int:
        """Rows of all blocks, without the words."""
        return sum(len(table) for table in self.blocks)

    def __len__(self) -> int:
        """Rows of the embedding: n-grams block by block, then words."""
        return self.n_ngrams + len(self.words)

    @classmethod
    def fit(cls, letters: Iterable[Features], *, min_count: int, words: Table | None = None) -> NgramVocabulary:
        """Every n-gram found in at least ``min_count`` letters."""
        rows = list(letters)
        tables = []
        for block in range(len(BLOCKS)):
            hashes, counts = np.unique(np.concatenate([r.blocks[block].hashes for r in rows]), return_counts=True)
            kept = counts >= min_count
            idf = np.log((1 + len(rows)) / (1 + counts[kept])) + 1
            tables.append(Table(hashes[kept], idf.astype(np.float32)))
        return cls(tuple(tables), words or Table())

    def keep(self, rows: npt.NDArray[np.bool_]) -> NgramVocabulary:
        """The vocabulary of some of its n-grams, bool ``(n_ngrams,)``, and all its words."""
        ends = np.cumsum([len(table) for table in self.blocks])
        parts = np.split(rows, ends[:-1])
        return NgramVocabulary(tuple(t.keep(part) for t, part in zip(self.blocks, parts, strict=True)), self.words)

    def weigh(self, letter: Features) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Rows of the embedding and their weights in one letter, both ``(m,)``; each block of unit length."""
        found, weights, first = [], [], 0
        for table, grams in zip(self.blocks, letter.blocks, strict=True):
            ids, known = table.find(grams.hashes)
            found.append(ids + first)
            weights.append(_unit((1 + np.log(grams.counts[known])) * table.idf[ids]))
            first += len(table)
        ids, _ = self.words.find(letter.words)
        return np.concatenate([*found, ids + first]), np.concatenate([*weights, _unit(self.words.idf[ids])])

    def batch(self, letters: Sequence[tuple[str, str]]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """``weigh`` for a list of ``(title, body)``."""
        return [self.weigh(letter_features(title, body)) for title, body in letters]


def _unit(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return np.asarray(weights / (float(np.linalg.norm(weights)) or 1.0), np.float32)

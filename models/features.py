"""N-gram features of a letter: characters of title and body, and jieba words, as 64-bit hashes.

Namespaces keep ``title`` and ``body`` apart where that helps: characters 1-4 of the whole letter,
characters 1-3 of the title again, words 1-2 of the whole letter. Weights are sublinear TF-IDF with
unit length, as in scikit-learn's ``TfidfTransformer``.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


def letter_hashes(title: str, body: str) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Distinct n-gram hashes of a letter and how often each occurs, both ``(n,)``.

    A body longer than ``MAX_CHARACTERS`` keeps its head and tail, half each.
    """
    heading, text = normalize(title), normalize(body)
    if len(text) > MAX_CHARACTERS:
        text = text[: MAX_CHARACTERS // 2] + text[-MAX_CHARACTERS // 2 :]
    whole = f"{heading}\n{text}"
    parts = [*_characters(whole, 4, _BODY), *_characters(heading, 3, _TITLE), *_words(whole)]
    return np.unique(np.concatenate(parts), return_counts=True)


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


def _words(text: str) -> list[Hashes]:
    words = [word for word in jieba.cut(text, HMM=False) if word.strip()]
    if not words:
        return []
    with np.errstate(over="ignore"):
        single = np.array([_word_hash(word) for word in words], dtype=np.uint64)
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
class NgramVocabulary:
    """The n-grams a model knows: ascending ``hashes`` uint64 ``(k,)`` and ``idf`` float32 ``(k,)``.

    A table of known hashes instead of hashing into buckets: no collisions, and n-grams seen in
    fewer than ``min_count`` letters take no space (docs/decisions/0002-wide-branch.md).
    """

    hashes: Hashes
    idf: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, letters: Iterable[Hashes], *, min_count: int = 3, max_size: int = 120_000) -> NgramVocabulary:
        """Keep the ``max_size`` n-grams found in the most letters, each in at least ``min_count``."""
        rows = list(letters)
        known, counts = np.unique(np.concatenate(rows), return_counts=True)
        kept = counts >= min_count
        known, counts = known[kept], counts[kept]
        if len(known) > max_size:
            top = np.sort(np.argsort(-counts, kind="stable")[:max_size])
            known, counts = known[top], counts[top]
        idf = np.log((1 + len(rows)) / (1 + counts)) + 1
        return cls(known, idf.astype(np.float32))

    def weigh(
        self, hashes: Hashes, counts: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Ids into the vocabulary and unit-length sublinear TF-IDF weights of one letter, both ``(m,)``."""
        if not len(self.hashes):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        place = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        known = self.hashes[place] == hashes
        ids = place[known]
        weights = (1 + np.log(counts[known])) * self.idf[ids]
        length = float(np.linalg.norm(weights)) or 1.0
        return ids.astype(np.int64), (weights / length).astype(np.float32)

    def batch(self, letters: Sequence[tuple[str, str]]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """``weigh`` for a list of ``(title, body)``."""
        return [self.weigh(*letter_hashes(title, body)) for title, body in letters]

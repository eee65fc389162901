"""Out-of-fold margins of the n-gram branch: every fold is scored by SVMs fitted on all other letters.

Each fold has a process of its own: liblinear draws from one random generator in a process, so that fits in
threads disturb each other and a seed does not repeat (scikit-learn issue 31883).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from models.case import Case
from models.features import BLOCKS, Features, Grams, Hashes
from training.linear import Wide
from training.split import split_cases

FOLDS = 5
Fit = Callable[[Sequence[Features], npt.NDArray[np.int64]], Wide]
Rows = npt.NDArray[np.int64]
Logits = dict[str, npt.NDArray[np.float32]]


def fold_numbers(cases: Sequence[Case]) -> npt.NDArray[np.int64]:
    """Fold of each case; near-duplicates share one."""
    folds = np.zeros(len(cases), np.int64)
    position = {id(case): row for row, case in enumerate(cases)}
    left = list(cases)
    for fold in range(FOLDS - 1):
        left, taken = split_cases(left, 1 / (FOLDS - fold), salt=f"fold{fold}")
        folds[[position[id(case)] for case in taken]] = fold
    folds[[position[id(case)] for case in left]] = FOLDS - 1
    return folds


def cross_fit(
    letters: Sequence[Features], labels: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], n_judged: int, fit: Fit
) -> tuple[Logits, Wide]:
    """Fit once without each fold, and once on all letters.

    Args:
        letters: features of ``n`` letters.
        labels: class indices ``(n, n_heads)``.
        folds: fold of each letter ``(n,)``; a letter outside ``0 .. FOLDS - 1`` is in every training set.
        n_judged: the letters to score, the first ones; they have a fold.
        fit: fits the branch on some of them; runs in another process, so it must be picklable.

    Returns:
        Margins per head ``(n_judged, n_labels)``, and what ``fit`` made of all letters.
    """
    packed = Packed.of(letters)
    judged = [rows for fold in range(FOLDS) if len(rows := np.flatnonzero(folds[:n_judged] == fold))]
    jobs = [delayed(_fit_and_score)(packed, labels, np.flatnonzero(folds != folds[r[0]]), r, fit) for r in judged]
    everything = delayed(_fit)(packed, labels, np.arange(len(folds)), fit)
    *parts, wide = Parallel(n_jobs=min(FOLDS, os.cpu_count() or 1))([*jobs, everything])
    order = np.argsort(np.concatenate(judged))
    return {head: np.concatenate([part[head] for part in parts])[order] for head in parts[0]}, wide


def _fit_and_score(packed: Packed, labels: npt.NDArray[np.int64], trained: Rows, judged: Rows, fit: Fit) -> Logits:
    return _fit(packed, labels, trained, fit).logits([packed[row] for row in judged])


def _fit(packed: Packed, labels: npt.NDArray[np.int64], rows: Rows, fit: Fit) -> Wide:
    return fit([packed[row] for row in rows], labels[rows])


@dataclass(frozen=True)
class Packed:
    """Features of many letters in a few arrays, which joblib maps into other processes instead of copying.

    Attributes:
        blocks: hashes and counts of all letters, one ``Grams`` for each of ``BLOCKS``.
        words: words of all letters.
        ends: where each letter starts and ends in these, ``(len(BLOCKS) + 1, n + 1)``.
    """

    blocks: tuple[Grams, ...]
    words: Hashes
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, letters: Sequence[Features]) -> Packed:
        """Pack ``letters``."""
        blocks = tuple(
            Grams(*(np.concatenate(column) for column in zip(*(letter.blocks[i] for letter in letters), strict=True)))
            for i in range(len(BLOCKS))
        )
        sizes = [[*(len(grams.hashes) for grams in letter.blocks), len(letter.words)] for letter in letters]
        ends = np.concatenate([np.zeros((1, len(BLOCKS) + 1), np.int64), np.cumsum(sizes, axis=0)]).T
        return cls(blocks, np.concatenate([letter.words for letter in letters]), ends)

    def __getitem__(self, row: int) -> Features:
        *parts, words = [slice(first, last) for first, last in self.ends[:, row : row + 2]]
        blocks = [Grams(g.hashes[part], g.counts[part]) for g, part in zip(self.blocks, parts, strict=True)]
        return Features(tuple(blocks), self.words[words])

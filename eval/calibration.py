"""Does a confidence mean what it says: reliability, ECE with its chance level, and conformal coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eval.intervals import SEED, Estimate, statistic

BINS = 15
FINE = 150
"""Cells of the bootstrap: tenths of a bin, so that resampling costs nothing on a million letters."""

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]


def bin_index(confidence: Floats, bins: int = BINS) -> npt.NDArray[np.int64]:
    """Bin of each confidence, equal width, ``(n,)``; 1.0 falls into the last."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def reliability(confidence: Floats, right: Bools, bins: int = BINS) -> list[dict[str, float]]:
    """Per bin that holds letters: its lower edge, letters, mean confidence and accuracy (Murphy & Winkler 1977)."""
    index = bin_index(confidence, bins)
    n = np.bincount(index, minlength=bins)
    sums = np.bincount(index, confidence, bins), np.bincount(index, right, bins)
    return [
        {"low": b / bins, "n": int(n[b]), "confidence": float(sums[0][b] / n[b]), "accuracy": float(sums[1][b] / n[b])}
        for b in range(bins)
        if n[b]
    ]


def ece(confidence: Floats, right: Bools, bins: int = BINS) -> float:
    """Expected calibration error of the top label with equal-width bins (Naeini et al. 2015), in [0, 1]."""
    if not len(confidence):
        return float("nan")
    index = bin_index(confidence, bins)
    gaps = np.bincount(index, right.astype(np.float64) - confidence, bins)
    return float(np.abs(gaps).sum() / len(confidence))


def ece_interval(
    confidence: Floats, right: Bools, groups: npt.NDArray[np.int64] | None = None, *, seed: int = SEED
) -> Estimate | None:
    """ECE with a bootstrap interval. ECE is biased upwards in small samples: read it beside ``ece_by_chance``."""
    fine = bin_index(confidence, FINE) * 2 + right
    n = np.bincount(fine, minlength=2 * FINE)
    gap = np.bincount(fine, right - confidence, 2 * FINE) / np.maximum(n, 1)
    cell = np.arange(2 * FINE) // 2 * BINS // FINE

    def compute(weights: Floats) -> Floats:
        return ece_of_cells(weights * gap, weights.sum(-1), cell)

    found = statistic(compute, fine, 2 * FINE, groups, seed=seed, resamples=500)
    return found and Estimate(ece(confidence, right), found.low, found.high, found.n)


def ece_by_chance(confidence: Floats, *, seed: int = SEED, resamples: int = 500) -> tuple[float, float]:
    """Mean and 95 % point of the ECE that a perfectly calibrated model would show on so many letters.

    Outcomes are drawn from the confidences themselves (consistency resampling, Bröcker & Smith 2007).
    """
    if not len(confidence):
        return float("nan"), float("nan")
    fine = bin_index(confidence, FINE)
    n = np.bincount(fine, minlength=FINE)
    mean = np.bincount(fine, confidence, FINE) / np.maximum(n, 1)
    drawn = np.random.default_rng(seed).binomial(n, np.clip(mean, 0, 1), size=(resamples, FINE))
    null = ece_of_cells(drawn - n * mean, np.full(resamples, len(confidence)), np.arange(FINE) * BINS // FINE)
    return float(null.mean()), float(np.quantile(null, 0.95))


def ece_of_cells(gaps: Floats, totals: Floats, cell: npt.NDArray[np.int64]) -> Floats:
    """ECE from summed gaps ``(b, k)``, letters ``(b,)`` and the bin of every cell ``(k,)``."""
    member = (cell[:, None] == np.arange(BINS)).astype(np.float64)
    return np.asarray(np.abs(gaps @ member).sum(-1) / totals)

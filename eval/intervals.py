"""Uncertainty of a figure: bootstrap over letters, and McNemar's test for two models on the same letters.

Letters with the same outcome are interchangeable, so a resample of n letters is a multinomial draw over
the distinct outcomes (Efron & Tibshirani 1993, ch. 6): the same distribution as drawing letters one by
one, at a cost that does not grow with n. Near-duplicate letters are counted as if independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binomtest, chi2

SEED = 20261124
RESAMPLES = 2000
LEVEL = 0.95
EXACT_BELOW = 25
"""McNemar's exact test below so many letters on which the models differ (Dietterich 1998)."""

Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A figure from ``n`` letters with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def share(hits: Bools, *, scale: float = 1.0, seed: int = SEED) -> Estimate | None:
    """Share of true values, ``hits (n,)``, times ``scale``; ``None`` for no letter at all.

    Where all letters agree the bootstrap would give an interval without width; there the exact
    interval of Clopper and Pearson (1934) is used.
    """
    n, k = len(hits), int(np.count_nonzero(hits))
    if n == 0:
        return None
    if k in (0, n):
        tail = (1 - LEVEL) / 2
        low = 0.0 if k == 0 else float(beta.ppf(tail, k, 1))
        high = 1.0 if k == n else float(beta.ppf(1 - tail, 1, n))
    else:
        low, high = _percentiles(np.random.default_rng(seed).binomial(n, k / n, RESAMPLES) / n)
    return Estimate(k / n * scale, low * scale, high * scale, n)


def mean_of_cells(values: Floats, counts: Counts, *, seed: int = SEED) -> Estimate | None:
    """Mean over letters that fall into cells of equal ``values (k,)`` with ``counts (k,)`` letters each."""
    return statistic(lambda weights: (weights @ values) / weights.sum(axis=-1), counts, seed=seed)


def paired_difference(second: Bools, first: Bools, *, seed: int = SEED) -> Estimate | None:
    """Difference of two shares on the same letters, ``second - first``, by the paired bootstrap."""
    counts = np.bincount(second.astype(int) * 2 + first, minlength=4)
    return mean_of_cells(np.array([0.0, -1.0, 1.0, 0.0]), counts, seed=seed)


def difference(inside: Bools, outside: Bools, *, seed: int = SEED) -> Estimate | None:
    """Difference of the shares of two separate sets of letters, ``inside - outside``; n counts the first."""
    if not len(inside) or not len(outside):
        return None
    rng = np.random.default_rng(seed)
    draws = [rng.binomial(len(x), x.mean(), RESAMPLES) / len(x) for x in (inside, outside)]
    low, high = _percentiles(draws[0] - draws[1])
    return Estimate(float(inside.mean() - outside.mean()), low, high, len(inside))


def statistic(
    compute: Callable[[Floats], Floats], counts: Counts, *, seed: int = SEED, resamples: int = RESAMPLES
) -> Estimate | None:
    """Bootstrap of any figure that depends only on how many letters fall into each cell.

    Args:
        compute: from counts ``(b, k)`` to figures ``(b,)``.
        counts: letters per cell, ``(k,)``.
    """
    counts = np.asarray(counts, np.int64)
    n = int(counts.sum())
    if n == 0:
        return None
    rng = np.random.default_rng(seed)
    step = max(1, 2_000_000 // len(counts))
    parts = [
        compute(rng.multinomial(n, counts / n, size=min(step, resamples - done)).astype(np.float64))
        for done in range(0, resamples, step)
    ]
    low, high = _percentiles(np.concatenate(parts))
    return Estimate(float(compute(counts[None].astype(np.float64))[0]), low, high, n)


def _percentiles(draws: Floats) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class McNemar:
    """McNemar's test: letters that only one of two models gets right, and the two-sided p-value.

    ``statistic`` is the smaller count where the exact binomial test was used, else chi-square with
    continuity correction (Edwards 1948), one degree of freedom.
    """

    only_first: int
    only_second: int
    statistic: float
    p_value: float
    exact: bool


def mcnemar(first: Bools, second: Bools) -> McNemar:
    """Whether two models differ on the same letters; ``first`` and ``second (n,)`` say who was right."""
    only_first = int(np.count_nonzero(first & ~second))
    only_second = int(np.count_nonzero(second & ~first))
    n = only_first + only_second
    if n < EXACT_BELOW:
        p = float(binomtest(only_first, n).pvalue) if n else 1.0
        return McNemar(only_first, only_second, float(min(only_first, only_second)), p, True)
    value = max(0.0, abs(only_first - only_second) - 1) ** 2 / n
    return McNemar(only_first, only_second, value, float(chi2.sf(value, 1)), False)

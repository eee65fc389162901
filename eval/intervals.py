"""Uncertainty of a figure: bootstrap over groups of copied letters, and McNemar's test for two models.

Copies of one petition are not independent, so whole groups are drawn (Davison & Hinkley 1997, ch. 3.8); a letter
without copies is a group of its own. Groups with the same outcomes are interchangeable, so a resample is a
multinomial draw over the distinct outcomes of groups (Efron & Tibshirani 1993, ch. 6): the same distribution
as drawing groups one by one, at a cost that hardly grows with the letters. McNemar's test counts letters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.stats import beta, binomtest, chi2

SEED = 20261124
RESAMPLES = 2000
LEVEL = 0.95
EXACT_BELOW = 25
"""McNemar's exact test below so many letters on which the models differ (Dietterich 1998)."""

Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure from ``n`` letters with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def share(hits: Bools, groups: Codes | None = None, *, scale: float = 1.0, seed: int = SEED) -> Estimate | None:
    """Share of true values, ``hits (n,)``, times ``scale``; ``None`` for no letter at all.

    Where all letters agree the bootstrap would give an interval without width; there the exact
    interval of Clopper and Pearson (1934) is used, with a group counted once.
    """
    n, k = len(hits), int(np.count_nonzero(hits))
    if n == 0:
        return None
    if k in (0, n):
        tail, units = (1 - LEVEL) / 2, n if groups is None else len(np.unique(groups))
        low = 0.0 if k == 0 else float(beta.ppf(tail, units, 1))
        high = 1.0 if k == n else float(beta.ppf(1 - tail, 1, units))
    else:
        low, high = _percentiles(_share_draws(hits, groups, np.random.default_rng(seed)))
    return Estimate(k / n * scale, low * scale, high * scale, n)


def mean_of_cells(cells: Codes, values: Floats, groups: Codes | None = None, *, seed: int = SEED) -> Estimate | None:
    """Mean over letters that fall into ``cells (n,)``, each letter counting the ``values (k,)`` of its cell."""

    def compute(weights: Floats) -> Floats:
        return np.asarray((weights @ values) / weights.sum(axis=-1))

    return statistic(compute, cells, len(values), groups, seed=seed)


def paired_difference(second: Bools, first: Bools, groups: Codes | None = None, *, seed: int = SEED) -> Estimate | None:
    """Difference of two shares on the same letters, ``second - first``, by the paired bootstrap."""
    cells = second.astype(np.int64) * 2 + first
    return mean_of_cells(cells, np.array([0.0, -1.0, 1.0, 0.0]), groups, seed=seed)


def difference(
    hits: Bools, inside: Bools, outside: Bools, groups: Codes | None = None, *, seed: int = SEED
) -> Estimate | None:
    """Difference of the shares of two separate sets of letters, ``inside - outside``; n counts the first.

    The sets are drawn apart: a group that lies in both counts in each with its letters there.
    """
    if not inside.any() or not outside.any():
        return None
    rng = np.random.default_rng(seed)
    sides = [(hits[x], None if groups is None else groups[x]) for x in (inside, outside)]
    draws = [_share_draws(right, units, rng) for right, units in sides]
    low, high = _percentiles(draws[0] - draws[1])
    return Estimate(float(sides[0][0].mean() - sides[1][0].mean()), low, high, len(sides[0][0]))


def statistic(
    compute: Callable[[Floats], Floats],
    cells: Codes,
    n_cells: int,
    groups: Codes | None = None,
    *,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Estimate | None:
    """Bootstrap of any figure that depends only on how many letters fall into each cell.

    Args:
        compute: from letters per cell ``(b, n_cells)`` to figures ``(b,)``.
        cells: cell of every letter, ``(n,)``, below ``n_cells``.
        groups: group of every letter, ``(n,)``; ``None`` where every letter is a group of its own.
    """
    if not len(cells):
        return None
    rng = np.random.default_rng(seed)
    low, high = _percentiles(_draws(compute, cells, n_cells, groups, rng, resamples))
    counts = np.bincount(cells, minlength=n_cells)
    return Estimate(float(compute(counts[None].astype(np.float64))[0]), low, high, len(cells))


def outcomes(cells: Codes, n_cells: int, groups: Codes | None) -> tuple[csr_matrix, Counts]:
    """Distinct outcomes of groups, letters per cell ``(m, n_cells)``, and the groups that have each, ``(m,)``.

    Outcomes are told apart by the sum of a random 64-bit number per cell: two different ones are taken for
    the same with a probability of about m² / 2⁶⁵.
    """
    if groups is None:
        groups = np.arange(len(cells))
    tickets = np.random.default_rng(SEED).integers(0, 2**64, n_cells, dtype=np.uint64)
    _, group = np.unique(groups, return_inverse=True)
    sums = np.zeros(int(group.max()) + 1, np.uint64)
    np.add.at(sums, group, tickets[cells])
    _, example, counts = np.unique(sums, return_index=True, return_counts=True)
    place = np.full(len(sums), -1)
    place[example] = np.arange(len(example))
    letters = np.flatnonzero(place[group] >= 0)
    where = place[group[letters]], cells[letters]
    return csr_matrix((np.ones(len(letters)), where), shape=(len(example), n_cells)), counts


def _draws(
    compute: Callable[[Floats], Floats],
    cells: Codes,
    n_cells: int,
    groups: Codes | None,
    rng: np.random.Generator,
    resamples: int,
) -> Floats:
    kinds, counts = outcomes(cells, n_cells, groups)
    n = int(counts.sum())
    step = max(1, 2_000_000 // max(kinds.shape))
    parts = []
    for done in range(0, resamples, step):
        drawn = rng.multinomial(n, counts / n, size=min(step, resamples - done)).astype(np.float64)
        parts.append(compute(np.ascontiguousarray((kinds.T @ drawn.T).T)))
    return np.concatenate(parts)


def _share_draws(hits: Bools, groups: Codes | None, rng: np.random.Generator) -> Floats:
    return _draws(lambda w: w[:, 1] / w.sum(axis=-1), hits.astype(np.int64), 2, groups, rng, RESAMPLES)


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

"""Near-duplicates within and across case files, by MinHash (Broder 1997) over character 4-grams.

Petitions are copied, resent and slightly reworded; a copy in the test file makes any model look good.
``duplicate_groups`` names the groups that a split must keep together, ``check_split`` refuses a split
that leaks. This falls down for letters of fewer than about ten characters, which are compared whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from datasketch import MinHash, MinHashLSH

from models.case import Case, Letter
from models.features import normalize
from training.split import group_key

THRESHOLD = 0.7
"""Jaccard similarity of the 4-grams from which two letters count as copies."""
N_PERMUTATIONS = 64
CANDIDATES = 0.7
"""Candidates are looked for below the threshold, by this factor, and then compared exactly: MinHash alone
missed 8 of 27 pairs just above it."""
_SHINGLE = 4
_SEED = 20261124


class LeakError(ValueError):
    """Training and test share letters, or a test letter is older than a training letter."""


@dataclass(frozen=True)
class Leak:
    """Two rows that are near-duplicates: positions in the first and in the second list, and their similarity."""

    first: int
    second: int
    similarity: float


def find_leaks(
    train: Sequence[Letter], test: Sequence[Letter], *, threshold: float = THRESHOLD, limit: int | None = None
) -> list[Leak]:
    """Test letters that have a near-duplicate in ``train``, most similar first, one training letter for each.

    Similarities are exact Jaccard similarities of the candidates that MinHash finds.
    """
    index = MinHashLSH(threshold=CANDIDATES * threshold, num_perm=N_PERMUTATIONS)
    with index.insertion_session() as session:
        for row, signature in enumerate(_signatures(train)):
            session.insert(row, signature, check_duplication=False)
    leaks = []
    for row, signature in enumerate(_signatures(test)):
        grams = shingles(test[row])
        scored = [(jaccard(grams, shingles(train[found])), found) for found in index.query(signature)]
        best = max(scored, default=(0.0, -1))
        if best[0] >= threshold:
            leaks.append(Leak(best[1], row, round(best[0], 4)))
    return sorted(leaks, key=lambda leak: -leak.similarity)[:limit]


def without_copies(train: Sequence[Case], test: Sequence[Letter]) -> list[Case]:
    """The training cases that are no near-duplicate of a test letter; ``find_leaks`` names one copy at a time."""
    kept = list(train)
    while leaks := find_leaks(kept, test):
        copies = {leak.first for leak in leaks}
        kept = [case for row, case in enumerate(kept) if row not in copies]
    return kept


def duplicate_groups(cases: Sequence[Case], *, threshold: float = THRESHOLD) -> list[str]:
    """A key per case for ``training.split``: copies of each other, and cases of one recorded group, share it.

    The key is the smallest ``group_key`` of its members: a letter without copies keeps its side for
    ever; one that later gets a copy may change it together with the copy.
    """
    parent = np.arange(len(cases))
    index = MinHashLSH(threshold=CANDIDATES * threshold, num_perm=N_PERMUTATIONS)
    keys = [group_key(case) for case in cases]
    first_with: dict[str, int] = {}
    for row, signature in enumerate(_signatures(cases)):
        grams = shingles(cases[row])
        for found in index.query(signature):
            if jaccard(grams, shingles(cases[found])) >= threshold:
                _join(parent, row, found)
        index.insert(row, signature, check_duplication=False)
        _join(parent, row, first_with.setdefault(keys[row], row))
    smallest: dict[int, str] = {}
    for row, key in enumerate(keys):
        root = _root(parent, row)
        smallest[root] = min(smallest.get(root, key), key)
    return [smallest[_root(parent, row)] for row in range(len(cases))]


def check_split(train: Sequence[Case], test: Sequence[Case], *, by_time: bool = False) -> None:
    """Refuse a split that leaks.

    Raises:
        LeakError: near-duplicates or a recorded group on both sides, or (``by_time``) a test letter that
            is not newer than every training letter; gives ids, never text.
    """
    shared = {(c.source, c.group) for c in train if c.group} & {(c.source, c.group) for c in test if c.group}
    if shared:
        raise LeakError(f"{len(shared)} groups have letters on both sides; split again by group")
    leaks = find_leaks(train, test)
    if leaks:
        pairs = ", ".join(f"{train[x.first].id}~{test[x.second].id} ({x.similarity:.2f})" for x in leaks[:5])
        raise LeakError(f"{len(leaks)} test letters have a near-duplicate in the training file: {pairs}")
    if by_time:
        dates = [[c.received_at.replace(tzinfo=None) for c in side if c.received_at] for side in (train, test)]
        if dates[0] and dates[1] and max(dates[0]) > min(dates[1]):
            raise LeakError(f"the newest training letter ({max(dates[0])}) is later than the oldest test letter")


def shingles(letter: Letter) -> frozenset[str]:
    """Distinct character 4-grams of the normalised letter; a shorter letter is one shingle."""
    text = normalize(letter.title + letter.body)
    return frozenset(text[i : i + _SHINGLE] for i in range(max(1, len(text) - _SHINGLE + 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Size of the intersection over the size of the union."""
    shared = len(first & second)
    return shared / max(1, len(first) + len(second) - shared)


def _signatures(letters: Sequence[Letter]) -> list[MinHash]:
    tokens = ([gram.encode("utf-8", "surrogatepass") for gram in shingles(letter)] for letter in letters)
    return list(MinHash.generator(tokens, num_perm=N_PERMUTATIONS, seed=_SEED))


def _root(parent: npt.NDArray[np.int64], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _join(parent: npt.NDArray[np.int64], first: int, second: int) -> None:
    roots = _root(parent, first), _root(parent, second)
    parent[max(roots)] = min(roots)

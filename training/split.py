"""Splits that do not leak: near-duplicates stay together, and no test letter is older than a training letter.

``split_cases`` (by group) and ``split_stratified`` give a case its side by a hash of its group (or of its
text), not by the order of the file, so ``split_cases`` never moves an old case when new ones arrive.
``split_by_time`` trains on the past and tests on the future, as the service will be used.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from models.case import Case
from models.features import normalize

Sides = tuple[list[Case], list[Case]]
BY = ("group", "time", "topic", "department", "urgency", "request_type", "unit")


def split_cases(
    cases: Sequence[Case], test_share: float, *, salt: str = "fenban", keys: Sequence[str] | None = None
) -> Sides:
    """Split into ``(train, test)`` by group.

    Args:
        cases: any number of cases.
        test_share: expected share of groups in the second list, in (0, 1).
        salt: another salt gives another split.
        keys: a name per case; equal names stay together. Default ``group_key``, see also
            ``training.leaks.duplicate_groups``.

    Raises:
        ValueError: ``test_share`` is outside (0, 1).
    """
    _check_share(test_share)
    train: list[Case] = []
    test: list[Case] = []
    for case, key in zip(cases, _keys(cases, keys), strict=True):
        (test if _position(key, salt) < test_share else train).append(case)
    return train, test


def split_stratified(
    cases: Sequence[Case], test_share: float, head: str, *, salt: str = "fenban", keys: Sequence[str] | None = None
) -> Sides:
    """Split by group so that every label of ``head`` has about ``test_share`` of its groups in the second list.

    A group counts for its most frequent label; cases without a label are a stratum of their own. A label
    with a single group stays in training, so that it can be learned.

    Raises:
        ValueError: ``test_share`` is outside (0, 1).
    """
    _check_share(test_share)
    names = _keys(cases, keys)
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for case, key in zip(cases, names, strict=True):
        labels[key][str(getattr(case.labels, head))] += 1
    strata: dict[str, list[str]] = defaultdict(list)
    for key, counts in labels.items():
        strata[min(counts, key=lambda label: (-counts[label], label))].append(key)
    held: set[str] = set()
    for keys in strata.values():
        ordered = sorted(keys, key=lambda key: _position(key, salt))
        held.update(ordered[: round(len(ordered) * test_share)])
    sides: Sides = ([], [])
    for case, key in zip(cases, names, strict=True):
        sides[key in held].append(case)
    return sides


def split_by_time(cases: Sequence[Case], test_share: float, *, keys: Sequence[str] | None = None) -> Sides:
    """Train on the older cases, test on the newest ``test_share`` of them.

    Every test letter is newer than every training letter. A letter from after the cut that copies one
    from before it is left out of both lists.

    Raises:
        ValueError: ``test_share`` is outside (0, 1); a case has no ``received_at``; all came at one moment.
    """
    _check_share(test_share)
    undated = [case.id for case in cases if case.received_at is None]
    if undated:
        raise ValueError(
            f"{len(undated)} cases have no received_at (first: {undated[0]!r}); map the column, or split by group"
        )
    dated = sorted(zip((_moment(c) for c in cases), _keys(cases, keys), cases, strict=True), key=lambda row: row[0])
    cut = dated[min(len(dated) - 1, round(len(dated) * (1 - test_share)))][0] if dated else datetime.max
    train = [case for moment, _, case in dated if moment < cut]
    old = {key for moment, key, _ in dated if moment < cut}
    test = [case for moment, key, case in dated if moment >= cut and key not in old]
    if not train or not test:
        raise ValueError("all cases were received at one moment, or are copies of one; split by group instead")
    return train, test


def split(cases: Sequence[Case], test_share: float, by: str = "group", *, keys: Sequence[str] | None = None) -> Sides:
    """Split by ``group``, by ``time``, or stratified by a head's label (whole groups).

    Raises:
        ValueError: ``by`` is none of ``BY``; and as the three functions.
    """
    if by not in BY:
        raise ValueError(f"--by {by}: must be one of {', '.join(BY)}")
    if by == "group":
        return split_cases(cases, test_share, keys=keys)
    if by == "time":
        return split_by_time(cases, test_share, keys=keys)
    return split_stratified(cases, test_share, by, keys=keys)


def group_key(case: Case) -> str:
    """What must stay on one side: the recorded group, or else the normalised text."""
    return f"group:{case.source}:{case.group}" if case.group else f"text:{normalize(case.title + case.body)}"


def _keys(cases: Sequence[Case], keys: Sequence[str] | None) -> Sequence[str]:
    return [group_key(case) for case in cases] if keys is None else keys


def _check_share(test_share: float) -> None:
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, not {test_share}")


def _moment(case: Case) -> datetime:
    assert case.received_at is not None
    return case.received_at.replace(tzinfo=None)


def _position(key: str, salt: str) -> float:
    digest = hashlib.sha256(f"{salt}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

"""Splits that do not leak: near-duplicates stay together, and a case keeps its side for ever.

The side depends on a hash of the case's group (or of its text, where it has none), not on the order
of the file, so adding cases never moves an old one across.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from models.case import Case
from models.features import normalize


def split_cases(cases: Sequence[Case], test_share: float, *, salt: str = "fenban") -> tuple[list[Case], list[Case]]:
    """Split into ``(train, test)`` by group.

    Args:
        cases: any number of cases.
        test_share: expected share of groups in the second list, in (0, 1).
        salt: another salt gives another split.

    Raises:
        ValueError: ``test_share`` is outside (0, 1).
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, not {test_share}")
    train: list[Case] = []
    test: list[Case] = []
    for case in cases:
        (test if _position(case, salt) < test_share else train).append(case)
    return train, test


def _position(case: Case, salt: str) -> float:
    key = f"group:{case.source}:{case.group}" if case.group else f"text:{normalize(case.title + case.body)}"
    digest = hashlib.sha256(f"{salt}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

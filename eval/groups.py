"""Which letters are copies of one another: the units of the bootstrap in ``fenban evaluate`` and ``fenban compare``.

A petition that forty people send is one piece of evidence, not forty. Up to ``NEAR_LIMIT`` letters the
groups are those of ``fenban split``: near-duplicates by MinHash, and recorded groups. Above it that search
would take hours, so only letters of equal normalised text, or of one recorded group, are put together; the
page says which of the two was done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from models.features import normalize
from training.cases import count_cases, read_cases
from training.leaks import duplicate_groups

NEAR_LIMIT = 20_000
Grouping = Literal["near_duplicates", "equal_texts"]
Codes = npt.NDArray[np.int64]
_COLUMNS = ["title", "body", "source", "group"]


@dataclass(frozen=True)
class Groups:
    """The group of every letter, ``codes (n,)`` from 0 to ``count - 1``, and how they were found."""

    codes: Codes
    count: int
    grouping: Grouping


def letter_groups(cases: Path, *, near_limit: int = NEAR_LIMIT) -> Groups:
    """Groups of the letters of a cases file; memory above ``near_limit`` grows by 16 bytes a letter.

    Raises:
        ValueError: the file is no cases file; says what to run.
    """
    if count_cases(cases) <= near_limit:
        found = duplicate_groups(read_cases(cases))
        return _numbered(np.array([_digest(key) for key in found], np.uint64), "near_duplicates")
    parts = []
    for batch in pq.ParquetFile(cases).iter_batches(20_000, columns=_COLUMNS):
        parts.append(np.fromiter((_digest(_key(row)) for row in batch.to_pylist()), np.uint64, batch.num_rows))
    return _numbered(np.concatenate(parts), "equal_texts")


def _key(row: dict[str, str | None]) -> str:
    """``training.split.group_key`` of a row that is not made a ``Case`` first, which would double the time."""
    if row["group"]:
        return f"group:{row['source']}:{row['group']}"
    return f"text:{normalize((row['title'] or '') + (row['body'] or ''))}"


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _numbered(digests: npt.NDArray[np.uint64], grouping: Grouping) -> Groups:
    found, codes = np.unique(digests, return_inverse=True)
    return Groups(codes.astype(np.int64), len(found), grouping)

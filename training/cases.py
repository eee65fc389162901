"""Cases files: parquet with one row per case; labels and dispatches are JSON strings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.case import Case

_NESTED = ("labels", "dispatches")
_PLAIN = tuple(name for name in Case.model_fields if name not in _NESTED)
_SCHEMA = pa.schema(
    [(name, pa.float64() if name in ("lon", "lat") else pa.string()) for name in _PLAIN]
    + [(name, pa.string()) for name in _NESTED]
)


def write_cases(cases: Sequence[Case], path: Path) -> None:
    """Write a cases file."""
    rows = [case.model_dump(mode="json") for case in cases]
    for row in rows:
        for name in _NESTED:
            row[name] = json.dumps(row[name], ensure_ascii=False)
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path)


def read_cases(path: Path) -> list[Case]:
    """Read a cases file.

    Raises:
        ValueError: the file is no cases file; says what to run.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise ValueError(
            f"{path}: cannot be read as parquet ({type(error).__name__}); make it with fenban import"
        ) from None
    missing = sorted(set(_SCHEMA.names) - set(table.column_names))
    if missing:
        raise ValueError(f"{path}: column {missing[0]} is missing; make the file with fenban import")
    rows = table.select(_SCHEMA.names).to_pylist()
    return [Case.model_validate({**row, **{name: json.loads(row[name]) for name in _NESTED}}) for row in rows]

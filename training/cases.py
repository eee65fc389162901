"""Cases files: parquet with one row per case; labels and dispatches are JSON strings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
    """Read a cases file; raises as ``iter_cases``."""
    return [case for chunk in iter_cases(path) for case in chunk]


def count_cases(path: Path) -> int:
    """Number of cases in a file, without reading them; raises as ``iter_cases``."""
    return int(_open(path).metadata.num_rows)


def iter_cases(path: Path, chunk: int = 512) -> Iterator[list[Case]]:
    """Read a cases file in lists of up to ``chunk`` cases, so that memory does not grow with the file.

    Raises:
        ValueError: the file is no cases file; says what to run.
    """
    for batch in _open(path).iter_batches(chunk, columns=_SCHEMA.names):
        rows = batch.to_pylist()
        yield [Case.model_validate({**row, **{name: json.loads(row[name]) for name in _NESTED}}) for row in rows]


def _open(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise ValueError(
            f"{path}: cannot be read as parquet ({type(error).__name__}); make it with fenban import"
        ) from None
    missing = sorted(set(_SCHEMA.names) - set(file.schema_arrow.names))
    if missing:
        raise ValueError(f"{path}: column {missing[0]} is missing; make the file with fenban import")
    return file

"""Several cases files as one: what ``--cases`` given more than once means."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.case import Case
from training.cases import count_cases

_COLUMNS = list(Case.model_fields)
_SHOWN = 3


@contextmanager
def one_file(files: Sequence[Path]) -> Iterator[Path]:
    """The cases of all ``files``, in their order, as one cases file; a single file is taken as it is.

    The joined file is temporary, is written in pieces, and is named after its parts. Letters that
    are in more than one file are kept: intervals count copies once.

    Raises:
        ValueError: a file is given twice, or is no cases file; names it.
    """
    seen: set[Path] = set()
    for file in files:
        count_cases(file)
        if file.resolve() in seen:
            raise ValueError(f"--cases {file}: is given twice; give each file once")
        seen.add(file.resolve())
    if len(files) == 1:
        yield files[0]
        return
    with tempfile.TemporaryDirectory() as folder:
        joined = Path(folder) / _name(files)
        schema = _schema(files[0])
        with pq.ParquetWriter(joined, schema) as writer:
            for file in files:
                for batch in pq.ParquetFile(file).iter_batches(20_000, columns=_COLUMNS):
                    writer.write_table(pa.Table.from_batches([batch]).select(_COLUMNS).cast(schema))
        yield joined


def _name(files: Sequence[Path]) -> str:
    rest = len(files) - _SHOWN
    return "+".join(file.stem[:40] for file in files[:_SHOWN]) + (f"+{rest} more" if rest > 0 else "") + ".parquet"


def _schema(file: Path) -> pa.Schema:
    found = pq.read_schema(file)
    return pa.schema([(name, found.field(name).type) for name in _COLUMNS])

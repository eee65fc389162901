"""Rows of xlsx, csv, jsonl and parquet files, each with the number that a person would look for."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Table:
    """A file's rows.

    Attributes:
        columns: column names in file order; for jsonl, every key that occurs.
        rows: row number and values; a row that cannot be read holds the reason instead.
            Numbers are those of the sheet (xlsx, csv: the header is row 1; a csv record that spans
            lines counts once) or count from 1 (jsonl lines, parquet rows). Blank rows are left out.
    """

    columns: list[str]
    rows: list[tuple[int, dict[str, object] | str]]


def read_table(path: Path) -> Table:
    """Read xlsx (first sheet), csv (UTF-8 or GB18030), jsonl (UTF-8) or parquet.

    Raises:
        ValueError: another suffix, or content that does not fit it; names the file and the cure.
    """
    kinds = {".xlsx": _read_xlsx, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    suffix = path.suffix.lower()
    if suffix not in kinds:
        raise ValueError(f"{path}: unknown kind {path.suffix!r}; use .xlsx, .csv, .jsonl or .parquet")
    if not path.is_file():
        raise ValueError(f"{path}: no such file; check the path")
    try:
        return kinds[suffix](path)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: unknown encoding; save it as UTF-8 (csv: or GB18030)") from None
    except (zipfile.BadZipFile, csv.Error, pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        cure = f"is it really {suffix}? open it and save it anew"
        raise ValueError(f"{path}: cannot be read as {suffix} ({type(error).__name__}); {cure}") from None


def _read_xlsx(path: Path) -> Table:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # some systems export a sheet that claims to be one cell
        return _with_header(list(row) for row in sheet.iter_rows(values_only=True))
    finally:
        book.close()


def _read_csv(path: Path) -> Table:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    return _with_header(list(row) for row in csv.reader(io.StringIO(text, newline="")))


def _with_header(records: Iterator[list[object]]) -> Table:
    columns = ["" if name is None else str(name).strip() for name in next(records, [])]
    rows: list[tuple[int, dict[str, object] | str]] = []
    for number, record in enumerate(records, 2):
        if all(value in (None, "") for value in record):
            continue
        if any(value not in (None, "") for value in record[len(columns) :]):
            rows.append((number, f"{len(record)} values for {len(columns)} columns; check quotes and separators"))
        else:
            padded = [*record, *[None] * (len(columns) - len(record))]
            rows.append((number, dict(zip(columns, padded, strict=False))))
    return Table(columns, rows)


def _read_jsonl(path: Path) -> Table:
    columns: dict[str, None] = {}
    rows: list[tuple[int, dict[str, object] | str]] = []
    # not splitlines(): a letter may hold U+2028, which JSON need not escape
    for number, line in enumerate(path.read_bytes().decode("utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            columns.update(dict.fromkeys(row))
            rows.append((number, row))
        else:
            rows.append((number, "the line is not a JSON object"))
    return Table(list(columns), rows)


def _read_parquet(path: Path) -> Table:
    table = pq.read_table(path)
    return Table(list(table.column_names), list(enumerate(table.to_pylist(), 1)))

"""Case files of any system into cases: columns and foreign labels are mapped, nothing gets lost.

    fenban import letters.xlsx --mapping map.yaml -o cases.parquet

A row that cannot be used goes to ``cases.rejected.csv`` with file, row, field and reason, never with
its text. Personal data is redacted on the way in.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from tqdm import tqdm

from models.case import MAX_BODY, MAX_TITLE, Case, Labels
from models.features import normalize
from models.redact import redact as redact_text
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import HEADS, Taxonomy
from training.cases import write_cases

_LABELS = tuple(Labels.model_fields)
_FIELDS = ("id", "title", "body", "received_at", "channel", "stated_unit", "lon", "lat", "source", "group")
_DISPATCH = ("unit", "department", "at", "outcome", "reason")
_MISSING = {"", "nan", "none", "null", "nat"}


class RowError(ValueError):
    """One row cannot be used; ``field`` says where, the message why, without its text."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Mapping(BaseModel):
    """How the columns of a file become a case.

    Attributes:
        columns: field of a case, or of its labels, to the file's column.
        dispatch: field of a recorded dispatch to the file's column.
        values: label field to {foreign name: taxonomy id}; other names are looked up in the taxonomy.
        on_unknown_label: ``reject`` the row, or ``mask`` the label.
        long_text: ``reject`` letters over the limits of a case, or ``cut`` them.
        source: written into every case, default the file's name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str]
    dispatch: dict[str, str] = {}
    values: dict[str, dict[str, str | None]] = {}
    on_unknown_label: Literal["reject", "mask"] = "reject"
    long_text: Literal["reject", "cut"] = "reject"
    source: str | None = None

    @classmethod
    def load(cls, path: Path) -> Mapping:
        """Read a mapping.

        Raises:
            ValueError: not YAML, an unknown field, or neither title nor body mapped; names file and field.
        """
        try:
            mapping = cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except yaml.YAMLError as error:
            raise ValueError(f"{path}: not YAML: {error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{path}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        for section, used, allowed in (
            ("columns", mapping.columns, {*_FIELDS, *_LABELS}),
            ("dispatch", mapping.dispatch, set(_DISPATCH)),
            ("values", mapping.values, set(_LABELS)),
        ):
            for name in used:
                if name not in allowed:
                    raise ValueError(f"{path}, {section}.{name}: no such field; choose from {sorted(allowed)}")
        if not {"title", "body"} & set(mapping.columns):
            raise ValueError(f"{path}, columns: map title, body or both")
        return mapping


@dataclass(frozen=True)
class ImportCounts:
    """``read == kept + merged + rejected``; ``conflicts`` counts merged rows whose labels differed."""

    read: int
    kept: int
    merged: int
    rejected: int
    conflicts: int

    def __str__(self) -> str:
        return (
            f"read {self.read} = kept {self.kept} + merged duplicates {self.merged} + rejected {self.rejected}"
            f" ({self.conflicts} duplicates with other labels: the first was kept)"
        )


def import_cases(
    files: Sequence[Path],
    mapping: Mapping,
    taxonomy: Taxonomy,
    out: Path,
    *,
    redact: bool = True,
    progress: bool = True,
) -> ImportCounts:
    """Import files into ``out`` and the unusable rows into ``out`` with suffix ``.rejected.csv``.

    Raises:
        ValueError: a file cannot be read, or lacks a mapped column; names the file and the cure.
    """
    kept: dict[str, Case] = {}
    read = merged = rejected = conflicts = 0
    with out.with_suffix(".rejected.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "row", "field", "reason"))
        for path in files:
            table = read_table(path)
            _check_columns(path, mapping, table.columns)
            rows = enumerate(table.to_dict("records"), 2 if path.suffix != ".jsonl" else 1)
            for number, row in tqdm(rows, total=len(table), desc=path.name, disable=not progress, mininterval=1):
                read += 1
                try:
                    case = _case(row, mapping, taxonomy, redact=redact, name=path.stem, number=number)
                except RowError as error:
                    rejected += 1
                    writer.writerow((path.name, number, error.field, str(error)))
                    continue
                key = hashlib.sha256(normalize(case.title + "\n" + case.body).encode()).hexdigest()
                if key in kept:
                    merged += 1
                    kept[key], conflict = _merge(kept[key], case)
                    conflicts += conflict
                else:
                    kept[key] = case
    write_cases(list(kept.values()), out)
    return ImportCounts(read, len(kept), merged, rejected, conflicts)


def read_table(path: Path) -> pd.DataFrame:
    """Read xlsx, csv (UTF-8 or GB18030), jsonl or parquet with every value as found.

    Raises:
        ValueError: another suffix, or content that does not fit it.
    """
    try:
        match path.suffix.lower():
            case ".xlsx":
                return pd.read_excel(path, dtype=str)
            case ".csv":
                return _read_csv(path)
            case ".jsonl":
                return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
            case ".parquet":
                return pd.read_parquet(path)
    except (ValueError, KeyError, OSError, UnicodeError) as error:
        raise ValueError(f"{path}: cannot be read as {path.suffix} ({type(error).__name__})") from None
    raise ValueError(f"{path}: unknown kind {path.suffix!r}; use .xlsx, .csv, .jsonl or .parquet")


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        path.read_bytes().decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "gb18030"
    return pd.read_csv(path, dtype=str, encoding=encoding, keep_default_na=False)


def _check_columns(path: Path, mapping: Mapping, columns: Iterable[str]) -> None:
    present = set(columns)
    for field, column in {**mapping.columns, **mapping.dispatch}.items():
        if column not in present:
            raise ValueError(f"{path}: has no column {column!r} (mapped to {field}); it has {sorted(present)}")


def _case(row: dict[str, Any], mapping: Mapping, taxonomy: Taxonomy, *, redact: bool, name: str, number: int) -> Case:
    values = {field: _value(row[column]) for field, column in mapping.columns.items()}
    text = {field: values.get(field) or "" for field in ("title", "body")}
    for field, limit in (("title", MAX_TITLE), ("body", MAX_BODY)):
        if len(text[field]) > limit and mapping.long_text == "reject":
            raise RowError(field, f"{len(text[field])} characters; the limit is {limit} (or set long_text: cut)")
        text[field] = (redact_text(text[field]) if redact else text[field])[:limit]
    if not (text["title"] + text["body"]).strip():
        raise RowError("body", "title and body are empty")
    labels = {field: _label(field, values.get(field), mapping, taxonomy) for field in _LABELS}
    dispatch = {field: _value(row[column]) for field, column in mapping.dispatch.items()}
    plain = {f: values[f] for f in _FIELDS if values.get(f) is not None and f not in text}
    try:
        return Case.model_validate(
            {
                **plain,
                **text,
                "id": plain.get("id", f"{name}-{number}"),
                "source": plain.get("source", mapping.source or name),
                "labels": labels,
                "dispatches": [dispatch] if any(dispatch.values()) else [],
            }
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise RowError(".".join(map(str, first["loc"])), first["msg"]) from None


def _value(raw: Any) -> str | None:
    text = "" if raw is None else str(raw).strip()
    return None if text.lower() in _MISSING else text


def _label(field: str, raw: str | None, mapping: Mapping, taxonomy: Taxonomy) -> str | None:
    if raw is None or field == "aux":
        return raw
    foreign = mapping.values.get(field, {})
    if raw in foreign:
        return foreign[raw]
    head = "department" if field == "co_department" else field
    if field == "unit":
        found = raw if raw in (UNKNOWN_UNIT, OUTSIDE_UNIT) else taxonomy.unit_code(raw)
    else:
        assert head in HEADS
        found = taxonomy.resolve(head, raw)
    if found is None and mapping.on_unknown_label == "reject":
        raise RowError(field, "label is not in the taxonomy; add it to values in the mapping")
    return found


def _merge(first: Case, second: Case) -> tuple[Case, bool]:
    """The first case, its missing labels filled from the second; whether any label differed."""
    mine, other = first.labels.model_dump(), second.labels.model_dump()
    conflict = any(mine[f] and other[f] and mine[f] != other[f] for f in mine)
    labels = Labels(**{f: mine[f] or other[f] for f in mine})
    dispatches = tuple(dict.fromkeys((*first.dispatches, *second.dispatches)))
    return first.model_copy(update={"labels": labels, "dispatches": dispatches}), conflict

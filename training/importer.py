"""Case files of any system into cases: columns and foreign labels are mapped, nothing gets lost.

    fenban import letters.xlsx --mapping map.yaml -o cases.parquet

A row that cannot be used goes to ``cases.rejected.csv`` with file, row, field and reason, never with
its text. Personal data is redacted on the way in.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from tqdm import tqdm

from models.case import MAX_BODY, MAX_TITLE, Case, Labels
from models.features import normalize
from models.redact import redact as redact_text
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import Taxonomy
from training.cases import write_cases
from training.tables import Table, read_table

_LABELS = tuple(Labels.model_fields)
_FIELDS = ("id", "title", "body", "received_at", "channel", "stated_unit", "lon", "lat", "source", "group")
_DISPATCH = ("unit", "department", "at", "outcome", "reason")
_CHECKED = tuple(field for field in _LABELS if field != "aux")
_MISSING = {"", "nan", "none", "null", "nat"}
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[T\s]*(.*)")


class RowError(ValueError):
    """One row cannot be used; ``field`` says where, the message why, without its text."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Mapping(BaseModel):
    """How the columns of a file become a case.

    Attributes:
        columns: field of a case, or of its labels, to the file's column.
        dispatch: field of a recorded dispatch (unit, department, at, outcome, reason) to the file's column.
        values: label field to {foreign name: taxonomy id, or null to mask}; other names are looked up in
            the taxonomy. ``department`` also serves ``co_department``, ``unit`` and ``department`` also
            the dispatch, whose ``outcome`` and ``reason`` have entries of their own.
        on_unknown_label: ``reject`` the row, or ``mask`` the label.
        long_text: ``reject`` letters over the limits of a case, or ``cut`` them.
        source: written into every case, default the file's name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

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
            ("values", mapping.values, {*_LABELS, "outcome", "reason"}),
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
        ValueError: a file cannot be read, lacks a mapped column, or the mapping names an unknown label;
            names the place and the cure.
    """
    _check_values(mapping, taxonomy)
    out.parent.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Case] = {}
    read = merged = rejected = conflicts = 0
    with out.with_suffix(".rejected.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "row", "field", "reason"))
        for path in files:
            table = read_table(path)
            _check_columns(path, mapping, table)
            for number, row in tqdm(table.rows, desc=path.name, disable=not progress, mininterval=1):
                read += 1
                default = Case.model_construct(id=f"{path.stem}-{number}", source=mapping.source or path.stem)
                try:
                    if isinstance(row, str):
                        raise RowError("row", row)
                    case = _case(row, mapping, taxonomy, redact=redact, default=default)
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


def _check_columns(path: Path, mapping: Mapping, table: Table) -> None:
    """Errors name no column of the file but the nearest: without a header, its first row is a letter."""
    for field, column in [*mapping.columns.items(), *mapping.dispatch.items()]:
        found = table.columns.count(column)
        if found == 1:
            continue
        if found:
            raise ValueError(f"{path}: column {column!r} (mapped to {field}) occurs {found} times; rename the others")
        near = get_close_matches(column, table.columns, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; is the first row the header (jsonl: the key)?"
        raise ValueError(f"{path}: no column {column!r} (mapped to {field}) among {len(table.columns)}{hint}")


def _check_values(mapping: Mapping, taxonomy: Taxonomy) -> None:
    for field in _CHECKED:
        for foreign, target in mapping.values.get(field, {}).items():
            if target is not None and not _lookup(field, target, taxonomy)[0]:
                where = f"mapping, values.{field}.{foreign}"
                raise ValueError(f"{where}: {target!r} is not in taxonomy {taxonomy.version}; use one of its ids")


def _case(row: dict[str, object], mapping: Mapping, taxonomy: Taxonomy, *, redact: bool, default: Case) -> Case:
    values = {field: _value(field, row.get(column)) for field, column in mapping.columns.items()}
    text = {field: values.get(field) or "" for field in ("title", "body")}
    for field, limit in (("title", MAX_TITLE), ("body", MAX_BODY)):
        if len(text[field]) > limit and mapping.long_text == "reject":
            raise RowError(field, f"{len(text[field])} characters; the limit is {limit} (or set long_text: cut)")
        text[field] = (redact_text(text[field]) if redact else text[field])[:limit]
    if not (text["title"] + text["body"]).strip():
        raise RowError("body", "title and body are empty")
    plain = {field: values[field] for field in _FIELDS if values.get(field) is not None}
    labels = {field: _label(field, values.get(field), mapping, taxonomy) for field in _LABELS}
    dispatch = _dispatch(row, mapping, taxonomy)
    try:
        return Case.model_validate(
            {
                "id": default.id,
                "source": default.source,
                **plain,
                **text,
                "received_at": _moment("received_at", values.get("received_at")),
                "labels": labels,
                "dispatches": [dispatch] if any(dispatch.values()) else [],
            }
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise RowError(".".join(map(str, first["loc"])), first["msg"]) from None


def _dispatch(row: dict[str, object], mapping: Mapping, taxonomy: Taxonomy) -> dict[str, str | datetime | None]:
    found: dict[str, str | datetime | None] = {}
    for field, column in mapping.dispatch.items():
        raw = _value(f"dispatch.{field}", row.get(column))
        if field in ("unit", "department"):
            found[field] = _label(field, raw, mapping, taxonomy)
        elif field == "at":
            found[field] = _moment("dispatch.at", raw)
        else:
            found[field] = mapping.values.get(field, {}).get(raw, raw) if raw else None
    return found


def _value(field: str, raw: object) -> str | None:
    if isinstance(raw, (dict, list, bytes)):
        raise RowError(field, f"is a {type(raw).__name__}, not text or a number")
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)  # a column of codes with one empty cell arrives as 510104.0
    text = "" if raw is None else str(raw).strip()
    return None if text.lower() in _MISSING else text


def _moment(field: str, raw: str | None) -> datetime | None:
    """``2026-11-24 09:30:00``, ``2026/11/24``, ``2026年11月24日 9时30分`` or ``20261124``."""
    if raw is None:
        return None
    parts = _DATE.fullmatch(raw)
    if parts:
        year, month, day, rest = parts.groups()
        clock = re.sub(r"[：时分]", ":", rest).rstrip(":秒")
        clock = re.sub(r"(?<![\d.])(\d)(?!\d)", r"0\1", clock)
        raw = f"{year}-{month:>02}-{day:>02}" + (f"T{clock}" if clock else "")
    try:
        return datetime.fromisoformat(raw)
    except ValueError:
        raise RowError(field, "is not a date; write it as 2026-11-24 09:30") from None


def _lookup(field: str, name: str, taxonomy: Taxonomy) -> tuple[bool, str | None]:
    """Whether the taxonomy knows a name, and its id today: ``None`` for one retired with several successors."""
    if field == "unit":
        found = name if name in (UNKNOWN_UNIT, OUTSIDE_UNIT) else taxonomy.unit_code(name)
        return found is not None, found
    head = "department" if field == "co_department" else field
    found = taxonomy.resolve(head, name)
    retired = head == "department" and any(name in (x.id, x.name, *x.aliases) for x in taxonomy.retired.values())
    return found is not None or retired, found


def _label(field: str, raw: str | None, mapping: Mapping, taxonomy: Taxonomy) -> str | None:
    fallback = mapping.values.get("department", {}) if field == "co_department" else {}
    foreign = {**fallback, **mapping.values.get(field, {})}
    target = foreign.get(raw, raw) if raw is not None else None
    if target is None or field == "aux":
        return target
    known, found = _lookup(field, target, taxonomy)
    if not known and mapping.on_unknown_label == "reject":
        raise RowError(field, "label is not in the taxonomy; add it to values in the mapping")
    return found


def _merge(first: Case, second: Case) -> tuple[Case, bool]:
    """The first case, its missing labels filled from the second; whether any label differed."""
    mine, other = first.labels.model_dump(), second.labels.model_dump()
    conflict = any(mine[f] and other[f] and mine[f] != other[f] for f in mine)
    labels = Labels(**{f: mine[f] or other[f] for f in mine})
    dispatches = tuple(dict.fromkeys((*first.dispatches, *second.dispatches)))
    return first.model_copy(update={"labels": labels, "dispatches": dispatches}), conflict

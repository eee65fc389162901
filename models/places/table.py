"""The gazetteer table: its columns, reading and writing, and the checks that every row must pass.

One row says: a place of this name and kind belongs to this unit, from one date to another. A name that
two units own has two rows. Columns that a file lacks are empty; ``name``, ``kind`` and ``unit`` must be there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

KINDS = (
    "city", "community", "estate", "gym", "hospital", "landmark", "metro", "park", "road", "school",
    "street_office", "town", "unit", "village",
)  # fmt: skip
REQUIRED = ("name", "kind", "unit")
NUMBERS = re.compile(r"(?:odd|even|all):\d+-\d+(?:;(?:odd|even|all):\d+-\d+)*")


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        aliases: other ways to write the name, joined by ``|``; one that starts with ``~`` lacks the word
            that marks it as a place (双水碾 for 双水碾街道).
        unit: code of the unit that takes dispatches; empty for ``kind`` ``city`` (a matter of the city).
        district: code of the statutory district, where it differs from the unit.
        valid_from, valid_to: first and last day, ISO dates; empty is open.
        numbers: house numbers of this unit on a shared road, ``odd:1-99;even:2-88``.
        n_sources: independent sources; 0 is one weak or disputed source.
        n_elsewhere: letters of other cities, of those the table was built with, that hold the name.
        lon, lat: WGS-84 degrees.
        origin: where the row comes from: ``public``, ``history``, ``landmarks`` or the user's file.
    """

    name: str
    kind: str
    unit: str
    aliases: str = ""
    district: str = ""
    street: str = ""
    valid_from: str = ""
    valid_to: str = ""
    numbers: str = ""
    n_sources: int = 1
    n_elsewhere: int = 0
    lon: str = ""
    lat: str = ""
    origin: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Rows with the same key say the same thing."""
        return self.name, self.kind, self.unit, self.valid_to


FIELDS = Row._fields
_DEFAULTS = [Row._field_defaults.get(name, "") for name in FIELDS]


def read_rows(path: Path, units: Iterable[str]) -> Iterator[Row]:
    """Rows of a table in file order.

    Raises:
        ValueError: a missing column, an unknown column, unit or kind, or a value of the wrong form; names
            file, line and field.
    """
    known = {*units}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        columns = next(reader, [])
        missing = [name for name in REQUIRED if name not in columns]
        extra = [name for name in columns if name not in FIELDS]
        if missing or extra:
            raise ValueError(
                f"{path}, line 1: columns missing {missing}, unknown {extra}; the table has {', '.join(FIELDS)}"
            )
        width = len(columns)
        pick = itemgetter(*(columns.index(n) if n in columns else width + i for i, n in enumerate(FIELDS)))
        counts = [(columns.index(name), name) for name in ("n_sources", "n_elsewhere") if name in columns]
        good: set[tuple[str, str]] = set()
        for number, values in enumerate(reader, 2):
            if len(values) != width:
                raise ValueError(f"{path}, line {number}: {len(values)} values for {width} columns")
            full: list[Any] = values + _DEFAULTS
            for index, name in counts:
                full[index] = _count(full[index], name, path, number)
            row = Row._make(pick(full))
            if row[1:3] not in good or not row.name or row.valid_from or row.valid_to or row.numbers or row.lon:
                _check(row, known, f"{path}, line {number}")
                good.add(row[1:3])
            yield row


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write a table sorted by name, whole or not at all; returns the number of rows."""
    ordered = sorted(rows, key=lambda row: (*row.key, row.origin))
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(ordered)
    partial.replace(path)
    return len(ordered)


def in_force(valid_from: str, valid_to: str, on: str) -> bool:
    """Whether an ISO date lies in a period whose ends may be open."""
    return (not valid_from or valid_from <= on) and (not valid_to or on <= valid_to)


def _count(value: str, name: str, path: Path, number: int) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{path}, line {number}, {name}: {value!r} is no whole number") from None


def _check(row: Row, units: set[str], where: str) -> None:
    if not row.name:
        raise ValueError(f"{where}, name: is empty")
    if row.kind not in KINDS:
        raise ValueError(f"{where}, kind: {row.kind!r} is not one of {', '.join(KINDS)}")
    if row.unit not in units and not (row.kind == "city" and not row.unit):
        raise ValueError(f"{where}, unit: {row.unit!r} is not in the taxonomy")
    if row.numbers and not NUMBERS.fullmatch(row.numbers):
        raise ValueError(f"{where}, numbers: {row.numbers!r} must look like odd:1-99;even:2-88")
    for name, day in (("valid_from", row.valid_from), ("valid_to", row.valid_to)):
        if day and not _is(day, date.fromisoformat):
            raise ValueError(f"{where}, {name}: {day!r} is no date like 2020-06-30")
    for name, degrees, limit in (("lon", row.lon, 180), ("lat", row.lat, 90)):
        if degrees and not (_is(degrees, float) and abs(float(degrees)) <= limit):
            raise ValueError(f"{where}, {name}: {degrees!r} is no WGS-84 degree")


def _is(value: str, form: Callable[[str], object]) -> bool:
    try:
        form(value)
    except ValueError:
        return False
    return True

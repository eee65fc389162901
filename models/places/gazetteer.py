"""The gazetteer in memory: columns of numbers, and the automaton that finds names and aliases in a letter.

Every name is folded (``models.places.text``), so the letter is folded once and offsets stay those of the
letter. A million names fit because rows live in arrays and a ``Place`` is made only when it is found.
"""

from __future__ import annotations

import csv
import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import chain, groupby, pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np

from models.places.geo import NearbyUnits
from models.places.matcher import Matcher
from models.places.table import KINDS, Row, in_force, read_rows
from models.places.text import fold
from models.taxonomy import Taxonomy

SHIPPED = Path(__file__).parents[1] / "data" / "gazetteer.csv"
UNUSABLE, SHORT, COMMON = "-", "~", "^"
_NO_UNIT = 255
_SHORT_BIT, _COMMON_BIT, _MERGED_BIT, _LENGTH_SHIFT, _MAX_LENGTH, _TARGET_SHIFT = 1, 2, 4, 3, 31, 8
"""How an integer of the automaton holds the name (or merged names) it stands for, the length and the flags."""
_name = attrgetter("name")
_MAIN_KIND = {kind: rank for rank, kind in enumerate(("unit", "city", "street_office", "town", "road", "landmark"))}


@dataclass(frozen=True)
class Owner:
    """A unit that has a place of some name: ``n_sources`` (0 is weak), its street, and its house numbers."""

    unit: str
    n_sources: int
    street: str
    numbers: str


@dataclass(frozen=True)
class Place:
    """One name: its kind and the units that own a place of that name, the best known first.

    ``n_elsewhere`` is the number of letters of other cities in which the name was seen.
    """

    name: str
    kind: str
    owners: tuple[Owner, ...]
    n_elsewhere: int

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(owner.unit for owner in self.owners)

    @property
    def n_sources(self) -> int:
        return max((owner.n_sources for owner in self.owners), default=0)


@dataclass(frozen=True)
class Found:
    """Characters ``[start, end)`` of a folded text that name ``place``.

    ``short`` is a form without the word that marks a place; ``common`` one that other cities use too.
    """

    start: int
    end: int
    place: Place
    short: bool
    common: bool = False


@dataclass
class _Columns:
    """Rows in force, in order of their names; ``start`` holds the first row of every name."""

    start: array[int] = field(default_factory=lambda: array("l", [0]))

    unit: array[int] = field(default_factory=lambda: array("B"))
    kind: array[int] = field(default_factory=lambda: array("B"))
    sources: array[int] = field(default_factory=lambda: array("h"))
    elsewhere: array[int] = field(default_factory=lambda: array("l"))
    details: dict[int, tuple[str, str]] = field(default_factory=dict)
    points: list[tuple[float, float, int]] = field(default_factory=list)


class Gazetteer:
    """All names of a city as of one day. ``version`` is a hash of the table."""

    def __init__(self, rows: Iterable[Row], units: list[str], version: str, on: str) -> None:
        self.version = version
        self.units = units
        self.on = on
        self.names: list[str] = []
        self.not_in_force: set[str] = set()
        self._places: dict[tuple[int, ...], Place] = {}
        self._merged: list[tuple[int, ...]] = []
        self._matcher = Matcher()
        self._columns = _Columns()
        for alias in self._read(rows):
            self._add(*alias)
        self._matcher.freeze()

    @classmethod
    def load(cls, path: Path, taxonomy: Taxonomy, on: date | None = None) -> Gazetteer:
        """Read the table written by ``fenban gazetteer build`` as of ``on`` (default: today).

        A name whose rows are all out of force is kept: the place is still there under the unit of its last row.

        Raises:
            ValueError: as ``read_rows``; names file, line and field.
        """
        units = [unit.id for unit in taxonomy.units]
        named = [Row(unit.name, "unit", unit.id, "|".join(unit.aliases), n_sources=9) for unit in taxonomy.units]
        day = (on or date.today()).isoformat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        rows = chain(named, _ordered(path, units))
        return cls(rows, units, digest, day)

    def find(self, folded: str) -> Iterator[Found]:
        """Longest matches from the left, without overlaps; a short form does not cut into a full name.

        双流西航港街道 is 双流 and 西航港街道, not 双流西 (站).
        """
        starting: dict[int, list[tuple[int, int]]] = {}
        for last, value in self._matcher.search(folded):
            length = value >> _LENGTH_SHIFT & _MAX_LENGTH
            starting.setdefault(last - length + 1, []).append((length, value))
        free = 0
        for start in sorted(starting):
            if start < free:
                continue
            for length, value in sorted(starting[start], reverse=True):
                if not (value & _SHORT_BIT and _cuts_a_name(starting, start, start + length)):
                    free = start + length
                    short, common = bool(value & _SHORT_BIT), bool(value & _COMMON_BIT)
                    yield Found(start, free, self._place_of(value), short, common)
                    break

    def get(self, name: str) -> Place | None:
        """The place of a name or alias; ``None`` if the gazetteer has none."""
        value = self._matcher.get(fold(name.strip()))
        return None if value is None else self._place_of(value)

    def near(self, lon: float, lat: float) -> dict[str, float]:
        """Share of each unit among the known places nearest to a WGS-84 point; empty if none is near."""
        if not self._columns.points:
            return {}
        return {self.units[unit]: share for unit, share in self._nearby.shares(lon, lat).items()}

    @cached_property
    def _nearby(self) -> NearbyUnits:
        points = np.array(self._columns.points)
        return NearbyUnits.build(points[:, :2], points[:, 2].astype(np.int64))

    def _read(self, rows: Iterable[Row]) -> list[tuple[str, int, int]]:
        """Fill the columns and add the full names; returns ``(alias, name index, flags)`` of the other ways."""
        columns, aliases = self._columns, []
        code = {unit: index for index, unit in enumerate(self.units)}
        kinds = {kind: index for index, kind in enumerate(KINDS)}
        for group in _by_name(rows):
            if group[0].kind == "unit" and not in_force(group[-1].valid_from, "", self.on):
                self.not_in_force.add(group[-1].unit)
            index = len(self.names)
            self.names.append(group[0].name)
            ways = {way for row in group if row.aliases for way in row.aliases.split("|")}
            for row in self._valid(group):
                if row.street or row.numbers:
                    columns.details[len(columns.unit)] = (row.street, row.numbers)
                if row.lon and row.unit:
                    columns.points.append((float(row.lon), float(row.lat), code[row.unit]))
                columns.unit.append(code.get(row.unit, _NO_UNIT))
                columns.kind.append(kinds[row.kind])
                columns.sources.append(row.n_sources)
            columns.elsewhere.append(max(map(attrgetter("n_elsewhere"), group)))
            columns.start.append(len(columns.unit))
            if UNUSABLE not in ways:
                self._add(group[0].name, index, 0)
            for way in sorted(ways - {UNUSABLE}):
                flags = _SHORT_BIT * (way[0] == SHORT) | _COMMON_BIT * (way[0] == COMMON)
                aliases.append((way.lstrip(SHORT + COMMON), index, flags))
        return aliases

    def _valid(self, group: list[Row]) -> list[Row]:
        """Rows in force; if there is none, the last one: the place is still there."""
        return [row for row in group if in_force(row.valid_from, row.valid_to, self.on)] or group[-1:]

    def _add(self, way: str, index: int, flags: int) -> None:
        """Add a way to write a name; a way that is taken stands for both names from then on."""
        folded = fold(way)
        if not 0 < len(folded) <= _MAX_LENGTH:
            return
        known = self._matcher.get(folded)
        if known is not None:
            members = self._members(known)
            if index in members or KINDS[self._columns.kind[self._columns.start[members[0]]]] == "unit":
                return
            self._merged.append((*members, index))
            index = len(self._merged) - 1
            flags = flags & known & (_SHORT_BIT | _COMMON_BIT) | _MERGED_BIT
        self._matcher.add(folded, index << _TARGET_SHIFT | len(folded) << _LENGTH_SHIFT | flags)

    def _members(self, value: int) -> tuple[int, ...]:
        target = value >> _TARGET_SHIFT
        return self._merged[target] if value & _MERGED_BIT else (target,)

    def _place_of(self, value: int) -> Place:
        members = self._members(value)
        place = self._places.get(members)
        if place is None:
            place = self._places[members] = self._make(members)
        return place

    def _make(self, members: tuple[int, ...]) -> Place:
        best: dict[str, Owner] = {}
        kinds: list[str] = []
        for member in members:
            for row in range(self._columns.start[member], self._columns.start[member + 1]):
                kinds.append(KINDS[self._columns.kind[row]])
                if self._columns.unit[row] == _NO_UNIT:
                    continue
                street, numbers = self._columns.details.get(row, ("", ""))
                owner = Owner(self.units[self._columns.unit[row]], self._columns.sources[row], street, numbers)
                known = best.get(owner.unit)
                if known is None or owner.n_sources > known.n_sources:
                    best[owner.unit] = owner
        kind = min(kinds, key=lambda k: _MAIN_KIND.get(k, len(_MAIN_KIND)))
        owners = tuple(sorted(best.values(), key=lambda owner: (-owner.n_sources, owner.unit)))
        elsewhere = max(self._columns.elsewhere[member] for member in members)
        return Place(self.names[members[0]], kind, owners, elsewhere)


def _by_name(rows: Iterable[Row]) -> Iterator[list[Row]]:
    for _, group in groupby(rows, key=_name):
        yield list(group)


def _ordered(path: Path, units: list[str]) -> Iterable[Row]:
    """Rows by name. A table of ours is in order and is streamed; one that is not is sorted in memory."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        columns = next(reader, [])
        column = columns.index("name") if "name" in columns else 0
        names = (values[column] for values in reader if len(values) > column)
        in_order = all(a <= b for a, b in pairwise(names))
    rows = read_rows(path, units)
    return rows if in_order else sorted(rows, key=_name)


def _cuts_a_name(starting: dict[int, list[tuple[int, int]]], start: int, end: int) -> bool:
    return any(
        not value & _SHORT_BIT and inner + length > end
        for inner in range(start + 1, end)
        for length, value in starting.get(inner, ())
    )

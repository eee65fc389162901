"""A user's own places: import from CSV or GeoJSON with a report of conflicts, and the checks of a table."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from models.places.gazetteer import Gazetteer
from models.places.table import KINDS, Row, read_rows, write_rows
from models.places.text import fold
from models.taxonomy import Taxonomy

SURE_NEAR = 0.8
"""A point without a unit belongs to the unit of this share of the known places around it."""
_OSM_KINDS = {
    "highway": "road", "railway": "metro", "station": "metro", "leisure": "park", "landuse": "estate",
    "building": "estate", "place": "village", "tourism": "landmark",
}  # fmt: skip
_AMENITIES = {"school": "school", "kindergarten": "school", "college": "school", "university": "school"}


@dataclass
class ImportReport:
    """What an import did: rows added, confirmed by another source, and refused with the reason."""

    added: int = 0
    confirmed: int = 0
    conflicts: list[str] = field(default_factory=list)


def import_places(
    source: Path, table: Path, out: Path, taxonomy: Taxonomy, *, kind: str | None = None, accept: bool = False
) -> ImportReport:
    """Merge a CSV or GeoJSON file into a table and write the result to ``out``.

    A name that the table gives to another unit is a conflict: it is reported and left out, or with ``accept``
    added as a second owner. Nothing that the table holds is changed, except that a place which the file
    confirms counts one source more.

    Raises:
        ValueError: the file is malformed, a unit is unknown or cannot be found; names file, row and field.
    """
    gazetteer = Gazetteer.load(table, taxonomy)
    rows = {row.key: row for row in read_rows(table, gazetteer.units)}
    owners: dict[str, set[str]] = defaultdict(set)
    for row in rows.values():
        owners[fold(row.name)].add(row.unit)
    report = ImportReport()
    for where, row in _read(source, gazetteer, taxonomy, kind):
        known = rows.get(row.key)
        if known is not None:
            rows[row.key] = known._replace(n_sources=known.n_sources + 1, numbers=known.numbers or row.numbers)
            report.confirmed += 1
        elif (others := owners[fold(row.name)] - {row.unit}) and not accept:
            names = "、".join(taxonomy.name("unit", unit) for unit in sorted(others) if unit)
            report.conflicts.append(f"{where}, {row.name}: {taxonomy.name('unit', row.unit)}, the table says {names}")
        else:
            rows[row.key] = row
            owners[fold(row.name)].add(row.unit)
            report.added += 1
    write_rows(out, rows.values())
    return report


def check_table(path: Path, taxonomy: Taxonomy) -> list[str]:
    """Problems of a table that can be read: rows twice, dates that end before they begin, overlapping numbers.

    Raises:
        ValueError: as ``read_rows``.
    """
    problems, seen = [], set()
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(path, [unit.id for unit in taxonomy.units]):
        if row.key in seen:
            problems.append(f"{row.name}: {row.kind} of {row.unit} stands twice; remove one row")
        seen.add(row.key)
        if row.valid_from and row.valid_to and row.valid_from > row.valid_to:
            problems.append(f"{row.name}: valid_to {row.valid_to} is before valid_from {row.valid_from}")
        if len(row.name) < 2:
            problems.append(f"{row.name}: a name of one character matches everywhere; write it in full")
        if row.numbers:
            by_name[row.name].append(row)
    for name, rows in by_name.items():
        for one, two in combinations(rows, 2):
            if one.unit != two.unit and one.valid_to == two.valid_to and _overlap(one.numbers, two.numbers):
                problems.append(
                    f"{name}: house numbers of {one.unit} and {two.unit} overlap: {one.numbers}, {two.numbers}"
                )
    return problems


def _overlap(one: str, two: str) -> bool:
    return any(
        (a[0] == b[0] or "all" in (a[0], b[0])) and a[1] <= b[2] and b[1] <= a[2]
        for a in _ranges(one)
        for b in _ranges(two)
    )


def _ranges(numbers: str) -> list[tuple[str, int, int]]:
    parts = (part.replace("-", ":").split(":") for part in numbers.split(";"))
    return [(side, int(first), int(last)) for side, first, last in parts]


def _read(source: Path, gazetteer: Gazetteer, taxonomy: Taxonomy, kind: str | None) -> Iterator[tuple[str, Row]]:
    if source.suffix.lower() in (".geojson", ".json"):
        yield from _read_geojson(source, gazetteer, taxonomy, kind)
        return
    names = [name for unit in taxonomy.units for name in (unit.id, unit.name, *unit.aliases)]
    for number, row in enumerate(read_rows(source, names), 2):
        unit = taxonomy.unit_code(row.unit) or ""
        yield f"line {number}", row._replace(unit=unit, origin=row.origin or source.name)


def _read_geojson(
    source: Path, gazetteer: Gazetteer, taxonomy: Taxonomy, kind: str | None
) -> Iterator[tuple[str, Row]]:
    try:
        features = json.loads(source.read_text(encoding="utf-8"))["features"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{source}: not a GeoJSON FeatureCollection") from None
    for number, feature in enumerate(features):
        properties = feature.get("properties") or {}
        name = str(properties.get("name") or "").strip()
        if not name:
            continue
        where = f"{source}, feature {number}"
        lon, lat = _middle(feature.get("geometry") or {}, where)
        unit = _unit(properties, gazetteer, taxonomy, (lon, lat), where)
        chosen = kind or _kind(properties)
        if chosen not in KINDS:
            raise ValueError(f"{where}, kind: {chosen!r} is not one of {', '.join(KINDS)}; give --kind")
        yield f"feature {number}", Row(name, chosen, unit, lon=f"{lon:.4f}", lat=f"{lat:.4f}", origin=source.name)


def _unit(
    properties: dict[str, Any], gazetteer: Gazetteer, taxonomy: Taxonomy, point: tuple[float, float], where: str
) -> str:
    said = str(properties.get("unit") or properties.get("district") or "")
    if said:
        unit = taxonomy.unit_code(said)
        if unit is None:
            raise ValueError(f"{where}, unit: {said!r} is not in the taxonomy")
        return unit
    shares = gazetteer.near(*point)
    best = max(shares, key=shares.__getitem__, default="")
    if not best or shares[best] < SURE_NEAR:
        raise ValueError(f"{where}, unit: missing, and the places around it do not tell; add a property unit")
    return best


def _kind(properties: dict[str, Any]) -> str:
    if properties.get("kind"):
        return str(properties["kind"])
    amenity = str(properties.get("amenity") or "")
    if amenity:
        return _AMENITIES.get(amenity, "hospital" if amenity in ("hospital", "clinic") else "landmark")
    return next((kind for key, kind in _OSM_KINDS.items() if properties.get(key)), "landmark")


def _middle(geometry: dict[str, Any], where: str) -> tuple[float, float]:
    """The point, or the middle vertex of a line or ring; WGS-84 as RFC 7946 demands."""
    points = geometry.get("coordinates")
    while isinstance(points, list) and points and isinstance(points[0], list):
        points = points[len(points) // 2] if isinstance(points[0][0], (int, float)) else points[0]
    if not (isinstance(points, list) and len(points) >= 2 and abs(points[0]) <= 180 and abs(points[1]) <= 90):
        raise ValueError(f"{where}, geometry: needs WGS-84 coordinates of a point, line or area")
    return float(points[0]), float(points[1])

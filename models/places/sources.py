"""Public place facts as rows of our table: names, streets of past years, landmarks, roads out of addresses."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.places.geo import gcj_to_wgs
from models.places.table import Row
from models.taxonomy import Taxonomy

SHARED_ROADS = ("一环路北四段", "二环路北二段", "二环路北四段", "三友路", "府青路一段", "洞子口路", "站北北街")
"""Claimed by 成华 and 金牛 by house number (official school catchments of 2025)."""
_ADDRESS = re.compile(
    r"(?:^|[区县市镇乡]|街道(?:办事处)?)([一-龥]{2,8}?(?:路|街|大道|巷)(?:[一二三四五六七八九东西南北中]+段)?)(\d+)号"
)
_JUNK = re.compile(r"办事处|街道|交汇|交叉|附近|对面|外侧|内侧|与|和(?=.*(?:路|街))|^[区县市镇乡号段]|^.段")
_OFFICE = re.compile(r"(街道)?办(事处)?$|人民政府$")
MIN_RUN = 2
"""So many known addresses make a range of house numbers."""
_OLD_ZONE_TOWNS = {
    "510171": ("合江镇", "白沙镇", "三星镇", "大林镇", "永兴镇", "籍田镇", "煎茶镇", "太平镇", "新兴镇", "正兴镇"),
}


@dataclass(frozen=True)
class UnitHistory:
    """When a unit began to take dispatches, and the unit that held its places before (empty: outside or none)."""

    unit: str
    valid_from: str
    before: str
    aliases: str


def read_units(path: Path) -> dict[str, UnitHistory]:
    """Aliases and dates of the units, by code."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["unit"]: UnitHistory(**row) for row in csv.DictReader(stream)}


def unit_rows(units: dict[str, UnitHistory], taxonomy: Taxonomy) -> list[Row]:
    """One row per unit, with its aliases and its first day."""
    rows = []
    for unit in taxonomy.units:
        known = units.get(unit.id, UnitHistory(unit.id, "", "", ""))
        aliases = "|".join((*unit.aliases, *known.aliases.split("|"))).strip("|")
        rows.append(Row(unit.name, "unit", unit.id, aliases=aliases, valid_from=known.valid_from, n_sources=9))
    return rows


def place_rows(path: Path, taxonomy: Taxonomy) -> list[Row]:
    """Rows of places.csv. Tier C (one weak source, or sources that disagree) has ``n_sources`` 0.

    Raises:
        ValueError: a row names a unit that the taxonomy does not have; names file and line.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        raw = list(csv.DictReader(stream))
    better = {row["name"] for row in raw if row["tier"] in ("A", "B")}
    rows = []
    for number, row in enumerate(raw, 2):
        weak = row["tier"] == "C"
        if weak and (row["name"] in better or (row["kind"] == "road" and _JUNK.search(row["name"]))):
            continue
        unit = taxonomy.unit_code(row["unit"])
        district = taxonomy.unit_code(row["district"])
        if unit is None:
            raise ValueError(f"{path}, line {number}, unit: {row['unit']!r} is not in the taxonomy")
        lon, lat = ("", "")
        if row["lon_gcj"]:
            lon, lat = (f"{v:.4f}" for v in gcj_to_wgs(float(row["lon_gcj"]), float(row["lat_gcj"])))
        sources = 0 if weak else int(row["n_families"])
        base = Row(
            row["name"], row["kind"], unit, district=district if district and district != unit else "",
            street=row["street"], n_sources=sources, lon=lon, lat=lat, origin="public",
        )  # fmt: skip
        rows.append(base)
        others = {taxonomy.unit_code(name) for name in row["also_in"].split("|")} - {unit, district}
        if weak:
            rows += [
                base._replace(unit=u, district="", street="", lon="", lat="") for u in sorted(filter(None, others))
            ]
    for road in SHARED_ROADS:
        rows += [Row(road, "road", code, n_sources=2, origin="public") for code in ("510106", "510108")]
    return rows


def landmark_rows(path: Path, taxonomy: Taxonomy) -> list[Row]:
    """Our own list of landmarks, long roads and matters of the city; several units are joined by ``|``."""
    rows = []
    with path.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), 2):
            for name in row["unit"].split("|"):
                unit = taxonomy.unit_code(name) if name else ""
                if unit is None:
                    raise ValueError(f"{path}, line {number}, unit: {name!r} is not in the taxonomy")
                rows.append(Row(row["name"], row["kind"], unit, row["aliases"], n_sources=2, origin="landmarks"))
    return rows


def old_street_rows(path: Path, today: Iterable[Row], taxonomy: Taxonomy) -> list[Row]:
    """Streets and towns that were merged away, with their last year, under the unit that has them today."""
    stems = {(row.district or row.unit, _stem(row.name)) for row in today if row.kind == "street_office"}
    years: dict[tuple[str, str], set[int]] = defaultdict(set)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            district = _district(row["district"], taxonomy)
            years[district, _OFFICE.sub("街道", row["street"]).replace("镇街道", "镇")].add(int(row["year"]))
    last = max(year for seen in years.values() for year in seen)
    rows = []
    for (district, name), seen in sorted(years.items()):
        if max(seen) == last or (district, _stem(name)) in stems or len(_stem(name)) < 2:
            continue
        unit = next((zone for zone, towns in _OLD_ZONE_TOWNS.items() if name in towns), district)
        other = {"510185": "510173"}.get(unit)
        ended = f"{max(seen) + 1}-06-30"
        sources = 1 if other is None else 0
        rows += [
            Row(name, "street_office", u, valid_to=ended, n_sources=sources, origin="history")
            for u in (unit, other)
            if u
        ]
    return rows


def address_roads(path: Path, taxonomy: Taxonomy) -> dict[str, dict[str, list[int]]]:
    """House numbers of known addresses: road to unit to the numbers seen there."""
    roads: dict[str, dict[str, set[tuple[int, str]]]] = defaultdict(lambda: defaultdict(set))
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            match = _ADDRESS.search(row["address"])
            unit = taxonomy.unit_code(row["unit"])
            if match and unit and not _JUNK.search(match[1]):
                roads[match[1]][unit].add((int(match[2]), row["name"]))
    return {road: {unit: sorted(n for n, _ in seen) for unit, seen in units.items()} for road, units in roads.items()}


def number_ranges(numbers: dict[str, list[int]]) -> dict[str, str]:
    """House-number ranges per unit of a shared road, by side: maximal runs that no other unit interrupts."""
    found: dict[str, list[str]] = defaultdict(list)
    for side, parity in (("odd", 1), ("even", 0)):
        seen = sorted((n, unit) for unit, values in numbers.items() for n in values if n % 2 == parity)
        owners: dict[int, set[str]] = defaultdict(set)
        for n, unit in seen:
            owners[n].add(unit)
        run: list[int] = []
        owner = ""
        for n, unit in [*[s for s in seen if len(owners[s[0]]) == 1], (0, "")]:
            if unit != owner:
                if len(run) >= MIN_RUN:
                    found[owner].append(f"{side}:{run[0]}-{run[-1]}")
                run, owner = [], unit
            run.append(n)
    return {unit: ";".join(ranges) for unit, ranges in found.items()}


def _stem(name: str) -> str:
    return re.sub(r"(街道|镇|乡)$", "", name)


def _district(name: str, taxonomy: Taxonomy) -> str:
    code = taxonomy.unit_code(name) or taxonomy.unit_code(name[:-1] + "区") or taxonomy.unit_code("郫都区")
    assert code is not None
    return code

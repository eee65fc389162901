"""Compile our gazetteer table from the public place facts that a sources file names.

    fenban gazetteer build models/places/sources.yaml -o models/data/gazetteer.csv

``n_elsewhere`` counts the letters of other cities that hold the name: 人民路 says nothing without another
sign of Chengdu. A name that is an ordinary word is kept only through aliases that are none (书香门第小区).
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import ahocorasick
import yaml

from models.places.aliases import count_ways, settle_aliases, unusable
from models.places.sources import (
    UnitHistory,
    address_roads,
    landmark_rows,
    number_ranges,
    old_street_rows,
    place_rows,
    read_units,
    unit_rows,
)
from models.places.table import Row, write_rows
from models.places.text import fold
from models.taxonomy import Taxonomy

_KEYS = {"places", "streets_by_year", "landmarks", "units", "elsewhere"}
UNUSABLE = "-"
"""First alias of a name that must not match by itself."""


def build(sources: Path, out: Path, taxonomy: Taxonomy) -> dict[str, int]:
    """Write the table; returns the number of rows per kind.

    Raises:
        ValueError: the sources file lacks a key or has an unknown one, or an input is wrong.
        OSError: an input is missing.
    """
    raw = yaml.safe_load(sources.read_text(encoding="utf-8"))
    if not isinstance(raw, dict) or set(raw) != _KEYS:
        raise ValueError(f"{sources}: must hold exactly the keys {', '.join(sorted(_KEYS))}")
    paths = {key: sources.parent / raw[key] for key in _KEYS - {"elsewhere"}}
    rows = compile_rows(paths, taxonomy)
    counts = count_elsewhere(count_ways(rows), [sources.parent / p for p in raw["elsewhere"]])
    rows = settle_aliases(rows, counts)
    rows = [r._replace(aliases=f"{UNUSABLE}|{r.aliases}".rstrip("|")) if unusable(r) else r for r in rows]
    rows = [r for r in rows if r.aliases != UNUSABLE]
    write_rows(out, rows)
    return dict(sorted(Counter(row.kind for row in rows).items()))


def compile_rows(paths: dict[str, Path], taxonomy: Taxonomy) -> list[Row]:
    """Rows of all sources, one per name, kind, unit and period, without aliases of our making."""
    units = read_units(paths["units"])
    places = place_rows(paths["places"], taxonomy)
    rows = [*places, *landmark_rows(paths["landmarks"], taxonomy)]
    rows = _with_addresses(rows, address_roads(paths["places"], taxonomy))
    rows += old_street_rows(paths["streets_by_year"], places, taxonomy)
    curated = {row.name for row in rows if row.origin == "landmarks"}
    rows = [row for row in rows if row.n_sources or row.name not in curated]
    named = unit_rows(units, taxonomy)
    rows = _without_noise(rows, named)
    merged: dict[tuple[str, str, str, str], Row] = {}
    for row in rows:
        known = merged.get(row.key)
        merged[row.key] = _merge(known, row) if known else row
    return named + _generations(list(merged.values()), units)


def _merge(known: Row, row: Row) -> Row:
    filled = {
        name: getattr(known, name) or getattr(row, name) for name in ("street", "district", "numbers", "lon", "lat")
    }
    aliases = "|".join(dict.fromkeys(filter(None, (*known.aliases.split("|"), *row.aliases.split("|")))))
    sources = max(known.n_sources, row.n_sources)
    origin = "landmarks" if "landmarks" in (known.origin, row.origin) else known.origin
    return known._replace(**filled, aliases=aliases, n_sources=sources, origin=origin)


def _with_addresses(rows: list[Row], roads: dict[str, dict[str, list[int]]]) -> list[Row]:
    """Add roads that only addresses know, and house-number ranges where two units share a road."""
    owners: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.kind == "road":
            owners[row.name].add(row.unit)
    added = []
    for road, numbers in roads.items():
        if not owners[road]:
            added += [Row(road, "road", unit, n_sources=0, origin="public") for unit in numbers]
    rows = [*rows, *added]
    shared = {road for road, units in owners.items() if len(units | set(roads.get(road, ()))) > 1}
    ranges = {road: number_ranges(roads[road]) for road in shared if len(roads.get(road, ())) > 1}
    return [
        row._replace(numbers=ranges[row.name].get(row.unit, "")) if row.kind == "road" and row.name in ranges else row
        for row in rows
    ]


def _without_noise(rows: list[Row], units: list[Row]) -> list[Row]:
    """A unit before a road's name goes, a town before it gives an alias without it; two weak roads in one go."""
    roads = {row.name for row in rows if row.kind == "road" and row.n_sources}
    districts = {way for row in units for way in (row.name, *row.aliases.split("|"))}
    towns = districts | {row.name.removesuffix("街道").rstrip("镇乡") for row in rows if row.kind == "street_office"}
    kept = []
    for row in rows:
        if row.kind == "road" and (prefix := next((row.name[:n] for n in (4, 3, 2) if row.name[:n] in towns), "")):
            bare = row.name[len(prefix) :].removeprefix("镇").removeprefix("街道")
            if len(bare) >= 3 and prefix in districts:
                row = row._replace(name=bare, numbers="")
            elif len(bare) >= 3 and bare not in roads:
                row = row._replace(aliases=bare)
        if row.kind == "road" and not row.n_sources and any(row.name[:n] in roads for n in range(3, len(row.name) - 1)):
            continue
        kept.append(row)
    return kept


def _generations(rows: list[Row], units: dict[str, UnitHistory]) -> list[Row]:
    """Before a zone took dispatches, its places belonged to the unit that had them then."""
    dated: list[Row] = []
    for row in rows:
        history = units.get(row.unit)
        if not history or not history.before or row.valid_from:
            dated.append(row)
            continue
        before = row.district or history.before
        dated.append(
            row if row.valid_to and row.valid_to < history.valid_from else row._replace(valid_from=history.valid_from)
        )
        dated.append(row._replace(unit=before, valid_to=_day_before(history.valid_from), district=""))
    return dated


def _day_before(day: str) -> str:
    from datetime import date, timedelta

    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def count_elsewhere(names: Iterable[str], letter_files: list[Path]) -> Counter[str]:
    """In how many letters of other cities each folded name occurs; letters about 成都 or 四川 do not count."""
    automaton = ahocorasick.Automaton()
    for name in names:
        automaton.add_word(name, name)
    automaton.make_automaton()
    counts: Counter[str] = Counter()
    for path in letter_files:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = row["title"] + "\n" + row["body"]
                if row.get("source") != "sichuan" and "成都" not in text and "四川" not in text:
                    counts.update({name for _, name in automaton.iter(fold(text))})
    return counts

"""Single place names of tier A, with and without suffix, leaving one source out; and units by coordinates alone.

    python -m eval.bench_places_names ../shared/data/places.csv

For each source the table is built again from the rows that another source also has, and the names of that source
are asked alone, beside 成都. Names that sources give to several districts are asked too: silence is right for them.
``by coordinates`` leaves each tier A place out of its own neighbourhood and asks for the unit of its point.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.case import Letter
from models.places.gazetteer import SHIPPED, Gazetteer
from models.places.geo import NEIGHBOURS, NearbyUnits, gcj_to_wgs
from models.places.ranker import SHIPPED_MODEL, PlaceModel
from models.places.resolver import PlaceResolver
from models.places.table import read_rows, write_rows
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import Taxonomy

SUFFIX = re.compile(r"(小区|社区|花园|街道|站|村|镇)$")
MAX_PER_SOURCE = 600


def main(
    places: Path,
    sample: Annotated[int, typer.Option(help="names of one source that are asked at most")] = MAX_PER_SOURCE,
) -> None:
    """Print answered and right, by source."""
    taxonomy = Taxonomy.load()
    with places.open(encoding="utf-8-sig", newline="") as stream:
        raw = list(csv.DictReader(stream))
    by_source: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in raw:
        for source in row["source"].split("+"):
            by_source[source].append(row)
    total: Counter[tuple[str, str]] = Counter()
    for source, rows in sorted(by_source.items()):
        asked = [r for r in rows if r["tier"] == "A"]
        asked = asked[:: max(1, len(asked) // sample)]
        if asked:
            only = {r["name"] for r in rows if r["source"] == source}
            tally = ask(asked, without(only, taxonomy), taxonomy)
            total += tally
            print(f"{source:<24} {line(tally)}")
    print(f"{'all sources':<24} {line(total)}")
    print(f"by coordinates alone: {coordinates(raw, taxonomy)}")


def without(names: set[str], taxonomy: Taxonomy) -> PlaceResolver:
    """A resolver whose table lacks the names that only one source has."""
    units = [unit.id for unit in taxonomy.units]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "gazetteer.csv"
        write_rows(table, (row for row in read_rows(SHIPPED, units) if row.name not in names))
        return PlaceResolver(Gazetteer.load(table, taxonomy), taxonomy, PlaceModel.load(SHIPPED_MODEL))


def ask(rows: list[dict[str, str]], resolver: PlaceResolver, taxonomy: Taxonomy) -> Counter[tuple[str, str]]:
    """Ask each name as it is written, and without its suffix where four characters or more remain."""
    tally: Counter[tuple[str, str]] = Counter()
    for row in rows:
        bare = SUFFIX.sub("", row["name"])
        for form, name in (("full", row["name"]), ("bare", bare if bare != row["name"] and len(bare) >= 3 else "")):
            if not name:
                continue
            label = resolver.resolve(Letter(body=f"成都{name}的路灯坏了。")).unit.label
            tally[form, "n"] += 1
            if label not in (UNKNOWN_UNIT, OUTSIDE_UNIT):
                tally[form, "answered"] += 1
                tally[form, "right"] += label == taxonomy.unit_code(row["unit"])
    return tally


def line(tally: Counter[tuple[str, str]]) -> str:
    parts = []
    for form in ("full", "bare"):
        n, answered, right = (tally[form, what] for what in ("n", "answered", "right"))
        if n:
            parts.append(
                f"{form}: {n:5} asked, {answered / n:.3f} answered, {right / max(1, answered):.4f} right of these"
            )
    return "; ".join(parts)


def coordinates(raw: list[dict[str, str]], taxonomy: Taxonomy) -> str:
    """Leave-one-out accuracy of the nearest known places, on places of tier A with a point."""
    rows = [r for r in raw if r["lon_gcj"] and r["tier"] == "A"]
    units = [unit.id for unit in taxonomy.units]
    points = np.array([gcj_to_wgs(float(r["lon_gcj"]), float(r["lat_gcj"])) for r in rows])
    labels = np.array([units.index(taxonomy.unit_code(r["unit"]) or "") for r in rows])
    right = answered = 0
    order = np.random.default_rng(1).permutation(len(rows))
    for fold in np.array_split(order, 10):
        keep = np.setdiff1d(order, fold)
        nearby = NearbyUnits.build(points[keep], labels[keep])
        for index in fold:
            shares = nearby.shares(*points[index])
            best = max(shares, key=shares.__getitem__, default=-1)
            if best >= 0 and shares[best] >= 0.6:
                answered, right = answered + 1, right + (best == labels[index])
    shares_text = f"{answered / len(rows):.3f} answered, {right / answered:.4f} right"
    return f"{len(rows)} points, {NEIGHBOURS} neighbours, {shares_text}"


if __name__ == "__main__":
    typer.run(main)

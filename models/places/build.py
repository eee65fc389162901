"""Compile our gazetteer table from public place facts.

    python -m models.places.build ../shared/data/places.csv models/data/gazetteer.csv \
        --elsewhere ../shared/data/letters7_train.jsonl --elsewhere ../shared/data/unlabelled.jsonl.gz

Tiers A and B are taken; tier C (one weak source) only for roads of which nothing better is known,
with ``n_sources`` 0. ``n_elsewhere`` counts the letters of other cities that hold the name: a name
such as 人民路 says nothing without another sign of Chengdu.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import ahocorasick
import jieba
import typer

from models.taxonomy import Taxonomy

FIELDS = ("name", "kind", "unit", "street", "n_sources", "n_elsewhere")
SHARED_ROADS = ("一环路北四段", "二环路北二段", "二环路北四段", "三友路", "府青路一段", "洞子口路", "站北北街")
"""Claimed by 成华 and 金牛 by house number (official school catchments of 2025)."""
MAX_TOWN_ELSEWHERE = 1
"""A short town name that more letters of other cities use is left out (石桥, 太平)."""


def compile_gazetteer(places: Path, taxonomy: Taxonomy) -> list[dict[str, str]]:
    """Rows of our table, one per name, kind and unit, sorted.

    Raises:
        ValueError: a row names a unit that the taxonomy does not have; names file and line.
    """
    with places.open(encoding="utf-8-sig", newline="") as stream:
        raw = list(csv.DictReader(stream))
    better = {row["name"] for row in raw if row["tier"] in ("A", "B")}
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for number, row in enumerate(raw, 2):
        weak = row["tier"] == "C"
        if weak and (row["kind"] != "road" or row["name"] in better):
            continue
        code = taxonomy.unit_code(row["unit"])
        if code is None:
            raise ValueError(f"{places}, line {number}, unit: {row['unit']!r} is not in the taxonomy")
        rows[row["name"], row["kind"], code] = {
            "name": row["name"],
            "kind": row["kind"],
            "unit": code,
            "street": row["street"],
            "n_sources": "0" if weak else row["n_families"],
        }
    for road in SHARED_ROADS:
        for code in ("510106", "510108"):
            rows[road, "road", code] = {"name": road, "kind": "road", "unit": code, "street": "", "n_sources": "2"}
    return [rows[key] for key in sorted(rows)]


def town_rows(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Two-character short names of streets and towns that are no word of jieba's (犀浦, 洛带)."""
    jieba.initialize()
    return [
        {**row, "name": row["name"].removesuffix("街道").rstrip("镇乡"), "kind": "town"}
        for row in rows
        if row["kind"] == "street_office"
        and len(short := row["name"].removesuffix("街道").rstrip("镇乡")) == 2
        and not jieba.dt.FREQ.get(short)
    ]


def count_elsewhere(names: set[str], letter_files: list[Path]) -> Counter[str]:
    """In how many letters of other cities each name occurs; letters that mention 成都 or 四川 do not count."""
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
                    counts.update({name for _, name in automaton.iter(text)})
    return counts


def main(
    places: Path,
    out: Path,
    elsewhere: Annotated[list[Path], typer.Option(help="letters of other cities, JSON lines")],
) -> None:
    """Write the gazetteer table."""
    rows = compile_gazetteer(places, Taxonomy.load())
    towns = town_rows(rows)
    counts = count_elsewhere({row["name"] for row in [*rows, *towns]}, elsewhere)
    rows += [row for row in towns if counts[row["name"]] <= MAX_TOWN_ELSEWHERE]
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "n_elsewhere": counts[row["name"]]} for row in rows)
    print(f"{len(rows)} rows -> {out}")


if __name__ == "__main__":
    typer.run(main)

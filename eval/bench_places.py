"""Unit accuracy on authored letters by trap, false claims on letters of other cities, and speed.

python -m eval.bench_places --authored training/data/authored.jsonl --elsewhere ../shared/data/letters7_test.jsonl
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from models.case import MAX_BODY, MAX_TITLE, Letter
from models.places.gazetteer import SHIPPED
from models.places.resolver import PlaceResolver
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import Taxonomy


def read(path: Path) -> list[tuple[Letter, dict[str, str]]]:
    """Letters with their raw rows."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(Letter(title=r["title"][:MAX_TITLE], body=r["body"][:MAX_BODY]), r) for r in rows]


def main(
    authored: Annotated[list[Path], typer.Option(help="letters with district and trap")],
    elsewhere: Annotated[Path | None, typer.Option(help="letters of other cities")] = None,
    verbose: Annotated[bool, typer.Option(help="print id, truth and answer of every error")] = False,
) -> None:
    """Print the tables."""
    taxonomy = Taxonomy.load()
    resolver = PlaceResolver.load(SHIPPED, taxonomy)
    tally: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for letter, row in (pair for path in authored for pair in read(path)):
        truth = taxonomy.unit_code(row["district"]) or UNKNOWN_UNIT
        label = resolver.resolve(letter).unit.label
        silent = label in (UNKNOWN_UNIT, OUTSIDE_UNIT)
        known = "known" if truth != UNKNOWN_UNIT else "undetermined"
        for key in (f"{known} / {row['trap']}", f"{known} / all"):
            tally[key]["n"] += 1
            tally[key]["answered"] += not silent
            tally[key]["right"] += label == truth or (truth == UNKNOWN_UNIT and silent)
        if verbose and not (label == truth or (truth == UNKNOWN_UNIT and silent)):
            print(row["id"], row["trap"], truth, label)
    print(f"{'truth / trap':<48} n    answered  right of all  right when answering")
    for key, t in sorted(tally.items()):
        right = t["right"] / max(1, t["answered"]) if key.startswith("known") else float("nan")
        print(f"{key:<48} {t['n']:<5}{t['answered'] / t['n']:8.3f} {t['right'] / t['n']:12.3f} {right:14.3f}")
    if elsewhere:
        letters = [letter for letter, _ in read(elsewhere)]
        began = time.perf_counter()
        units = [resolver.resolve(letter).unit for letter in letters]
        seconds = time.perf_counter() - began
        claims = sum(u.label not in (UNKNOWN_UNIT, OUTSIDE_UNIT) and u.confidence > 0.5 for u in units)
        print(f"other cities: {claims} of {len(units)} letters claimed for a unit of ours with confidence > 0.5")
        print(f"speed: {len(letters) / seconds:,.0f} letters/s on one core")


if __name__ == "__main__":
    typer.run(main)

"""Unit accuracy on authored letters by trap, false claims on letters of other cities, and speed.

    python -m eval.bench_places --letters7 ../shared/data/letters7_test.jsonl

``--authored ../shared/data/annotated.jsonl`` measures on real letters instead.
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

AUTHORED = [Path("training/data/authored.jsonl")]
SILENT = (UNKNOWN_UNIT, OUTSIDE_UNIT)


def read(path: Path) -> list[tuple[Letter, dict[str, str]]]:
    """Letters with their raw rows."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(Letter(title=r["title"][:MAX_TITLE], body=r["body"][:MAX_BODY]), r) for r in rows]


def tabulate(resolver: PlaceResolver, taxonomy: Taxonomy, rows: list[tuple[Letter, dict[str, str]]]) -> list[str]:
    """Prints the table by trap; returns a line for every error (id, trap, truth, answer: no text)."""
    tally: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    bins: dict[float, list[float]] = defaultdict(list)
    errors = []
    for letter, row in rows:
        elsewhere = OUTSIDE_UNIT if row["district"] == "外地" else UNKNOWN_UNIT
        truth = taxonomy.unit_code(row["district"]) or elsewhere
        unit = resolver.resolve(letter).unit
        silent = unit.label in SILENT
        right = unit.label == truth or (truth in SILENT and silent)
        known = "undetermined" if truth in SILENT else "known"
        for key in (f"{known} / {row.get('trap', 'none')}", f"{known} / all"):
            tally[key]["n"] += 1
            tally[key]["answered"] += not silent
            tally[key]["right"] += right
            tally[key]["in set"] += truth in unit.set or (truth in SILENT and silent)
        if not silent:
            bins[int(unit.confidence * 10) / 10].append(unit.label == truth)
        if not right:
            errors.append(f"{row.get('id', '')} {row.get('trap', '')} {truth} {unit.label}")
    print(f"{'truth / trap':<44} n    answered  right of all  right when answering  truth in set")
    for key, t in sorted(tally.items()):
        right_share = t["right"] / max(1, t["answered"]) if key.startswith("known") else float("nan")
        shares = (t["answered"] / t["n"], t["right"] / t["n"], right_share, t["in set"] / t["n"])
        print(f"{key:<44} {t['n']:<5}{shares[0]:8.3f} {shares[1]:12.3f} {shares[2]:14.3f} {shares[3]:18.3f}")
    for low, hits in sorted(bins.items()):
        share = sum(hits) / len(hits)
        print(f"answered with confidence {low:.1f}-{low + 0.1:.1f}: {len(hits):4} letters, {share:.3f} right")
    return errors


def main(
    authored: Annotated[
        list[Path], typer.Option(help="letters with district and, where there is one, trap")
    ] = AUTHORED,
    elsewhere: Annotated[Path | None, typer.Option("--elsewhere", "--letters7", help="letters of other cities")] = None,
    verbose: Annotated[bool, typer.Option(help="print id, truth and answer of every error")] = False,
) -> None:
    """Print the tables."""
    taxonomy = Taxonomy.load()
    resolver = PlaceResolver.load(SHIPPED, taxonomy)
    for path in authored:
        errors = tabulate(resolver, taxonomy, read(path))
        print("\n".join(errors) if verbose else f"{len(errors)} errors in {path}")
    if elsewhere:
        letters = [letter for letter, _ in read(elsewhere)]
        began = time.perf_counter()
        units = [resolver.resolve(letter).unit for letter in letters]
        seconds = time.perf_counter() - began
        claims = sum(u.label not in SILENT and u.confidence > 0.5 for u in units)
        print(f"other cities: {claims} of {len(units)} letters claimed for a unit of ours with confidence > 0.5")
        print(f"speed: {len(letters) / seconds:,.0f} letters/s on one core")


if __name__ == "__main__":
    typer.run(main)

"""How well two readers agree: the ceiling for any model that learns from these labels.

    python -m eval.bench_agreement --cases ../shared/data/annotated.jsonl

560 annotated letters, drawn at random, were labelled again by two language-model readers (280 each) who knew the
taxonomy and the written guide but no label (``training/data/second_labels.csv``: ids and labels, no text). Letters
that the reference calls critical were left out, since the guide's examples name some of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from sklearn.metrics import cohen_kappa_score

from models.taxonomy import HEADS

SECOND = Path(__file__).parents[1] / "training" / "data" / "second_labels.csv"


def agreement(pairs: Iterable[tuple[dict[str, str], dict[str, str]]], field: str) -> tuple[int, float, float]:
    """Letters, share with equal labels, and Cohen's kappa.

    Raises:
        ValueError: no letter was labelled twice.
    """
    both = [(first[field], second[field]) for first, second in pairs]
    if not both:
        raise ValueError(f"{field}: no letter of the file was labelled twice; give the annotated letters")
    first, second = zip(*both, strict=True)
    return len(both), sum(a == b for a, b in both) / len(both), float(cohen_kappa_score(first, second))


def main(
    cases: Annotated[Path, typer.Option(help="JSON lines with id, the labels and sure")],
    second: Annotated[Path, typer.Option(help="the second reader's labels")] = SECOND,
) -> None:
    """Print agreement and kappa per head, on all and on the letters that the first reader was sure of."""
    reference = {str(r["id"]): r for r in map(json.loads, cases.read_text(encoding="utf-8").splitlines())}
    with second.open(encoding="utf-8", newline="") as stream:
        pairs = [(reference[r["id"]], r) for r in csv.DictReader(stream) if r["id"] in reference]
    sure = [pair for pair in pairs if pair[0]["sure"] == 1]
    for field in HEADS:
        for name, part in (("all", pairs), ("sure", sure)):
            n, share, kappa = agreement(part, field)
            print(f"{field:<13} {name:<5} n {n}  equal {share:.3f}  kappa {kappa:.3f}")
    either = [first["department"] in (other["department"], other["co_department"]) for first, other in pairs]
    print(f"department is the second reader's main or co-department: {sum(either) / len(either):.3f}")


if __name__ == "__main__":
    typer.run(main)

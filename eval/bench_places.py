"""Unit accuracy by trap on labelled letters, with the peers on the same letters, and claims on other cities' letters.

    python -m eval.bench_places --elsewhere ../shared/data/letters7_test.jsonl [--peers] [FILES…]

Letters that the place model was fitted on are answered by a model fitted without their fold (``--refit`` names all
files of that fit); without ``--refit`` the shipped model answers, which is right for files it has not seen. ``--stated`` uses
``addressed_to`` as the stated unit. ``--peers`` runs JioNLP ``parse_location`` (if installed), the first district
named, and jieba with a user dictionary.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from eval.bench_places_peers import peers
from models.case import MAX_BODY, MAX_TITLE, Letter
from models.places.fit import FOLDS, fit_model, fit_without, fold_of, read_labelled
from models.places.gazetteer import SHIPPED
from models.places.ranker import PlaceModel
from models.places.resolver import PlaceResolver, Resolution
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import Taxonomy

FILES = [Path("training/data/authored.jsonl")]
SILENT = (UNKNOWN_UNIT, OUTSIDE_UNIT)
ASK_TRAPS = ("ambiguous_place_needs_more", "no_place_given")


@dataclass(frozen=True)
class Row:
    """One labelled letter: its id, trap, true unit (or ``unknown``)."""

    name: str
    trap: str
    letter: Letter
    truth: str


def read(path: Path, taxonomy: Taxonomy, stated: bool) -> list[Row]:
    """Labelled letters of a file."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        raw = json.loads(line)
        said = raw.get("addressed_to") if stated else None
        letter = Letter(title=raw["title"][:MAX_TITLE], body=raw["body"][:MAX_BODY], stated_unit=said or None)
        truth = taxonomy.unit_code(raw.get("district", "")) or UNKNOWN_UNIT
        rows.append(Row(str(raw.get("id", "")), raw.get("trap", "none"), letter, truth))
    return rows


def tabulate(rows: list[Row], answer: Callable[[Letter], str | None]) -> None:
    """Print share answered and right, by trap; a letter of no known unit is right when nothing is answered."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        unit = answer(row.letter)
        kind = "undetermined" if row.truth == UNKNOWN_UNIT else "known"
        for key in (f"{kind} / {row.trap}", f"{kind} / all"):
            tally[key]["n"] += 1
            tally[key]["answered"] += unit is not None
            tally[key]["right"] += unit == (None if row.truth == UNKNOWN_UNIT else row.truth)
    for key, t in sorted(tally.items()):
        given = f"{t['right'] / t['answered']:.3f}" if key.startswith("known") and t["answered"] else "  -  "
        print(f"  {key:<46} {t['n']:<5} answered {t['answered'] / t['n']:.3f}  right {t['right'] / t['n']:.3f}  given an answer {given}")


def calibration(rows: list[Row], resolve: Callable[[Letter], Resolution]) -> None:
    """Print accuracy by confidence, the expected calibration error of answers, set coverage and why it was silent."""
    bins: dict[float, list[tuple[float, bool]]] = defaultdict(list)
    silence: Counter[str] = Counter()
    covered = sizes = known = 0
    for row in rows:
        result = resolve(row.letter)
        if row.truth != UNKNOWN_UNIT:
            known += 1
            covered += row.truth in result.unit.set
            sizes += len(result.unit.set)
        if result.unit.label not in SILENT:
            bins[min(0.9, int(result.unit.confidence * 10) / 10)].append(
                (result.unit.confidence, result.unit.label == row.truth)
            )
        elif row.truth != UNKNOWN_UNIT:
            silence[result.reasons[0].code] += 1
    n = sum(len(b) for b in bins.values())
    error = sum(abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins.values()) / max(1, n)
    for low, pairs in sorted(bins.items()):
        print(f"  confidence {low:.1f}-{low + 0.1:.1f}: {len(pairs):4} letters, {sum(r for _, r in pairs) / len(pairs):.3f} right")
    print(f"  ECE {error:.3f}; true unit in the set {covered / max(1, known):.3f}, mean set {sizes / max(1, known):.2f}")
    print(f"  silent on letters with a known unit, by reason: {dict(silence.most_common())}")


def by_fold(resolver: PlaceResolver, files: list[Path], taxonomy: Taxonomy) -> list[PlaceResolver]:
    """One resolver per fold, whose model has not seen that fold."""
    letters = [item for path in files for item in read_labelled(path, taxonomy)]
    base, _ = fit_model(letters_examples := fit_without.examples(resolver, letters))
    models: list[PlaceModel] = [replace(base, weights=fit_without.weights(letters_examples, f)) for f in range(FOLDS)]
    return [PlaceResolver(resolver.gazetteer, taxonomy, model) for model in models]

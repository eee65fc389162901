"""Unit accuracy by trap on labelled letters, with the peers on the same letters, and claims on other cities' letters.

    python -m eval.bench_places --elsewhere ../shared/data/letters7_test.jsonl --peers [FILES…]

``--refit`` names the files that the place model was fitted on: every letter is then answered by a model that has
not seen its fold. Without it the shipped model answers, which is right for files that it has not seen.
``--stated`` takes ``addressed_to`` as the stated unit.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from eval.bench_places_peers import peers
from models.case import MAX_BODY, MAX_TITLE, Letter
from models.places.fit import FOLDS, examples, fold_of, models_by_fold, read_labelled
from models.places.gazetteer import SHIPPED
from models.places.resolver import PlaceResolver, Resolution
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT
from models.taxonomy import Taxonomy

FILES = [Path("training/data/authored.jsonl")]
SILENT = (UNKNOWN_UNIT, OUTSIDE_UNIT)


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
        shares = f"answered {t['answered'] / t['n']:.3f}  right {t['right'] / t['n']:.3f}  given an answer {given}"
        print(f"  {key:<46} {t['n']:<5} {shares}")


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
        share = sum(r for _, r in pairs) / len(pairs)
        print(f"  confidence {low:.1f}-{low + 0.1:.1f}: {len(pairs):4} letters, {share:.3f} right")
    print(
        f"  ECE {error:.3f}; true unit in the set {covered / max(1, known):.3f}, mean set {sizes / max(1, known):.2f}"
    )
    print(f"  silent on letters with a known unit, by reason: {dict(silence.most_common())}")


def resolvers(refit: list[Path], taxonomy: Taxonomy) -> list[PlaceResolver]:
    """One resolver per fold, whose model has not seen that fold; the shipped one for all if nothing is refitted."""
    shipped = PlaceResolver.load(SHIPPED, taxonomy)
    if not refit:
        return [shipped] * FOLDS
    found = examples(shipped, (item for path in refit for item in read_labelled(path, taxonomy)))
    return [PlaceResolver(shipped.gazetteer, taxonomy, model) for model in models_by_fold(found)]


def main(
    files: Annotated[list[Path] | None, typer.Argument(help="letters with district, and trap if any")] = None,
    refit: Annotated[list[Path] | None, typer.Option(help="files of the fit: answer out of fold")] = None,
    elsewhere: Annotated[Path | None, typer.Option(help="letters of other cities")] = None,
    stated: Annotated[bool, typer.Option(help="take addressed_to as the stated unit")] = False,
    with_peers: Annotated[bool, typer.Option("--peers", help="also run the peers")] = False,
    verbose: Annotated[bool, typer.Option(help="print id, truth and answer of every error")] = False,
) -> None:
    """Print the tables."""
    taxonomy = Taxonomy.load()
    folds = resolvers(refit or [], taxonomy)

    def resolve(letter: Letter) -> Resolution:
        return folds[fold_of(letter)].resolve(letter)

    def answer(letter: Letter) -> str | None:
        label = resolve(letter).unit.label
        return None if label in SILENT else label

    for path in files or FILES:
        rows = read(path, taxonomy, stated)
        print(f"{path}: fenban")
        tabulate(rows, answer)
        calibration(rows, resolve)
        for row in rows if verbose else ():
            if (got := answer(row.letter)) != (None if row.truth == UNKNOWN_UNIT else row.truth):
                print(f"  {row.name} {row.trap}: {row.truth}, answered {got}")
        for name, peer in peers(folds[0].gazetteer, taxonomy) if with_peers else ():
            print(f"{path}: {name}")
            tabulate(rows, peer)
    if elsewhere:
        claims(read(elsewhere, taxonomy, False), folds[0])


def claims(rows: list[Row], resolver: PlaceResolver) -> None:
    """Print claims for a unit of ours and mentions on letters of other cities, none of which should be there."""
    units = [resolver.resolve(row.letter).unit for row in rows]
    wrong = sum(u.label not in SILENT and u.confidence > 0.5 for u in units)
    mentions = Counter(e.kind for u in units for e in u.evidence if e.kind != "city")
    print(f"other cities: {wrong} of {len(units)} letters claimed for a unit of ours with confidence > 0.5")
    print(f"false mentions per 1,000 letters: {1000 * mentions.total() / len(units):.1f} {dict(mentions)}")


if __name__ == "__main__":
    typer.run(main)

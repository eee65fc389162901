"""The model card, written by the training run from facts alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.taxonomy import Taxonomy

_TEXT = """# Fenban model card

A multi-head classifier of Chinese citizen letters with a Chengdu gazetteer, for routing **suggestions**.
Trained from our own initialisation; no downloaded weights.

## Trained on
{sources}

{n_all} letters; labels per head: {labels}. Taxonomy {taxonomy}.
Options: `{arguments}`. Training took {seconds} s, calibration included.

## How good
Measured on {n_held_out} letters (whole groups of near-duplicates) that the measured model was not
trained on; the shipped weights were then fitted on all letters with the same recipe.

| head | letters | accuracy | macro-F1 | top-3 | ECE (15 bins) |
|---|---|---|---|---|---|
{rows}

特急: recall {recall:.3f}, precision {precision:.3f} at the alarm line, on {n_critical:.0f} such letters.
`aux` is the seven-class benchmark task; it is not part of a suggestion.

## What it must not be used for
- Deciding without people: it suggests; letters it is unsure of go to review.
- As the only guard for life and safety: a 特急 can be missed. Emergencies belong to 110, 119, 120, 122.
- Judging writers, or anything but routing; other cities without their own taxonomy, gazetteer and cases.
- Evidence of past boundaries: the gazetteer is compiled from public names and has gaps in the outer counties.
"""


def write_card(path: Path, report: dict[str, Any], taxonomy: Taxonomy) -> None:
    """Write the card of a training ``report`` (see ``training.train``) to ``path``."""
    metrics = report["held_out"]
    rows = [
        f"| {head} | {m['n']} | {m['accuracy']:.3f} | {m['macro_f1']:.3f} | {m['top3']:.3f} | {m['ece']:.3f} |"
        for head, m in metrics.items()
    ]
    urgency = metrics["urgency"]
    path.write_text(
        _TEXT.format(
            sources="\n".join(f"- {name}: {count} letters" for name, count in report["sources"].items()),
            n_all=report["letters"]["all"],
            n_held_out=report["letters"]["held_out"],
            labels=", ".join(f"{head} {count}" for head, count in report["labels"].items()),
            taxonomy=taxonomy.version,
            arguments=report["arguments"],
            seconds=report["seconds"],
            rows="\n".join(rows),
            recall=urgency["critical_recall"],
            precision=urgency["critical_precision"],
            n_critical=urgency["n_critical"],
        ),
        encoding="utf-8",
    )

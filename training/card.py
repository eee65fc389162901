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

{n_all} letters, {n_judged} of them judged; labels per head: {labels}. Taxonomy {taxonomy}.
Options: `{arguments}`. Training took {seconds} s, calibration included.

## How good
Measured on the judged letters, each scored by a model that had not seen it (5 folds, near-duplicates together;
the encoder saw none of them); the shipped n-gram branch was then fitted on all letters with the same recipe.

| head | letters | accuracy | macro-F1 | top-3 | ECE (15 bins) | 95 % sets: coverage | size |
|---|---|---|---|---|---|---|---|
{rows}

特急: recall {recall:.3f}, precision {precision:.3f} at the alarm line, on {n_critical:.0f} such letters.
{domain}
Weight of the encoder beside the n-grams, per head: {encoder_weight}.

## What it must not be used for
- Deciding without people: it suggests; letters it is unsure of go to review.
- As the only guard for life and safety: a 特急 can be missed. Emergencies belong to 110, 119, 120, 122.
- Judging writers, or anything but routing; other cities without their own taxonomy, gazetteer and cases.
- Evidence of past boundaries: the gazetteer is compiled from public names and has gaps in the outer counties.
"""


def write_card(path: Path, report: dict[str, Any], taxonomy: Taxonomy) -> None:
    """Write the card of a training ``report`` (see ``training.train``) to ``path``."""
    metrics = dict(report["out_of_fold"])
    domain = metrics.pop("domain", None)
    rows = [
        f"| {head} | {m['n']} | {m['accuracy']:.3f} | {m['macro_f1']:.3f} | {m['top3']:.3f} | {m['ece']:.3f} "
        f"| {m['coverage']:.3f} | {m['set_size']:.2f} |"
        for head, m in metrics.items()
    ]
    urgency = metrics["urgency"]
    told = "Trained without background texts: it cannot tell texts that are no letters."
    if domain:
        told = f"Letters told from other texts (background, out of fold): AUROC {domain['auroc']:.4f}."
    path.write_text(
        _TEXT.format(
            sources="\n".join(f"- {name}: {count} letters" for name, count in report["sources"].items()),
            n_all=report["letters"]["judged"] + report["letters"]["extra"],
            n_judged=report["letters"]["judged"],
            labels=", ".join(f"{head} {count}" for head, count in report["labels"].items()),
            taxonomy=taxonomy.version,
            arguments=report["arguments"],
            seconds=report["seconds"],
            rows="\n".join(rows),
            recall=urgency["critical_recall"],
            precision=urgency["critical_precision"],
            n_critical=urgency["n_critical"],
            domain=told,
            encoder_weight=report["encoder_weight"],
        ),
        encoding="utf-8",
    )

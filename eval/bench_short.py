"""Does the shipped model read letters of a few words, as they come by app or as a clerk's note of a call?

    python -m eval.bench_short --cases short.parquet [--titles] [--bundle BUNDLE]

``eval/data/short_letters.jsonl`` holds 240 such letters, by a writer of their own whose letters train nothing (import
them with ``training/data/authored.mapping.yaml``). With ``--titles`` the titles of CASES are judged alone,
on the topic and the department: a title does not tell the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.classifier import MASKED
from models.decision import CRITICAL
from models.triage import DOMAIN, SHIPPED_BUNDLE, Triage
from training.cases import read_cases
from training.crossfit import title_alone
from training.finetune import label_matrix, make_heads

LENGTHS = ((1, 12), (13, 30), (31, 20_000))
"""Characters of title and body together, from and to."""


def main(
    cases: Annotated[Path, typer.Option(help="judged cases that the bundle was not trained on")],
    titles: Annotated[bool, typer.Option(help="judge each title alone")] = False,
    bundle: Path = SHIPPED_BUNDLE,
) -> None:
    """Print, by length, the share taken for no letters and the accuracy per head; and 特急 at the alarm line."""
    triage = Triage.load(bundle)
    letters = read_cases(cases)
    if titles:
        letters = [title_alone(case) for case in letters if case.title.strip()]
    probabilities = triage.probabilities(letters)
    length = np.array([len(case.title) + len(case.body) for case in letters])
    groups = [(f"{low}-{high}", (length >= low) & (length <= high)) for low, high in LENGTHS]
    groups = [("all", length > 0), *((name, rows) for name, rows in groups if rows.any())]
    print(f"{'characters':<24}" + "".join(f"{name:>10}" for name, _ in groups))
    print(f"{'letters':<24}" + "".join(f"{rows.sum():10}" for _, rows in groups))
    if DOMAIN in probabilities:
        outside = probabilities[DOMAIN][:, 0] < triage.bundle.calibration[DOMAIN].threshold
        print(f"{'taken for no letter':<24}" + "".join(f"{outside[rows].mean():10.4f}" for _, rows in groups))
    heads = make_heads([], triage.bundle.taxonomy)
    for head, truth in zip(heads, label_matrix(letters, heads).T, strict=True):
        known, right = truth != MASKED, truth == probabilities[head].argmax(axis=1)
        if known.any():
            print(f"{head:<24}" + "".join(f"{right[rows & known].mean():10.4f}" for _, rows in groups))
    alarm = probabilities["urgency"][:, heads["urgency"].index(CRITICAL)] >= triage.policy.critical_at
    critical = np.array([case.labels.urgency == CRITICAL for case in letters])
    if critical.any():
        print(f"特急: {(alarm & critical).sum()} of {critical.sum()} found, {alarm.sum()} alarms")


if __name__ == "__main__":
    typer.run(main)

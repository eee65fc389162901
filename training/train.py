"""From cases to a bundle: fit, calibrate on letters held out, fit again on all, write, seal.

    fenban train --data work/cases.parquet --out work/bundle

Two models are trained. The first leaves out a fifth of the letters (whole groups); temperatures,
conformal thresholds and the figures of the card come from that fifth. The second, trained on all
letters with the same recipe, is the one that is shipped with them.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from models import bundle as files
from models.case import Case
from models.classifier import MASKED
from models.confidence import HeadCalibration, expected_calibration_error, fit_head
from models.policy import Policy
from models.seen import write_seen
from models.taxonomy import SHIPPED, Taxonomy
from training.card import write_card
from training.co import fit_co
from training.finetune import Classifier, TrainArguments, finetune, label_matrix, make_heads
from training.split import split_cases

CALIBRATION_SHARE = 0.2
SHIPPED_GAZETTEER = SHIPPED.parent / "gazetteer.csv"
Metrics = dict[str, dict[str, float]]


def train_bundle(
    cases: Sequence[Case],
    out: Path,
    args: TrainArguments,
    *,
    taxonomy_path: Path = SHIPPED,
    gazetteer_path: Path = SHIPPED_GAZETTEER,
) -> dict[str, Any]:
    """Train, calibrate and write a bundle into ``out``.

    Returns:
        Version, seconds, sizes and the held-out metrics, as written into ``metrics.json``.

    Raises:
        FileExistsError: ``out`` holds something already; a bundle is never overwritten.
        ValueError: a head has too few held-out letters to calibrate; names the head.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: choose another --out, or remove it first")
    began = time.perf_counter()
    taxonomy = Taxonomy.load(taxonomy_path)
    heads = make_heads(cases, taxonomy)
    fitting, held_out = split_cases(cases, CALIBRATION_SHARE, salt="calibration")
    first = finetune(fitting, heads, args)
    calibration, metrics = calibrate(first, held_out, heads)
    departments = calibration["department"].probabilities(first.logits(held_out)["department"])
    co = fit_co(fitting, held_out, departments, heads["department"])
    final = finetune(cases, heads, args)
    seconds = time.perf_counter() - began
    out.mkdir(parents=True, exist_ok=True)
    files.save_weights(out, final.model, final.vocabulary, final.tokenizer)
    shutil.copyfile(taxonomy_path, out / files.TAXONOMY)
    shutil.copyfile(gazetteer_path, out / files.GAZETTEER)
    files.write_json(out / files.CALIBRATION, {head: c.to_json() for head, c in calibration.items()})
    if co is not None:
        files.write_json(out / files.CO_DEPARTMENTS, co.to_json())
    files.write_json(out / files.POLICY, Policy().model_dump())
    report: dict[str, Any] = {
        "held_out": metrics,
        "letters": {"all": len(cases), "fitted_for_metrics": len(fitting), "held_out": len(held_out)},
        "sources": dict(Counter(case.source or "unnamed" for case in cases).most_common()),
        "labels": {head: sum(getattr(c.labels, head) is not None for c in cases) for head in heads},
        "arguments": asdict(args),
        "seconds": round(seconds, 1),
    }
    write_seen(out, cases)
    files.write_json(out / files.METRICS, report)
    write_card(out / files.CARD, report, taxonomy)
    return {"version": files.seal(out), **report}


def calibrate(
    classifier: Classifier, held_out: Sequence[Case], heads: dict[str, list[str]]
) -> tuple[dict[str, HeadCalibration], Metrics]:
    """Fit each head's calibration on letters the classifier has not seen, and measure it there.

    ``ece`` is cross-fitted: each half of the held-out letters is judged with the other's temperature.
    """
    labels = label_matrix(held_out, heads)
    logits = classifier.logits(held_out)
    calibration: dict[str, HeadCalibration] = {}
    metrics: Metrics = {}
    for column, head in enumerate(heads):
        known = np.flatnonzero(labels[:, column] != MASKED)
        truth, scores = labels[known, column], logits[head][known]
        try:
            calibration[head] = fit_head(scores, truth)
        except ValueError as error:
            raise ValueError(f"head {head}: {error}; import more cases that carry it") from None
        half = np.arange(len(truth)) % 2
        probabilities = np.empty(scores.shape)
        for side in (0, 1):
            other = fit_head(scores[half != side], truth[half != side]) if len(truth) >= 40 else calibration[head]
            probabilities[half == side] = other.probabilities(scores[half == side])
        predicted = scores.argmax(axis=1)
        metrics[head] = {
            "n": len(truth),
            "accuracy": float(accuracy_score(truth, predicted)),
            "macro_f1": float(f1_score(truth, predicted, average="macro")),
            "top3": float((np.argsort(-scores, axis=1)[:, :3] == truth[:, None]).any(axis=1).mean()),
            "ece": expected_calibration_error(probabilities, truth),
        }
    if "urgency" in heads:
        metrics["urgency"].update(_critical(calibration["urgency"], logits, labels, heads))
    return calibration, metrics


def _critical(
    calibration: HeadCalibration, logits: dict[str, Any], labels: Any, heads: dict[str, list[str]]
) -> dict[str, float]:
    """Recall and precision of 特急 at the policy's alarm line."""
    column = list(heads).index("urgency")
    known = labels[:, column] != MASKED
    critical = heads["urgency"].index("critical")
    truth = labels[known, column] == critical
    alarm = calibration.probabilities(logits["urgency"][known])[:, critical] >= Policy().critical_at
    hits = float((alarm & truth).sum())
    return {
        "n_critical": float(truth.sum()),
        "critical_recall": hits / max(1.0, float(truth.sum())),
        "critical_precision": hits / max(1.0, float(alarm.sum())),
    }

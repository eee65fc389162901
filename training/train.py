"""From cases to a bundle: fit and cross-fit, calibrate on scores of unseen letters, write, seal.

    fenban train --data judged.parquet --extra more.parquet --encoder work/encoder --out work/bundle

How the two branches are fitted and judged: ``training.crossfit``.
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

from models import bundle as files
from models.case import Case
from models.confidence import HeadCalibration
from models.policy import Policy
from models.precision import agreement, agrees, dequantize, quantize
from models.seen import write_seen
from models.taxonomy import SHIPPED, Taxonomy
from training.calibrate import branch_accuracy, calibrate, risk_curves
from training.card import write_card
from training.co import fit_co
from training.crossfit import Fitted, crossfit
from training.finetune import TrainArguments, make_heads
from training.leaks import without_copies

SHIPPED_GAZETTEER = SHIPPED.parent / "gazetteer.csv"
SHIPPED_PLACE_MODEL = SHIPPED.parent / "place_model.json"
N_AGREEMENT = 512


def train_bundle(
    cases: Sequence[Case],
    out: Path,
    args: TrainArguments,
    *,
    extra: Sequence[Case] = (),
    background: Sequence[Case] = (),
    test: Sequence[Case] = (),
    taxonomy_path: Path = SHIPPED,
    gazetteer_path: Path = SHIPPED_GAZETTEER,
) -> dict[str, Any]:
    """Train, calibrate and write a bundle into ``out``.

    Args:
        cases: judged cases: they train, and calibration and figures come from them, out of fold.
        extra: cases that only train.
        background: texts that are no letters; without them the bundle cannot tell such texts.
        test: the fixed test split; recorded by hash. Its near-duplicates are left out of training, and counted.

    Returns:
        Version, seconds, sizes and the out-of-fold metrics, as written into ``metrics.json``.

    Raises:
        FileExistsError: ``out`` holds something already; a bundle is never overwritten.
        ValueError: a head has too few judged letters to calibrate; names the head.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: choose another --out, or remove it first")
    began = time.perf_counter()
    n_given = len(cases) + len(extra)
    if test:
        cases, extra = without_copies(cases, test), without_copies(extra, test)
    taxonomy = Taxonomy.load(taxonomy_path)
    heads = {head: ids for head, ids in make_heads(cases, taxonomy).items() if head != "aux"}
    fitted = crossfit(cases, extra, heads, args, background=background)
    calibration, metrics = calibrate(fitted, heads)
    departments = calibration["department"].probabilities(fitted.logits["department"])[: len(cases)]
    helped = [case for case in extra if case.labels.department]
    co = fit_co(helped or cases, fitted.judged[: len(departments)], departments, heads["department"])
    out.mkdir(parents=True, exist_ok=True)
    model = fitted.classifier
    rounding = _agreement(fitted, cases, calibration)
    files.save_weights(out, model.model, model.vocabulary, model.tokenizer, rounded=agrees(rounding.get("integers")))
    shutil.copyfile(taxonomy_path, out / files.TAXONOMY)
    shutil.copyfile(gazetteer_path, out / files.GAZETTEER)
    shutil.copyfile(SHIPPED_PLACE_MODEL, out / SHIPPED_PLACE_MODEL.name)
    files.write_json(out / files.CALIBRATION, {head: c.to_json() for head, c in calibration.items()})
    if co is not None:
        files.write_json(out / files.CO_DEPARTMENTS, co.to_json())
    files.write_json(out / files.POLICY, Policy().model_dump())
    write_seen(out, [*cases, *extra], test)
    report: dict[str, Any] = {
        "out_of_fold": metrics,
        "risk_coverage": risk_curves(fitted, heads, calibration),
        "branches": branch_accuracy(fitted, heads),
        "encoder_weight": fitted.weights,
        "letters": {
            "judged": len(cases),
            "extra": len(extra),
            "background": len(background),
            "test": len(test),
            "dropped_copies_of_test": n_given - len(cases) - len(extra),
        },
        "sources": dict(Counter(case.source or "unnamed" for case in [*cases, *extra]).most_common()),
        "labels": {head: sum(getattr(c.labels, head) is not None for c in [*cases, *extra]) for head in heads},
        "arguments": asdict(args),
        "seconds": round(time.perf_counter() - began, 1),
    }
    files.write_json(out / files.METRICS, report)
    write_card(out / files.CARD, report, taxonomy)
    return {"version": files.seal(out, **rounding), **report}


def _agreement(
    fitted: Fitted, cases: Sequence[Case], calibration: dict[str, HeadCalibration]
) -> dict[str, dict[str, float]]:
    """How far rounding (n-grams to integers, the encoder to bf16) moves what is said of a sample of the letters."""
    sample = [cases[i] for i in np.linspace(0, len(cases) - 1, min(N_AGREEMENT, len(cases))).astype(int)]
    exact = fitted.classifier.logits(sample)

    def compare() -> dict[str, float]:
        rough = fitted.classifier.logits(sample)
        pairs = [(c.probabilities(exact[head]), c.probabilities(rough[head])) for head, c in calibration.items()]
        return {**agreement(pairs), "letters": len(sample)}

    facts, model = {}, fitted.classifier.model
    tables = files.ngram_tables(model)
    if tables:
        exact_rows = {name: table.weight.data for name, table in tables.items()}
        for name, table in tables.items():
            table.weight.data = dequantize(*quantize(exact_rows[name], files.NGRAM_BITS[name])).half().float()
        facts["integers"] = compare()
        for name, table in tables.items():
            table.weight.data = exact_rows[name]
    if model.deep is not None:
        model.deep.bfloat16()
        facts["bf16"] = compare()
        model.deep.float()
    return facts

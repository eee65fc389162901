"""Calibration of every head from scores of letters that the model had not seen, and what it is worth there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from models.classifier import MASKED
from models.confidence import (
    CLASS_WISE_FROM,
    HeadCalibration,
    expected_calibration_error,
    fit_head,
    risk_coverage,
)
from models.policy import Policy
from training.crossfit import Fitted
from training.finetune import DOMAIN, label_matrix
from training.folds import FOLDS

LETTERS_KEPT = 0.995
"""Share of real letters that must pass as letters; the rest goes to review as out of domain."""
MIN_CROSS_FITTED = 40
"""Judged letters from which a head's calibration is cross-fitted; with fewer it is judged on its own letters."""
Floats = npt.NDArray[np.floating[Any]]
Metrics = dict[str, dict[str, float]]


def calibrate(fitted: Fitted, heads: dict[str, list[str]]) -> tuple[dict[str, HeadCalibration], Metrics]:
    """Calibration and metrics per head, on the judged letters of ``fitted``.

    ``ece``, ``coverage`` and ``set_size`` are cross-fitted: each fifth is judged with the calibration of the others.
    ``lowest_class_coverage`` is over labels with ``CLASS_WISE_FROM`` letters or more.

    Raises:
        ValueError: a head has too few judged letters; names the head.
    """
    served = {**heads, "domain": DOMAIN} if "domain" in fitted.logits else heads
    labels = label_matrix(fitted.judged, served)
    calibration: dict[str, HeadCalibration] = {}
    metrics: Metrics = {}
    for column, head in enumerate(served):
        scores, truth = _labelled(fitted.logits[head], labels[:, column])
        try:
            calibration[head] = fit_head(scores, truth)
        except ValueError as error:
            raise ValueError(f"head {head}: {error}; import more cases that carry it") from None
        if head == "domain":
            calibration[head], metrics[head] = _domain(calibration[head], scores, truth)
            continue
        metrics[head] = _measure(scores, truth, calibration[head])
        if head == "urgency":
            metrics[head] |= _critical(calibration[head].probabilities(scores), truth, heads[head].index("critical"))
    return calibration, metrics


def risk_curves(
    fitted: Fitted, heads: dict[str, list[str]], calibration: dict[str, HeadCalibration]
) -> dict[str, list[dict[str, float]]]:
    """Per head the risk among the surest letters, see ``models.confidence.risk_coverage``."""
    labels = label_matrix(fitted.judged, heads)
    curves = {}
    for column, head in enumerate(heads):
        scores, truth = _labelled(fitted.logits[head], labels[:, column])
        curves[head] = risk_coverage(calibration[head].probabilities(scores), truth)
    return curves


def branch_accuracy(fitted: Fitted, heads: dict[str, list[str]]) -> Metrics:
    """Accuracy of each branch alone and of both joined, per head, on the judged letters: the ablation.

    Empty where a branch is left out: then there is nothing to compare.
    """
    found: Metrics = {}
    if not (fitted.wide and fitted.deep):
        return found
    labels = label_matrix(fitted.judged, heads)
    for name, scores in (("ngrams", fitted.wide), ("encoder", fitted.deep), ("joined", fitted.logits)):
        found[name] = {}
        for column, head in enumerate(heads):
            said, truth = _labelled(scores[head], labels[:, column])
            found[name][head] = float(accuracy_score(truth, said.argmax(axis=1)))
    return found


def _labelled(scores: Floats, labels: npt.NDArray[np.int64]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The scores and labels of the scored letters that carry a label."""
    known = np.flatnonzero(labels[: len(scores)] != MASKED)
    return scores[known], labels[known]


def _measure(scores: Floats, truth: npt.NDArray[np.int64], whole: HeadCalibration) -> dict[str, float]:
    fold = np.arange(len(truth)) % FOLDS
    probabilities = np.empty(scores.shape)
    sets: list[list[int]] = [[] for _ in truth]
    for part in range(FOLDS):
        other = fit_head(scores[fold != part], truth[fold != part]) if len(truth) >= MIN_CROSS_FITTED else whole
        rows = np.flatnonzero(fold == part)
        probabilities[rows] = other.probabilities(scores[rows])
        for row in rows:
            sets[row] = other.conformal_set(probabilities[row])
    predicted = scores.argmax(axis=1)
    covered = np.array([t in kept for t, kept in zip(truth, sets, strict=True)])
    common = [c for c in np.unique(truth) if (truth == c).sum() >= CLASS_WISE_FROM]
    return {
        "n": len(truth),
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
        "top3": float((np.argsort(-scores, axis=1)[:, :3] == truth[:, None]).any(axis=1).mean()),
        "ece": expected_calibration_error(probabilities, truth),
        "coverage": float(covered.mean()),
        "lowest_class_coverage": float(min((covered[truth == c].mean() for c in common), default=covered.mean())),
        "set_size": float(np.mean([len(kept) for kept in sets])),
    }


def _critical(probabilities: Floats, truth: npt.NDArray[np.int64], critical: int) -> dict[str, float]:
    """Recall and precision of 特急 at the policy's alarm line."""
    alarm = probabilities[:, critical] >= Policy().critical_at
    hits = float((alarm & (truth == critical)).sum())
    n_critical = float((truth == critical).sum())
    return {
        "n_critical": n_critical,
        "critical_recall": hits / max(1.0, n_critical),
        "critical_precision": hits / max(1.0, float(alarm.sum())),
    }


def _domain(
    fitted: HeadCalibration, scores: Floats, truth: npt.NDArray[np.int64]
) -> tuple[HeadCalibration, dict[str, float]]:
    """The threshold is the probability of being a letter that ``LETTERS_KEPT`` of the letters reach."""
    p_letter = fitted.probabilities(scores)[:, 0]
    letters = truth == 0
    threshold = float(np.quantile(p_letter[letters], 1 - LETTERS_KEPT))
    caught = float((p_letter[~letters] < threshold).mean())
    auroc = float(roc_auc_score(letters, p_letter))
    return replace(fitted, threshold=threshold, coverage=LETTERS_KEPT, class_thresholds={}), {
        "n": len(truth),
        "auroc": auroc,
        "others_caught": caught,
    }

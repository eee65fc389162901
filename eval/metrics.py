"""Figures of one head: accuracy and F1 with intervals, classes, confusions, top-k."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eval.intervals import Estimate, statistic

Codes = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


def confusion(truth: Codes, predicted: Codes, n_labels: int) -> Counts:
    """Letters per true label (row) and predicted label (column), ``(n_labels, n_labels)``."""
    return np.bincount(truth * n_labels + predicted, minlength=n_labels**2).reshape(n_labels, n_labels)


def macro_f1(counts: Floats) -> Floats:
    """Macro-F1 of confusion matrices ``(b, k, k)``, ``(b,)``: over labels that occur as truth or prediction."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(-1) + counts.sum(-2)
    f1 = np.divide(2 * hits, total, out=np.zeros_like(hits, np.float64), where=total > 0)
    return np.asarray(f1.sum(-1) / np.maximum(1, (total > 0).sum(-1)))


def macro_f1_interval(truth: Codes, predicted: Codes, n_labels: int, groups: Codes | None = None) -> Estimate | None:
    """Macro-F1 of labels ``truth (n,)`` and ``predicted (n,)`` with a bootstrap interval."""
    used, cells = np.unique(truth * n_labels + predicted, return_inverse=True)

    def compute(weights: Floats) -> Floats:
        full = np.zeros((len(weights), n_labels**2))
        full[:, used] = weights
        return macro_f1(full.reshape(-1, n_labels, n_labels))

    return statistic(compute, cells, len(used), groups, resamples=500)


def class_rows(counts: Counts, labels: list[str]) -> list[dict[str, Any]]:
    """Per label: letters, letters sent elsewhere, letters of others received, precision, recall, F1.

    Sorted by ``sent_elsewhere``: the departments whose letters go astray most come first. Precision
    is ``None`` for a label that was never predicted, recall for one that never occurs.
    """
    hits, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    rows = [
        {
            "label": labels[i],
            "n": int(true[i]),
            "predicted": int(predicted[i]),
            "sent_elsewhere": int(true[i] - hits[i]),
            "received_wrongly": int(predicted[i] - hits[i]),
            "precision": float(hits[i] / predicted[i]) if predicted[i] else None,
            "recall": float(hits[i] / true[i]) if true[i] else None,
            "f1": float(2 * hits[i] / (true[i] + predicted[i])),
        }
        for i in range(len(labels))
        if true[i] or predicted[i]
    ]
    return sorted(rows, key=lambda r: (-r["sent_elsewhere"], -r["received_wrongly"], r["label"]))


def top_confusions(counts: Counts, labels: list[str], limit: int) -> list[dict[str, Any]]:
    """The most frequent ``(truth, predicted)`` errors with their letters."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong.ravel(), kind="stable")[:limit]
    return [
        {"truth": labels[i // len(labels)], "predicted": labels[i % len(labels)], "n": int(wrong.ravel()[i])}
        for i in order
        if wrong.ravel()[i]
    ]

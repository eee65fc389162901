"""Fit who helps whom (``models.co``) from cases with a ``co_department``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from models.case import Case
from models.co import CoDepartments, features

MIN_HELPED = 30
"""Held-out letters with a helper below which the weights would be a guess."""
SMOOTHING = 3.0
"""Letters' worth of the overall habit in each lead department's row."""


def fit_co(
    fitting: Sequence[Case], held_out: Sequence[Case], departments: npt.NDArray[Any], ids: list[str]
) -> CoDepartments | None:
    """Table from all letters, weights from letters that the classifier has not seen.

    Args:
        fitting: letters that the classifier was trained on.
        held_out: letters that it was not trained on.
        departments: its calibrated probabilities of these, ``(n_held_out, n)``.
        ids: departments in the order of the logits.

    Returns:
        ``None`` if fewer than ``MIN_HELPED`` held-out letters name a helper.
    """
    place = {label: i for i, label in enumerate(ids)}
    known = [i for i, case in enumerate(held_out) if case.labels.department in place]
    helper = np.array([place.get(held_out[i].labels.co_department or "", -1) for i in known], dtype=int)
    if (helper >= 0).sum() < MIN_HELPED:
        return None
    probabilities = departments[known]
    x = features(probabilities, table(fitting, ids))
    others = np.arange(len(ids))[None] != probabilities.argmax(axis=1)[:, None]
    truth = np.arange(len(ids))[None] == helper[:, None]
    model = LogisticRegression(C=10.0, max_iter=500).fit(x[others], truth[others])
    prior = table([*fitting, *held_out], ids)
    return CoDepartments(
        ids, np.round(prior, 5).tolist(), model.coef_[0].tolist(), float(model.intercept_[0]), len(known)
    )


def table(cases: Sequence[Case], ids: list[str]) -> npt.NDArray[np.float64]:
    """Share of each lead department's letters that name each helper, smoothed to the overall habit, ``(n, n)``."""
    place = {label: i for i, label in enumerate(ids)}
    counts = np.zeros((len(ids), len(ids)))
    letters = np.zeros(len(ids))
    for case in cases:
        lead, helper = place.get(case.labels.department or ""), place.get(case.labels.co_department or "")
        if lead is not None:
            letters[lead] += 1
            if helper is not None:
                counts[lead, helper] += 1
    overall = (counts.sum(axis=0) + 0.5) / max(1.0, letters.sum())
    return np.asarray((counts + SMOOTHING * overall) / (letters[:, None] + SMOOTHING))

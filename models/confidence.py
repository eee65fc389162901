"""Calibrated confidence: sigmoid, temperature and conformal threshold per head, as JSON.

Fitted on letters that the model was not trained on (``training.train``). The heads start from
one-against-rest SVMs, so each logit is first read as "this label or not" (Platt 1999, one slope and
offset per head), then all are brought to one distribution with a temperature (Guo et al. 2017).
Against a temperature alone this halved the department's ECE. Conformal sets are split
conformal with the score ``1 - p(true label)`` (least ambiguous sets, Sadinle et al. 2019), and class-wise
where a label has enough letters (Vovk 2012): then the promise holds for the letters of each such label,
and not just on average over common and rare ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_expit, log_softmax, softmax

Floats = npt.NDArray[np.floating[Any]]
CLASS_WISE_FROM = 35
"""Held-out letters of a label from which it gets a conformal threshold of its own."""


@dataclass(frozen=True)
class HeadCalibration:
    """How one head's logits become probabilities and sets.

    Attributes:
        slope, offset: logits become ``log sigmoid(slope * logit + offset)``.
        temperature: these are divided by it before the softmax.
        threshold: labels with at least this probability are in the conformal set.
        class_thresholds: the same per label index, where a label has one of its own.
        coverage: the coverage asked for, 1 - alpha.
        n_fitted: held-out letters it was fitted on.
    """

    slope: float
    offset: float
    temperature: float
    threshold: float
    coverage: float
    n_fitted: int
    class_thresholds: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.slope <= 0:
            raise ValueError(f"temperature and slope must be positive, not {self.temperature} and {self.slope}")
        object.__setattr__(self, "class_thresholds", {int(k): v for k, v in self.class_thresholds.items()})
        for threshold in (self.threshold, *self.class_thresholds.values()):
            if not 0 <= threshold <= 1:
                raise ValueError(f"threshold must lie in [0, 1], not {threshold}")

    def probabilities(self, logits: Floats) -> Floats:
        """Calibrated probabilities, the shape of ``logits`` ``(n, n_labels)``."""
        return np.asarray(softmax(_scores(logits, self.slope, self.offset, self.temperature), axis=-1))

    def conformal_set(self, probabilities: Floats) -> list[int]:
        """Label indices of one letter's set, most probable first; never empty."""
        order = np.argsort(-probabilities, kind="stable")
        kept = [int(i) for i in order if probabilities[i] >= self.class_thresholds.get(int(i), self.threshold)]
        return kept or [int(order[0])]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _scores(logits: Floats, slope: float, offset: float, temperature: float) -> Floats:
    return np.asarray(log_expit(slope * np.asarray(logits, np.float64) + offset) / temperature)


def fit_head(logits: Floats, labels: npt.NDArray[np.int64], *, coverage: float = 0.95) -> HeadCalibration:
    """Fit slope, offset and temperature by likelihood, then the conformal threshold, on held-out letters.

    Args:
        logits: ``(n, n_labels)`` of letters not trained on.
        labels: true class indices ``(n,)``.

    Raises:
        ValueError: fewer than 20 letters; a temperature from so few says nothing.
    """
    if len(labels) < 20:
        raise ValueError(f"calibration needs at least 20 held-out letters with this label, got {len(labels)}")
    (slope, offset, temperature), _ = _fit(logits, labels)
    rows = np.arange(len(labels))
    scores = 1 - softmax(_scores(logits, slope, offset, temperature), axis=-1)[rows, labels]
    common = [int(c) for c in np.unique(labels) if (labels == c).sum() >= CLASS_WISE_FROM]
    class_thresholds = {c: _threshold(scores[labels == c], coverage) for c in common}
    threshold = _threshold(scores, coverage)
    return HeadCalibration(slope, offset, temperature, threshold, coverage, len(labels), class_thresholds)


def _threshold(scores: Floats, coverage: float) -> float:
    rank = min(1.0, np.ceil((len(scores) + 1) * coverage) / len(scores))
    return float(1 - np.quantile(scores, rank, method="higher"))


def log_loss(logits: Floats, labels: npt.NDArray[np.int64]) -> float:
    """Mean negative log likelihood of the labels after the best calibration of these ``logits``."""
    return _fit(logits, labels)[1]


def _fit(logits: Floats, labels: npt.NDArray[np.int64]) -> tuple[tuple[float, float, float], float]:
    """Slope, offset and temperature of the best likelihood, and the loss reached."""
    rows = np.arange(len(labels))

    def loss(x: Floats) -> float:
        scores = _scores(logits, np.exp(x[0]), x[1], np.exp(x[2]))
        return float(-log_softmax(scores, axis=-1)[rows, labels].mean()) + 1e-4 * float(x @ x)

    best = minimize(loss, np.zeros(3), method="L-BFGS-B", bounds=[(-4, 4), (-20, 20), (-6, 4)])
    return (float(np.exp(best.x[0])), float(best.x[1]), float(np.exp(best.x[2]))), float(best.fun)


def risk_coverage(probabilities: Floats, labels: npt.NDArray[np.int64]) -> list[dict[str, float]]:
    """Share of wrong top labels among the surest tenth, two tenths, … of the letters (El-Yaniv & Wiener 2010).

    Returns:
        Per step ``coverage``, the ``confidence`` from which a letter is covered, and ``risk``.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(probabilities.argmax(axis=1)[order] != labels[order])
    ends = [max(1, round(step * len(labels) / 10)) for step in range(1, 11)]
    return [
        {
            "coverage": n / len(labels),
            "confidence": float(confidence[order[n - 1]]),
            "risk": float(wrong[n - 1] / n),
        }
        for n in ends
    ]


def expected_calibration_error(probabilities: Floats, labels: npt.NDArray[np.int64], bins: int = 15) -> float:
    """ECE of the top label with equal-width bins (Naeini et al. 2015), in [0, 1]."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(correct[index == b].mean() - confidence[index == b].mean()) * (index == b).mean() for b in set(index)]
    return float(sum(gaps))

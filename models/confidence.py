"""Calibrated confidence: branch weights, temperature and conformal threshold per head, as JSON.

Fitted on letters that the model was not trained on (``training.calibrate``). Temperature scaling
after Guo et al. 2017; conformal sets are split conformal with the score ``1 - p(true label)``
(least ambiguous sets, Sadinle et al. 2019).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class HeadCalibration:
    """How one head's logits become probabilities and sets.

    Attributes:
        temperature: logits are divided by it.
        threshold: labels with at least this probability are in the conformal set.
        coverage: the coverage asked for, 1 - alpha.
        n_fitted: held-out letters it was fitted on.
    """

    temperature: float
    threshold: float
    coverage: float
    n_fitted: int

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature must be positive, not {self.temperature}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must lie in [0, 1], not {self.threshold}")

    def probabilities(self, logits: Floats) -> Floats:
        """Calibrated probabilities, the shape of ``logits`` ``(n, n_labels)``."""
        return np.asarray(softmax(np.asarray(logits, np.float64) / self.temperature, axis=-1))

    def conformal_set(self, probabilities: Floats) -> list[int]:
        """Label indices of one letter's set, most probable first; never empty."""
        order = np.argsort(-probabilities, kind="stable")
        kept = [int(i) for i in order if probabilities[i] >= self.threshold]
        return kept or [int(order[0])]

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def fit_head(logits: Floats, labels: npt.NDArray[np.int64], *, coverage: float = 0.95) -> HeadCalibration:
    """Fit temperature by likelihood, then the conformal threshold, on held-out letters.

    Args:
        logits: ``(n, n_labels)`` of letters not trained on.
        labels: true class indices ``(n,)``.

    Raises:
        ValueError: fewer than 20 letters; a temperature from so few says nothing.
    """
    if len(labels) < 20:
        raise ValueError(f"calibration needs at least 20 held-out letters with this label, got {len(labels)}")
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=-1)[rows, labels].mean())

    temperature = float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))
    scores = 1 - softmax(np.asarray(logits, np.float64) / temperature, axis=-1)[rows, labels]
    rank = min(1.0, np.ceil((len(labels) + 1) * coverage) / len(labels))
    threshold = float(1 - np.quantile(scores, rank, method="higher"))
    return HeadCalibration(temperature, threshold, coverage, len(labels))


def expected_calibration_error(probabilities: Floats, labels: npt.NDArray[np.int64], bins: int = 15) -> float:
    """ECE of the top label with equal-width bins (Naeini et al. 2015), in [0, 1]."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(correct[index == b].mean() - confidence[index == b].mean()) * (index == b).mean() for b in set(index)]
    return float(sum(gaps))

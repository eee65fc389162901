"""Departments that may have to help (协办): the model's next candidates, weighed by who helped whom before.

``P(co) = sigmoid(w1 * logit p(co) + w2 * logit prior(co) + w3 * logit p(lead) + bias)`` where ``prior`` is the
share of past letters of each likely lead department that named ``co`` as its helper. Table and weights are
fitted by ``training.co`` and lie in the bundle (``co_departments.json``). A bundle without the file shows the
next likely departments instead, which are twice as often wrong (docs/policy.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
SHOWN_AT = 0.15
SMALLEST = 1e-4


@dataclass(frozen=True)
class CoDepartments:
    """Who helps whom.

    Attributes:
        ids: departments in the order of the logits.
        prior: ``prior[lead][co]``, share of the letters of ``lead`` with the helper ``co``, ``(n, n)``.
        weights: of ``logit p(co)``, ``logit prior(co)`` and ``logit p(lead)``.
        bias: added to the weighted sum.
        n_fitted: letters the weights were fitted on.
    """

    ids: list[str]
    prior: list[list[float]]
    weights: list[float]
    bias: float
    n_fitted: int

    def __post_init__(self) -> None:
        n = len(self.ids)
        if len(self.prior) != n or any(len(row) != n for row in self.prior) or len(self.weights) != 3:
            raise ValueError(
                f"co_departments: prior must be {n} x {n} and weights three numbers; train the bundle again"
            )

    def probabilities(self, departments: Floats) -> Floats:
        """Probability that each department has to help, ``(n_letters, n)``; 0 for the lead department.

        Args:
            departments: calibrated probabilities of the department head, ``(n_letters, n)``.
        """
        x = features(departments, np.array(self.prior))
        scores = x @ np.array(self.weights) + self.bias
        helpers = 1 / (1 + np.exp(-scores))
        helpers[np.arange(len(helpers)), departments.argmax(axis=1)] = 0.0
        return np.asarray(helpers)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def features(departments: Floats, prior: Floats) -> Floats:
    """What a helper is judged by, ``(n_letters, n, 3)``."""
    lead = np.broadcast_to(departments.max(axis=1, keepdims=True), departments.shape)
    return np.stack([_logit(departments), _logit(departments @ prior), _logit(lead)], axis=-1)


def _logit(p: Floats) -> Floats:
    clipped = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(clipped / (1 - clipped)))

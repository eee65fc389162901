"""What the model would do to dispatches: decisions under given costs, risk against coverage, what-if.

Letters whose decision the costs do not explain (the city's own rules, other channels) keep it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.predictions import SILENT, Codes, Floats, Predictions, is_zone
from models.policy import Policy
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT

DECISIONS = ("dispatch", "review", "ask", "emergency")
DISPATCH, REVIEW, ASK, EMERGENCY = range(4)
CURVE_POINTS = 150
Bools = npt.NDArray[np.bool_]


class Costs(BaseModel):
    """A cost setting, as in ``costs.yaml``: minutes of work as in ``models.policy``, and the letters of a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wrong_dispatch: float = Field(gt=0)
    review: float = Field(gt=0)
    choose: float = Field(default=30, gt=0)
    missed_critical: float = Field(gt=0)
    false_alarm: float = Field(gt=0)
    letters_per_day: float = Field(default=1000, gt=0)

    @classmethod
    def load(cls, path: Path, default: Costs) -> Costs:
        """Read a YAML file; a cost it leaves out keeps ``default``'s.

        Raises:
            ValueError: not YAML, an unknown name, or a value that is not positive.
        """
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
            return cls(**{**default.model_dump(), **(raw or {})})
        except (yaml.YAMLError, TypeError, OSError) as error:
            raise ValueError(f"{path}: cannot be read as a mapping of costs ({type(error).__name__})") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(f"{path}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @property
    def dispatch_at(self) -> float:
        """Probability of a right dispatch below which nothing is dispatched without a person."""
        return self._policy().dispatch_at

    @property
    def critical_at(self) -> float:
        """Lowest probability of 特急 that raises the alarm."""
        return self._policy().critical_at

    def _policy(self) -> Policy:
        return Policy(**self.model_dump(exclude={"letters_per_day"}))


@dataclass(frozen=True)
class Routing:
    """What decides dispatches, per letter ``(n,)``; ``labelled`` are letters whose right dispatch is known.

    Attributes:
        p_right: probability that department and unit are both right, 0 where no unit is claimed although one
            is needed (``models.policy.Policy.needs_place``).
        p_two: probability that one of the best two candidates is right, 0 where there are not two.
        right: both are right; false where the unit is unknown or outside the city.
        dispatchable: labelled, and the unit is one of the city's.
        critical: truly 特急; ``urgency_known`` says where that is known.
        silent: 1 where the model asks for the unit, 2 where it believes the place outside the city.
    """

    p_right: Floats
    p_two: Floats
    p_critical: Floats
    right: Bools
    labelled: Bools
    dispatchable: Bools
    critical: Bools
    urgency_known: Bools
    silent: Codes
    decision: Codes

    @classmethod
    def of(cls, predictions: Predictions) -> Routing:
        """Read what is needed from stored predictions."""
        units = predictions.labels("unit")
        unit, unit_true = predictions.codes("unit_pred", "unit"), predictions.codes("unit_true", "unit")
        department_true = predictions.codes("department_true", "department")
        silent = np.select([unit == units.index(UNKNOWN_UNIT), unit == units.index(OUTSIDE_UNIT)], [1, 2], 0)
        known = (unit_true >= 0) & (department_true >= 0)
        in_city = np.array([label not in SILENT for label in units])[unit_true]
        free = predictions.flags("place_free") & (silent == 1)
        right = known & (free | (in_city & (unit == unit_true)))
        right &= predictions.codes("department_pred", "department") == department_true
        silent = np.where(free, 0, silent)
        p_unit = np.where(free, 1.0, predictions.floats("unit_confidence"))
        p_right = predictions.floats("department_confidence") * p_unit
        urgency = predictions.codes("urgency_true", "urgency")
        return cls(
            p_right=np.where(silent > 0, 0.0, p_right),
            p_two=np.nan_to_num(predictions.floats("p_two")),
            p_critical=predictions.floats("p_critical"),
            right=right,
            labelled=known,
            dispatchable=known & in_city,
            critical=urgency == predictions.labels("urgency").index("critical"),
            urgency_known=urgency >= 0,
            silent=silent,
            decision=predictions.indices("decision", DECISIONS),
        )

    def decide(self, costs: Costs) -> Codes:
        """Decision per letter under ``costs``, indices into ``DECISIONS``, by the rule of ``models.policy``."""
        choosing = np.where(self.p_two > 0, costs.choose + (1 - self.p_two) * costs.review, costs.review)
        dispatching = (1 - self.p_right) * costs.wrong_dispatch
        ordinary = np.where(dispatching <= np.minimum(choosing, costs.review), DISPATCH, REVIEW)
        decided = np.select([self.silent == 1, self.silent == 2], [ASK, REVIEW], ordinary)
        return np.where(self.p_critical >= costs.critical_at, EMERGENCY, decided)

    def under(self, costs: Costs, served: Costs) -> Routing:
        """The same letters decided under ``costs``; letters that ``served`` does not explain stay as they were."""
        explained = self.decide(served) == self.decision
        return replace(self, decision=np.where(explained, self.decide(costs), self.decision))

    def unexplained(self, served: Costs) -> int:
        """Letters whose recorded decision differs from what the costs alone would give."""
        return int((self.decide(served) != self.decision).sum())

    @property
    def dispatched(self) -> Bools:
        return np.equal(self.decision, DISPATCH)

    @property
    def returned(self) -> Bools:
        """Dispatched without a person, and wrong."""
        return self.dispatched & self.labelled & ~self.right

    @property
    def missed_critical(self) -> Bools:
        """Truly 特急, and no alarm."""
        return self.critical & np.not_equal(self.decision, EMERGENCY)


def outcome(routing: Routing, costs: Costs) -> dict[str, float | int | None]:
    """What one cost setting does, per 1,000 letters and per day.

    ``cost_per_letter`` counts minutes on labelled letters: wrong dispatches, reviews (asking, and choosing
    between two, count as one), false alarms; a missed 特急 has no price in minutes and is counted, not priced.
    """
    n, labelled = len(routing.decision), routing.labelled
    dispatched, alarm = routing.dispatched, routing.decision == EMERGENCY
    reading = (routing.decision == REVIEW) | (routing.decision == ASK)
    false_alarm = alarm & routing.urgency_known & ~routing.critical
    n_critical = int(routing.critical.sum())
    base = max(1, int(labelled.sum()))
    minutes = (
        costs.wrong_dispatch * (routing.returned & labelled).sum()
        + costs.review * (reading & labelled).sum()
        + costs.false_alarm * (false_alarm & labelled).sum()
    )
    sent = int((dispatched & labelled).sum())
    return {
        "wrong_dispatch": costs.wrong_dispatch,
        "review": costs.review,
        "missed_critical": costs.missed_critical,
        "false_alarm": costs.false_alarm,
        "dispatch_at": costs.dispatch_at,
        "critical_at": costs.critical_at,
        "coverage": float(dispatched.mean()) if n else 0.0,
        "right_when_dispatched": float((dispatched & routing.right).sum() / sent) if sent else None,
        "wrong_per_1000": 1000 * float(routing.returned.sum()) / base,
        "reviews_per_day": float(reading.mean() * costs.letters_per_day) if n else 0.0,
        "alarms_per_day": float(alarm.mean() * costs.letters_per_day) if n else 0.0,
        "n_critical": n_critical,
        "missed": int(routing.missed_critical.sum()),
        "critical_recall": 1 - float(routing.missed_critical.sum()) / n_critical if n_critical else None,
        "cost_per_letter": float(minutes / base),
    }


def risk_coverage(routing: Routing) -> dict[str, Any]:
    """Error among the letters a threshold would dispatch, against the share of labelled letters it dispatches.

    Letters are ranked by ``p_right`` (El-Yaniv & Wiener 2010); those without a claimed unit cannot be
    dispatched, so the curve ends before 1 where the model asks. ``aurc`` is the mean risk over the curve.
    """
    labelled = routing.labelled & (routing.silent == 0)
    order = np.argsort(-routing.p_right[labelled], kind="stable")
    wrong, shown = ~routing.right[labelled][order], routing.p_right[labelled][order]
    total = max(1, int(routing.labelled.sum()))
    if not len(order):
        return {"points": [], "aurc": None, "operating": None}
    risk = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    last = np.append(shown[1:] != shown[:-1], True)
    ends = np.flatnonzero(last)
    chosen = np.unique(ends[np.linspace(0, len(ends) - 1, min(CURVE_POINTS, len(ends))).astype(int)])
    points = [
        {"coverage": float((i + 1) / total), "risk": float(risk[i]), "threshold": float(shown[i])} for i in chosen
    ]
    sent = routing.dispatched & routing.labelled
    operating = None
    if sent.any():
        operating = {"coverage": float(sent.sum() / total), "risk": float(routing.returned.sum() / sent.sum())}
    return {"points": points, "aurc": float(risk.mean()), "operating": operating}


WRONG_GRID = (90, 120, 180, 240, 360, 480, 720, 960, 1440, 2880)
MISSED_GRID = (30, 60, 90, 150, 300, 600, 1500)


def what_if(routing: Routing, served: Costs, costs: Costs) -> list[dict[str, float | int | None]]:
    """``outcome`` over a grid of prices of a wrong dispatch and of a missed 特急, ``costs`` included."""
    wrong = sorted({*map(float, WRONG_GRID), costs.wrong_dispatch})
    missed = sorted({*map(float, MISSED_GRID), costs.missed_critical})
    return [
        outcome(routing.under(setting, served), setting)
        for w in wrong
        for m in missed
        for setting in [costs.model_copy(update={"wrong_dispatch": w, "missed_critical": m})]
    ]


def zones(predictions: Predictions) -> Bools:
    """Letters whose true unit is a functional zone, ``(n,)``."""
    zone = np.array([is_zone(label) for label in predictions.labels("unit")] + [False])
    return np.asarray(zone[predictions.codes("unit_true", "unit")])

"""The guard for clerks who dispatch by hand: would this unit and department send the letter back (退单)?

The model's calibrated probabilities of the proposed unit and department are read through one logistic curve
each, ``P(return) = 1 - right_unit * right_department``: a clerk usually has a reason, so a label that the
model finds unlikely is still often right. The four numbers were fitted on letters that the model was not
trained on (``python -m eval.bench_returns``), half of them dispatched wrongly; ``Policy.return_rate`` moves
the odds to the share of returns that a city really has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from models.case import Letter, Record, ReturnReason
from models.suggestion import (
    OUTSIDE_UNIT,
    UNKNOWN_UNIT,
    Choice,
    Evidence,
    Reason,
    Suggestion,
    UnitSuggestion,
    Versions,
)

if TYPE_CHECKING:
    from models.triage import Triage

Curve = tuple[float, float]
UNIT_CURVE: Curve = (1.89, 0.943)
DEPARTMENT_CURVE: Curve = (2.271, 0.683)
"""Offset and slope over the logit of the model's probability of the proposed label."""
FITTED_RATE = 0.5
"""Share of returns among the dispatches that the curves were fitted on."""
SMALLEST = 1e-4
ALARM_AT = 0.5


class DispatchError(ValueError):
    """The proposed unit or department is none of the taxonomy's; ``field`` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BetterDispatch(Record):
    """Unit and department with the model's confidences; either may equal the proposal."""

    unit: Choice
    department: Choice


class DispatchCheck(Record):
    """What is known about a proposed dispatch before it leaves.

    Attributes:
        return_probability: probability that it comes back, at the policy's share of returns.
        reason: the likeliest reason code, should it come back.
        unit, department: the proposal, each with the probability that it is right.
        better: the dispatch that the service would suggest; ``None`` if it is the proposed one.
        evidence: the places that speak for a unit.
    """

    id: str
    return_probability: float
    reason: ReturnReason
    unit: Choice
    department: Choice
    better: BetterDispatch | None = None
    reasons: list[Reason] = []
    evidence: list[Evidence] = []
    versions: Versions


def check_dispatch(
    triage: Triage, letter: Letter, unit: str, department: str, *, duplicate_of: str | None = None
) -> DispatchCheck:
    """Judge a dispatch that a clerk proposes.

    Args:
        triage: the loaded bundle.
        letter: the letter.
        unit, department: proposed, by id, name or alias.
        duplicate_of: id of an earlier case with the same matter, if the caller knows one; only then can the
            reason be 重复, which a letter alone does not show.

    Raises:
        DispatchError: the taxonomy does not know the unit or the department.
    """
    taxonomy = triage.bundle.taxonomy
    unit_code = taxonomy.unit_code(unit)
    if unit_code is None:
        names = "、".join(known.name for known in taxonomy.units)
        raise DispatchError("unit", f"no unit of this city; send a code or name of {names}")
    department_id = taxonomy.resolve("department", department)
    if department_id is None:
        raise DispatchError("department", "no department of this taxonomy; see /v1/model for ids and names")
    row = {head: p[0] for head, p in triage.probabilities([letter]).items()}
    suggestion = triage.suggest(letter, row)
    p_unit, p_department = dispatch_probabilities(triage, suggestion, row, unit_code, department_id)
    right_unit, right_department = _curve(p_unit, UNIT_CURVE), _curve(p_department, DEPARTMENT_CURVE)
    returned = return_probability(p_unit, p_department, rate=triage.policy.return_rate)
    proposed = (
        Choice(label=unit_code, name=taxonomy.name("unit", unit_code), confidence=round(right_unit, 4)),
        Choice(
            label=department_id, name=taxonomy.name("department", department_id), confidence=round(right_department, 4)
        ),
    )
    reason, text = _likely_reason(suggestion, *proposed, duplicate_of)
    return DispatchCheck(
        id=letter.id,
        return_probability=round(returned, 4),
        reason=reason,
        unit=proposed[0],
        department=proposed[1],
        better=_better(suggestion, *proposed),
        reasons=[Reason(code="return_likely" if returned >= ALARM_AT else "return_possible", text=text)],
        evidence=suggestion.unit.evidence,
        versions=suggestion.versions,
    )


def dispatch_probabilities(
    triage: Triage, suggestion: Suggestion, row: Mapping[str, npt.NDArray[Any]], unit: str, department: str
) -> tuple[float, float]:
    """The model's probabilities of a unit and a department, given its suggestion and its row per head."""
    taxonomy = triage.bundle.taxonomy
    p_department = float(row["department"][taxonomy.ids("department").index(department)])
    return unit_probability(suggestion.unit, unit, len(taxonomy.units)), p_department


def return_probability(
    p_unit: float,
    p_department: float,
    *,
    rate: float = FITTED_RATE,
    curves: tuple[Curve, Curve] = (UNIT_CURVE, DEPARTMENT_CURVE),
) -> float:
    """Probability that a dispatch comes back, where a share ``rate`` of all dispatches does."""
    unit, department = curves
    return _shifted(1 - _curve(p_unit, unit) * _curve(p_department, department), rate)


def unit_probability(unit: UnitSuggestion, code: str, n_units: int) -> float:
    """The resolver's probability of one unit; what it leaves open is shared by the units it does not name."""
    named = {choice.label: choice.confidence for choice in unit.alternatives}
    if unit.label not in (UNKNOWN_UNIT, OUTSIDE_UNIT):
        named[unit.label] = unit.confidence
    if code in named:
        return named[code]
    rest = 1 - sum(named.values()) if unit.label != OUTSIDE_UNIT else 1 - unit.confidence
    return max(0.0, rest) / max(1, n_units - len(named))


def _curve(p: float, curve: Curve) -> float:
    offset, slope = curve
    clipped = min(max(p, SMALLEST), 1 - SMALLEST)
    return 1 / (1 + math.exp(-(offset + slope * math.log(clipped / (1 - clipped)))))


def _shifted(p: float, rate: float) -> float:
    """A probability fitted at ``FITTED_RATE``, brought to another prior by Bayes' rule."""
    odds = p / max(1 - p, 1e-9) * (rate / (1 - rate)) / (FITTED_RATE / (1 - FITTED_RATE))
    return odds / (1 + odds)


def _better(suggestion: Suggestion, unit: Choice, department: Choice) -> BetterDispatch | None:
    best_unit = unit if suggestion.unit.label in (UNKNOWN_UNIT, OUTSIDE_UNIT) else suggestion.unit
    best_department = suggestion.department
    if (best_unit.label, best_department.label) == (unit.label, department.label):
        return None
    return BetterDispatch(
        unit=Choice(label=best_unit.label, name=best_unit.name, confidence=best_unit.confidence),
        department=Choice(
            label=best_department.label, name=best_department.name, confidence=best_department.confidence
        ),
    )


def _likely_reason(
    suggestion: Suggestion, unit: Choice, department: Choice, duplicate_of: str | None
) -> tuple[ReturnReason, str]:
    if duplicate_of is not None:
        return "重复", "同一事项已有在办工单，应并单处理"
    place = suggestion.unit
    if unit.confidence <= department.confidence:
        shared = {u for e in place.evidence if e.kind == "road" and len(e.units) > 1 for u in e.units}
        if place.label == UNKNOWN_UNIT and unit.label in shared:
            return "权属不清", f"来信所述道路分属多个属地，{unit.name}只是其一，派前请核实门牌或路段"
        if place.label == UNKNOWN_UNIT and not place.alternatives:
            return (
                "信息不足",
                f"来信没有可以确定属地的地点，承办单位可能以信息不足退回，{place.question or '请先补充地点'}",
            )
        named = "" if place.label in (UNKNOWN_UNIT, OUTSIDE_UNIT) else f"，所述地点属{place.name}"
        return "属地不符", f"{unit.name}为属地的把握约 {unit.confidence:.0%}{named}"
    best = suggestion.department
    named = f"，更可能属{best.name}职责" if best.label != department.label else ""
    return "职能不符", f"{department.name}为主办的把握约 {department.confidence:.0%}{named}"

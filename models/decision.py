"""The decision part of a suggestion: the city's rules, then the policy, over what the model and the places say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy.typing as npt

from models.case import Letter
from models.policy import Policy, best_pair
from models.rules import LABEL_CONDITIONS, Rule, RuleBook, SlowRule
from models.suggestion import (
    UNKNOWN_UNIT,
    AppliedRule,
    Choice,
    Decision,
    DepartmentSuggestion,
    HeadSuggestion,
    Reason,
    UnitSuggestion,
)
from models.taxonomy import HEADS, Taxonomy

CRITICAL = "critical"


@dataclass(frozen=True)
class Routing:
    """What model and places suggest for one letter, before rules and policy."""

    heads: Mapping[str, HeadSuggestion]
    department: DepartmentSuggestion
    unit: UnitSuggestion
    probabilities: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Decided:
    """The final department and unit, the decision and why, and the rule that applied."""

    department: DepartmentSuggestion
    unit: UnitSuggestion
    decision: Decision
    reasons: list[Reason] = field(default_factory=list)
    rule: AppliedRule | None = None


def decide(
    letter: Letter,
    routing: Routing,
    moment: datetime,
    *,
    policy: Policy,
    rules: RuleBook,
    taxonomy: Taxonomy,
    in_domain: bool = True,
) -> Decided:
    """Apply the first matching rule, then the policy. A rule overrides the policy, but lifts no emergency.

    Args:
        moment: of receipt, in the city's time.
    """
    labels = {head: routing.heads[head].label for head in HEADS} | {"unit": routing.unit.label}
    slow: list[Reason] = []
    rule: Rule | None = None
    try:
        rule = rules.first_match(letter, labels, moment)
    except SlowRule as error:
        text = f"规则 {error} 的文本条件计算超时，未能判断适用哪条规则，请人工核对并修改该规则"
        slow = [Reason(code="rule_timeout", text=text)]
    department, unit = (routing.department, routing.unit) if rule is None else _overridden(rule, routing, taxonomy)
    decision, reasons = _cheapest(routing, department, unit, policy, taxonomy, in_domain)
    if decision != "emergency":
        if slow:
            decision = "review"
        elif rule is not None and rule.then.decision is not None:
            decision, reasons = rule.then.decision, []
    if rule is None:
        return Decided(department, unit, decision, [*slow, *reasons])
    changed = [name for name in ("department", "unit", "co", "decision") if getattr(rule.then, name) is not None]
    note = Reason(code="rule", text=f"适用本市规则 {rule.id}（{rule.date}）：{rule.reason}")
    applied = AppliedRule(id=rule.id, reason=rule.reason, date=rule.date, changed=changed)
    return Decided(department, unit, decision, [note, *reasons], applied)


def _cheapest(
    routing: Routing,
    department: DepartmentSuggestion,
    unit: UnitSuggestion,
    policy: Policy,
    taxonomy: Taxonomy,
    in_domain: bool,
) -> tuple[Decision, list[Reason]]:
    needs_place = policy.needs_place(department.label, routing.heads["request_type"].label)
    units: list[Choice] = [unit, *unit.alternatives]
    if unit.label == UNKNOWN_UNIT and not needs_place:
        units = [Choice(label=UNKNOWN_UNIT, name=unit.name, confidence=1.0)]
    return policy.decide(
        p_department=department.confidence,
        unit=unit.label,
        p_unit=unit.confidence,
        p_critical=float(routing.probabilities["urgency"][taxonomy.ids("urgency").index(CRITICAL)]),
        pair=best_pair([department, *department.alternatives], units),
        in_domain=in_domain,
        needs_place=needs_place,
    )


def _overridden(rule: Rule, routing: Routing, taxonomy: Taxonomy) -> tuple[DepartmentSuggestion, UnitSuggestion]:
    """Department and unit as the rule wants them; as sure as the conditions that the model had to judge."""
    sure = _certainty(rule, routing, taxonomy)
    department, unit = routing.department, routing.unit
    if rule.then.department is not None:
        department = department.model_copy(
            update=_chosen("department", rule.then.department, sure, department, taxonomy)
        )
    if rule.then.co is not None:
        co = [Choice(label=c, name=taxonomy.name("department", c), confidence=sure) for c in rule.then.co]
        department = department.model_copy(update={"co": co})
    if rule.then.unit is not None:
        update = _chosen("unit", rule.then.unit, sure, unit, taxonomy)
        unit = unit.model_copy(update={**update, "question": None})
    if rule.then.question is not None:
        unit = unit.model_copy(update={"question": rule.then.question})
    return department, unit


def _chosen(head: str, label: str, sure: float, before: HeadSuggestion, taxonomy: Taxonomy) -> dict[str, object]:
    real = before.label in {known.id for known in (taxonomy.units if head == "unit" else taxonomy.heads[head])}
    first = [Choice(label=before.label, name=before.name, confidence=before.confidence)] if real else []
    others = [choice for choice in [*first, *before.alternatives] if choice.label != label]
    return {
        "label": label,
        "name": taxonomy.name(head, label),
        "confidence": sure,
        "alternatives": others[: max(1, len(before.alternatives))],
        "set": [label],
    }


def _certainty(rule: Rule, routing: Routing, taxonomy: Taxonomy) -> float:
    """Probability that the label conditions hold: the least of them, an upper bound of all together."""
    bounds = [1.0]
    for head in LABEL_CONDITIONS:
        wanted = getattr(rule.when, head)
        if wanted is None:
            continue
        if head == "unit":
            bounds.append(sum(c.confidence for c in [routing.unit, *routing.unit.alternatives] if c.label in wanted))
        else:
            ids = taxonomy.ids(head)
            bounds.append(float(sum(routing.probabilities[head][ids.index(label)] for label in wanted)))
    return round(min(bounds), 4)

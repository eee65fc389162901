"""From calibrated probabilities to a decision: dispatch, review, ask, or emergency, at the lowest expected cost.

Costs are minutes of work. They come with the bundle (``policy.json``); a city changes them in a YAML
file of its own (``Triage.load(policy=…)``, docs/policy.md), since the files of a bundle are sealed.

| action | expected cost |
|---|---|
| dispatch | ``(1 - p_right) * wrong_dispatch`` |
| review between two | ``choose + (1 - p_one_of_two) * review`` |
| review | ``review`` |

The cheapest is taken, so two named candidates are preferred over a wrong one as soon as choosing costs
less than the risk. An emergency never waits for confidence: it is called when the expected cost of missing
one exceeds that of a false alarm. A missed 特急 has no honest price; its cost is set by the recall it gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Choice, Decision, Reason
from models.yaml_lines import YamlFile

MIN_SECOND = 0.05
"""A second candidate below this probability is not worth a clerk's look."""


class PolicyError(ValueError):
    """The policy file is wrong; the message names file, line and field."""


@dataclass(frozen=True)
class Pair:
    """Two candidates of one head between which a clerk could choose.

    Attributes:
        code: which head they belong to.
        names: the two Chinese names, the likelier first.
        p: probability that one of the two makes the dispatch right.
    """

    code: Literal["two_departments", "two_units"]
    names: tuple[str, str]
    p: float


def best_pair(departments: Sequence[Choice], units: Sequence[Choice]) -> Pair | None:
    """The two departments, or the two units, of which one is most probably right; ``None`` if nothing is second.

    Args:
        departments, units: candidates, the best first.
    """
    pairs: list[Pair] = []
    for code, choices, other in (("two_departments", departments, units), ("two_units", units, departments)):
        if len(choices) > 1 and choices[1].confidence >= MIN_SECOND:
            first, second = choices[:2]
            p = min(1.0, (first.confidence + second.confidence) * other[0].confidence)
            pairs.append(Pair(code, (first.name, second.name), p))  # type: ignore[arg-type]
    return max(pairs, key=lambda pair: pair.p, default=None)


class Policy(BaseModel):
    """Costs in minutes of a clerk's work, and what else a city decides for itself.

    Attributes:
        wrong_dispatch: a dispatch that comes back; about one working day.
        review: a person reads the letter and finds the dispatch.
        choose: a person chooses between two named candidates.
        missed_critical: a 特急 letter treated as an ordinary one.
        false_alarm: an ordinary letter shown to the duty officer.
        return_rate: share of hand-made dispatches that come back; the prior of ``models.returns``.
        act_within_hours: urgency level to the hours in which the letter must be acted on.
        place_free_departments: departments of the whole city; a letter to them with one of
            ``place_free_requests`` needs no unit, so nobody is asked where it happened.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wrong_dispatch: float = Field(default=480, gt=0, allow_inf_nan=False)
    review: float = Field(default=60, gt=0, allow_inf_nan=False)
    choose: float = Field(default=30, gt=0, allow_inf_nan=False)
    missed_critical: float = Field(default=120, gt=0, allow_inf_nan=False)
    false_alarm: float = Field(default=15, gt=0, allow_inf_nan=False)
    return_rate: float = Field(default=0.5, gt=0, lt=1)
    act_within_hours: dict[str, float] = {"critical": 2, "urgent": 24}
    place_free_departments: tuple[str, ...] = ("provident_fund", "tax", "medical_insurance")
    place_free_requests: tuple[str, ...] = ("consult",)

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a YAML (or JSON) file of costs; what it leaves out keeps its default.

        Raises:
            PolicyError: not YAML, an unknown field, or a cost that is no positive number.
        """
        try:
            file = YamlFile(path)
        except (ValueError, OSError) as error:
            raise PolicyError(str(error)) from None
        if not isinstance(file.value, dict):
            raise PolicyError(f"{path}: must be a mapping such as 'review: 60'")
        try:
            return cls.model_validate(file.value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            choice = f"; choose from {', '.join(cls.model_fields)}" if first["type"] == "extra_forbidden" else ""
            raise PolicyError(f"{file.where(first['loc'])}: {first['msg']}{choice}") from None

    @property
    def version(self) -> str:
        """Short hash of every value."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:8]

    @property
    def dispatch_at(self) -> float:
        """Lowest probability of a right dispatch at which a full review costs more than the risk."""
        return max(0.0, 1 - self.review / self.wrong_dispatch)

    @property
    def critical_at(self) -> float:
        """Probability of 特急 from which the alarm is raised."""
        return self.false_alarm / (self.false_alarm + self.missed_critical)

    def needs_place(self, department: str, request_type: str) -> bool:
        """Whether a letter to this department can only be dispatched once its unit is known."""
        return department not in self.place_free_departments or request_type not in self.place_free_requests

    def decide(
        self,
        *,
        p_department: float,
        unit: str,
        p_unit: float,
        p_critical: float,
        pair: Pair | None = None,
        in_domain: bool = True,
        needs_place: bool = True,
    ) -> tuple[Decision, list[Reason]]:
        """The cheapest decision and why.

        Args:
            p_department, p_unit: calibrated probabilities of the suggested labels.
            unit: code of the suggested unit, ``unknown`` or ``outside``.
            p_critical: probability of 特急.
            pair: the best two candidates to choose between, if there are two.
            in_domain: whether the text looks like a citizen's letter at all.
            needs_place: see ``needs_place``; if false, an unknown unit does not count against the dispatch.
        """
        if p_critical >= self.critical_at:
            text = f"特急可能性 {p_critical:.0%}，达到警报线 {self.critical_at:.0%}，应立即转值班人员"
            return "emergency", [Reason(code="critical", text=text)]
        if not in_domain:
            return "review", [Reason(code="out_of_domain", text="内容不像群众来信，请人工核对")]
        if unit == OUTSIDE_UNIT:
            return "review", [Reason(code="unit_outside", text="来信所述地点似不在本市，请人工核对")]
        city_matter: list[Reason] = []
        if unit == UNKNOWN_UNIT and needs_place:
            return "ask", [Reason(code="unit_unknown", text="来信不足以确定属地，需补充一项信息")]
        if unit == UNKNOWN_UNIT:
            city_matter = [Reason(code="city_matter", text="由市级部门统一办理，无需先确定属地")]
            p_unit = 1.0
        decision, reason = self._cheapest(p_department * p_unit, pair)
        return decision, [reason, *city_matter]

    def _cheapest(self, right: float, pair: Pair | None) -> tuple[Decision, Reason]:
        dispatch = (1 - right) * self.wrong_dispatch
        two = self.choose + (1 - pair.p) * self.review if pair else self.review
        share = f"部门与属地同时正确的概率约 {right:.0%}"
        if dispatch <= min(two, self.review):
            return "dispatch", Reason(code="confident", text=f"{share}，派单的预期代价 {dispatch:.0f} 分钟，低于复核")
        if pair and two < self.review:
            text = f"{share}，直接派单的预期代价 {dispatch:.0f} 分钟；请在{pair.names[0]}和{pair.names[1]}之间选定"
            return "review", Reason(code=pair.code, text=f"{text}（二者之一正确的概率约 {pair.p:.0%}）")
        text = f"{share}，直接派单的预期代价 {dispatch:.0f} 分钟，高于复核 {self.review:.0f} 分钟，建议人工复核"
        return "review", Reason(code="unsure", text=text)

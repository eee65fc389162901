"""From calibrated probabilities to a decision: dispatch, review, ask, or emergency.

A dispatch is worth its risk when the expected cost of returning it is below the cost of a review:
``(1 - p_right) * wrong_dispatch <= review``. An emergency never waits for confidence: it is called
when the expected cost of missing one exceeds that of a false alarm. Costs are minutes of work, in
the bundle's ``policy.json``; the critical one has no honest price and is set by the recall it gives.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Decision, Reason


class Policy(BaseModel):
    """Costs in minutes of a clerk's work.

    Attributes:
        wrong_dispatch: a dispatch that comes back; about one working day.
        review: a person reads the letter.
        missed_critical: a 特急 letter treated as an ordinary one.
        false_alarm: an ordinary letter shown to the duty officer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wrong_dispatch: float = Field(default=480, gt=0)
    review: float = Field(default=60, gt=0)
    missed_critical: float = Field(default=90, gt=0)
    false_alarm: float = Field(default=15, gt=0)

    @property
    def dispatch_at(self) -> float:
        """Lowest probability of a right dispatch at which a review costs more than the risk."""
        return max(0.0, 1 - self.review / self.wrong_dispatch)

    @property
    def critical_at(self) -> float:
        """Probability of 特急 from which the alarm is raised."""
        return self.false_alarm / (self.false_alarm + self.missed_critical)

    def decide(
        self, *, p_department: float, unit: str, p_unit: float, p_critical: float
    ) -> tuple[Decision, list[Reason]]:
        """The cheapest decision and why, given calibrated probabilities."""
        if p_critical >= self.critical_at:
            text = f"特急可能性 {p_critical:.0%}，达到警报线 {self.critical_at:.0%}，应立即转值班人员"
            return "emergency", [Reason(code="critical", text=text)]
        if unit == UNKNOWN_UNIT:
            return "ask", [Reason(code="unit_unknown", text="来信不足以确定属地，需补充一项信息")]
        if unit == OUTSIDE_UNIT:
            return "review", [Reason(code="unit_outside", text="来信所述地点似不在本市，请人工核对")]
        right = p_department * p_unit
        share = f"部门与属地同时正确的概率约 {right:.0%}，派单线为 {self.dispatch_at:.0%}"
        if right >= self.dispatch_at:
            return "dispatch", [Reason(code="confident", text=share)]
        return "review", [Reason(code="unsure", text=f"{share}，建议人工复核")]

"""The routing suggestion, in exactly the JSON form that ``fenban score`` writes and the API returns."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from models.case import Record

Decision = Literal["dispatch", "review", "ask", "emergency"]
Channel = Literal["110", "119", "120", "122", "litigation", "arbitration", "discipline", "reconsideration", "petition"]
UNKNOWN_UNIT = "unknown"
OUTSIDE_UNIT = "outside"


class Choice(Record):
    """A label with its calibrated confidence in [0, 1]."""

    label: str
    name: str
    confidence: float


class HeadSuggestion(Choice):
    """The best label of one head, the next ones, and the conformal set."""

    alternatives: list[Choice] = []
    set: list[str] = []


class DepartmentSuggestion(HeadSuggestion):
    """The lead department (主办) and the departments that may have to help (协办)."""

    co: list[Choice] = []


class Evidence(Record):
    """A place mention: characters ``[start, end)`` of ``field`` as received, and the units it points to."""

    field: Literal["title", "body"]
    start: int
    end: int
    text: str
    place: str
    kind: str
    units: list[str]
    source: str


class UnitSuggestion(HeadSuggestion):
    """The owning unit; ``unknown`` comes with the ``question`` that would decide it."""

    evidence: list[Evidence] = []
    question: str | None = None


class Reason(Record):
    """Why the decision fell so: a stable code and a Chinese sentence."""

    code: str
    text: str


class Span(Record):
    """Characters ``[start, end)`` of ``field`` as received."""

    field: Literal["title", "body"]
    start: int
    end: int
    text: str


class Transfer(Record):
    """A channel outside the hotline that the matter belongs to (国办函〔2025〕66号), with the words that say so."""

    label: Channel
    name: str
    evidence: list[Span] = []


class AppliedRule(Record):
    """The city's own rule that applied; ``changed`` names what it set: department, unit, co, decision."""

    id: str
    reason: str
    date: date
    changed: list[str]


class Versions(Record):
    """Versions of what made the suggestion; ``policy`` covers the costs and the city's rules."""

    model: str
    taxonomy: str
    gazetteer: str
    policy: str = ""


class Suggestion(Record):
    """One letter's routing suggestion.

    Attributes:
        reply_by: last legal working day to answer, in the city's time.
        act_by: by when an urgent letter must be acted on; ``None`` if it is not urgent, or without ``received_at``.
        transfer_to: channels that must get the matter at once (110, 119, 120, 122), or that it belongs to.
        rule: the city's rule that applied, if any.
    """

    id: str
    topic: HeadSuggestion
    department: DepartmentSuggestion
    urgency: HeadSuggestion
    request_type: HeadSuggestion
    unit: UnitSuggestion
    decision: Decision
    reasons: list[Reason] = []
    reply_by: date | None = None
    act_by: datetime | None = None
    transfer_to: list[Transfer] = []
    rule: AppliedRule | None = None
    versions: Versions

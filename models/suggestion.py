"""The routing suggestion, in exactly the JSON form that ``fenban score`` writes and the API returns."""

from __future__ import annotations

from datetime import date
from typing import Literal

from models.case import Record

Decision = Literal["dispatch", "review", "ask", "emergency"]
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


class Versions(Record):
    """Versions of what made the suggestion."""

    model: str
    taxonomy: str
    gazetteer: str


class Suggestion(Record):
    """One letter's routing suggestion."""

    id: str
    topic: HeadSuggestion
    department: DepartmentSuggestion
    urgency: HeadSuggestion
    request_type: HeadSuggestion
    unit: UnitSuggestion
    decision: Decision
    reasons: list[Reason] = []
    reply_by: date | None = None
    versions: Versions

"""Request and answer bodies of API v1 that are not records of ``models``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from models.case import Labels, Letter, Record, ReturnReason
from models.suggestion import Decision, Suggestion
from serving.settings import MAX_BATCH

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("holds a control character or half a surrogate pair; send plain text")
    return text


def _sane(moment: datetime) -> datetime:
    if not 1990 <= moment.year <= 2100:
        raise ValueError("lies outside 1990 to 2100; send the real moment")
    return moment


Plain = AfterValidator(_plain)
Moment = Annotated[datetime, AfterValidator(_sane)]
Name = Annotated[str, Field(min_length=1, max_length=128), Plain]
Code = Annotated[str, Field(min_length=1, max_length=64), Plain]
Status = Literal["open", "accepted", "returned"]


class IncomingLetter(Letter):
    """A letter to be triaged. Send your own ``id``: a repeated request then gets the same stored answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "2026-000123",
                    "title": "人行道被摊贩占了",
                    "body": "金牛区的领导你好，双瑞一路每天傍晚都是小摊，人行道走不通，请管一管。",
                    "received_at": "2026-11-24T09:30:00+08:00",
                    "channel": "12345",
                }
            ]
        }
    )
    id: Annotated[str, Field(max_length=128), Plain] = ""
    stated_unit: Annotated[str, Field(max_length=64), Plain] | None = None
    channel: Annotated[str, Field(max_length=64), Plain] | None = None
    received_at: Moment | None = None


class LetterBatch(Record):
    """Up to 256 letters."""

    letters: list[IncomingLetter] = Field(min_length=1, max_length=MAX_BATCH)


class StoredSuggestion(Suggestion):
    """A suggestion; ``stored`` is false while the record waits in the spool for the database."""

    stored: bool


class SuggestionBatch(Record):
    """One suggestion per letter, in the order of the request."""

    suggestions: list[StoredSuggestion]


class CheckRequest(Record):
    """A letter and where a clerk wants to send it: a unit and a department, by id or name."""

    letter: IncomingLetter
    unit: Code = Field(examples=["510106"])
    department: Code = Field(examples=["urban_mgmt"])
    duplicate_of: Name | None = Field(default=None, description="id of an earlier case with the same matter, if known")


class ExplainRequest(Record):
    """The letter to explain."""

    letter: IncomingLetter


class _Report(Record):
    id: Name | None = Field(default=None, description="your id of this report; a repeated one is counted once")
    case_id: Name
    by: Name = Field(description="who: a unit, a department or a person's account")
    at: Moment | None = Field(default=None, description="when it happened; default: now")
    note: Annotated[str, Field(max_length=500), Plain] = ""


class Accepted(_Report):
    """The dispatch was accepted."""

    kind: Literal["accepted"]
    unit: Code | None = Field(default=None, description="where it was sent; default: the suggestion's unit")
    department: Code | None = None


class Returned(_Report):
    """The dispatch was returned (退单)."""

    kind: Literal["returned"]
    reason: ReturnReason
    unit: Code | None = None
    department: Code | None = None


class Corrected(_Report):
    """A reviewer corrects labels; only the labels given change. Needs the scope reviewer."""

    kind: Literal["corrected"]
    labels: Labels
    because: Annotated[str, Field(min_length=1, max_length=500), Plain] = Field(description="why")


Outcome = Annotated[Accepted | Returned | Corrected, Field(discriminator="kind")]


class OutcomeReceipt(Record):
    """The report is on disk. ``repeated``: it was there already and was not counted again."""

    id: str
    case_id: str
    recorded_at: datetime
    repeated: bool


class Event(Record):
    """One change of a case. ``labels`` maps a label's name to its value before and after."""

    id: str
    kind: Literal["accepted", "returned", "corrected"]
    by: str
    key: str | None
    at: datetime
    recorded_at: datetime
    reason: str | None = None
    unit: str | None = None
    department: str | None = None
    labels: dict[str, tuple[str | None, str | None]] | None = None
    note: str = ""


class CaseSummary(Record):
    """A case in a list; the labels are those in force, after corrections."""

    id: str
    created_at: datetime
    received_at: datetime
    channel: str | None
    title: str | None
    decision: Decision
    unit: str
    department: str
    topic: str
    urgency: str
    request_type: str
    status: Status
    model: str


class CasePage(Record):
    """Newest first. ``next`` is the cursor of the next page, or null on the last."""

    cases: list[CaseSummary]
    next: str | None


class CaseDetail(CaseSummary):
    """A case with its text as it is kept (redacted by default), its suggestion and every change, oldest first."""

    body: str | None
    stated_unit: str | None
    lon: float | None
    lat: float | None
    co_department: str | None
    suggestion: dict[str, Any] = Field(description="the suggestion as it was answered")
    history: list[Event]


class ReloadRequest(Record):
    """Name of a folder under FENBAN_BUNDLES."""

    bundle: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class ModelInfo(Record):
    """What is served: versions, the labels it knows, its metrics and its card (Markdown)."""

    model: str
    taxonomy: str
    gazetteer: str
    policy: str
    bundle: str
    loaded_at: datetime
    labels: dict[str, dict[str, str]] = Field(description="head or 'unit' -> label id -> Chinese name")
    metrics: dict[str, Any]
    card: str

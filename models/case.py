"""The one record: import, training, evaluation and serving all speak ``Case``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_TITLE = 200
MAX_BODY = 20_000
ReturnReason = Literal["属地不符", "职能不符", "权属不清", "重复", "信息不足"]


class Record(BaseModel):
    """Base of all records: unknown keys are errors, and error texts never repeat the letter."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Labels(Record):
    """What is known of a case; a missing label is ``None`` and is masked in training, never guessed.

    ``unit`` is a unit code of the taxonomy, ``unknown`` (the text does not settle it) or ``outside``.
    ``aux`` holds the label of an auxiliary task, such as the seven classes of letters7; ``domain`` tells texts
    that are no letters (``other``), which training gathers itself.
    """

    topic: str | None = None
    department: str | None = None
    co_department: str | None = None
    urgency: str | None = None
    request_type: str | None = None
    unit: str | None = None
    aux: str | None = None
    domain: Literal["letter", "other"] | None = None


class Dispatch(Record):
    """One dispatch of a case to a unit and department, and what became of it."""

    unit: str | None = None
    department: str | None = None
    at: datetime | None = None
    outcome: Literal["accepted", "returned"] | None = None
    reason: ReturnReason | None = None


class Letter(Record):
    """What the intake system knows when a letter arrives.

    ``stated_unit`` is what the writer or clerk chose: a hint with a name of its own, never the truth.
    ``lon`` and ``lat`` are WGS-84 degrees.
    """

    id: str = Field(default="", max_length=128)
    title: str = Field(default="", max_length=MAX_TITLE)
    body: str = Field(default="", max_length=MAX_BODY)
    stated_unit: str | None = Field(default=None, max_length=64)
    received_at: datetime | None = None
    channel: str | None = Field(default=None, max_length=64)
    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)

    @field_validator("title", "body")
    @classmethod
    def _no_surrogates(cls, text: str) -> str:
        """JSON can spell half a character (``\\ud800``); nothing downstream can encode it."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("holds half a UTF-16 surrogate pair; send valid Unicode") from None
        return text

    @property
    def is_empty(self) -> bool:
        """True when there is no visible character to judge."""
        return not (self.title.strip() or self.body.strip())


class Case(Letter):
    """A letter with what is known about it: labels, dispatches, and the group of its near-duplicates."""

    labels: Labels = Labels()
    dispatches: tuple[Dispatch, ...] = ()
    source: str | None = None
    group: str | None = None

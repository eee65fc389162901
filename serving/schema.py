"""Request and answer bodies of API v1 that are not records of ``models``."""

from __future__ import annotations

from pydantic import Field

from models.case import Letter, Record
from models.suggestion import Suggestion
from serving.settings import MAX_BATCH


class LetterBatch(Record):
    """Up to 256 letters."""

    letters: list[Letter] = Field(min_length=1, max_length=MAX_BATCH)


class SuggestionBatch(Record):
    """One suggestion per letter, in the order of the request."""

    suggestions: list[Suggestion]


class ErrorDetail(Record):
    """What was wrong: a stable code, the field (empty if none is to blame), and the cure."""

    code: str
    field: str
    message: str


class ErrorBody(Record):
    """The one shape of every error."""

    error: ErrorDetail

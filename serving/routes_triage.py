"""``/v1/triage``, ``/v1/triage/batch``, ``/v1/check``, ``/v1/explain``: what the model says about letters."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request, Response

from models.case import Letter
from models.explain import Explanation
from models.returns import DispatchCheck
from models.suggestion import Suggestion
from serving.batcher import Overloaded, retry_after
from serving.errors import ApiError
from serving.runtime import Runtime
from serving.schema import CheckRequest, ExplainRequest, IncomingLetter, LetterBatch, StoredSuggestion, SuggestionBatch
from serving.store.records import Row, case_row

router = APIRouter(tags=["triage"])
T = TypeVar("T")
_CODES = ["not_json", "id_conflict", "case_deleted", "empty_letter", "overloaded"]


def runtime_of(request: Request) -> Runtime:
    """The running service's parts."""
    runtime: Runtime = request.app.state.runtime
    return runtime


Running = Annotated[Runtime, Depends(runtime_of)]


@router.post("/triage", response_model=StoredSuggestion, openapi_extra={"x-codes": _CODES})
async def triage(letter: IncomingLetter, request: Request, runtime: Running) -> Response:
    """Suggest a routing for one letter, and keep it as a case.

    The same `id` and text get the stored suggestion again; the same `id` with another text is a 409.
    `stored` is false while the record waits on disk for the database; nothing needs to be done then.
    """
    (answer,), stored = await _triage(runtime, request, [letter])
    return _json(_with_stored(answer, stored))


@router.post("/triage/batch", response_model=SuggestionBatch, openapi_extra={"x-codes": _CODES})
async def triage_batch(batch: LetterBatch, request: Request, runtime: Running) -> Response:
    """Suggest a routing for each of up to 256 letters, in order; all are stored, or none."""
    answers, stored = await _triage(runtime, request, batch.letters)
    return _json('{"suggestions":[' + ",".join(_with_stored(answer, stored) for answer in answers) + "]}")


@router.post("/check", openapi_extra={"x-codes": ["not_json", "empty_letter", "unknown_label", "overloaded"]})
async def check(wanted: CheckRequest, runtime: Running) -> DispatchCheck:
    """Would this unit and department return the letter (退单), why, and which dispatch is better? Not stored."""
    refuse_empty([wanted.letter], "letter.body")
    with runtime.metrics.stage("check"):
        return await scored(runtime.engine.check(wanted.letter, wanted.unit, wanted.department, wanted.duplicate_of))


@router.post("/explain", openapi_extra={"x-codes": ["not_json", "empty_letter", "overloaded"]})
async def explain(wanted: ExplainRequest, runtime: Running) -> Explanation:
    """Which words moved each head, and which places spoke for the unit. Takes about a second; not stored."""
    refuse_empty([wanted.letter], "letter.body")
    with runtime.metrics.stage("explain"):
        return await scored(runtime.engine.explain(wanted.letter))


async def _triage(runtime: Runtime, request: Request, letters: Sequence[IncomingLetter]) -> tuple[list[str], bool]:
    """Suggestions as JSON, and whether they are in the database."""
    refuse_empty(letters)
    named = [letter if letter.id else letter.model_copy(update={"id": uuid.uuid4().hex}) for letter in letters]
    if len(named) == 1:
        request.state.case = named[0].id
    with runtime.metrics.stage("score"):
        suggestions = await scored(runtime.engine.batcher.submit(named))
    key = getattr(request.state, "key", None)
    if len(named) == 1:
        rows = _rows(named, suggestions, runtime, key)
    else:
        rows = await asyncio.to_thread(_rows, named, suggestions, runtime, key)
    with runtime.metrics.stage("store"):
        answers, stored = await runtime.store.save(rows)
    for suggestion in suggestions:
        runtime.metrics.count(suggestion)
    return answers, stored


def _rows(letters: Sequence[Letter], suggestions: Sequence[Suggestion], runtime: Runtime, key: str | None) -> list[Row]:
    now, keep = datetime.now(UTC), runtime.settings.store_text
    pairs = zip(letters, suggestions, strict=True)
    return [case_row(letter, suggestion, keep=keep, key=key, now=now) for letter, suggestion in pairs]


def refuse_empty(letters: Sequence[Letter], field: str = "body") -> None:
    """See that every letter has text.

    Raises:
        ApiError: ``empty_letter`` names the first that has none.
    """
    for index, letter in enumerate(letters):
        if letter.is_empty:
            raise ApiError("empty_letter", field if len(letters) == 1 else f"letters.{index}.body")


async def scored(work: Awaitable[T]) -> T:
    """Await work of the batcher.

    Raises:
        ApiError: ``overloaded``.
    """
    try:
        return await work
    except Overloaded as error:
        raise ApiError("overloaded", retry_after=retry_after(error)) from None


def _with_stored(suggestion: str, stored: bool) -> str:
    return f'{suggestion[:-1]},"stored":{"true" if stored else "false"}}}'


def _json(text: str) -> Response:
    return Response(text.encode(), media_type="application/json")

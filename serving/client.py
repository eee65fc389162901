"""A small typed client of the API, for programs in Python: sync and async, with the retries that the service asks for.

    with FenbanClient("http://127.0.0.1:3000", key="fb_…") as fenban:
        suggestion = fenban.triage(Letter(id="2026-1", title="占道", body="双瑞一路的摊贩占了人行道"))

An answer of 429 or 503 is tried again after its ``Retry-After``, and so is a lost connection: every call may be
repeated, since the service answers a repeated id with what it stored. Give letters your own ``id``.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from models.case import Letter
from models.explain import Explanation
from models.returns import DispatchCheck
from serving.schema import (
    CaseDetail,
    CasePage,
    ModelInfo,
    Outcome,
    OutcomeReceipt,
    StoredSuggestion,
    SuggestionBatch,
)

Answer = TypeVar("Answer", bound=BaseModel)
RETRIED = (429, 503)
LONGEST_PAUSE_S = 30.0
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


class FenbanError(Exception):
    """The service refused: ``status``, stable ``code``, the ``field`` to blame, ``trace_id`` for the operator."""

    def __init__(self, status: int, code: str, field: str, message: str, trace_id: str) -> None:
        super().__init__(f"{status} {code}{f' ({field})' if field else ''}: {message}")
        self.status, self.code, self.field, self.message, self.trace_id = status, code, field, message, trace_id


@dataclass(frozen=True)
class _Call(Generic[Answer]):
    """One request and the type of its answer."""

    method: str
    path: str
    answer: type[Answer]
    json: Any = None
    params: dict[str, str | int] | None = None


@dataclass(frozen=True)
class _Retry:
    """How often a call is tried, and how long a pause is where the service names none (it doubles each time)."""

    attempts: int
    first_pause_s: float

    def pause(self, attempt: int, response: httpx.Response | None) -> float | None:
        """Seconds before the next attempt; ``None`` if there is none, or the answer is final."""
        if attempt + 1 >= self.attempts or (response is not None and response.status_code not in RETRIED):
            return None
        asked = _retry_after(response)
        backoff = self.first_pause_s * 2**attempt
        return min(LONGEST_PAUSE_S, (backoff if asked is None else asked) + random.uniform(0, backoff / 2))


class FenbanClient:
    """Calls a service and waits for the answers.

    Args:
        url: where it listens.
        key: API key (``fenban key create``); not needed on loopback while no key exists.
        timeout_s: of one attempt.
        attempts: tries of one call in all.
        first_pause_s: pause after the first failure where the service names none.

    Raises:
        FenbanError: from every call, for an answer that is an error.
        httpx.TransportError: from every call, if the service could not be reached in any attempt.
    """

    def __init__(
        self, url: str, *, key: str = "", timeout_s: float = 30.0, attempts: int = 5, first_pause_s: float = 0.2
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout_s)
        self._retry = _Retry(attempts, first_pause_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def triage(self, letter: Letter) -> StoredSuggestion:
        """A suggestion for one letter."""
        return self._send(_triage(letter))

    def triage_batch(self, letters: Sequence[Letter]) -> list[StoredSuggestion]:
        """Suggestions for up to 256 letters, in order."""
        return self._send(_triage_batch(letters)).suggestions

    def check(self, letter: Letter, unit: str, department: str, *, duplicate_of: str | None = None) -> DispatchCheck:
        """Would this dispatch be returned?"""
        return self._send(_check(letter, unit, department, duplicate_of))

    def explain(self, letter: Letter) -> Explanation:
        """Which words moved each head."""
        return self._send(_explain(letter))

    def report(self, outcome: Outcome) -> OutcomeReceipt:
        """Report what became of a dispatch; once this returns, the report is on disk."""
        return self._send(_report(outcome))

    def case(self, case_id: str) -> CaseDetail:
        """One case with its history."""
        return self._send(_case(case_id))

    def cases(self, **filters: str | int) -> CasePage:
        """A page of cases; pass ``cursor=page.next`` for the next one."""
        return self._send(_cases(filters))

    def model(self) -> ModelInfo:
        """What is served."""
        return self._send(_model())

    def _send(self, call: _Call[Answer]) -> Answer:
        for attempt in range(self._retry.attempts):
            response: httpx.Response | None = None
            try:
                response = self._http.request(call.method, call.path, json=call.json, params=call.params)
            except httpx.TransportError:
                if self._retry.pause(attempt, None) is None:
                    raise
            if response is not None and response.is_success:
                return _read(response, call.answer)
            pause = self._retry.pause(attempt, response)
            if pause is None and response is not None:
                raise _error(response)
            time.sleep(pause or 0.0)
        raise AssertionError("attempts must be at least 1")


class AsyncFenbanClient:
    """The same calls for asyncio; arguments and errors as ``FenbanClient``."""

    def __init__(
        self, url: str, *, key: str = "", timeout_s: float = 30.0, attempts: int = 5, first_pause_s: float = 0.2
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout_s)
        self._retry = _Retry(attempts, first_pause_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def triage(self, letter: Letter) -> StoredSuggestion:
        """A suggestion for one letter."""
        return await self._send(_triage(letter))

    async def triage_batch(self, letters: Sequence[Letter]) -> list[StoredSuggestion]:
        """Suggestions for up to 256 letters, in order."""
        return (await self._send(_triage_batch(letters))).suggestions

    async def check(
        self, letter: Letter, unit: str, department: str, *, duplicate_of: str | None = None
    ) -> DispatchCheck:
        """Would this dispatch be returned?"""
        return await self._send(_check(letter, unit, department, duplicate_of))

    async def explain(self, letter: Letter) -> Explanation:
        """Which words moved each head."""
        return await self._send(_explain(letter))

    async def report(self, outcome: Outcome) -> OutcomeReceipt:
        """Report what became of a dispatch; once this returns, the report is on disk."""
        return await self._send(_report(outcome))

    async def case(self, case_id: str) -> CaseDetail:
        """One case with its history."""
        return await self._send(_case(case_id))

    async def cases(self, **filters: str | int) -> CasePage:
        """A page of cases; pass ``cursor=page.next`` for the next one."""
        return await self._send(_cases(filters))

    async def model(self) -> ModelInfo:
        """What is served."""
        return await self._send(_model())

    async def _send(self, call: _Call[Answer]) -> Answer:
        for attempt in range(self._retry.attempts):
            response: httpx.Response | None = None
            try:
                response = await self._http.request(call.method, call.path, json=call.json, params=call.params)
            except httpx.TransportError:
                if self._retry.pause(attempt, None) is None:
                    raise
            if response is not None and response.is_success:
                return _read(response, call.answer)
            pause = self._retry.pause(attempt, response)
            if pause is None and response is not None:
                raise _error(response)
            await asyncio.sleep(pause or 0.0)
        raise AssertionError("attempts must be at least 1")


def _triage(letter: Letter) -> _Call[StoredSuggestion]:
    return _Call("POST", "/v1/triage", StoredSuggestion, _letter(letter))


def _triage_batch(letters: Sequence[Letter]) -> _Call[SuggestionBatch]:
    return _Call("POST", "/v1/triage/batch", SuggestionBatch, {"letters": [_letter(x) for x in letters]})


def _check(letter: Letter, unit: str, department: str, duplicate_of: str | None) -> _Call[DispatchCheck]:
    body = {"letter": _letter(letter), "unit": unit, "department": department}
    return _Call("POST", "/v1/check", DispatchCheck, body | ({"duplicate_of": duplicate_of} if duplicate_of else {}))


def _explain(letter: Letter) -> _Call[Explanation]:
    return _Call("POST", "/v1/explain", Explanation, {"letter": _letter(letter)})


def _report(outcome: Outcome) -> _Call[OutcomeReceipt]:
    return _Call("POST", "/v1/outcomes", OutcomeReceipt, _OUTCOME.dump_python(outcome, mode="json", exclude_none=True))


def _case(case_id: str) -> _Call[CaseDetail]:
    return _Call("GET", f"/v1/cases/{quote(case_id, safe='')}", CaseDetail)


def _cases(filters: dict[str, str | int]) -> _Call[CasePage]:
    return _Call("GET", "/v1/cases", CasePage, params=filters)


def _model() -> _Call[ModelInfo]:
    return _Call("GET", "/v1/model", ModelInfo)


def _letter(letter: Letter) -> dict[str, Any]:
    return letter.model_dump(mode="json", exclude_none=True, include=set(Letter.model_fields))


def _headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def _read(response: httpx.Response, answer: type[Answer]) -> Answer:
    """Fields of a newer service that this client does not know are left out."""
    return answer.model_validate_json(response.content, extra="ignore")


def _retry_after(response: httpx.Response | None) -> float | None:
    value = response.headers.get("retry-after") if response is not None else None
    if value is None:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _error(response: httpx.Response) -> FenbanError:
    trace_id = response.headers.get("x-trace-id", "")
    try:
        detail = response.json()["error"]
        return FenbanError(response.status_code, detail["code"], detail["field"], detail["message"], trace_id)
    except (ValueError, KeyError, TypeError):
        return FenbanError(response.status_code, "not_fenban", "", "no answer of Fenban; check the URL", trace_id)

"""``/v1/cases`` and ``/v1/outcomes``: what is kept, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from models.suggestion import Decision
from serving.errors import ApiError
from serving.routes_triage import Running
from serving.schema import (
    CaseDetail,
    CasePage,
    Corrected,
    Moment,
    Outcome,
    OutcomeReceipt,
    Plain,
    Returned,
    Status,
)
from serving.store import changes, queries
from serving.store.records import aware, event_row

router = APIRouter(tags=["cases"])
Label = Annotated[str | None, Query(max_length=64), Plain]
CaseId = Annotated[str, Path(min_length=1, max_length=128)]
_OUTCOME_EXAMPLES = {
    "accepted": {"value": {"kind": "accepted", "case_id": "2026-000123", "by": "成华区"}},
    "returned": {
        "value": {
            "kind": "returned",
            "id": "r-77",
            "case_id": "2026-000123",
            "by": "金牛区",
            "reason": "属地不符",
            "unit": "510106",
            "at": "2026-11-25T10:00:00+08:00",
        }
    },
    "corrected": {
        "value": {
            "kind": "corrected",
            "case_id": "2026-000123",
            "by": "reviewer-3",
            "labels": {"unit": "510108"},
            "because": "双瑞一路属成华区",
        }
    },
}
_OUTCOME_CODES = ["not_json", "unknown_case", "outcome_conflict", "case_deleted", "unknown_label", "store_unavailable"]
_BODY = {"requestBody": {"content": {"application/json": {"examples": _OUTCOME_EXAMPLES}}}, "x-codes": _OUTCOME_CODES}


@router.post("/outcomes", openapi_extra=_BODY)
async def report_outcome(report: Outcome, request: Request, runtime: Running) -> OutcomeReceipt:
    """Report that a dispatch was accepted or returned, or correct labels (scope reviewer).

    Once this answers 200 the report is on disk. Repeat a report that got no answer: with the same `id` (or, without
    one, the same content) it is counted once. Nothing is overwritten: the case shows every report.
    """
    request.state.case = report.case_id
    scopes = getattr(request.state, "scopes", None)
    if isinstance(report, Corrected):
        if scopes is not None and "reviewer" not in scopes:
            raise ApiError("scope_missing", message="corrections need the scope reviewer")
        runtime.engine.check_labels(report.labels)
    else:
        runtime.engine.check_labels(None, unit=report.unit, department=report.department)
    if runtime.store.spool.get(report.case_id):
        raise ApiError("store_unavailable", message="the case waits for the database; try again later")
    row = event_row(report, key=getattr(request.state, "key", None), now=datetime.now(UTC))
    with runtime.metrics.stage("store"):
        recorded_at, repeated = await runtime.store.write(partial(changes.save_event, row=row))
    if not repeated:
        reason = report.reason if isinstance(report, Returned) else ""
        runtime.metrics.outcomes.labels(report.kind, reason).inc()
    return OutcomeReceipt(id=row["id"], case_id=report.case_id, recorded_at=recorded_at, repeated=repeated)


@router.get("/cases", openapi_extra={"x-codes": ["bad_cursor", "store_unavailable"]})
async def list_cases(
    runtime: Running,
    decision: Decision | None = None,
    unit: Label = None,
    department: Label = None,
    urgency: Label = None,
    status: Status | None = None,
    since: Annotated[Moment | None, Query(description="received at or after")] = None,
    until: Annotated[Moment | None, Query(description="received before")] = None,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CasePage:
    """Cases, newest first. Labels are those in force, after corrections. Moments without a zone are the city's time."""
    wanted = {"decision": decision, "unit": unit, "department": department, "urgency": urgency, "status": status}
    query = partial(queries.page, filters=wanted, since=aware(since), until=aware(until), cursor=cursor, limit=limit)
    with runtime.metrics.stage("read"):
        return await runtime.store.read(query)


@router.get("/cases/{id:path}", openapi_extra={"x-codes": ["unknown_case", "case_deleted", "store_unavailable"]})
async def get_case(id: CaseId, request: Request, runtime: Running) -> CaseDetail:
    """One case: its text as it is kept, its suggestion as it was answered, and every report, oldest first."""
    request.state.case = _plain_id(id)
    with runtime.metrics.stage("read"):
        return await runtime.store.read(partial(queries.detail, case_id=id))


@router.delete(
    "/cases/{id:path}",
    status_code=204,
    openapi_extra={"x-codes": ["unknown_case", "case_deleted", "store_unavailable"]},
)
async def delete_case(id: CaseId, request: Request, runtime: Running) -> None:
    """Delete a case with its reports. A trace with its id and the moment stays; the id cannot be used again."""
    request.state.case = _plain_id(id)
    await runtime.store.delete(id, by=getattr(request.state, "key", None) or "loopback")


def _plain_id(case_id: str) -> str:
    """An id that may be asked for and logged.

    Raises:
        ApiError: ``unknown_case``; no stored id has control characters.
    """
    if not case_id.isprintable():
        raise ApiError("unknown_case", "id")
    return case_id

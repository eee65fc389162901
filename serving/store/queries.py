"""What is read: pages of cases, and one case with its history."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from serving.errors import ApiError
from serving.schema import CaseDetail, CasePage, CaseSummary, Event
from serving.store.changes import missing_code
from serving.store.tables import cases, events

_EQUAL = ("decision", "unit", "department", "urgency", "status")
_SUMMARY = [cases.c[name] for name in CaseSummary.model_fields]


def page(
    connection: Connection,
    *,
    filters: dict[str, str | None],
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
    limit: int,
) -> CasePage:
    """Cases that match every filter, newest first; ``since`` and ``until`` bound ``received_at``.

    Raises:
        ApiError: ``bad_cursor``.
    """
    query = select(cases.c.seq, *_SUMMARY).order_by(cases.c.seq.desc()).limit(limit + 1)
    for name in _EQUAL:
        if filters.get(name) is not None:
            query = query.where(cases.c[name] == filters[name])
    if since is not None:
        query = query.where(cases.c.received_at >= since)
    if until is not None:
        query = query.where(cases.c.received_at < until)
    if cursor:
        query = query.where(cases.c.seq < _from_cursor(cursor))
    rows = connection.execute(query).mappings().all()
    last = rows[limit - 1]["seq"] if len(rows) > limit else None
    return CasePage(cases=[_summary(row) for row in rows[:limit]], next=_to_cursor(last) if last else None)


def detail(connection: Connection, case_id: str) -> CaseDetail:
    """One case with its history.

    Raises:
        ApiError: ``unknown_case`` or ``case_deleted``.
    """
    row = connection.execute(select(cases).where(cases.c.id == case_id)).mappings().first()
    if row is None:
        raise ApiError(missing_code(connection, case_id), "id")
    history = connection.execute(select(events).where(events.c.case_id == case_id).order_by(events.c.seq)).mappings()
    fields = {name: row[name] for name in CaseDetail.model_fields if name in row and name != "suggestion"}
    return CaseDetail(**fields, suggestion=json.loads(row["suggestion"]), history=[_event(event) for event in history])


def _summary(row: RowMapping) -> CaseSummary:
    return CaseSummary(**{name: row[name] for name in CaseSummary.model_fields})


def _event(row: RowMapping) -> Event:
    fields: dict[str, Any] = {name: row[name] for name in Event.model_fields}
    return Event(**{**fields, "labels": json.loads(row["labels"]) if row["labels"] else None})


def _to_cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(f"c{seq}".encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> int:
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        raise ApiError("bad_cursor", "cursor") from None
    if not (plain.startswith("c") and plain[1:].isdigit() and len(plain) < 20):
        raise ApiError("bad_cursor", "cursor")
    return int(plain[1:])

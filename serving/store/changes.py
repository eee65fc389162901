"""What is written, each as a function over a connection; ``writer`` runs them inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from serving.errors import ApiError
from serving.store.records import Row
from serving.store.tables import cases, deletions, events

LABELS = ("topic", "department", "co_department", "urgency", "request_type", "unit")
PURGE_CHUNK = 500


def save_cases(connection: Connection, rows: Sequence[Row]) -> list[str]:
    """Store the cases of one request; the suggestion that is on record for each, in order.

    Raises:
        ApiError: ``id_conflict`` (an id stands for another text) or ``case_deleted``; then none is stored.
    """
    ids = [row["id"] for row in rows]
    found = connection.execute(select(cases.c.id, cases.c.digest, cases.c.suggestion).where(cases.c.id.in_(ids)))
    known = {case_id: (digest, suggestion) for case_id, digest, suggestion in found}
    gone = set(connection.scalars(select(deletions.c.case_id).where(deletions.c.case_id.in_(ids))))
    new: list[Row] = []
    for index, row in enumerate(rows):
        field = "id" if len(rows) == 1 else f"letters.{index}.id"
        if row["id"] in gone:
            raise ApiError("case_deleted", field)
        if row["id"] not in known:
            known[row["id"]] = (row["digest"], row["suggestion"])
            new.append(row)
        elif known[row["id"]][0] != row["digest"]:
            raise ApiError("id_conflict", field)
    if new:
        connection.execute(insert(cases), new)
    return [known[row["id"]][1] for row in rows]


def save_event(connection: Connection, row: Row) -> tuple[datetime, bool]:
    """Add a report to a case's history; when it was recorded, and whether it was there before.

    Raises:
        ApiError: ``unknown_case``, ``case_deleted``, or ``outcome_conflict`` (the id stands for another report).
    """
    old = connection.execute(select(events).where(events.c.id == row["id"])).mappings().first()
    if old is not None:
        if old["digest"] != row["digest"]:
            raise ApiError("outcome_conflict", "id")
        return old["recorded_at"], True
    case = connection.execute(select(cases).where(cases.c.id == row["case_id"]).with_for_update()).mappings().first()
    if case is None:
        raise ApiError(missing_code(connection, row["case_id"]), "case_id")
    changes: dict[str, Any] = {}
    if row["kind"] == "corrected":
        changes = {name: value for name, value in row["labels"].items() if name in LABELS}
        row = {**row, "labels": json.dumps({name: [case[name], new] for name, new in changes.items()})}
    else:
        changes = {"status": row["kind"]}
        row = {**row, **{name: row[name] or case[name] for name in ("unit", "department")}}
    connection.execute(insert(events), row)
    connection.execute(update(cases).where(cases.c.id == row["case_id"]).values(**changes))
    return row["recorded_at"], False


def delete_case(connection: Connection, case_id: str, *, by: str, now: datetime) -> None:
    """Delete a case with its history; a trace without text stays.

    Raises:
        ApiError: ``unknown_case`` or ``case_deleted``.
    """
    if connection.scalar(select(cases.c.id).where(cases.c.id == case_id)) is None:
        raise ApiError(missing_code(connection, case_id), "id")
    _erase(connection, [case_id], by, "request", now)


def purge_before(connection: Connection, moment: datetime, now: datetime) -> int:
    """Delete up to 500 cases created before ``moment`` (retention); how many there were."""
    query = select(cases.c.id).where(cases.c.created_at < moment).order_by(cases.c.seq).limit(PURGE_CHUNK)
    old = list(connection.scalars(query))
    if old:
        _erase(connection, old, "retention", "retention", now)
    return len(old)


def missing_code(connection: Connection, case_id: str) -> str:
    """Why a case is not there: ``case_deleted`` or ``unknown_case``."""
    trace = connection.scalar(select(deletions.c.case_id).where(deletions.c.case_id == case_id))
    return "unknown_case" if trace is None else "case_deleted"


def _erase(connection: Connection, case_ids: list[str], by: str, cause: str, now: datetime) -> None:
    connection.execute(delete(events).where(events.c.case_id.in_(case_ids)))
    connection.execute(delete(cases).where(cases.c.id.in_(case_ids)))
    traces = [{"case_id": case_id, "deleted_at": now, "by": by, "cause": cause} for case_id in case_ids]
    connection.execute(insert(deletions), traces)

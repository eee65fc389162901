"""From letters, suggestions and reports to rows; the only place that decides what text is kept."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from models.case import Letter
from models.redact import redact
from models.suggestion import Suggestion
from serving.schema import Accepted, Corrected, Returned

CITY_ZONE = ZoneInfo("Asia/Shanghai")
Row = dict[str, Any]
Keep = Literal["redacted", "full", "none"]
_MOMENTS = ("created_at", "received_at")


def case_row(letter: Letter, suggestion: Suggestion, *, keep: Keep, key: str | None, now: datetime) -> Row:
    """The row of a triaged letter.

    The digest is taken over the redacted text: a digest of the full text would let whoever has the
    database try all phone numbers. So two texts that differ in such a number alone count as the same.
    """
    title, body = redact(letter.title), redact(letter.body)
    kept = {"redacted": (title, body), "full": (letter.title, letter.body), "none": (None, None)}[keep]
    return {
        "id": letter.id,
        "digest": text_digest(title, body),
        "created_at": now,
        "received_at": aware(letter.received_at) or now,
        "key": key,
        "channel": letter.channel,
        "stated_unit": redact(letter.stated_unit)[:64] if letter.stated_unit else None,
        "lon": letter.lon,
        "lat": letter.lat,
        "title": _storable(kept[0]),
        "body": _storable(kept[1]),
        "decision": suggestion.decision,
        "topic": suggestion.topic.label,
        "department": suggestion.department.label,
        "co_department": suggestion.department.co[0].label if suggestion.department.co else None,
        "urgency": suggestion.urgency.label,
        "request_type": suggestion.request_type.label,
        "unit": suggestion.unit.label,
        "status": "open",
        "model": suggestion.versions.model,
        "suggestion": suggestion.model_dump_json(),
    }


def event_row(report: Accepted | Returned | Corrected, *, key: str | None, now: datetime) -> Row:
    """The row of a report; ``labels`` holds the new values until the writer adds the old ones."""
    content = report.model_dump(mode="json", exclude={"id"})
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    row: Row = {
        "id": report.id or f"auto-{digest[:40]}",
        "digest": digest,
        "case_id": report.case_id,
        "kind": report.kind,
        "by": report.by,
        "key": key,
        "at": aware(report.at) or now,
        "recorded_at": now,
        "note": redact(report.note),
    }
    if isinstance(report, Corrected):
        labels = report.labels.model_dump(exclude_none=True)
        return {**row, "reason": redact(report.because), "unit": None, "department": None, "labels": labels}
    reason = report.reason if isinstance(report, Returned) else None
    return {**row, "reason": reason, "unit": report.unit, "department": report.department, "labels": None}


def text_digest(title: str, body: str) -> str:
    """SHA-256 of a redacted letter, 64 hex digits."""
    return hashlib.sha256(f"{len(title)}\n{title}{body}".encode()).hexdigest()


def to_line(row: Row) -> str:
    """A case row as one line of JSON, for the spool."""
    moments = {name: row[name].isoformat() for name in _MOMENTS}
    return json.dumps({**row, **moments}, ensure_ascii=False)


def from_line(line: str) -> Row:
    """The case row of a spool line.

    Raises:
        ValueError: the line was cut off by a crash or is no record.
    """
    row = json.loads(line)
    if not isinstance(row, dict) or "suggestion" not in row:
        raise ValueError("no record of a case")
    return {**row, **{name: datetime.fromisoformat(row[name]) for name in _MOMENTS}}


def aware(moment: datetime | None) -> datetime | None:
    """A moment without a zone is meant in the city's time."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=CITY_ZONE)).astimezone(UTC)


def _storable(text: str | None) -> str | None:
    """PostgreSQL cannot hold NUL characters."""
    return None if text is None else text.replace("\0", "\ufffd")

"""JSON logs to stderr, one object a line: events, ids and numbers, never text."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Literal

Level = Literal["info", "warning", "error"]


def log(event: str, *, level: Level = "info", **fields: str | int | float | bool | None) -> None:
    """Write one line. ``fields`` must be ids, codes and numbers; there is no free message on purpose."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event, **fields}
    sys.stderr.write(json.dumps(line, ensure_ascii=True) + "\n")

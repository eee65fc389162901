"""The letters behind the figures: redacted, fetched by row in one pass, and the table of all errors."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from eval.predictions import ALL_HEADS, Predictions, schema
from models.redact import redact

EXCERPT = 160
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HEADS = ("department", "unit", "urgency", "request_type", "topic")


@dataclass(frozen=True)
class Text:
    """A redacted letter."""

    title: str
    body: str

    def excerpt(self, length: int = EXCERPT) -> str:
        """Title and the beginning of the body."""
        return self.body if len(self.body) <= length else self.body[:length] + "…"


def fetch_texts(cases: Path, rows: Sequence[int]) -> dict[int, Text]:
    """Redacted letters of the wanted rows of a cases file."""
    wanted = sorted(set(rows))
    found: dict[int, Text] = {}
    start = 0
    for batch in pq.ParquetFile(cases).iter_batches(20_000, columns=["title", "body"]):
        here = [row - start for row in wanted if start <= row < start + batch.num_rows]
        if here:
            for offset, letter in zip(here, batch.take(here).to_pylist(), strict=True):
                found[start + offset] = Text(redact(letter["title"] or ""), redact(letter["body"] or ""))
        start += batch.num_rows
    return found


def write_errors(predictions: Predictions, cases: Path, out: Path) -> int:
    """Write ``errors.csv``: one line per letter with any wrong head, with its redacted text; returns the lines.

    UTF-8 with a byte-order mark, so that Excel shows Chinese. A cell that Excel would run as a formula
    is quoted with an apostrophe.
    """
    count = 0
    with out.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        columns = [f"{head}_{what}" for head in _HEADS for what in ("actual", "predicted", "confidence")]
        writer.writerow(["row", "id", "decision", *columns, "evidence", "reasons", "title", "body"])
        for row, title, body in _joined(predictions, cases):
            wrong = [h for h in ALL_HEADS if row[f"{h}_true"] is not None and row[f"{h}_true"] != row[f"{h}_pred"]]
            if not wrong:
                continue
            values: list[Any] = [row["row"], row["id"], row["decision"]]
            for head in _HEADS:
                values += [row[f"{head}_true"], row[f"{head}_pred"], round(row[f"{head}_confidence"], 4)]
            values += [row["evidence"], row["reasons"], redact(title or ""), redact(body or "")]
            writer.writerow([harmless(value) for value in values])
            count += 1
    return count


def _joined(predictions: Predictions, cases: Path) -> Iterator[tuple[dict[str, Any], str | None, str | None]]:
    heads = {f"{h}_{what}" for h in ALL_HEADS for what in ("true", "pred", "confidence")}
    names = [n for n in schema().names if n in heads or n in ("row", "id", "decision", "evidence", "reasons")]
    size = 10_000
    left = pq.ParquetFile(predictions.path).iter_batches(size, columns=names)
    right = pq.ParquetFile(cases).iter_batches(size, columns=["title", "body"])
    for said, letters in zip(_rechunk(left), _rechunk(right), strict=True):
        yield said, letters["title"], letters["body"]


def _rechunk(batches: Iterator[Any]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def harmless(value: Any) -> Any:
    """A cell that a spreadsheet will not run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

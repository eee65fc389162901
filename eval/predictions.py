"""What a model said about every case, without the letters: ``predictions.parquet`` and its reader.

One row per case, in the order of the cases file (``row`` points into it). Everything that a report
shows is computed from this file, so a report can be built again with other costs in seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import softmax

from models.case import Case
from models.policy import best_pair
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Choice, HeadSuggestion, Suggestion
from models.taxonomy import HEADS
from models.triage import Triage

FORMAT = 1
ROW_GROUP = 4096
ALL_HEADS = (*HEADS, "unit")
SILENT = (UNKNOWN_UNIT, OUTSIDE_UNIT)
WITH_DISTRIBUTION = ("topic", "department")
"""Heads whose whole distribution is kept: cleanlab needs it."""
_ZONE = re.compile(r"\d{4}7\d$")
"""Codes of functional zones end in 71 to 79 by the convention of GB/T 2260."""

Strings = npt.NDArray[np.str_]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int64]


def schema() -> pa.Schema:
    """Columns of ``predictions.parquet``; a missing truth is null."""
    word = pa.dictionary(pa.int32(), pa.string())
    fields = [("row", pa.int64()), ("id", pa.string()), ("source", word), ("channel", word)]
    fields += [("received", pa.date32()), ("length", pa.int32()), ("decision", word), ("p_critical", pa.float32())]
    fields += [("p_two", pa.float32()), ("place_free", pa.bool_())]
    for head in ALL_HEADS:
        fields += [(f"{head}_true", word), (f"{head}_pred", word), (f"{head}_confidence", pa.float32())]
        fields += [(f"{head}_raw", pa.float32()), (f"{head}_raw_right", pa.bool_()), (f"{head}_rank", pa.int16())]
        fields += [(f"{head}_in_set", pa.bool_()), (f"{head}_set_size", pa.int16())]
    fields += [(f"{head}_probabilities", pa.list_(pa.float16())) for head in WITH_DISTRIBUTION]
    fields += [(name, pa.bool_()) for name in ("wrong_stated", "shared_road", "no_place")]
    fields += [("reasons", pa.string()), ("evidence", pa.string())]
    fields += [("human_unit", word), ("human_department", word), ("human_outcome", word)]
    return pa.schema(fields)


def predict(triage: Triage, chunks: Iterable[Sequence[Case]], out: Path, facts: dict[str, Any]) -> int:
    """Run a model over chunks of cases and write ``out``; returns the number of cases.

    ``facts`` (JSON) is kept with the file, beside the model's versions, policy and labels.
    """
    described = {**describe(triage), **facts}
    form = schema().with_metadata({"fenban": json.dumps(described, ensure_ascii=False)})
    partial = out.with_name(out.name + ".partial")
    count = 0
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(partial, form, compression="zstd") as writer:
        for cases in chunks:
            suggestions, logits, probabilities = triage.judge(cases)
            for i, (case, suggestion) in enumerate(zip(cases, suggestions, strict=True)):
                scores = {head: values[i] for head, values in logits.items()}
                shares = {head: values[i] for head, values in probabilities.items()}
                rows.append({"row": count + i, **prediction_row(case, suggestion, scores, shares, triage)})
            count += len(cases)
            if len(rows) >= ROW_GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema=form))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=form))
    partial.replace(out)
    return count


def describe(triage: Triage) -> dict[str, Any]:
    """What a report must know of the model: versions, policy, labels with names, promised coverage.

    The unit is held to the coverage that the department promises: both make a dispatch.
    """
    taxonomy, bundle = triage.bundle.taxonomy, triage.bundle
    coverage = {head: bundle.calibration[head].coverage for head in HEADS}
    names = {head: {label.id: label.name for label in taxonomy.heads[head]} for head in HEADS}
    names["unit"] = {unit.id: unit.name for unit in taxonomy.units} | {UNKNOWN_UNIT: "不明", OUTSIDE_UNIT: "外地"}
    return {
        "format": FORMAT,
        "versions": triage.versions.model_dump(),
        "policy": {name: float(getattr(triage.policy, name)) for name in COSTS},
        "names": names,
        "coverage": coverage | {"unit": coverage["department"]},
    }


COSTS = ("wrong_dispatch", "review", "choose", "missed_critical", "false_alarm")


def prediction_row(
    case: Case,
    suggestion: Suggestion,
    logits: dict[str, Floats],
    probabilities: dict[str, Floats],
    triage: Triage,
) -> dict[str, Any]:
    """One row of ``predictions.parquet`` except ``row``."""
    taxonomy = triage.bundle.taxonomy
    truth = case.labels
    unit = suggestion.unit
    named = {code for e in unit.evidence if e.kind == "unit" for code in e.units}
    stated = taxonomy.unit_code(case.stated_unit) if case.stated_unit else None
    named |= {stated} if stated else set()
    codes = {r.code for r in suggestion.reasons}
    first = case.dispatches[0] if case.dispatches else None
    department = suggestion.department
    place_free = not triage.policy.needs_place(department.label, suggestion.request_type.label)
    anywhere = [Choice(label=UNKNOWN_UNIT, name="", confidence=1.0)]
    units = anywhere if place_free and unit.label == UNKNOWN_UNIT else [unit, *unit.alternatives]
    pair = best_pair([department, *department.alternatives], units)
    row: dict[str, Any] = {
        "id": case.id,
        "source": case.source,
        "channel": case.channel,
        "received": case.received_at.date() if case.received_at else None,
        "length": len(case.title) + len(case.body),
        "decision": suggestion.decision,
        "p_critical": float(probabilities["urgency"][taxonomy.ids("urgency").index("critical")]),
        "p_two": pair.p if pair else None,
        "place_free": place_free,
        "wrong_stated": bool(named) and truth.unit is not None and truth.unit not in (*named, *SILENT),
        "shared_road": "shared_road" in codes or any(e.kind == "road" and len(e.units) > 1 for e in unit.evidence),
        "no_place": not any(e.kind != "unit" for e in unit.evidence),
        "reasons": ",".join(r.code for r in suggestion.reasons),
        "evidence": "; ".join(f"{e.field}[{e.start}:{e.end}] {e.place}→{'/'.join(e.units)}" for e in unit.evidence),
        "human_unit": first.unit if first else None,
        "human_department": first.department if first else None,
        "human_outcome": first.outcome if first else None,
    }
    for head in HEADS:
        row |= _classified(head, getattr(suggestion, head), getattr(truth, head), taxonomy.ids(head))
        raw = softmax(np.asarray(logits[head], np.float64))
        row[f"{head}_raw"] = float(raw.max())
        if row[f"{head}_true"] is not None:
            row[f"{head}_raw_right"] = taxonomy.ids(head)[int(raw.argmax())] == getattr(truth, head)
            place = taxonomy.ids(head).index(getattr(truth, head))
            row[f"{head}_rank"] = int((probabilities[head] > probabilities[head][place]).sum())
    for head in WITH_DISTRIBUTION:
        row[f"{head}_probabilities"] = np.asarray(probabilities[head], np.float16)
    return row | _classified("unit", unit, truth.unit, [u.id for u in taxonomy.units] + list(SILENT))


def _classified(head: str, suggestion: HeadSuggestion, truth: str | None, labels: Sequence[str]) -> dict[str, Any]:
    if truth is not None and truth not in labels:
        raise ValueError(f"a case has {head} {truth!r}, which the bundle's taxonomy lacks; import the cases again")
    ranked = [suggestion.label, *(choice.label for choice in suggestion.alternatives)]
    return {
        f"{head}_true": truth,
        f"{head}_pred": suggestion.label,
        f"{head}_confidence": suggestion.confidence,
        f"{head}_rank": ranked.index(truth) if truth in ranked else (None if truth is None else len(labels)),
        f"{head}_in_set": None if truth is None else truth in suggestion.set,
        f"{head}_set_size": len(suggestion.set),
    }


@dataclass(frozen=True)
class Predictions:
    """Columns of a ``predictions.parquet``, read one at a time: a million rows need no more than their columns.

    ``facts`` is what ``predict`` kept with the file.
    """

    path: Path
    facts: dict[str, Any]
    count: int

    @classmethod
    def open(cls, path: Path) -> Predictions:
        """Open a file.

        Raises:
            ValueError: it was not made by ``fenban evaluate``, or by another version of it.
        """
        try:
            file = pq.ParquetFile(path)
            facts = json.loads((file.schema_arrow.metadata or {})[b"fenban"])
        except (pa.ArrowInvalid, FileNotFoundError, KeyError) as error:
            raise ValueError(f"{path}: no predictions of fenban evaluate ({type(error).__name__})") from None
        missing = set(schema().names) - set(file.schema_arrow.names)
        if facts.get("format") != FORMAT or missing:
            raise ValueError(f"{path}: made by another version; remove it and evaluate again")
        return cls(path, facts, file.metadata.num_rows)

    def labels(self, head: str) -> list[str]:
        """Label ids of a head in the taxonomy's order (``unit`` with unknown and outside)."""
        return list(self.facts["names"][head])

    def codes(self, column: str, head: str) -> Codes:
        """A label column as indices into ``labels(head)``, -1 where null, ``(n,)``."""
        return self.indices(column, self.labels(head))

    def indices(self, column: str, labels: Sequence[str]) -> Codes:
        """A text column as indices into ``labels``, -1 where null or not among them, ``(n,)``."""
        index = {label: i for i, label in enumerate(labels)}
        parts = []
        for chunk in self._column(column).chunks:
            table = np.array([index.get(str(v), -1) for v in chunk.dictionary.to_pylist()] + [-1], np.int64)
            parts.append(table[chunk.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)])
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def values(self, column: str) -> list[str]:
        """Distinct texts of a column, sorted."""
        found = {str(v) for chunk in self._column(column).chunks for v in chunk.dictionary.to_pylist() if v is not None}
        return sorted(found)

    def floats(self, column: str) -> Floats:
        """A number column, NaN where null, ``(n,)``."""
        return np.asarray(self._column(column).cast(pa.float64()).to_numpy(), np.float64)

    def flags(self, column: str) -> Bools:
        """A truth column, false where null, ``(n,)``."""
        return np.asarray(self._column(column).fill_null(False).to_numpy(), bool)

    def known(self, column: str) -> Bools:
        """Where a column is not null, ``(n,)``."""
        return np.asarray(self._column(column).is_valid().to_numpy(), bool)

    def months(self) -> Codes:
        """Months since year 0 of ``received``, -1 where unknown, ``(n,)``."""
        days = self._column("received").to_numpy()
        months = days.astype("datetime64[M]").astype(np.int64) + 1970 * 12
        return np.where(np.isnat(days), -1, months)

    def period(self) -> tuple[date, date] | None:
        """First and last day on which a letter was received."""
        days = self._column("received").to_numpy()
        days = days[~np.isnat(days)]
        return None if not len(days) else (days.min().astype(object), days.max().astype(object))

    def distributions(self, head: str, chunk: int = 50_000) -> Iterator[tuple[int, Floats]]:
        """Probabilities of a head, ``(start, (n, n_labels))`` chunk by chunk."""
        start = 0
        width = len(self.labels(head))
        for batch in pq.ParquetFile(self.path).iter_batches(chunk, columns=[f"{head}_probabilities"]):
            flat = batch.column(0).flatten().to_numpy(zero_copy_only=False).astype(np.float32)
            yield start, flat.reshape(-1, width)
            start += batch.num_rows

    def rows(self, wanted: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Whole rows by number; for a few rows, not for all."""
        chosen = np.unique(np.asarray(wanted, np.int64))
        names = [name for name in schema().names if not name.endswith("_probabilities")]
        found: dict[int, dict[str, Any]] = {}
        start = 0
        for batch in pq.ParquetFile(self.path).iter_batches(50_000, columns=names):
            here = chosen[(chosen >= start) & (chosen < start + batch.num_rows)]
            if len(here):
                found |= {int(r["row"]): r for r in batch.take(pa.array(here - start)).to_pylist()}
            start += batch.num_rows
        return found

    def _column(self, name: str) -> pa.ChunkedArray:
        return pq.read_table(self.path, columns=[name]).column(0)


def is_zone(unit: str) -> bool:
    """Whether a unit code is a functional zone (高新区, 天府新区, 东部新区), not a statutory division."""
    return bool(_ZONE.match(unit))

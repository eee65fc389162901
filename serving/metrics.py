"""Prometheus metrics at ``/metrics``. Labels are codes of the taxonomy and of this code, never text.

Made when the worker starts: BentoML sets the folder of the multi-process metrics only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

from models.suggestion import Suggestion, Versions

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """All metrics of the service."""

    def __init__(self) -> None:
        self.requests = Counter("fenban_requests_total", "Requests answered", ["method", "path", "status"])
        self.request_seconds = Histogram("fenban_request_seconds", "Time to answer", ["path"], buckets=SECONDS)
        self.stage_seconds = Histogram("fenban_stage_seconds", "Time by stage", ["stage"], buckets=SECONDS)
        self.batch_size = Histogram(
            "fenban_batch_size", "Letters scored in one pass", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
        )
        self.decisions = Counter("fenban_suggestions_total", "Suggestions", ["decision", "model"])
        self.units = Counter("fenban_suggested_units_total", "Suggestions by unit", ["unit"])
        self.departments = Counter("fenban_suggested_departments_total", "Suggestions by department", ["department"])
        self.confidence = Histogram("fenban_confidence", "Confidence by head", ["head"], buckets=CONFIDENCE)
        self.outcomes = Counter("fenban_outcomes_total", "Reports of what became of a dispatch", ["kind", "reason"])
        self.model = Gauge(
            "fenban_model_info", "1 for what is served", ["model", "taxonomy", "gazetteer"], multiprocess_mode="livemax"
        )
        self.waiting = Gauge("fenban_waiting_letters", "Letters that wait to be scored", multiprocess_mode="livesum")
        self.store_up = Gauge("fenban_store_up", "1 if the database answers", multiprocess_mode="livemin")
        self.spooled = Gauge(
            "fenban_spooled_records", "Records that wait for the database", multiprocess_mode="livesum"
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage: ``score`` (waiting included), ``store`` or ``read``."""
        began = perf_counter()
        try:
            yield
        finally:
            self.stage_seconds.labels(name).observe(perf_counter() - began)

    def count(self, suggestion: Suggestion) -> None:
        """Count one suggestion."""
        self.decisions.labels(suggestion.decision, suggestion.versions.model).inc()
        self.units.labels(suggestion.unit.label).inc()
        self.departments.labels(suggestion.department.label).inc()
        for head in ("topic", "department", "urgency", "request_type", "unit"):
            self.confidence.labels(head).observe(getattr(suggestion, head).confidence)

    def serve(self, versions: Versions, old: Versions | None = None) -> None:
        """Say which model is served."""
        if old is not None:
            self.model.labels(old.model, old.taxonomy, old.gazetteer).set(0)
        self.model.labels(versions.model, versions.taxonomy, versions.gazetteer).set(1)

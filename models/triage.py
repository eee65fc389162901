"""Letters in, suggestions out: the one object behind the service, the batch scorer and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import torch

from models.batching import make_batch
from models.bundle import GAZETTEER, Bundle
from models.case import Letter
from models.deadlines import CalendarError, reply_by
from models.places.resolver import PlaceResolver, Resolution
from models.suggestion import Choice, DepartmentSuggestion, HeadSuggestion, Reason, Suggestion, Versions
from models.taxonomy import HEADS

SHIPPED_BUNDLE = Path(__file__).parent / "data" / "bundle"
CITY_TIME = ZoneInfo("Asia/Shanghai")
Probabilities = dict[str, npt.NDArray[Any]]
N_ALTERNATIVES = 3
MIN_CO_CONFIDENCE = 0.2


class Triage:
    """A loaded bundle that suggests routings; pure, in-process, safe to call from one thread at a time."""

    def __init__(self, bundle: Bundle, places: PlaceResolver) -> None:
        self.bundle = bundle
        self.places = places
        self.versions = Versions(model=bundle.version, taxonomy=bundle.taxonomy.version, gazetteer=places.version)

    @classmethod
    def load(cls, path: Path = SHIPPED_BUNDLE) -> Triage:
        """Verify and load a bundle.

        Raises:
            BundleError: the bundle is incomplete, changed or malformed.
        """
        bundle = Bundle.load(path)
        return cls(bundle, PlaceResolver.load(path / GAZETTEER, bundle.taxonomy))

    def __call__(self, cases: Sequence[Letter], *, batch_size: int = 64) -> list[Suggestion]:
        """Suggest a routing for each letter, in order."""
        suggestions: list[Suggestion] = []
        for start in range(0, len(cases), batch_size):
            suggestions += self.judge(cases[start : start + batch_size])[0]
        return suggestions

    def judge(self, cases: Sequence[Letter]) -> tuple[list[Suggestion], dict[str, npt.NDArray[Any]], Probabilities]:
        """One batch with what evaluation needs beside the suggestions: logits and probabilities per head."""
        logits = self.logits(cases)
        probabilities = self.calibrate(logits)
        rows = ({head: p[row] for head, p in probabilities.items()} for row in range(len(cases)))
        return [self._suggest(letter, row) for letter, row in zip(cases, rows, strict=True)], logits, probabilities

    def probabilities(self, cases: Sequence[Letter]) -> Probabilities:
        """Calibrated probabilities per head of the taxonomy, ``(n_cases, n_labels)``, as one batch."""
        return self.calibrate(self.logits(cases))

    def calibrate(self, logits: dict[str, npt.NDArray[Any]]) -> Probabilities:
        """Calibrated probabilities per head from ``logits``, the same shapes."""
        return {head: self.bundle.calibration[head].probabilities(scores) for head, scores in logits.items()}

    def logits(self, cases: Sequence[Letter]) -> dict[str, npt.NDArray[Any]]:
        """Uncalibrated scores per head of the taxonomy, ``(n_cases, n_labels)``, as one batch."""
        bundle = self.bundle
        letters = [(case.title, case.body) for case in cases]
        batch = make_batch(letters, bundle.vocabulary, bundle.tokenizer, bundle.model.config.max_tokens)
        with torch.inference_mode():
            logits = bundle.model(**batch).logits
        return {head: logits[head].float().numpy() for head in HEADS}

    def _suggest(self, letter: Letter, probabilities: dict[str, npt.NDArray[Any]]) -> Suggestion:
        heads = {head: self._head(head, probabilities[head]) for head in HEADS}
        place: Resolution = self.places.resolve(letter)
        critical = self.bundle.taxonomy.ids("urgency").index("critical")
        decision, reasons = self.bundle.policy.decide(
            p_department=heads["department"].confidence,
            unit=place.unit.label,
            p_unit=place.unit.confidence,
            p_critical=float(probabilities["urgency"][critical]),
        )
        deadline, notes = self._reply_by(letter, heads["request_type"].label)
        department = heads["department"]
        co = [c for c in department.alternatives if c.confidence >= MIN_CO_CONFIDENCE]
        return Suggestion(
            id=letter.id,
            topic=heads["topic"],
            department=DepartmentSuggestion(**department.model_dump(), co=co),
            urgency=heads["urgency"],
            request_type=heads["request_type"],
            unit=place.unit,
            decision=decision,
            reasons=[*reasons, *place.reasons, *notes],
            reply_by=deadline,
            versions=self.versions,
        )

    def _head(self, head: str, probabilities: npt.NDArray[Any]) -> HeadSuggestion:
        labels = self.bundle.taxonomy.heads[head]
        order = np.argsort(-probabilities, kind="stable")
        choices = [
            Choice(label=labels[i].id, name=labels[i].name, confidence=round(float(probabilities[i]), 4))
            for i in order[: N_ALTERNATIVES + 1]
        ]
        kept = self.bundle.calibration[head].conformal_set(probabilities)
        return HeadSuggestion(**choices[0].model_dump(), alternatives=choices[1:], set=[labels[i].id for i in kept])

    def _reply_by(self, letter: Letter, request_type: str) -> tuple[date | None, list[Reason]]:
        moment = letter.received_at or datetime.now(CITY_TIME)
        day = moment.astimezone(CITY_TIME).date() if moment.tzinfo else moment.date()
        try:
            return reply_by(day, self.bundle.taxonomy.working_days(request_type)), []
        except CalendarError:
            return None, [Reason(code="calendar_unknown", text="尚无该年度的法定节假日安排，答复期限请人工计算")]

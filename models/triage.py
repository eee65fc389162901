"""Letters in, suggestions out: the one object behind the service, the batch scorer and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.batching import make_batch
from models.bundle import GAZETTEER, Bundle
from models.case import Letter
from models.co import SHOWN_AT
from models.deadlines import CITY_TIME, CalendarError, act_by, city_time, reply_by
from models.decision import CRITICAL, Routing, decide
from models.places.resolver import PlaceResolver
from models.policy import Policy
from models.rules import RuleBook
from models.suggestion import Choice, Decision, DepartmentSuggestion, HeadSuggestion, Reason, Suggestion, Versions
from models.taxonomy import HEADS
from models.transfer import find_transfers, transfer_reason

SHIPPED_BUNDLE = Path(__file__).parent / "data" / "bundle"
Probabilities = dict[str, npt.NDArray[Any]]
N_ALTERNATIVES = 3
MIN_CO_CONFIDENCE = 0.2


class Triage:
    """A loaded bundle that suggests routings; pure, in-process, safe to call from one thread at a time.

    Args:
        bundle: the loaded bundle.
        places: resolver over the bundle's gazetteer.
        policy: the city's own costs; default: the bundle's.
        rules: the city's own routing rules; default: none.
    """

    def __init__(
        self, bundle: Bundle, places: PlaceResolver, *, policy: Policy | None = None, rules: RuleBook | None = None
    ) -> None:
        self.bundle = bundle
        self.places = places
        self.policy = policy or bundle.policy
        self.rules = rules or RuleBook()
        self.versions = Versions(
            model=bundle.version,
            taxonomy=bundle.taxonomy.version,
            gazetteer=places.version,
            policy=self.policy.version + (f"+{self.rules.version}" if self.rules.version else ""),
        )

    @classmethod
    def load(cls, path: Path = SHIPPED_BUNDLE, *, policy: Path | None = None, rules: Path | None = None) -> Triage:
        """Verify and load a bundle, and the city's own costs and rules beside it (YAML, docs/policy.md).

        Raises:
            BundleError: the bundle is incomplete, changed or malformed.
            PolicyError, RuleError: that file is wrong; the message names file, line and field.
        """
        bundle = Bundle.load(path)
        return cls(
            bundle,
            PlaceResolver.load(path / GAZETTEER, bundle.taxonomy),
            policy=Policy.load(policy) if policy else None,
            rules=RuleBook.load(rules, bundle.taxonomy) if rules else None,
        )

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
        return [self.suggest(letter, row) for letter, row in zip(cases, rows, strict=True)], logits, probabilities

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

    def suggest(self, letter: Letter, probabilities: dict[str, npt.NDArray[Any]]) -> Suggestion:
        """Suggest a routing for one letter, given its row of ``probabilities`` per head."""
        heads = {head: self._head(head, probabilities[head]) for head in HEADS}
        place = self.places.resolve(letter)
        department = DepartmentSuggestion(**heads["department"].model_dump(), co=self._helpers(heads, probabilities))
        routing = Routing(heads, department, place.unit, probabilities)
        moment, notes = self._received(letter)
        decided = decide(letter, routing, moment, policy=self.policy, rules=self.rules, taxonomy=self.bundle.taxonomy)
        answer, act, more = self._deadlines(letter, moment, heads, decided.decision)
        transfers = find_transfers(letter, probabilities, self.bundle.taxonomy)
        return Suggestion(
            id=letter.id,
            topic=heads["topic"],
            department=decided.department,
            urgency=heads["urgency"],
            request_type=heads["request_type"],
            unit=decided.unit,
            decision=decided.decision,
            reasons=[*decided.reasons, *(transfer_reason(t) for t in transfers), *place.reasons, *notes, *more],
            reply_by=answer,
            act_by=act,
            transfer_to=transfers,
            rule=decided.rule,
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

    def _helpers(self, heads: dict[str, HeadSuggestion], probabilities: dict[str, npt.NDArray[Any]]) -> list[Choice]:
        """Departments that may have to help (协办)."""
        table = self.bundle.co_departments
        if table is None:
            return [c for c in heads["department"].alternatives if c.confidence >= MIN_CO_CONFIDENCE]
        labels = self.bundle.taxonomy.heads["department"]
        helpers = table.probabilities(probabilities["department"][None])[0]
        return [
            Choice(label=labels[i].id, name=labels[i].name, confidence=round(float(helpers[i]), 4))
            for i in np.argsort(-helpers, kind="stable")[:N_ALTERNATIVES]
            if helpers[i] >= SHOWN_AT
        ]

    def _received(self, letter: Letter) -> tuple[datetime, list[Reason]]:
        """Moment of receipt in the city's time; now, if it is not known or no real date."""
        now = datetime.now(CITY_TIME)
        try:
            return (city_time(letter.received_at) if letter.received_at else now), []
        except CalendarError:
            return now, [Reason(code="received_at_impossible", text="收件时间不是真实日期，按当前时间计算")]

    def _deadlines(
        self, letter: Letter, moment: datetime, heads: dict[str, HeadSuggestion], decision: Decision
    ) -> tuple[date | None, datetime | None, list[Reason]]:
        """Answer-by date and act-by moment; the latter only where the letter says when it was received."""
        level = CRITICAL if decision == "emergency" else heads["urgency"].label
        hours = self.policy.act_within_hours.get(level)
        days = self.bundle.taxonomy.working_days(heads["request_type"].label)
        act: datetime | None = None
        try:
            act = act_by(moment, hours) if hours and letter.received_at else None
            return reply_by(moment.date(), days), act, []
        except CalendarError:
            reason = Reason(code="calendar_unknown", text="尚无该年度的法定节假日安排，答复期限请人工计算")
            return None, act, [reason]

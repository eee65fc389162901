"""Which unit owns the place of the matter, with a probability, a set, evidence and, where needed, a question.

A named road, estate or community says more than the district that the writer believes it to lie in;
a place of the matter says more than the writer's home. This falls down when a letter names several
incident places in different units, or only places that the gazetteer does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from models.case import Letter
from models.places.fuzzy import Fuzzy
from models.places.gazetteer import Gazetteer
from models.places.memory import PlaceMemory
from models.places.mentions import Mention, Reader
from models.places.questions import question, warnings
from models.places.ranker import SHIPPED_MODEL, PlaceModel
from models.places.reading import Reading, read_letter
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Choice, Evidence, Reason, UnitSuggestion
from models.taxonomy import Taxonomy

MODEL, MEMORY = "place_model.json", "place_memory.json"
MAX_EVIDENCE = 8
CAUTION = 0.9
"""Factor where only a district or the writer's home is known: writers err, and matters lie elsewhere, more often
in letters that we have not seen than in those that the model learned from (wrong in 3 of 116 of them)."""
NO_EVIDENCE_CONFIDENCE = 0.9
"""Confidence that a letter without any place is undetermined."""


@dataclass(frozen=True)
class Resolution:
    """The unit and why."""

    unit: UnitSuggestion
    reasons: list[Reason]


class PlaceResolver:
    """Resolves letters; ``version`` is a hash of the gazetteer, the place model and the memory."""

    def __init__(
        self, gazetteer: Gazetteer, taxonomy: Taxonomy, model: PlaceModel, memory: PlaceMemory | None = None
    ) -> None:
        self.gazetteer = gazetteer
        self.taxonomy = taxonomy
        self.model = model
        self.memory = memory
        self.version = gazetteer.version
        self._reader = Reader(gazetteer, Fuzzy(gazetteer), memory)
        self._names = {unit.id: unit.name for unit in taxonomy.units}

    @classmethod
    def load(
        cls,
        gazetteer_csv: Path,
        taxonomy: Taxonomy,
        *,
        on: date | None = None,
        model: Path | None = None,
        memory: Path | None = None,
    ) -> PlaceResolver:
        """Read a gazetteer table, and ``place_model.json`` and ``place_memory.json`` beside it.

        Args:
            on: judge by the boundaries of this day; default today.
            model: another place model. Without one beside the table, the one of this package is used, and
                ``version`` tells so.
            memory: another place memory. Without one beside the table there is none.

        Raises:
            ValueError: a file is malformed; names file, line and field.
        """
        beside = gazetteer_csv.parent
        model = model or (beside / MODEL if (beside / MODEL).is_file() else SHIPPED_MODEL)
        memory = memory or (beside / MEMORY if (beside / MEMORY).is_file() else None)
        gazetteer = Gazetteer.load(gazetteer_csv, taxonomy, on)
        resolver = cls(gazetteer, taxonomy, PlaceModel.load(model), PlaceMemory.load(memory) if memory else None)
        parts = [gazetteer.version.encode(), *(path.read_bytes() for path in (model, memory) if path)]
        resolver.version = hashlib.sha256(b"\n".join(parts)).hexdigest()[:12]
        return resolver

    def read(self, letter: Letter) -> Reading:
        """What the letter says about its place."""
        return read_letter(letter, self._reader, self.taxonomy)

    def resolve(self, letter: Letter) -> Resolution:
        """Find the unit that owns the place of a letter."""
        reading = self.read(letter)
        silent = UNKNOWN_UNIT
        if reading.foreign and not (reading.specific or reading.named or reading.geo):
            silent = OUTSIDE_UNIT
        probabilities = self.model.probabilities(reading)
        mentions = [*reading.specific, *reading.named]
        if not reading.geo and (not reading.specific or all(m.personal for m in mentions)):
            probabilities = {unit: p * CAUTION for unit, p in probabilities.items()}
        return self._answer(reading, probabilities, silent)

    def _answer(self, reading: Reading, probabilities: Mapping[str, float], silent: str) -> Resolution:
        ranked = sorted(
            ((u, p) for u, p in probabilities.items() if u != UNKNOWN_UNIT), key=lambda item: (-item[1], item[0])
        )
        choices = [Choice(label=u, name=self._names[u], confidence=round(p, 4)) for u, p in ranked[:3]]
        plausible = [u for u, p in ranked if p >= self.model.set_at]
        mentions = sorted([*reading.specific, *reading.named, *reading.city], key=lambda m: -m.weight)
        evidence = [self._evidence(m) for m in mentions[:MAX_EVIDENCE]]
        if ranked and ranked[0][1] >= self.model.answer_at:
            best = choices[0]
            if best.label in self.gazetteer.not_in_force:
                return self._outside_then(best, evidence)
            unit = UnitSuggestion(
                **best.model_dump(), alternatives=choices[1:], set=plausible or [best.label], evidence=evidence
            )
            return Resolution(unit, warnings(best.label, reading, self.taxonomy))
        asked, reason = question(reading, choices, silent)
        unit = UnitSuggestion(
            label=silent,
            name="外地" if silent == OUTSIDE_UNIT else "不明",
            confidence=round(1 - ranked[0][1] if ranked else NO_EVIDENCE_CONFIDENCE, 4),
            alternatives=choices,
            set=plausible or [silent],
            evidence=evidence,
            question=asked,
        )
        return Resolution(unit, [reason])

    def _outside_then(self, best: Choice, evidence: list[Evidence]) -> Resolution:
        """The place lies in a unit that did not belong to the city on the day that is judged by."""
        text = f"按{self.gazetteer.on}的区划，{best.name}尚不属本市"
        unit = UnitSuggestion(
            label=OUTSIDE_UNIT, name="外地", confidence=best.confidence, set=[OUTSIDE_UNIT], evidence=evidence
        )
        return Resolution(unit, [Reason(code="not_yet_in_city", text=text)])

    def _evidence(self, mention: Mention) -> Evidence:
        place = mention.place
        return Evidence(
            field=mention.field,
            start=mention.start,
            end=mention.end,
            text=mention.text,
            place=place.name,
            kind=place.kind,
            units=sorted(mention.shares),
            source=self._source(mention),
        )

    def _source(self, mention: Mention) -> str:
        """``gazetteer:road:3 sources; 12 accepted, 1 returned by 金牛区``."""
        place = mention.place
        if place.kind in ("unit", "city"):
            return "taxonomy" if place.kind == "unit" else "gazetteer:city"
        source = f"gazetteer:{place.kind}:{place.n_sources} sources"
        if mention.slip:
            source = f"gazetteer:{place.kind}:guessed from {mention.text}"
        counts = self.memory.counts(place.name) if self.memory else {}
        accepted = [f"{round(a)} accepted by {self._names.get(u, u)}" for u, (a, _) in counts.items() if a >= 0.5]
        returned = [f"{round(r)} returned by {self._names.get(u, u)}" for u, (_, r) in counts.items() if r >= 0.5]
        return "; ".join([source, ", ".join([*accepted, *returned])]) if accepted or returned else source

"""Place memory: what closed cases taught about who owns a place.

For each place key (a name, or a name with a house number) and unit it keeps how many dispatches were
accepted and how many were returned for 属地不符, with the day of the last one. Counts halve every
``half_life_days``, so that an old boundary is forgotten. A house that was never seen is judged by its road.
Kept as readable JSON, ``place_memory.json``, beside the gazetteer. This falls down when a unit accepts
cases that are not its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from models.case import Dispatch

TERRITORY = "属地不符"
RETURN_FACTOR = 0.35
"""A return leaves a unit this share of its weight: one return can be a mistake, three are none."""
PRIOR = 3.0
"""The gazetteer's word counts like so many accepted dispatches."""
NEW_UNIT = 0.02
"""Share that a unit starts from when only closed cases name it."""
HALF_LIFE_DAYS = 180.0


@dataclass
class Record:
    """Decayed counts as of ``last``."""

    accepted: float = 0.0
    returned: float = 0.0
    last: str = ""

    def on(self, day: date, half_life: float) -> tuple[float, float]:
        """Counts as of a later day."""
        age = max(0, (day - date.fromisoformat(self.last)).days) if self.last else 0
        keep = 0.5 ** (age / half_life)
        return self.accepted * keep, self.returned * keep

    def rounded(self) -> dict[str, float | str]:
        return {"accepted": round(self.accepted, 3), "returned": round(self.returned, 3), "last": self.last}


@dataclass
class PlaceMemory:
    """Records by place key and unit. ``as_of`` is the day at which they are read (default: the last case)."""

    half_life_days: float = HALF_LIFE_DAYS
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    as_of: str = ""

    @classmethod
    def load(cls, path: Path) -> PlaceMemory:
        """Read ``place_memory.json``.

        Raises:
            ValueError: not the JSON that ``save`` writes; names the file.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            places = {
                key: {unit: Record(**record) for unit, record in units.items()} for key, units in raw["places"].items()
            }
            return cls(float(raw["half_life_days"]), places, str(raw["as_of"]))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path}: not a place memory ({type(error).__name__}: {error})") from None

    def save(self, path: Path) -> None:
        """Write sorted, readable JSON."""
        places = {
            key: {unit: record.rounded() for unit, record in units.items()}
            for key, units in sorted(self.records.items())
        }
        value = {"half_life_days": self.half_life_days, "as_of": self.as_of, "places": places}
        path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def learn(self, name: str, number: int | None, unit: str, outcome: str, day: date) -> None:
        """Count one closed dispatch for a place, and for its road if it has a house number."""
        for key in {name, place_key(name, number)}:
            record = self.records.setdefault(key, {}).setdefault(unit, Record())
            accepted, returned = record.on(day, self.half_life_days)
            record.accepted = accepted + (outcome == "accepted")
            record.returned = returned + (outcome == "returned")
            record.last = max(record.last, day.isoformat())
        self.as_of = max(self.as_of, day.isoformat())

    def learn_dispatches(self, name: str, number: int | None, dispatches: Iterable[Dispatch]) -> int:
        """Count the dispatches of a closed case; returns how many said something about territory.

        A return for another reason (duty, duplicate) says nothing about whose street it is.
        """
        learned = 0
        for dispatch in dispatches:
            if dispatch.unit is None or dispatch.outcome is None or dispatch.at is None:
                continue
            if dispatch.outcome == "accepted" or dispatch.reason == TERRITORY:
                self.learn(name, number, dispatch.unit, dispatch.outcome, dispatch.at.date())
                learned += 1
        return learned

    def counts(self, name: str, number: int | None = None) -> dict[str, tuple[float, float]]:
        """Accepted and returned per unit as of ``as_of``, of exactly this road or house."""
        records = self.records.get(place_key(name, number))
        if not records or not self.as_of:
            return {}
        day = date.fromisoformat(self.as_of)
        return {unit: record.on(day, self.half_life_days) for unit, record in records.items()}

    def adjust(self, name: str, number: int | None, shares: Mapping[str, float]) -> dict[str, float]:
        """The gazetteer's shares, moved by the counts of the road, and then by those of the house."""
        road = _posterior(shares, self.counts(name))
        return _posterior(road, self.counts(name, number)) if number is not None else road


def _posterior(prior: Mapping[str, float], counts: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    if not counts:
        return dict(prior)
    weights = {}
    for unit in {*prior, *counts}:
        accepted, returned = counts.get(unit, (0.0, 0.0))
        weights[unit] = (PRIOR * prior.get(unit, NEW_UNIT) + accepted) * RETURN_FACTOR**returned
    total = sum(weights.values())
    return {unit: weight / total for unit, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0]))}


def place_key(name: str, number: int | None) -> str:
    """``双瑞一路`` or ``双瑞一路#12``."""
    return name if number is None else f"{name}#{number}"

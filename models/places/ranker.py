"""From a reading to a probability per unit: a small conditional logit over the units that something points to.

Every candidate unit, and ``unknown``, has a vector of evidence (``FEATURES``); the weights are learned from
labelled letters by ``fenban gazetteer fit`` and live in ``place_model.json``. Hand-made weights of the rules
are one of the features, so the model starts from what the rules know.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.places.mentions import Mention
from models.places.reading import Reading
from models.suggestion import UNKNOWN_UNIT

SHIPPED_MODEL = Path(__file__).parents[1] / "data" / "place_model.json"
FEATURES = (
    "rule_share", "log_rule_share", "firm", "firm_title", "firm_metro", "firm_personal", "firm_work", "short",
    "generic", "weak_road", "weak_name", "weak_personal", "alike", "slip", "named", "named_personal", "n_named", "geo",
    "n_names", "agreed", "only_plain", "work_not_home", "first", "last", "matter", "resident", "others", "shop",
    "firm_split", "unknown", "unknown_conflict", "unknown_split", "unknown_no_place", "unknown_personal_only",
    "unknown_weak_only", "unknown_foreign", "unknown_city", "unknown_generic", "unknown_shop_only",
    "unknown_slip_only",
)  # fmt: skip
CONFLICT_FACTOR = 0.2
STATED_WEIGHT = 0.3
GEO_WEIGHT = 1.5
_PLAIN = ("plain", "matter", "others", "resident")


@dataclass(frozen=True)
class PlaceModel:
    """Weights of ``FEATURES``, the temperature, and the conformal threshold of the sets.

    Attributes:
        set_at: a unit is in the set when its probability is at least this (LAC, Sadinle et al. 2019).
        answer_at: lowest probability at which a unit is named; below, a question is asked.
    """

    weights: dict[str, float]
    temperature: float
    set_at: float
    answer_at: float

    @classmethod
    def load(cls, path: Path) -> PlaceModel:
        """Read ``place_model.json``.

        Raises:
            ValueError: a weight is missing or unknown; names the file.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            weights = {str(name): float(value) for name, value in raw["weights"].items()}
            numbers = (float(raw["temperature"]), float(raw["set_at"]), float(raw["answer_at"]))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path}: not a place model ({type(error).__name__}: {error})") from None
        if set(weights) != set(FEATURES):
            raise ValueError(f"{path}: weights differ from the features of this version: fit the model again")
        return cls(weights, *numbers)

    def save(self, path: Path, **facts: object) -> None:
        """Write readable JSON; ``facts`` say what it was fitted on."""
        rounded = {name: round(self.weights[name], 4) for name in FEATURES}
        value = {**facts, **vars(self), "weights": rounded}
        path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def probabilities(self, reading: Reading) -> dict[str, float]:
        """Probability of each candidate unit and of ``unknown``; empty if nothing points to a unit."""
        vectors = features(reading)
        if not vectors:
            return {}
        logits = {
            unit: sum(self.weights[name] * value for name, value in vector.items()) / self.temperature
            for unit, vector in vectors.items()
        }
        top = max(logits.values())
        odds = {unit: math.exp(logit - top) for unit, logit in logits.items()}
        total = sum(odds.values())
        return {unit: value / total for unit, value in odds.items()}


def features(reading: Reading) -> dict[str, dict[str, float]]:
    """Non-zero features of each candidate unit and of ``unknown``; empty if there is no candidate."""
    scores = rule_scores(reading)
    if not scores:
        return {}
    total = sum(scores.values())
    plain = [m for m in reading.specific if m.role in _PLAIN]
    vectors: dict[str, dict[str, float]] = {
        unit: _unit_features(unit, score / total, reading, plain) for unit, score in scores.items()
    }
    vectors[UNKNOWN_UNIT] = _unknown_features(reading, plain)
    return vectors


def _unit_features(unit: str, share: float, reading: Reading, plain: list[Mention]) -> dict[str, float]:
    vector: dict[str, float] = defaultdict(float)
    vector["rule_share"], vector["log_rule_share"] = share, math.log(share + 0.02)
    names = set()
    for mention in reading.specific:
        value = mention.shares.get(unit, 0.0)
        if not value:
            continue
        strength = _strength(mention)
        if mention.personal:
            work = "firm_work" if mention.role == "work" else "firm_personal"
            strength = work if strength.startswith("firm") else "weak_personal"
        elif mention.role == "shop":
            strength = "shop"
        else:
            names.add(mention.place.name)
            if mention.role in ("matter", "resident", "others"):
                vector[mention.role] = max(vector[mention.role], value)
            if mention.firm and mention.field == "title":
                vector["firm_title"] = max(vector["firm_title"], value)
        vector[strength] = max(vector[strength], value)
    if 0 < vector["firm"] < 0.95:
        vector["firm_split"] = 1.0
    for mention in reading.named:
        if unit in mention.shares:
            vector["named" if _of_the_matter(mention) else "named_personal"] = 1.0
    if reading.stated == unit:
        vector["named"] = 1.0
    vector["n_named"] = math.log1p(sum(unit in m.shares and _of_the_matter(m) for m in reading.named))
    vector["geo"] = reading.geo.get(unit, 0.0)
    vector["n_names"] = math.log1p(len(names))
    vector["agreed"] = float(bool(names) and vector["named"] > 0)
    vector["work_not_home"] = float(not plain and _works_here(unit, reading))
    vector["only_plain"] = float(_only_plain(unit, reading, plain))
    if plain:
        vector["first"], vector["last"] = plain[0].shares.get(unit, 0.0), plain[-1].shares.get(unit, 0.0)
    return {name: value for name, value in vector.items() if value}


def _of_the_matter(mention: Mention) -> bool:
    """Not the writer's own place, and not an office that is complained to."""
    return not mention.personal and mention.role not in ("office", "resident")


def _works_here(unit: str, reading: Reading) -> bool:
    """Whether the writer works in this unit and lives in another: matters are told of the workplace more often."""
    home = {u for m in reading.specific if m.role == "home" for u in m.shares}
    return bool(home - {unit}) and any(m.role == "work" and unit in m.shares for m in reading.specific)


def _only_plain(unit: str, reading: Reading, plain: list[Mention]) -> bool:
    """Whether the writer's home or work points elsewhere and all other places to this unit."""
    others = {max(m.shares, key=m.shares.__getitem__) for m in plain if m.shares and m.role != "resident"}
    own = [m for m in [*reading.specific, *reading.named] if m.personal or m.role == "resident"]
    personal = {u for m in own for u in m.shares}
    return others == {unit} and bool(personal - {unit})


def _strength(mention: Mention) -> str:
    """Which feature a mention feeds: how surely its name alone tells the place."""
    if mention.slip:
        return mention.slip
    if mention.common:
        return "generic"
    if not mention.place.n_sources:
        return "weak_road" if mention.place.kind == "road" else "weak_name"
    if not mention.firm:
        return "short"
    return "firm_metro" if mention.place.kind == "metro" else "firm"


def _unknown_features(reading: Reading, plain: list[Mention]) -> dict[str, float]:
    firm = [m for m in plain if m.firm and not m.slip]
    best = max((max(m.shares.values(), default=0.0) for m in firm), default=0.0)
    flags = {
        "unknown_conflict": len({max(m.shares, key=m.shares.__getitem__) for m in firm if m.shares}) > 1,
        "unknown_split": bool(firm) and best < 0.7,
        "unknown_no_place": not reading.specific,
        "unknown_personal_only": bool(reading.specific) and all(m.personal for m in reading.specific),
        "unknown_weak_only": bool(plain) and not firm,
        "unknown_foreign": reading.foreign,
        "unknown_city": bool(reading.city),
        "unknown_slip_only": bool(plain) and all(m.slip == "slip" for m in plain),
        "unknown_shop_only": bool(reading.specific) and all(m.role == "shop" for m in reading.specific),
    }
    rarest = min((max(m.place.n_elsewhere, 4 * m.common) for m in plain), default=0)
    generic = math.log1p(max(0, rarest - 1))
    return {"unknown": 1.0, "unknown_generic": generic, **{name: 1.0 for name, flag in flags.items() if flag}}


def rule_scores(reading: Reading) -> dict[str, float]:
    """Weight per unit by rules. A district that a named place contradicts counts little: the writer may err."""
    scores: dict[str, float] = defaultdict(float)
    hints = reading.hints
    for mention in {m.place.name: m for m in sorted(reading.specific, key=lambda m: m.weight)}.values():
        shares = _given(mention.shares, hints)
        for unit, share in shares.items():
            scores[unit] += mention.weight * share
    firm = [m for m in reading.specific if m.firm]
    owners = {u for m in firm if not m.personal for u in m.shares}
    any_owners = owners | {u for m in firm for u in m.shares}
    for unit in {u for m in reading.named for u in m.shares}:
        best = max((m for m in reading.named if unit in m.shares), key=lambda m: m.weight)
        against = any_owners if best.personal else owners
        scores[unit] += best.weight if not against or unit in against else best.weight * CONFLICT_FACTOR
    if reading.stated:
        agrees = not owners or reading.stated in owners
        scores[reading.stated] += STATED_WEIGHT if agrees else STATED_WEIGHT * CONFLICT_FACTOR
    for unit, share in reading.geo.items():
        scores[unit] += GEO_WEIGHT * share
    return dict(scores)


def _given(shares: Mapping[str, float], hints: set[str]) -> dict[str, float]:
    """Shares of the units that the letter also names, if it names any of them."""
    chosen = {unit: share for unit, share in shares.items() if unit in hints} if len(shares) > 1 else {}
    total = sum(chosen.values())
    return {unit: share / total for unit, share in chosen.items()} if total else dict(shares)

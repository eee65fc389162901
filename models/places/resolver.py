"""Which unit owns the place of the matter: mentions weighed by kind and context, with evidence.

A named road, estate or community says more than the district that the writer believes it to lie in;
a place of the matter says more than the writer's home. This falls down when a letter names several
incident places in different units, or only places that the gazetteer does not know.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from models.case import Letter
from models.places.gazetteer import Gazetteer
from models.places.mentions import Mention, read_mentions
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Choice, Evidence, Reason, UnitSuggestion
from models.taxonomy import Taxonomy

OTHER_CITY = re.compile(
    r"[A-Z]\d*[市区县]|(?:北京|上海|天津|重庆|广州|深圳|武汉|长沙|南京|杭州|西安|合肥|郑州|济南|青岛|沈阳|大连|哈尔滨|长春|"
    r"福州|厦门|南昌|南宁|昆明|贵阳|兰州|太原|石家庄|乌鲁木齐|海口|绵阳|德阳|南充|宜宾|泸州|乐山|眉山|资阳|自贡|遂宁|内江|达州)"
    r"(?=市|的|[一-龥]{1,3}[区县])"
)
CHENGDU = re.compile(r"成都|蓉城")
COMMON_UNIT = ("高新区", "东部新区", "高新西区", "高新南区")
"""Zones that other cities have too."""
CONFLICT_FACTOR = 0.2
UNKNOWN_MASS = 0.06
ANSWER_AT = 0.6
WEAK_ONLY = 0.5
"""Most that one weak or disputed source can say on its own."""
SET_MASS = 0.95
PERSONAL_ONLY_CONFIDENCE = 0.9
"""Only the writer's home or work is known: the matter may be elsewhere (wrong in 1 of 51 labelled letters)."""
UNIT_ONLY_CONFIDENCE = 0.85
"""A named district and no known place: wrong in 2 of 65 labelled letters, kept lower because writers err here."""


@dataclass(frozen=True)
class Resolution:
    """The unit and why."""

    unit: UnitSuggestion
    reasons: list[Reason]


class PlaceResolver:
    """Resolves letters against one gazetteer; ``version`` is the gazetteer's."""

    def __init__(self, gazetteer: Gazetteer, taxonomy: Taxonomy) -> None:
        self.gazetteer = gazetteer
        self.taxonomy = taxonomy
        self.version = gazetteer.version

    @classmethod
    def load(cls, gazetteer_csv: Path, taxonomy: Taxonomy) -> PlaceResolver:
        """Read a gazetteer table; raises ``ValueError`` as ``Gazetteer.load``."""
        return cls(Gazetteer.load(gazetteer_csv, taxonomy), taxonomy)

    def resolve(self, letter: Letter) -> Resolution:
        """Find the unit that owns the place of a letter."""
        text = f"{letter.title}\n{letter.body}"
        mentions = [
            *read_mentions("title", letter.title, self.gazetteer),
            *read_mentions("body", letter.body, self.gazetteer),
        ]
        chengdu, foreign = bool(CHENGDU.search(text)), bool(OTHER_CITY.search(text))
        stated = self.taxonomy.unit_code(letter.stated_unit) if letter.stated_unit else None
        named = [
            m for m in mentions if m.place.kind == "unit" and (chengdu or not foreign or m.text not in COMMON_UNIT)
        ]
        specific = [m for m in mentions if m.place.kind != "unit"]
        if not (chengdu or named or stated or any(_is_distinctive(m, foreign) for m in specific)):
            specific = [m for m in specific if self._has_short_unit(m)]
        specific = _without_parts(specific)
        if foreign and not specific and not named:
            return self._answer({}, [], letter, stated, OUTSIDE_UNIT)
        scores = _score(specific, named, stated)
        return self._answer(scores, [*specific, *named], letter, stated, UNKNOWN_UNIT)

    def _has_short_unit(self, mention: Mention) -> bool:
        """Whether the owner's short name (锦江 for 锦江区) stands right before the mention."""
        shorts = (self.taxonomy.name("unit", unit)[:-1].removeprefix("成都") for unit in mention.place.units)
        return any(mention.before.endswith(short) for short in shorts)

    def _answer(
        self, scores: dict[str, float], mentions: list[Mention], letter: Letter, stated: str | None, silent: str
    ) -> Resolution:
        total = sum(scores.values())
        specific = any(m.place.kind != "unit" for m in mentions)
        shares = {u: s / (total + UNKNOWN_MASS * min(1.0, total + 0.2)) for u, s in scores.items()}
        if not specific:
            shares = {u: p * UNIT_ONLY_CONFIDENCE for u, p in shares.items()}
        if mentions and all(m.personal for m in mentions):
            shares = {u: p * PERSONAL_ONLY_CONFIDENCE for u, p in shares.items()}
        firm = {u for m in mentions if m.place.n_sources for u in m.place.units} | {stated}
        shares = {u: p if u in firm else min(p, WEAK_ONLY) for u, p in shares.items()}
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        evidence = [_evidence(m) for m in sorted(mentions, key=lambda m: -m.weight)[:8]]
        choices = [Choice(label=u, name=self.taxonomy.name("unit", u), confidence=round(p, 4)) for u, p in ranked[:3]]
        plausible = _conformal(ranked)
        if ranked and ranked[0][1] >= ANSWER_AT:
            unit = UnitSuggestion(**choices[0].model_dump(), alternatives=choices[1:], set=plausible, evidence=evidence)
            return Resolution(unit, self._warnings(unit, mentions, stated))
        question, reason = self._question(mentions, choices, silent)
        unit = UnitSuggestion(
            label=silent,
            name="外地" if silent == OUTSIDE_UNIT else "不明",
            confidence=round(1 - (ranked[0][1] if ranked else 0.1), 4),
            alternatives=choices,
            set=plausible or [silent],
            evidence=evidence,
            question=question,
        )
        return Resolution(unit, [reason])

    def _warnings(self, unit: UnitSuggestion, mentions: list[Mention], stated: str | None) -> list[Reason]:
        said = [m for m in mentions if not m.personal] or mentions
        named = {u for m in said if m.place.kind == "unit" for u in m.place.units} | ({stated} if stated else set())
        wrong = sorted(named - {unit.label})
        if not wrong or unit.label in named:
            return []
        names = "、".join(self.taxonomy.name("unit", u) for u in wrong)
        text = f"来信提到{names}，但所述地点属{unit.name}，请勿按来信所称属地派单"
        return [Reason(code="stated_unit_not_owner", text=text)]

    @staticmethod
    def _question(mentions: list[Mention], choices: list[Choice], silent: str) -> tuple[str | None, Reason]:
        if silent == OUTSIDE_UNIT:
            return None, Reason(code="other_city", text="来信提到其他城市，未见本市地点")
        shared = next((m for m in mentions if m.place.kind != "unit" and len(m.place.units) > 1), None)
        if shared is not None:
            names = "、".join(c.name for c in choices)
            if shared.place.kind == "road":
                reason = Reason(code="shared_road", text=f"{shared.place.name}分属{names}")
                return f"请补充{shared.place.name}的门牌号或最近的路口", reason
            reason = Reason(code="ambiguous_place", text=f"{names}都有名为{shared.place.name}的地方")
            return f"请问{shared.place.name}在哪个区（市）县、哪个街道？", reason
        if choices:
            names = "还是".join(c.name for c in choices[:2])
            return f"请问事情发生在{names}？请补充具体地点", Reason(
                code="ambiguous_place", text="来信提到的地点分属不同属地"
            )
        return "请补充事情发生的具体地点（区县、街道、道路门牌或小区名）", Reason(
            code="no_place", text="来信没有可以确定属地的地点"
        )


def _is_distinctive(mention: Mention, foreign: bool) -> bool:
    """Whether a name points to Chengdu without any other sign of the city."""
    return not mention.place.n_elsewhere and not foreign


def _without_parts(mentions: list[Mention]) -> list[Mention]:
    """Drops 二环路 beside 二环路西三段: the short form names the same place."""
    names = {m.place.name for m in mentions}
    return [
        m
        for m in mentions
        if not any(m.place.name != n and (n.startswith(m.place.name) or n.endswith(m.place.name)) for n in names)
    ]


def _score(specific: list[Mention], named: list[Mention], stated: str | None) -> dict[str, float]:
    """Weight per unit. A district that a named place contradicts counts little: the writer may err."""
    scores: dict[str, float] = defaultdict(float)
    hints = {u for m in named for u in m.place.units} | ({stated} if stated else set())
    for mention in {m.place.name: m for m in sorted(specific, key=lambda m: m.weight)}.values():
        units = mention.place.units
        chosen = hints.intersection(units) if len(units) > 1 else set()
        for unit in chosen or units:
            scores[unit] += mention.weight / len(chosen or units)
    firm = [m for m in specific if m.firm]
    owners = {u for m in firm if not m.personal for u in m.place.units}
    personal_owners = owners | {u for m in firm for u in m.place.units}
    for unit in {u for m in named for u in m.place.units}:
        best = max((m for m in named if unit in m.place.units), key=lambda m: m.weight)
        against = personal_owners if best.personal else owners
        scores[unit] += best.weight if not against or unit in against else best.weight * CONFLICT_FACTOR
    if stated:
        scores[stated] += 0.3 if not owners or stated in owners else 0.3 * CONFLICT_FACTOR
    return dict(scores)


def _conformal(ranked: list[tuple[str, float]]) -> list[str]:
    """The first units that together hold ``SET_MASS`` of what the units hold."""
    chosen: list[str] = []
    mass, goal = 0.0, SET_MASS * sum(p for _, p in ranked)
    for unit, share in ranked:
        if mass >= goal:
            break
        chosen.append(unit)
        mass += share
    return chosen


def _evidence(mention: Mention) -> Evidence:
    place = mention.place
    return Evidence(
        field=mention.field,
        start=mention.start,
        end=mention.end,
        text=mention.text,
        place=place.name,
        kind=place.kind,
        units=sorted(place.units),
        source="taxonomy" if place.kind == "unit" else f"gazetteer:{place.kind}:{place.n_sources} sources",
    )

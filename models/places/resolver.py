"""Which unit owns the place of the matter: mentions weighed by kind and context, with evidence.

A named road, estate or community says more than the district that the writer believes it to lie in;
a place of the matter says more than the writer's home. This falls down when a letter names several
incident places in different units, or only places that the gazetteer does not know.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.case import Letter
from models.places.gazetteer import Gazetteer, Place
from models.suggestion import OUTSIDE_UNIT, UNKNOWN_UNIT, Choice, Evidence, Reason, UnitSuggestion
from models.taxonomy import Taxonomy

HOME = re.compile(
    r"(住(?!宅|户|房|建|院|宿)|我家在?|我屋头|租的?房|户口|户籍|上班|工作(?!人员)|我?单位|公司在|就读|来自)"
    r"[^，。；！？,;!?\n]{0,10}$"
)
ELSEWHERE_OFFICE = re.compile(r"^(区|县|市)?(政府|城管|公安|派出所|信访|教育局|住建|环保|交警|的?(?:工作人员|领导|说|答复|回复))")
OTHER_CITY = re.compile(
    r"[A-Z]\d*[市区县]|(?:北京|上海|天津|重庆|广州|深圳|武汉|长沙|南京|杭州|西安|合肥|郑州|济南|青岛|沈阳|大连|哈尔滨|长春|"
    r"福州|厦门|南昌|南宁|昆明|贵阳|兰州|太原|石家庄|乌鲁木齐|海口|绵阳|德阳|南充|宜宾|泸州|乐山|眉山|资阳|自贡|遂宁|内江|达州)"
    r"(?=市|的|[一-龥]{1,3}[区县])"
)
CHENGDU = re.compile(r"成都|蓉城")
KIND_WEIGHT = {"unit": 0.35, "metro": 0.8, "road": 0.9}
HOME_FACTOR, OFFICE_FACTOR, TITLE_FACTOR, CONFLICT_FACTOR, WEAK_FACTOR = 0.2, 0.2, 1.3, 0.2, 0.7
UNKNOWN_MASS = 0.06
ANSWER_AT = 0.6
STRONG = 0.5
"""A mention of at least this weight is a place of the matter; a district named against it is an error."""
UNIT_ONLY_CONFIDENCE = 0.85
"""A named district and no known place: right for about that share of such authored letters."""


@dataclass(frozen=True)
class Resolution:
    """The unit and why."""

    unit: UnitSuggestion
    reasons: list[Reason]


@dataclass(frozen=True)
class Mention:
    """A place found in the letter; ``weight`` says how much it speaks for the place of the matter."""

    field: Literal["title", "body"]
    start: int
    end: int
    text: str
    place: Place
    weight: float


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
        mentions = [*self._mentions("title", letter.title), *self._mentions("body", letter.body)]
        local = bool(CHENGDU.search(text)) or any(m.place.kind == "unit" for m in mentions)
        foreign = bool(OTHER_CITY.search(text))
        stated = self.taxonomy.unit_code(letter.stated_unit) if letter.stated_unit else None
        specific = [m for m in mentions if m.place.kind != "unit" and (local or stated or self._distinctive(m, foreign))]
        named = [m for m in mentions if m.place.kind == "unit"]
        if foreign and not specific and not named:
            return self._answer({}, [], letter, stated, OUTSIDE_UNIT)
        scores = self._score(specific, named, stated)
        return self._answer(scores, [*specific, *named], letter, stated, UNKNOWN_UNIT)

    def _mentions(self, field: Literal["title", "body"], text: str) -> list[Mention]:
        plain = "".join(_fold(character) for character in text)
        found = []
        for start, end, place in self.gazetteer.find(plain):
            weight = KIND_WEIGHT.get(place.kind, 1.0)
            if not place.n_sources:
                weight *= WEAK_FACTOR
            if field == "title":
                weight *= TITLE_FACTOR
            if HOME.search(plain[max(0, start - 16) : start]):
                weight *= HOME_FACTOR
            if place.kind == "unit" and ELSEWHERE_OFFICE.search(plain[end : end + 8]):
                weight *= OFFICE_FACTOR
            found.append(Mention(field, start, end, text[start:end], place, weight))
        return found

    @staticmethod
    def _distinctive(mention: Mention, foreign: bool) -> bool:
        """Whether a name points to Chengdu without any other sign of the city."""
        if mention.place.n_elsewhere:
            return False
        return not foreign and (len(mention.place.name) >= 4 or mention.place.n_sources >= 2)

    @staticmethod
    def _score(specific: list[Mention], named: list[Mention], stated: str | None) -> dict[str, float]:
        scores: dict[str, float] = defaultdict(float)
        hints = {u for m in named for u in m.place.units} | ({stated} if stated else set())
        for place in {m.place.name: m for m in sorted(specific, key=lambda m: m.weight)}.values():
            units = place.place.units
            agreed = {u: n for u, n in units.items() if u in hints} if len(units) > 1 else units
            chosen = agreed or units
            for unit in chosen:
                scores[unit] += place.weight / len(chosen)
        owners = {u for m in specific if m.weight >= STRONG for u in m.place.units if u in scores}
        for unit in {u for m in named for u in m.place.units}:
            weight = max(m.weight for m in named if unit in m.place.units)
            scores[unit] += weight if not owners or unit in owners else weight * CONFLICT_FACTOR
        if stated:
            scores[stated] += 0.3 if not owners or stated in owners else 0.3 * CONFLICT_FACTOR
        return dict(scores)

    def _answer(
        self, scores: dict[str, float], mentions: list[Mention], letter: Letter, stated: str | None, silent: str
    ) -> Resolution:
        total = sum(scores.values())
        specific = any(m.place.kind != "unit" for m in mentions)
        shares = {u: s / (total + UNKNOWN_MASS) for u, s in scores.items()}
        if shares and not specific:
            shares = {u: p * UNIT_ONLY_CONFIDENCE for u, p in shares.items()}
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        evidence = [_evidence(m) for m in sorted(mentions, key=lambda m: -m.weight)[:8]]
        choices = [Choice(label=u, name=self.taxonomy.name("unit", u), confidence=round(p, 4)) for u, p in ranked[:3]]
        plausible = [u for u, p in ranked if p >= 0.1]
        if ranked and ranked[0][1] >= ANSWER_AT:
            unit = UnitSuggestion(
                **choices[0].model_dump(), alternatives=choices[1:], set=plausible, evidence=evidence
            )
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
        named = {u for m in mentions if m.place.kind == "unit" for u in m.place.units} | ({stated} if stated else set())
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


def _fold(character: str) -> str:
    """Full width to half width, one character for one, so that offsets stay those of the letter."""
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character


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

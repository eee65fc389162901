"""Place mentions of a letter, each weighed by how much it speaks for the place of the matter.

A mention beside a cue of the writer's own home (我住在…), work or household register counts less than
one beside the matter itself; another person's home (爸妈住…, 老家) is often the place of the matter.
This falls down when the matter is at the writer's home and a second place is named without a cue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from models.places.gazetteer import Gazetteer, Place

Field = Literal["title", "body"]
_CLAUSE = r"[^，。；！？、,;!?\n]"
_LIVES = r"(?:住(?!宅|户|房|建|院|宿|进)|独居|现居)(?!了?[一两三几]?[晚夜天])"
_PERSON = (
    r"(?<![跟随和与同陪])(?:爸|妈|父|母|老汉|他|她|女儿|女子|儿子|弟|妹|哥|姐|亲戚|外公|外婆|爷|奶|老人|"
    r"朋友|战友|同学|公婆|岳)"
)
OTHERS_HOME = re.compile(rf"(?:{_PERSON}{_CLAUSE}{{0,6}}(?:{_LIVES}|家在)|老家){_CLAUSE}{{0,8}}$")
HOME = re.compile(rf"(?:{_LIVES}|我?家在|我家|屋头?在|我屋头|租的?房|户口|户籍|来自|本人坐标){_CLAUSE}{{0,10}}$")
WORK = re.compile(rf"(?:上班|工作(?!人员)|打工|我?单位|公司在|就读){_CLAUSE}{{0,10}}$")
HOME_AFTER = re.compile(rf"^{_CLAUSE}{{0,4}}(?:{_LIVES}|户口)")
WORK_AFTER = re.compile(rf"^{_CLAUSE}{{0,8}}(?:上班|打工|打夜班|上夜班|工作(?!人员)|厂里)")
RESIDENT = re.compile(r"(?:我|本人)(?:是|系)$")
RESIDENT_AFTER = re.compile(r"^的?(?:住户|居民|村民|人|老住户|(?<=的)(?=[，。,；]|$))")
MATTER = re.compile(r"(?:位于|位置在|发生在|地点[是为]?[::]?|地址[是为]?[::]?|路过|途经|堵在|开在)$")
OFFICE_AFTER = re.compile(
    r"^(?:区|县|市)?(?:政府|城管|公安|派出所|信访|教育局|住建|环保|交警|的?(?:工作人员|领导|说|答复|回复))"
)
_LINK = re.compile(r"的|这边的?|境内|市|区|县|那个|这个|")
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_NOT_XINDU = re.compile(r"[重全更崭创翻刷革焕]新都|.?新都会")
"""新都 inside ordinary words (重新都要, 新都会)."""

KIND_WEIGHT = {"unit": 0.35, "metro": 0.8, "road": 0.9}
HOME_FACTOR, WORK_FACTOR, OTHERS_FACTOR, RESIDENT_FACTOR, OFFICE_FACTOR = 0.2, 0.3, 0.6, 0.5, 0.2
TITLE_FACTOR, MATTER_FACTOR, ADJACENT_FACTOR = 1.3, 1.2, 1.3
WEAK_FACTOR, ALIAS_FACTOR, GENERIC_FACTOR = 0.7, 0.6, 0.6
GENERIC_ELSEWHERE = 3

SECTION_DIGIT = re.compile(r"[1-9](?=段|环|号线)")
CHINESE_DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True)
class Mention:
    """Characters ``[start, end)`` of a field as received that name ``place``.

    Attributes:
        weight: how much the mention speaks for the place of the matter, around 1 for a plain one.
        personal: beside a cue of the writer's own home, work or household register.
        firm: the name alone tells the place: written in full, from a good source, not common elsewhere.
        before: up to four characters before the mention, folded.
    """

    field: Field
    start: int
    end: int
    text: str
    place: Place
    weight: float
    personal: bool
    firm: bool
    before: str


def read_mentions(field: Field, text: str, gazetteer: Gazetteer) -> list[Mention]:
    """Mentions of one field from left to right; offsets are those of ``text``."""
    plain = SECTION_DIGIT.sub(lambda match: CHINESE_DIGITS[int(match.group())], text.translate(_FOLD))
    found = []
    for start, end, place, is_alias in gazetteer.find(plain):
        if plain[start:end] == "新都" and _NOT_XINDU.match(plain, max(0, start - 1)):
            continue
        weight = KIND_WEIGHT.get(place.kind, 1.0)
        weight *= WEAK_FACTOR if not place.n_sources else 1.0
        weight *= GENERIC_FACTOR if place.n_elsewhere >= GENERIC_ELSEWHERE else 1.0
        weight *= ALIAS_FACTOR if is_alias else 1.0
        weight *= TITLE_FACTOR if field == "title" else 1.0
        if place.kind == "unit" and OFFICE_AFTER.search(plain[end : end + 8]):
            weight *= OFFICE_FACTOR
        firm = place.n_sources > 0 and not is_alias and place.n_elsewhere < GENERIC_ELSEWHERE
        before = plain[max(0, start - 4) : start]
        found.append(Mention(field, start, end, text[start:end], place, weight, False, firm, before))
    return [mention for group in _groups(plain, found) for mention in group]


def _groups(plain: str, found: list[Mention]) -> Iterator[list[Mention]]:
    """Adjacent mentions (成华区双瑞一路) share their cue; a cue before one group does not reach the next."""
    first, free = 0, 0
    while first < len(found):
        last = first
        while (
            last + 1 < len(found)
            and found[last + 1].place.kind != "unit"
            and _LINK.fullmatch(plain[found[last].end : found[last + 1].start])
        ):
            last += 1
        group = found[first : last + 1]
        factor, personal = _cue(plain[max(free, group[0].start - 16) : group[0].start], plain[group[-1].end :][:14])
        agreed = len({m.place.name for m in group}) > 1 and bool(set.intersection(*(set(m.place.units) for m in group)))
        if agreed:
            factor *= ADJACENT_FACTOR
        yield [replace(m, weight=m.weight * factor, personal=personal) for m in group]
        first, free = last + 1, group[-1].end


def _cue(before: str, after: str) -> tuple[float, bool]:
    if OTHERS_HOME.search(before):
        return OTHERS_FACTOR, False
    if HOME.search(before) or HOME_AFTER.search(after):
        return HOME_FACTOR, True
    if WORK.search(before) or WORK_AFTER.search(after):
        return WORK_FACTOR, True
    if RESIDENT.search(before) and RESIDENT_AFTER.search(after):
        return RESIDENT_FACTOR, False
    return (MATTER_FACTOR if MATTER.search(before) else 1.0), False

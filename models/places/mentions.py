"""Place mentions of a letter, each weighed by how much it speaks for the place of the matter.

A mention beside a cue of the writer's own home (我住在…), work or household register counts less than
one beside the matter itself; another person's home (爸妈住…, 老家) is often the place of the matter.
This falls down when the matter is at the writer's home and a second place is named without a cue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from models.places.fuzzy import Fuzzy
from models.places.gazetteer import Found, Gazetteer, Place
from models.places.jurisdiction import HOUSE_NUMBER, owner_shares
from models.places.memory import PlaceMemory
from models.places.text import fold

Field = Literal["title", "body"]
Role = Literal["plain", "matter", "home", "work", "others", "resident", "office", "shop"]
_CLAUSE = r"[^，。；！？、,;!?\n]"
_LIVES = r"(?:住(?!宅|户|房|建|院|宿|进)|独居|现居)(?!了?[123两几]?[晚夜天])"
_PERSON = (
    r"(?<![跟随和与同陪])(?:爸|妈|父|母|老汉|他|她|女儿|女子|儿子|弟|妹|哥|姐|亲戚|外公|外婆|爷|奶|老人|"
    r"朋友|战友|同学|公婆|岳)"
)
OTHERS_HOME = re.compile(rf"(?:{_PERSON}{_CLAUSE}{{0,6}}(?:{_LIVES}|家在)|老家){_CLAUSE}{{0,8}}$")
HOME = re.compile(rf"(?:{_LIVES}|我?家[在是]|我家|屋头?在|我屋头|租的?房|户口|户籍|来自|本人坐标){_CLAUSE}{{0,10}}$")
WORK = re.compile(rf"(?:上班|工作(?!人员)|打工|干活|我?单位|公司在|就读){_CLAUSE}{{0,10}}$")
HOME_AFTER = re.compile(rf"^{_CLAUSE}{{0,4}}(?:{_LIVES}|户口)")
WORK_AFTER = re.compile(rf"^{_CLAUSE}{{0,8}}(?:上班|打工|干活|做工|打夜班|上夜班|工作(?!人员)|厂里)")
FROM = re.compile(r"(?:从|由)$")
FROM_AFTER = re.compile(r"^(?:专门|特意|坐车|坐地铁|骑车|开车|自驾|出发|赶|过)*(?:来|到|去|过去|出发)(?!往)")
BORN_AFTER = re.compile(r"^(?:本地|当地|那边|乡下|农村)?人(?!行|民|家|多|少|口|工)")
RESIDENT = re.compile(r"(?:我们?|本人)(?:都|一家)?(?:是|系)$")
RESIDENT_AFTER = re.compile(
    r"^(?:的(?:1名|1个|几个|老|退休)*(?:住户|居民|村民|业主|职工|员工|市民|学生|游客|人|[一-龥]迷)|的[，。,；])"
)
SHOP_AFTER = re.compile(
    r"^(?!的|旁|边|附近|这|那|里|内|门口)[^，。；！？,;!?的家开有个某卖]{0,2}?(?:火锅|串串|烧烤|冒菜|面馆|美发|理发|美容|口腔|牙科|诊所|"
    r"门诊|宾馆|酒店|饭店|餐厅|酒楼|茶楼|茶府|足浴|健身|网吧|ktv|烤肉|烤鱼|奶茶|药房|百货|"
    r"家具|分店|连锁|房产|食府|小吃店|店(?!子))"
)
MATTER = re.compile(r"(?:位于|位置在|发生在|地点[是为]?[::]?|地址[是为]?[::]?|路过|途经|堵在|开在)$")
OFFICE_AFTER = re.compile(
    r"^(?:区|县|市)?(?:政府|城管|公安|派出所|信访|教育局|住建|环保|交警|交通局|水务|市场监管|市监|管委会|人社|"
    r"的?(?:工作人员|领导|窗口|说|答复|回复))"
)
_LINK = re.compile(r"的|这边的?|境内|市|区|县|那个|这个|[(（]|")
CROSSING_LINK = re.compile(r"(?:的|路口)?[与和跟同、及/]")
CROSSING = re.compile(r"^的?(?:交叉|交汇|相交|路口|十字|丁字|转角|交界|口子)")
_NOT_XINDU = re.compile(r"[重全更崭创翻刷革焕]新都|.?新都会")
"""新都 inside ordinary words (重新都要, 新都会)."""

KIND_WEIGHT = {"unit": 0.35, "metro": 0.8, "road": 0.9}
ROLE_FACTOR: dict[Role, float] = {
    "plain": 1.0, "matter": 1.2, "home": 0.2, "work": 0.3, "others": 0.6, "resident": 0.5, "office": 0.2, "shop": 0.3
}  # fmt: skip
PERSONAL = ("home", "work")
TITLE_FACTOR, ADJACENT_FACTOR = 1.3, 1.3
WEAK_FACTOR, ALIAS_FACTOR, GENERIC_FACTOR, SLIP_FACTOR = 0.7, 0.8, 0.6, 0.7
GENERIC_ELSEWHERE = 3


@dataclass(frozen=True)
class Mention:
    """Characters ``[start, end)`` of a field as received that name ``place``.

    Attributes:
        weight: how much the mention speaks for the place of the matter, around 1 for a plain one.
        role: what the sentence says the place is: of the matter, the writer's home, an office, a shop's name.
        shares: probability of each unit given this mention, its house number and its neighbours.
        number: the house number that follows a road.
        slip: how a name that is not written so was found: ``""``, ``alike`` (by its sound), or ``slip`` (one
            wrong character, or its relatives).
        firm: the name alone tells the place: written in full, from a good source, not common elsewhere.
        common: letters of other cities use this name or form too.
        before: up to four characters before the mention, folded.
    """

    field: Field
    start: int
    end: int
    text: str
    place: Place
    weight: float
    role: Role
    shares: dict[str, float]
    number: int | None
    slip: str
    firm: bool
    common: bool
    before: str

    @property
    def personal(self) -> bool:
        """Beside a cue of the writer's own home, work or household register."""
        return self.role in PERSONAL


@dataclass(frozen=True)
class Reader:
    """Reads the mentions of one field after another with one gazetteer, its fuzzy nets and a place memory."""

    gazetteer: Gazetteer
    fuzzy: Fuzzy
    memory: PlaceMemory | None = None

    def read(self, field: Field, text: str) -> list[Mention]:
        """Mentions from left to right, also by sound; offsets are those of ``text``."""
        plain = fold(text)
        exact = list(self.gazetteer.find(plain))
        taken = {index for found in exact for index in range(found.start, found.end)}
        alike = [f for f in self.fuzzy.alike(plain) if taken.isdisjoint(range(f.start, f.end))]
        return self._mentions(field, text, plain, exact, alike, "alike")

    def read_slips(self, field: Field, text: str) -> list[Mention]:
        """Mentions with a wrong character, or by relatives; for letters in which ``read`` found no place."""
        plain = fold(text)
        found = list(self.fuzzy.relatives(plain)) or list(self.fuzzy.slips(plain))
        return self._mentions(field, text, plain, [f for f in self.gazetteer.find(plain) if _is_unit(f)], found, "slip")

    def _mentions(
        self, field: Field, text: str, plain: str, exact: list[Found], slips: list[Found], how: str
    ) -> list[Mention]:
        mentions = []
        both = [*((f, "") for f in exact), *((f, how) for f in slips)]
        for found, slip in sorted(both, key=lambda pair: pair[0].start):
            if plain[found.start : found.end] == "新都" and _NOT_XINDU.match(plain, max(0, found.start - 1)):
                continue
            mentions.append(self._mention(field, text, plain, found, slip))
        return [mention for group in _groups(plain, mentions) for mention in group]

    def _mention(self, field: Field, text: str, plain: str, found: Found, slip: str) -> Mention:
        place, end = found.place, found.end
        number = HOUSE_NUMBER.match(plain, end) if place.kind == "road" else None
        house = int(number[1]) if number else None
        weight = KIND_WEIGHT.get(place.kind, 1.0)
        weight *= WEAK_FACTOR if not place.n_sources else 1.0
        common = found.common or place.n_elsewhere >= GENERIC_ELSEWHERE
        weight *= GENERIC_FACTOR if common and place.kind != "unit" else 1.0
        weight *= SLIP_FACTOR if slip else ALIAS_FACTOR if found.short else 1.0
        weight *= TITLE_FACTOR if field == "title" else 1.0
        firm = place.n_sources > 0 and not found.short and not common
        before = plain[max(0, found.start - 4) : found.start]
        shares = owner_shares(place, house, self.memory)
        return Mention(
            field, found.start, end, text[found.start : end], place, weight, "plain", shares, house, slip, firm, common,
            before,
        )  # fmt: skip


def _is_unit(found: Found) -> bool:
    return found.place.kind == "unit"


def _groups(plain: str, found: list[Mention]) -> Iterator[list[Mention]]:
    """Adjacent mentions (成华区双瑞一路, A路与B路交叉口) share their cue and their owners.

    A cue before one group does not reach the next.
    """
    first, free = 0, 0
    while first < len(found):
        last = first
        while last + 1 < len(found) and _joined(plain, found[last], found[last + 1]):
            last += 1
        group = found[first : last + 1]
        end = group[-1].end
        role = _role(plain[max(free, group[0].start - 16) : group[0].start], plain[end : end + 14], group)
        if role == "shop" and len(group) > 1:
            yield [replace(m, shares=_within(m.shares, _common(group[:-1]))) for m in group[:-1]]
            group = group[-1:]
        agreed = _common(group)
        factor = ROLE_FACTOR[role] * (ADJACENT_FACTOR if agreed and len({m.place.name for m in group}) > 1 else 1.0)
        yield [replace(m, weight=m.weight * factor, role=role, shares=_within(m.shares, agreed)) for m in group]
        first, free = last + 1, group[-1].end


def _joined(plain: str, one: Mention, two: Mention) -> bool:
    between = plain[one.end : two.start]
    if two.place.kind == "unit" or one.place.kind == "city" or two.place.kind == "city":
        return False
    if _LINK.fullmatch(between):
        return True
    return bool(CROSSING_LINK.fullmatch(between) and CROSSING.match(plain[two.end : two.end + 6]))


def _common(group: Iterable[Mention]) -> set[str]:
    """Units that every mention of the group may belong to."""
    return set.intersection(*(set(m.shares) for m in group))


def _within(shares: dict[str, float], units: set[str]) -> dict[str, float]:
    """Shares of the units that the neighbours allow; all of them where the neighbours disagree."""
    total = sum(share for unit, share in shares.items() if unit in units)
    return {unit: share / total for unit, share in shares.items() if unit in units} if total else shares


def _role(before: str, after: str, group: list[Mention]) -> Role:
    if OTHERS_HOME.search(before):
        return "others"
    if HOME.search(before) or HOME_AFTER.search(after):
        return "home"
    if WORK.search(before) or WORK_AFTER.search(after):
        return "work"
    if (FROM.search(before) and FROM_AFTER.search(after)) or (before.endswith("是") and BORN_AFTER.search(after)):
        return "home"
    if RESIDENT.search(before) and RESIDENT_AFTER.search(after):
        return "resident"
    if all(m.place.kind == "unit" for m in group) and OFFICE_AFTER.search(after):
        return "office"
    if group[-1].place.kind in ("landmark", "road", "metro", "hospital") and SHOP_AFTER.search(after):
        return "shop"
    return "matter" if MATTER.search(before) else "plain"

"""A letter read for places: its mentions, the units it names, and what else points to a unit."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.case import Letter
from models.places.jurisdiction import CHENGDU, COMMON_ZONES, OTHER_CITY
from models.places.mentions import Mention, Reader
from models.taxonomy import Taxonomy

MAX_ELSEWHERE = 3
"""A name seen in more letters of other cities than this needs another sign of the city beside it."""


@dataclass(frozen=True)
class Reading:
    """What a letter says about its place.

    Attributes:
        specific: mentions of places that are no unit.
        named: mentions of the units themselves.
        city: names of matters of the whole city (metro, expressway, municipal company).
        stated: the unit that the writer or clerk chose.
        geo: share of each unit near the letter's coordinates.
        foreign: another city is named, and Chengdu is not.
    """

    specific: list[Mention] = field(default_factory=list)
    named: list[Mention] = field(default_factory=list)
    city: list[Mention] = field(default_factory=list)
    stated: str | None = None
    geo: dict[str, float] = field(default_factory=dict)
    chengdu: bool = False
    foreign: bool = False

    @property
    def hints(self) -> set[str]:
        """Units that the letter names or the clerk chose."""
        return {u for m in self.named for u in m.shares} | ({self.stated} if self.stated else set())


def read_letter(letter: Letter, reader: Reader, taxonomy: Taxonomy) -> Reading:
    """Read a letter; a common name of another city's letter is left out."""
    text = f"{letter.title}\n{letter.body}"
    chengdu = bool(CHENGDU.search(text))
    foreign = not chengdu and bool(OTHER_CITY.search(text))
    stated = taxonomy.unit_code(letter.stated_unit) if letter.stated_unit else None
    geo = {}
    if letter.lon is not None and letter.lat is not None:
        geo = reader.gazetteer.near(letter.lon, letter.lat)
    mentions = [*reader.read("title", letter.title), *reader.read("body", letter.body)]
    named = [m for m in mentions if m.place.kind == "unit" and (not foreign or m.text not in COMMON_ZONES)]
    specific = _relevant(mentions, bool(chengdu or named or stated or geo), foreign, taxonomy)
    if not (chengdu or specific or stated or geo or any(not m.common for m in named)):
        named = []
    if not specific and (chengdu or named or stated or geo):
        slips = [*reader.read_slips("title", letter.title), *reader.read_slips("body", letter.body)]
        specific = _relevant(slips, bool(chengdu or named or stated or geo), foreign, taxonomy)
    city = [m for m in mentions if m.place.kind == "city"]
    return Reading(specific, named, city, stated, geo, chengdu, foreign)


def _relevant(mentions: list[Mention], local: bool, foreign: bool, taxonomy: Taxonomy) -> list[Mention]:
    """Places of the letter; without another sign of Chengdu only names that are rare elsewhere."""
    specific = [m for m in mentions if m.place.kind not in ("unit", "city")]
    if not local and not any(_is_distinctive(m, foreign) for m in specific):
        specific = [m for m in specific if _has_short_unit(m, taxonomy)]
    return _without_parts(specific)


def _is_distinctive(mention: Mention, foreign: bool) -> bool:
    rare = (
        not mention.common
        and mention.place.n_elsewhere <= MAX_ELSEWHERE
        and (not mention.slip or len(mention.text) >= 4)
    )
    return rare and not foreign


def _has_short_unit(mention: Mention, taxonomy: Taxonomy) -> bool:
    """Whether the owner's short name (锦江 for 锦江区) stands right before the mention."""
    shorts = (taxonomy.name("unit", unit)[:-1].removeprefix("成都") for unit in mention.shares)
    return any(mention.before.endswith(short) for short in shorts)


def _without_parts(mentions: list[Mention]) -> list[Mention]:
    """Drops 二环路 beside 二环路西三段: the short form names the same place."""
    names = {m.place.name for m in mentions}
    if len(names) < 2:
        return mentions
    return [
        m
        for m in mentions
        if not any(m.place.name != n and (n.startswith(m.place.name) or n.endswith(m.place.name)) for n in names)
    ]

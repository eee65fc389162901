"""The gazetteer in memory: names and aliases to entries, and the automaton that finds them."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ahocorasick
import jieba

from models.taxonomy import Taxonomy

UNIT_ALIASES = {
    "510112": ("龙泉驿",),
    "510113": ("青白江",),
    "510114": ("新都",),
    "510115": ("温江",),
    "510116": ("双流区", "双流县", "双流"),
    "510117": ("郫都", "郫县"),
    "510118": ("新津", "新津县"),
    "510121": ("金堂",),
    "510129": ("大邑",),
    "510131": ("蒲江",),
    "510181": ("都江堰",),
    "510182": ("彭州",),
    "510183": ("邛崃",),
    "510184": ("崇州",),
    "510185": ("简阳",),
    "510171": ("天府新区", "成都天府新区", "天府新区成都直管区"),
    "510172": ("高新区", "成都高新", "高新南区", "高新西区"),
    "510173": ("东部新区",),
}
SHIPPED = Path(__file__).parents[1] / "data" / "gazetteer.csv"
_SUFFIX = {
    "street_office": re.compile(r"(街道|镇|乡)$"),
    "community": re.compile(r"社区$"),
    "village": re.compile(r"(村|社区)$"),
}
_CITY = re.compile(r"^(四川省|成都市|成都|四川)(?=.{4})")
_UNSPECIFIC = re.compile(
    r"^(第?[一二三四五六七八九十0-9]+)?(人民|中医|妇幼|实验|职工|儿童|医科|工业|大学|中学|小学|公园|师范)"
)
"""What is left of 成都市第一人民医院 without the city is a name that every city has."""
_PUNCTUATION = re.compile(r"[-()·（）]")
_PLACE_WORD = re.compile(
    r"(路|街|巷|道|段|社区|村|镇|乡|街道|小区|花园|苑|站|公园|广场|学校|医院|中学|小学|大学|城|桥)$"
)
_CHINESE_DIGITS = dict(zip("一二三四五六七八九", "123456789", strict=True))
_NUMBERED = re.compile(r"[一二三四五六七八九](?=段|环|号|期)")
_ORDINARY_ELSEWHERE = 3
"""A name that ends in no word for a place and is used in so many letters elsewhere is a phrase (公园里)."""
_COMMON_WORD = 3
"""An estate whose name jieba has seen more often than this is written as an ordinary word (书香门第)."""


@dataclass(frozen=True)
class Place:
    """One name: its kind, the units that own a place of that name with their number of sources.

    ``kind`` is ``unit`` for the units themselves, and ``town`` for a two-character town name that is no
    ordinary word (犀浦 for 犀浦街道). ``n_elsewhere`` is the number of letters of other cities in which the name
    was seen.
    """

    name: str
    kind: str
    units: dict[str, int]
    n_elsewhere: int

    @property
    def n_sources(self) -> int:
        return max(self.units.values())


@dataclass(frozen=True)
class Gazetteer:
    """All names of a city. ``version`` is a hash of the table."""

    version: str
    automaton: ahocorasick.Automaton

    @classmethod
    def load(cls, path: Path, taxonomy: Taxonomy) -> Gazetteer:
        """Read the table written by ``models.places.build``.

        Raises:
            ValueError: a missing column, an unknown unit, or a count that is no number; names file,
                line and field.
        """
        places = _read(path, taxonomy)
        automaton = ahocorasick.Automaton()
        jieba.initialize()
        for unit in taxonomy.units:
            for name in (unit.name, *unit.aliases, *UNIT_ALIASES.get(unit.id, ())):
                automaton.add_word(name, (len(name), Place(unit.name, "unit", {unit.id: 9}, 0), False))
        for place in places.values():
            for alias, short in _aliases(place):
                if alias == place.name or alias not in places:
                    _add(automaton, alias, place, short)
            if place.kind == "street_office" and place.name.endswith("街道"):
                _add(automaton, f"{place.name[:-2]}镇", place, False)
        automaton.make_automaton()
        return cls(hashlib.sha256(path.read_bytes()).hexdigest()[:12], automaton)

    def find(self, text: str) -> Iterator[tuple[int, int, Place, bool]]:
        """Longest matches from the left, without overlaps, as ``(start, end, place, is_short)``.

        ``is_short`` tells a name that was written without its suffix (双水碾 for 双水碾街道).
        """
        best: dict[int, tuple[int, Place, bool]] = {}
        for last, (length, place, short) in self.automaton.iter(text):
            start = last - length + 1
            if start not in best or best[start][0] < length:
                best[start] = (length, place, short)
        free = 0
        for start in sorted(best):
            length, place, short = best[start]
            if start >= free:
                free = start + length
                yield start, free, place, short


def _read(path: Path, taxonomy: Taxonomy) -> dict[str, Place]:
    known = {unit.id for unit in taxonomy.units}
    places: dict[str, Place] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), 2):
            where = f"{path}, line {number}"
            try:
                unit, sources, elsewhere = row["unit"], int(row["n_sources"]), int(row["n_elsewhere"])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{where}: needs unit, n_sources and n_elsewhere ({error})") from None
            if unit not in known:
                raise ValueError(f"{where}, unit: {unit!r} is not in the taxonomy")
            place = places.setdefault(row["name"], Place(row["name"], row["kind"], {}, elsewhere))
            place.units[unit] = max(sources, place.units.get(unit, 0))
    return places


def _aliases(place: Place) -> Iterator[tuple[str, bool]]:
    """Ways to write a name, each with whether it lacks the suffix that marks it as a place."""
    name = place.name
    if place.kind == "town":
        yield name, True
        return
    ordinary = place.kind == "estate" and jieba.dt.FREQ.get(name, 0) > _COMMON_WORD
    if place.kind == "estate" and (ordinary or len(name) == 2):
        yield f"{name}小区", False
    if not _PLACE_WORD.search(name) and place.n_elsewhere >= _ORDINARY_ELSEWHERE:
        return
    pattern = _SUFFIX.get(place.kind)
    bare = pattern.sub("", name) if pattern else name
    if len(name) >= (2 if bare != name else 3) and not ordinary:
        yield name, False
        if _NUMBERED.search(name):
            yield _NUMBERED.sub(lambda match: _CHINESE_DIGITS[match.group()], name), False
    plain = _PUNCTUATION.sub("", name)
    without_city = _CITY.sub("", plain)
    for variant in {plain, without_city} - {name}:
        if len(variant) >= 4 and not _UNSPECIFIC.search(variant) and not jieba.dt.FREQ.get(variant):
            yield variant, False
    if bare != name and len(bare) >= 3 and not jieba.dt.FREQ.get(bare):
        yield bare, True


def _add(automaton: ahocorasick.Automaton, alias: str, place: Place, short: bool) -> None:
    if alias in automaton:
        _, other, other_short = automaton.get(alias)
        if other.kind == "unit":
            return
        short = short and other_short
        if other.name != place.name:
            merged = {u: max(other.units.get(u, 0), place.units.get(u, 0)) for u in {**other.units, **place.units}}
            place = Place(other.name, other.kind, merged, max(other.n_elsewhere, place.n_elsewhere))
    automaton.add_word(alias, (len(alias), place, short))

"""Names that are written wrongly, or that the gazetteer lacks but whose relatives it has.

Three nets, each for what the one before misses: names that sound alike (高梗街道 for 高埂街道), names of four
characters or more with one wrong character, and relatives (双瑞二路 where 双瑞一路 and 双瑞三路 are known).
A direction or a number is never taken for a slip: 人民南路 is not 人民北路.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from models.places.gazetteer import Found, Gazetteer, Owner, Place
from models.places.matcher import MAX_FAST, Matcher
from models.places.text import fold, sound, syllable

MIN_SOUND, MIN_SLIP, MIN_OWN, MAX_LENGTH = 3, 4, 3, 10
MAX_NAMES = MAX_FAST
"""Larger gazetteers go without these nets: the indexes would not fit the memory they may use."""
_MEANINGFUL = frozenset("0123456789东南西北中上下左右前后内外大小新老甲乙丙丁abcdefgh期区")
_KINDS = {"road", "estate", "community", "village", "street_office", "town", "metro", "landmark", "park", "school"}
_RUN = re.compile(r"[一-龥0-9a-z]{3,}")
_RELATIVE = re.compile(r"\d+(?=路|街|巷|段|支|横|环)|[东南西北中上下](?=[0-9]*(?:路|街|巷|段))")
_COMMON_END = re.compile(
    r"(?:小区|社区|花园|公寓|广场|公园|家园|大道|高速|街道|学校|小学|中学|医院|宿舍|大厦|村|站|路|街)$"
)
_ROAD = re.compile(r"(?:路|街|巷|段|大道)$")


class Fuzzy:
    """Indexes over the full names of a gazetteer."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self._sounds = Matcher()
        self._heard: list[str] = []
        self._slips: dict[str, str | None] | None = None
        self._families: dict[str, dict[str, int]] = {}
        if len(gazetteer.names) <= MAX_NAMES:
            self._build()

    def alike(self, folded: str) -> Iterator[Found]:
        """Names that sound like a stretch of the text that is not the name itself; longest from the left."""
        heard = sound(folded)
        best: dict[int, tuple[int, str]] = {}
        for last, index in self._sounds.search(heard):
            name = self._heard[index]
            start = last - len(name) + 1
            if start not in best or len(best[start][1]) < len(name):
                best[start] = (last + 1, name)
        free = 0
        for start in sorted(best):
            end, name = best[start]
            wrong = [(a, b) for a, b in zip(folded[start:end], name, strict=True) if a != b]
            allowed = 1 if len(name) < 5 else 2
            if start < free or not 0 < len(wrong) <= allowed or any({*pair} & _MEANINGFUL for pair in wrong):
                continue
            place = self.gazetteer.get(name)
            if place is not None:
                free = end
                yield Found(start, end, place, True)

    def slips(self, folded: str) -> Iterator[Found]:
        """Names with exactly one wrong character, longest first at each place of the text."""
        slips = self._slip_index()
        for run in _RUN.finditer(folded):
            start = run.start()
            while start < run.end():
                found = self._slip_at(folded, start, run.end(), slips)
                if found:
                    yield found
                    start = found.end
                else:
                    start += 1

    def relatives(self, folded: str) -> Iterator[Found]:
        """Roads that the gazetteer lacks, by two or more roads of the same family in one single unit."""
        for run in _RUN.finditer(folded):
            free = run.start()
            for mark in _RELATIVE.finditer(folded, run.start(), run.end()):
                found = self._relative_at(folded, mark, free, run.end())
                if found:
                    free = found.end
                    yield found

    def _build(self) -> None:
        families: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for name in self.gazetteer.names:
            place = self.gazetteer.get(name)
            folded = fold(name)
            if place is None or place.kind not in _KINDS or not place.n_sources:
                continue
            if MIN_SOUND <= len(folded) <= MAX_LENGTH:
                heard = sound(folded)
                if self._sounds.get(heard) is None:
                    self._sounds.add(heard, len(self._heard))
                    self._heard.append(folded)
            if place.kind == "road" and len(place.owners) == 1 and (key := family(folded)):
                families[key][place.units[0]] += 1
        self._families = {key: dict(units) for key, units in families.items()}
        self._sounds.freeze()

    def _slip_index(self) -> dict[str, str | None]:
        """Every name with one character masked, built when it is first needed; ``None`` where two names meet."""
        if self._slips is None:
            self._slips = {}
            for name in self.gazetteer.names if len(self.gazetteer.names) <= MAX_NAMES else ():
                place, folded = self.gazetteer.get(name), fold(name)
                own = len(_COMMON_END.sub("", folded))
                if place and place.kind in _KINDS and place.n_sources and own >= MIN_OWN and len(folded) <= MAX_LENGTH:
                    for index, char in enumerate(folded[:own]):
                        if char not in _MEANINGFUL:
                            masked = f"{folded[:index]}?{folded[index + 1 :]}"
                            self._slips[masked] = folded if masked not in self._slips else None
        return self._slips

    def _slip_at(self, folded: str, start: int, limit: int, slips: dict[str, str | None]) -> Found | None:
        for end in range(min(limit, start + MAX_LENGTH), start + MIN_SLIP - 1, -1):
            window = folded[start:end]
            for index, char in enumerate(window):
                if char in _MEANINGFUL:
                    continue
                name = slips.get(f"{window[:index]}?{window[index + 1 :]}")
                if name and _slipped(char, name[index]) and (place := self.gazetteer.get(name)):
                    return Found(start, end, place, True)
        return None

    def _relative_at(self, folded: str, mark: re.Match[str], free: int, limit: int) -> Found | None:
        for start in range(max(free, mark.start() - 5), mark.start() - 1):
            for end in range(min(limit, mark.end() + 4), mark.end(), -1):
                name = folded[start:end]
                units = self._families.get(family(name) or "", {}) if _ROAD.search(name) else {}
                if sum(units.values()) >= 2 and len(units) == 1:
                    owner = Owner(next(iter(units)), 0, "", "")
                    return Found(start, end, Place(name, "road", (owner,), 0), True)
        return None


def _slipped(wrong: str, right: str) -> bool:
    """Whether one character may be a slip for the other: the same initial or the same final."""
    if wrong == right or right in _MEANINGFUL:
        return False
    one, two = syllable(wrong), syllable(right)
    return one is not None and two is not None and (one[0] == two[0] or one[1] == two[1])


def family(folded: str) -> str | None:
    """The name with its number and direction masked; ``None`` if it has neither, or too little is left."""
    masked = _RELATIVE.sub("*", folded)
    return masked if masked != folded and len(masked.replace("*", "")) >= 3 else None

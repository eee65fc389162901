"""Other ways to write a name: without its suffix, its city or its brand, with another form of number.

An alias that lacks the word that marks it as a place starts with ``~``, one of ours that letters of other
cities use too with ``^``. A way to write two places of
different units, or one that letters of other cities use, is dropped by ``settle_aliases``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

import jieba

from models.places.table import Row
from models.places.text import arabic_tens, fold

SHORT, COMMON = "~", "^"
_SUFFIX = {
    "street_office": re.compile(r"(街道|镇|乡)$"),
    "community": re.compile(r"社区$"),
    "village": re.compile(r"(村|社区)$"),
    "metro": re.compile(r"站$"),
}
_ESTATE_END = re.compile(r"(小区|花园|公寓|大厦|广场|公园|别墅|家园)$")
_PHASE = re.compile(r"[一二三四五六七八九十\dA-Za-z]+(期|区|组团)$|(东|南|西|北|中)区$")
_CITY = re.compile(r"^(四川省|成都市|成都|四川)(?=.{4})")
_UNSPECIFIC = re.compile(
    r"^(第?[一二三四五六七八九十0-9]+)?(人民|中医|妇幼|实验|职工|儿童|医科|工业|大学|中学|小学|公园|师范|幼儿|社区|"
    r"广场|花园|小区|国际|中心|医院|学校|机关|南路|北路|东路|西路|中路|[东南西北]区)"
)
"""What is left of 成都市第一人民医院 without the city is a name that every city has."""
_PUNCTUATION = re.compile(r"[-()·（）.]")
_HOSPITAL = re.compile(r"^成都市第([一二三四五六七八九十]+)人民医院$")
_SCHOOL = re.compile(r"^成都市第([一二三四五六七八九十]+)中学校?$")
_SCHOOL_END = re.compile(r"(?<=[小中]学)校$")
_PLACE_WORD = re.compile(
    r"(路|街|巷|道|段|社区|村|镇|乡|街道|小区|花园|苑|站|公园|广场|学校|医院|中学|小学|大学|城|桥)$"
)
_CHINESE = re.compile(r"[一-龥]{2}")
_COMMON_WORD = 3
"""An estate whose name jieba has seen more often than this is written as an ordinary word (书香门第)."""
_ORDINARY_ELSEWHERE = 3
"""A name that ends in no word for a place and is used in so many letters elsewhere is a phrase (公园里)."""
_MAX_SHORT_ELSEWHERE, _MAX_GIVEN_ELSEWHERE = 1, 2
BRANDED = ("estate", "landmark", "park", "school", "hospital", "gym")


def aliases(row: Row) -> Iterator[str]:
    """Candidates for one row; ``settle_aliases`` decides which of them stay."""
    name = row.name
    yield from filter(None, row.aliases.split("|"))
    if row.kind in ("unit", "city"):
        return
    bare = _SUFFIX[row.kind].sub("", name) if row.kind in _SUFFIX else name
    if row.kind == "street_office":
        yield from (f"{bare}{suffix}" for suffix in ("街道", "镇", "乡", "街道办") if f"{bare}{suffix}" != name)
    if row.kind == "metro" and bare != name:
        yield from (f"{bare}地铁", f"地铁{bare}")
    if row.kind == "metro" or (bare != name and len(bare) >= (2 if row.kind == "street_office" else 3)):
        yield SHORT + bare
    if row.kind == "estate" and (is_word(name, row.kind) or len(name) == 2):
        yield f"{name}小区"
    if (tens := arabic_tens(name)) != name:
        yield tens
    plain = _PUNCTUATION.sub("", name)
    yield from (v for v in (plain, _CITY.sub("", plain), _SCHOOL_END.sub("", name)) if not _UNSPECIFIC.search(v))
    if match := _HOSPITAL.match(name):
        yield from (f"市{match[1]}医院", f"成都{match[1]}医院", f"成都市{match[1]}医院", f"市第{match[1]}人民医院")
    if match := _SCHOOL.match(name):
        yield from (f"成都{match[1]}中", f"成都市{match[1]}中")
    if row.kind == "hospital" and "中心医院" in name:
        yield _CITY.sub("", name).replace("中心医院", "医院")
    if row.kind == "school" and len(bare := re.sub(r"(小学|中学)?(学校|校)$", "", plain)) >= 4 and bare != plain:
        yield SHORT + _CITY.sub("", bare)
    if row.kind in BRANDED:
        yield from (SHORT + v for v in _shortened(_CITY.sub("", plain)))


def _shortened(name: str) -> Iterator[str]:
    """Without a phase, a last word for an estate, a first word (the developer), or 国际 in the middle."""
    base = _PHASE.sub("", name)
    if base != name and len(base) >= 3:
        yield base
    if len(stem := _ESTATE_END.sub("", base)) >= 4 and stem != base:
        yield stem
    first = next(iter(jieba.cut(name)), "")
    if 2 <= len(first) <= 3 and len(name) - len(first) >= 4:
        yield name[len(first) :]
    if "国际" in name[1:-2]:
        yield name[0] + name[1:].replace("国际", "", 1)


def is_word(name: str, kind: str) -> bool:
    """Whether an estate's name is written as an ordinary word, so that it needs 小区 behind it."""
    return kind == "estate" and bool(jieba.dt.FREQ.get(name, 0) > _COMMON_WORD)


def settle_aliases(rows: list[Row], elsewhere: Mapping[str, int]) -> list[Row]:
    """Rows with the aliases that may stay; ``elsewhere`` counts letters of other cities by folded alias."""
    jieba.initialize()
    names: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    wanted = [tuple(dict.fromkeys(aliases(row))) for row in rows]
    for row, ways in zip(rows, wanted, strict=True):
        names[fold(row.name)].add(row.unit)
        for way in ways:
            owners[fold(way.removeprefix(SHORT))].add(row.unit)
    settled = []
    for row, ways in zip(rows, wanted, strict=True):
        given = set(row.aliases.split("|"))
        kept = [w for w in ways if w in given or _stays(w, row, names, owners, elsewhere)]
        kept = [COMMON + w if w in given and elsewhere.get(fold(w), 0) > _MAX_GIVEN_ELSEWHERE else w for w in kept]
        settled.append(row._replace(aliases="|".join(kept), n_elsewhere=elsewhere.get(fold(row.name), 0)))
    return settled


def _stays(
    way: str, row: Row, names: dict[str, set[str]], owners: dict[str, set[str]], elsewhere: Mapping[str, int]
) -> bool:
    bare = way.removeprefix(SHORT)
    short = bare != way
    folded = fold(bare)
    if len(bare) < 2 or folded == fold(row.name):
        return False
    if folded in names and not (row.kind == "street_office" and row.name.endswith("街道") and not short):
        return False
    if row.kind in ("unit", "city"):
        return True
    if elsewhere.get(folded, 0) > (_MAX_SHORT_ELSEWHERE if short else _ORDINARY_ELSEWHERE):
        return False
    if not short:
        return len(bare) >= 3
    if row.kind in BRANDED and (len(owners[folded]) > 1 or _UNSPECIFIC.search(bare) or not _CHINESE.match(bare)):
        return False
    frequency = jieba.dt.FREQ.get(bare, 0)
    return not frequency if len(bare) > 2 or row.kind != "street_office" else frequency <= _COMMON_WORD


def unusable(row: Row) -> bool:
    """Whether the name alone, without an alias, must not match: it is an ordinary word or phrase."""
    if row.kind in ("unit", "city"):
        return False
    if len(row.name) < 3 or is_word(row.name, row.kind):
        return len(row.name) < 2 or row.kind == "estate"
    return row.n_elsewhere >= _ORDINARY_ELSEWHERE and not _PLACE_WORD.search(row.name) and row.origin != "landmarks"


def count_ways(rows: Iterable[Row]) -> Counter[str]:
    """Every folded name and alias candidate, for counting in letters of other cities."""
    jieba.initialize()
    return Counter(fold(way.removeprefix(SHORT)) for row in rows for way in (row.name, *aliases(row)))

"""Who owns a place that was named: several units by section or house number, matters of the city, other cities."""

from __future__ import annotations

import re
from collections.abc import Mapping

from models.places.gazetteer import Owner, Place
from models.places.memory import PlaceMemory

WEAK_SOURCES = 0.4
"""What one weak or disputed source counts beside independent ones."""
NUMBER_FACTOR = 50.0
"""How much more likely a unit is whose known house numbers include the one in the letter."""
HOUSE_NUMBER = re.compile(r"(?:的|上的)?(\d{1,4})号(?!线|楼|桥|口|门(?!口|前|外)|地块|航站)")
_RANGE = re.compile(r"(odd|even|all):(\d+)-(\d+)")

_OTHERS = (
    "北京|上海|天津|重庆|广州|深圳|武汉|长沙|南京|杭州|西安|合肥|郑州|济南|青岛|沈阳|大连|哈尔滨|长春|福州|厦门|南昌|"
    "南宁|昆明|贵阳|兰州|太原|石家庄|乌鲁木齐|海口|绵阳|德阳|南充|宜宾|泸州|乐山|眉山|资阳|自贡|遂宁|内江|达州|广元|广安|"
    "雅安|巴中|攀枝花|西昌|阿坝|甘孜|凉山|苏州|无锡|宁波|温州|东莞|佛山|西宁|银川|呼和浩特|拉萨|三亚|桂林|洛阳|唐山"
)
OTHER_CITY = re.compile(rf"[a-zA-Z]\d*[市区县]|(?:{_OTHERS})(?=市|的|[一-龥]{{1,3}}[区县])")
CHENGDU = re.compile(r"成都|蓉城")
COMMON_ZONES = ("高新区", "东部新区", "高新西区", "高新南区", "经开区")
"""Zones that other cities have too."""


def owner_shares(place: Place, number: int | None, memory: PlaceMemory | None) -> dict[str, float]:
    """Probability of each unit given only that this place was named, with its house number if known."""
    weights = {owner.unit: max(owner.n_sources, WEAK_SOURCES) for owner in place.owners}
    if number is not None:
        inside = [owner.unit for owner in place.owners if owns_number(owner, number)]
        if len(inside) == 1:
            weights[inside[0]] *= NUMBER_FACTOR
    shares = _normalised(weights)
    return memory.adjust(place.name, number, shares) if memory else shares


def owns_number(owner: Owner, number: int) -> bool:
    """Whether the known house numbers of an owner include ``number``."""
    for side, first, last in _RANGE.findall(owner.numbers):
        if int(first) <= number <= int(last) and (side == "all" or (side == "odd") == bool(number % 2)):
            return True
    return False


def city_question(place: str) -> str:
    """What the city's own company needs to act."""
    if "高速" in place:
        return "请补充高速路段的方向和桩号或出入口名称"
    if "地铁" in place or "公交" in place or "电车" in place:
        return "请补充线路、站点或车次以及时间"
    return "请补充办理渠道和具体情况，以便转市级单位"


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {unit: weight / total for unit, weight in weights.items()} if total else {}

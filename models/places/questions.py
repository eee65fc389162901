"""What to tell the clerk: warnings beside an answer, and the one question where the letter does not settle it."""

from __future__ import annotations

from models.places.jurisdiction import city_question
from models.places.mentions import Mention
from models.places.reading import Reading
from models.suggestion import OUTSIDE_UNIT, Choice, Reason
from models.taxonomy import Taxonomy


def warnings(unit: str, reading: Reading, taxonomy: Taxonomy) -> list[Reason]:
    """Reasons beside an answer: the letter names another unit, coordinates lie elsewhere, memory moved it."""
    name = taxonomy.name("unit", unit)
    said = [m for m in reading.named if not m.personal] or reading.named
    named = {u for m in said for u in m.shares} | ({reading.stated} if reading.stated else set())
    reasons = []
    if (wrong := sorted(named - {unit})) and unit not in named:
        names = "、".join(taxonomy.name("unit", u) for u in wrong)
        text = f"来信提到{names}，但所述地点属{name}，请勿按来信所称属地派单"
        reasons.append(Reason(code="stated_unit_not_owner", text=text))
    if reading.geo and reading.geo.get(unit, 0.0) < 0.2:
        there = taxonomy.name("unit", max(reading.geo, key=reading.geo.__getitem__))
        reasons.append(Reason(code="coordinates_elsewhere", text=f"来信坐标附近的地点多属{there}，请核对"))
    if reading.specific and all(m.slip for m in reading.specific):
        guess = reading.specific[0]
        text = f"“{guess.text}”按“{guess.place.name}”理解，请核对"
        reasons.append(Reason(code="name_guessed", text=text))
    return reasons


def question(reading: Reading, choices: list[Choice], silent: str) -> tuple[str | None, Reason]:
    """The one fact that would decide the unit, in Chinese, and why it is needed."""
    if silent == OUTSIDE_UNIT:
        return None, Reason(code="other_city", text="来信提到其他城市，未见本市地点")
    plain = [m for m in reading.specific if not m.personal] or reading.specific
    if reading.city and not plain and not reading.named:
        place = reading.city[0].place.name
        return city_question(reading.city[0].text), Reason(
            code="city_matter", text=f"事项属全市性的{place}，由市级单位办理，不按区县派单"
        )
    shared = next((m for m in plain if len(m.shares) > 1), None)
    if shared is not None:
        return _shared(shared, choices)
    if len(choices) > 1 and choices[1].confidence >= 0.1:
        names = "还是".join(c.name for c in choices[:2])
        reason = Reason(code="ambiguous_place", text="来信提到的地点分属不同属地")
        return f"请问事情发生在{names}？请补充具体地点", reason
    if plain:
        named = plain[0].text
        reason = Reason(code="unsure_place", text=f"“{named}”的属地依据不足")
        return f"请问{named}在哪个区（市）县、哪个街道？", reason
    text = "来信没有可以确定属地的地点"
    return "请补充事情发生的具体地点（区县、街道、道路门牌或小区名）", Reason(code="no_place", text=text)


def _shared(mention: Mention, choices: list[Choice]) -> tuple[str, Reason]:
    name = mention.place.name
    names = "、".join(c.name for c in choices)
    if mention.place.kind == "road":
        reason = Reason(code="shared_road", text=f"{name}分属{names}")
        return f"请补充{name}的门牌号或最近的路口", reason
    reason = Reason(code="ambiguous_place", text=f"{names}都有名为{name}的地方")
    return f"请问{name}在哪个区（市）县、哪个街道？", reason

"""Place resolution on made-up letters about real places."""

import pytest

from models.case import Letter
from models.places.resolver import PlaceResolver, Resolution
from models.taxonomy import Taxonomy
from training.train import SHIPPED_GAZETTEER


@pytest.fixture(scope="module")
def resolver() -> PlaceResolver:
    return PlaceResolver.load(SHIPPED_GAZETTEER, Taxonomy.load())


def resolve(resolver: PlaceResolver, body: str, title: str = "", stated_unit: str | None = None) -> Resolution:
    return resolver.resolve(Letter(title=title, body=body, stated_unit=stated_unit))


def test_the_owner_of_the_road_wins_over_the_district_that_the_writer_names(resolver: PlaceResolver) -> None:
    body = "金牛区领导：双瑞一路的小摊把人行道占完了。"
    result = resolve(resolver, body)
    assert result.unit.label == "510108"
    assert "stated_unit_not_owner" in [r.code for r in result.reasons]
    road = next(e for e in result.unit.evidence if e.place == "双瑞一路")
    assert body[road.start : road.end] == "双瑞一路"


def test_a_clerk_s_wrong_unit_is_a_warning_too(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "双瑞一路路灯不亮", stated_unit="金牛区")
    assert result.unit.label == "510108"
    assert "stated_unit_not_owner" in [r.code for r in result.reasons]


def test_a_shared_road_asks_for_the_house_number(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "成都一环路北四段的井盖坏了")
    assert result.unit.label == "unknown"
    assert set(result.unit.set) == {"510106", "510108"}
    assert result.unit.question is not None
    assert "门牌" in result.unit.question


def test_a_shared_road_with_a_named_district_is_settled(resolver: PlaceResolver) -> None:
    assert resolve(resolver, "成华区一环路北四段的井盖坏了").unit.label == "510108"


def test_home_is_not_the_place_of_the_matter(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "我家住在双瑞一路，昨天路过都江堰幸福街道时看到下水道堵了。")
    assert result.unit.label == "510181"


def test_no_place_asks_and_another_city_is_outside(resolver: PlaceResolver) -> None:
    assert resolve(resolver, "楼上天天装修，吵得睡不着。").unit.label == "unknown"
    assert resolve(resolver, "北京市海淀区的学校什么时候报名？").unit.label == "outside"
    assert resolve(resolver, "A市K3区的公交太少了").unit.label == "outside"


def test_names_inside_ordinary_words_are_no_places(resolver: PlaceResolver) -> None:
    assert resolve(resolver, "希望和平解决，让人民群众有幸福感。").unit.evidence == []


def test_arabic_section_numbers_and_full_width_text_are_found(resolver: PlaceResolver) -> None:
    body = "成都二环路北２段有积水"
    result = resolve(resolver, body)
    assert [body[e.start : e.end] for e in result.unit.evidence] == ["二环路北２段"]

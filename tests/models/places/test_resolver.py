"""The reading of places: which of several mentions is the place of the matter."""

from pathlib import Path

import pytest

from models.case import Letter
from models.places.gazetteer import SHIPPED
from models.places.resolver import PlaceResolver, Resolution
from models.taxonomy import Taxonomy

CHENGHUA, JINNIU, QINGYANG, PIDU = "510108", "510106", "510105", "510117"


@pytest.fixture(scope="module")
def resolver() -> PlaceResolver:
    return PlaceResolver.load(SHIPPED, Taxonomy.load())


def resolve(resolver: PlaceResolver, body: str, title: str = "", stated_unit: str | None = None) -> Resolution:
    return resolver.resolve(Letter(title=title, body=body, stated_unit=stated_unit))


def codes(result: Resolution) -> list[str]:
    return [reason.code for reason in result.reasons]


def test_the_founding_story_goes_to_the_owner_of_the_road(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "金牛区双瑞一路好几盏路灯坏了快一个月，晚上走路看不见，盼修。", title="路灯不亮")
    assert result.unit.label == CHENGHUA
    assert result.unit.confidence > 0.7
    assert JINNIU in [choice.label for choice in result.unit.alternatives]
    assert codes(result) == ["stated_unit_not_owner"]
    assert "金牛区" in result.reasons[0].text
    assert "成华区" in result.reasons[0].text


def test_offsets_are_those_of_the_field_as_received(resolver: PlaceResolver) -> None:
    title, body = "　双瑞一路路灯", "您好！！\n　　（双瑞一路）晚上　黑"
    result = resolve(resolver, body, title=title)
    for evidence in result.unit.evidence:
        field = title if evidence.field == "title" else body
        assert field[evidence.start : evidence.end] == evidence.text == "双瑞一路"
    assert {e.field for e in result.unit.evidence} == {"title", "body"}
    assert all(e.source.startswith("gazetteer:road:") for e in result.unit.evidence)


def test_a_named_district_alone_answers_with_moderate_confidence(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "成华区某小区电梯停了三天。")
    assert result.unit.label == CHENGHUA
    assert 0.6 < result.unit.confidence < 0.9


def test_two_named_districts_and_no_place_ask(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "金牛区和成华区都说不归自己管。")
    assert result.unit.label == "unknown"
    assert set(result.unit.set) == {JINNIU, CHENGHUA}
    assert result.unit.question


def test_a_name_in_two_units_asks_which_and_a_district_settles_it(resolver: PlaceResolver) -> None:
    asked = resolve(resolver, "寿安老街的公厕坏了。")
    assert asked.unit.label == "unknown"
    assert set(asked.unit.set) == {"510115", "510131"}
    assert codes(asked) == ["ambiguous_place"]
    assert asked.unit.question is not None
    assert resolve(resolver, "温江寿安老街的公厕坏了。").unit.label == "510115"


@pytest.mark.parametrize(
    "body",
    [
        "我在双瑞一路上班，鹃城印象小区的物业把我妈家的水停了。",
        "我平时在双瑞一路那边打工，爸妈住鹃城印象，他们小区停水三天。",
        "我户口在双瑞一路，鹃城印象的停车费乱涨。",
    ],
)
def test_work_and_register_give_way_to_the_place_of_the_matter(resolver: PlaceResolver, body: str) -> None:
    assert resolve(resolver, body).unit.label == PIDU


def test_a_home_is_the_place_when_nothing_else_is_named(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "我住双瑞一路，楼上漏水到我家。")
    assert result.unit.label == CHENGHUA
    assert result.unit.confidence < 0.9


def test_a_zone_overrides_the_statutory_district(resolver: PlaceResolver) -> None:
    assert resolve(resolver, "武侯区桂溪街道的地铁口单车乱停。").unit.label == "510172"


def test_a_weakly_known_road_asks_instead_of_guessing(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "珠江东街的路面塌了。")
    assert result.unit.label == "unknown"
    assert result.unit.question


def test_a_common_road_name_of_other_cities_is_not_claimed(resolver: PlaceResolver) -> None:
    for body in ("A市人民路与解放路口的红绿灯坏了。", "解放路的井盖坏了。", "长沙市人民路修了半年。"):
        unit = resolve(resolver, body).unit
        assert unit.label in ("unknown", "outside")
        assert all(choice.confidence <= 0.5 for choice in unit.alternatives)


def test_a_letter_of_another_city_is_outside_but_not_when_it_is_about_chengdu(resolver: PlaceResolver) -> None:
    other = resolve(resolver, "长沙市岳麓区的公交线路调整不合理。")
    assert other.unit.label == "outside"
    assert codes(other) == ["other_city"]
    assert resolve(resolver, "我从长沙市来成都，在双瑞一路被乱收停车费。").unit.label == CHENGHUA


def test_part_names_inside_ordinary_words_are_no_places(resolver: PlaceResolver) -> None:
    for body in (
        "建议重新都审一遍。",
        "新都会商场门口堵车。",
        "书香门第的孩子更要守规矩。",
        "公园里跳舞的太吵。",
        "花好月圆的日子停了电。",
    ):
        assert resolve(resolver, body).unit.evidence == []


def test_a_shorter_road_name_inside_a_longer_one_is_not_a_second_place(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "二环路西三段的匝道口拥堵。", title="二环路拥堵")
    assert result.unit.label == JINNIU


def test_the_clerk_s_unit_alone_is_a_hint(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "楼上太吵。", stated_unit="青羊区")
    assert result.unit.label == QINGYANG
    assert result.unit.confidence < 0.9


def test_the_version_is_a_hash_of_the_table_and_bad_rows_name_their_line(tmp_path: Path) -> None:
    table = tmp_path / "gazetteer.csv"
    table.write_text("name,kind,unit,street,n_sources,n_elsewhere\n甲路,road,510108,,1,0\n", encoding="utf-8")
    first = PlaceResolver.load(table, Taxonomy.load()).version
    assert len(first) == 12
    table.write_text("name,kind,unit,street,n_sources,n_elsewhere\n甲路,road,999999,,1,0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2, unit: '999999'"):
        PlaceResolver.load(table, Taxonomy.load())

"""The table and what is found with it: ways to write a name, dates, house numbers, import and checks."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.case import Letter
from models.places.cli import gazetteer as command
from models.places.gazetteer import SHIPPED, Gazetteer
from models.places.geo import gcj_to_wgs, wgs_to_gcj
from models.places.imports import check_table, import_places
from models.places.resolver import PlaceResolver, Resolution
from models.places.text import fold, sound
from models.taxonomy import Taxonomy

CHENGHUA, JINNIU, DONGBU, JIANYANG, QIONGLAI = "510108", "510106", "510173", "510185", "510183"
TAXONOMY = Taxonomy.load()


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def resolver() -> PlaceResolver:
    return PlaceResolver.load(SHIPPED, TAXONOMY)


def resolve(resolver: PlaceResolver, body: str, **known: float) -> Resolution:
    return resolver.resolve(Letter(body=body, **known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        "成都雙瑞一路的路燈壞了",
        "成都双瑞１路的路灯坏了",
        "成都双瑞1路的路灯坏了",
        "成都双锐一路的路灯坏了",
        "双水碾那边的路灯坏了",
    ],
)
def test_ways_to_write_a_name_lead_to_its_owner_and_keep_the_offsets(resolver: PlaceResolver, body: str) -> None:
    unit = resolve(resolver, body).unit
    assert unit.label == CHENGHUA
    assert all(body[e.start : e.end] == e.text for e in unit.evidence)


def test_a_guessed_name_is_told_as_a_guess(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "高梗街道的公益性公墓什么价格？")
    assert result.unit.label == QIONGLAI
    assert "name_guessed" in [reason.code for reason in result.reasons]


def test_another_direction_or_number_is_never_a_slip(resolver: PlaceResolver) -> None:
    assert all(e.place != "建设北路二段" for e in resolve(resolver, "成都建设北路九段的井盖坏了").unit.evidence)


def test_folding_keeps_the_length_and_sound_joins_homophones() -> None:
    text = "臺灣ＡＢ一〇号𠀀，後門"
    assert len(fold(text)) == len(text)
    assert sound(fold("高梗")) == sound(fold("高埂"))
    assert sound(fold("南路")) != sound(fold("北路"))


def test_a_short_form_does_not_cut_into_a_full_name(resolver: PlaceResolver) -> None:
    places = {e.place for e in resolve(resolver, "双流西航港街道的小区物业不公示收支。").unit.evidence}
    assert "西航港街道" in places
    assert "双流西站" not in places


def test_house_numbers_decide_a_shared_road_and_the_rest_asks(tmp_path: Path) -> None:
    table = write(
        tmp_path / "gazetteer.csv",
        "name,kind,unit,numbers,n_sources\n甲子路,road,510106,odd:1-99,2\n甲子路,road,510108,even:2-98;odd:101-199,2\n",
    )
    small = PlaceResolver.load(table, TAXONOMY)
    assert resolve(small, "成都甲子路31号门口的井盖坏了").unit.label == JINNIU
    assert resolve(small, "成都甲子路一百零一号旁，也就是甲子路101号").unit.label == CHENGHUA
    asked = resolve(small, "成都甲子路的井盖坏了").unit
    assert asked.label == "unknown"
    assert asked.question == "请补充甲子路的门牌号或最近的路口"


def test_a_crossing_is_settled_by_the_road_that_only_one_unit_has(tmp_path: Path) -> None:
    table = write(
        tmp_path / "gazetteer.csv",
        "name,kind,unit,n_sources\n甲子路,road,510106,2\n甲子路,road,510108,2\n乙丑街,road,510108,2\n",
    )
    small = PlaceResolver.load(table, TAXONOMY)
    assert resolve(small, "成都甲子路与乙丑街交叉口的红绿灯坏了").unit.label == CHENGHUA


def test_boundaries_are_those_of_the_day_that_is_judged_by() -> None:
    body = "养马街道的灌溉渠垮了"
    judged = {
        day: resolve(PlaceResolver.load(SHIPPED, TAXONOMY, on=day), body)
        for day in (date(2015, 1, 1), date(2017, 6, 1), date(2026, 1, 1))
    }
    assert [r.unit.label for r in judged.values()] == ["outside", JIANYANG, DONGBU]
    assert judged[date(2015, 1, 1)].reasons[0].code == "not_yet_in_city"


def test_coordinates_decide_where_the_text_does_not(resolver: PlaceResolver) -> None:
    assert resolve(resolver, "楼下的路灯坏了", lon=104.06, lat=30.57).unit.label == "510172"
    assert resolve(resolver, "楼下的路灯坏了", lon=121.5, lat=31.2).unit.label == "unknown"


def test_gcj_and_wgs_turn_into_each_other() -> None:
    lon, lat = gcj_to_wgs(*wgs_to_gcj(104.06, 30.67))
    assert (lon, lat) == pytest.approx((104.06, 30.67), abs=1e-6)


def test_matters_of_the_city_are_no_district_s(resolver: PlaceResolver) -> None:
    result = resolve(resolver, "建议地铁2号线早高峰把空调开大点，人挤人。")
    assert result.unit.label == "unknown"
    assert [reason.code for reason in result.reasons] == ["city_matter"]


def test_a_shop_named_after_a_landmark_is_not_the_landmark(resolver: PlaceResolver) -> None:
    assert resolve(resolver, "昨晚在双流东升街道的宽窄巷子火锅店聚餐，菜里有虫。").unit.label == "510116"


def test_an_import_adds_confirms_and_reports_conflicts_without_overwriting(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "name,kind,unit,n_sources\n甲子路,road,510106,1\n乙丑街,road,510108,1\n")
    mine = write(tmp_path / "mine.csv", "name,kind,unit\n甲子路,road,金牛区\n乙丑街,road,锦江区\n丙寅巷,road,510108\n")
    report = import_places(mine, table, tmp_path / "out.csv", TAXONOMY)
    assert (report.added, report.confirmed, len(report.conflicts)) == (1, 1, 1)
    assert "乙丑街" in report.conflicts[0]
    assert "line 3" in report.conflicts[0]
    merged = Gazetteer.load(tmp_path / "out.csv", TAXONOMY)
    place = merged.get("乙丑街")
    assert place is not None
    assert place.units == (CHENGHUA,)
    confirmed = merged.get("甲子路")
    assert confirmed is not None
    assert confirmed.n_sources == 2
    import_places(mine, table, tmp_path / "both.csv", TAXONOMY, accept=True)
    both = Gazetteer.load(tmp_path / "both.csv", TAXONOMY).get("乙丑街")
    assert both is not None
    assert set(both.units) == {CHENGHUA, "510104"}


def test_geojson_points_and_lines_get_the_unit_around_them(tmp_path: Path) -> None:
    features = [
        {"properties": {"name": "丁卯南街", "highway": "residential"},
         "geometry": {"type": "LineString", "coordinates": [[104.059, 30.569], [104.06, 30.57], [104.061, 30.571]]}},
        {"properties": {"name": "戊辰小学", "amenity": "school", "unit": "成华区"},
         "geometry": {"type": "Point", "coordinates": [104.1, 30.68]}},
    ]  # fmt: skip
    source = write(tmp_path / "osm.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    report = import_places(source, SHIPPED, tmp_path / "out.csv", TAXONOMY)
    assert report.added == 2
    merged = Gazetteer.load(tmp_path / "out.csv", TAXONOMY)
    road, school = merged.get("丁卯南街"), merged.get("戊辰小学")
    assert road is not None
    assert (road.kind, road.units) == ("road", ("510172",))
    assert school is not None
    assert (school.kind, school.units) == ("school", (CHENGHUA,))


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("name,kind\n甲子路,road\n", "columns missing"),
        ("name,kind,unit,size\n甲子路,road,510106,3\n", "unknown \\['size'\\]"),
        ("name,kind,unit\n甲子路,river,510106\n", "line 2, kind: 'river'"),
        ("name,kind,unit,n_sources\n甲子路,road,510106,many\n", "line 2, n_sources: 'many'"),
        ("name,kind,unit,numbers\n甲子路,road,510106,1 to 9\n", "line 2, numbers"),
        ("name,kind,unit,valid_to\n甲子路,road,510106,2020\n", "line 2, valid_to"),
        ("name,kind,unit,lon\n甲子路,road,510106,east\n", "line 2, lon"),
        ("name,kind,unit\n甲子路,road\n", "line 2: 2 values for 3 columns"),
    ],
)
def test_a_bad_table_names_file_line_and_field(tmp_path: Path, rows: str, error: str) -> None:
    table = write(tmp_path / "bad.csv", rows)
    with pytest.raises(ValueError, match=error):
        Gazetteer.load(table, TAXONOMY)


def test_the_shipped_table_passes_its_own_check_and_a_bad_one_does_not(tmp_path: Path) -> None:
    assert check_table(SHIPPED, TAXONOMY) == []
    rows = "name,kind,unit,numbers\n甲子路,road,510106,odd:1-99\n甲子路,road,510108,odd:51-199\n甲子路,road,510108,\n"
    problems = check_table(write(tmp_path / "bad.csv", rows), TAXONOMY)
    assert len(problems) == 2
    assert CliRunner().invoke(command, ["check", str(tmp_path / "bad.csv")]).exit_code == 1


def test_explain_prints_owner_generations_and_a_guess() -> None:
    run = CliRunner().invoke
    assert "双水碾街道" in run(command, ["explain", "双瑞一路"]).output
    assert "简阳市: from the beginning to 2020-04-27" in run(command, ["explain", "养马街道"]).output
    assert "would be read as 高埂街道" in run(command, ["explain", "高梗街道"]).output


def test_a_table_of_the_first_version_still_loads_and_resolves(tmp_path: Path) -> None:
    rows = "name,kind,unit,street,n_sources,n_elsewhere\n双瑞一路,road,510108,双水碾街道,1,0\n一号路,road,510106,,1,0\n"
    old = PlaceResolver.load(write(tmp_path / "gazetteer.csv", rows), TAXONOMY)
    assert resolve(old, "金牛区双瑞一路的路灯坏了").unit.label == CHENGHUA

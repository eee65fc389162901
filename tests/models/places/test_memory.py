"""Place memory: returns move a road to its owner, houses learn from roads, old counts fade."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from models.case import Dispatch, Letter
from models.places.gazetteer import SHIPPED, Gazetteer
from models.places.learn import learn_file
from models.places.memory import PlaceMemory
from models.places.ranker import SHIPPED_MODEL, PlaceModel
from models.places.resolver import MEMORY, PlaceResolver
from models.taxonomy import Taxonomy

CHENGHUA, JINNIU = "510108", "510106"
DAY = date(2026, 3, 1)


def test_returns_and_acceptances_overrule_a_wrong_gazetteer_and_are_told_as_evidence() -> None:
    memory = PlaceMemory()
    for _ in range(4):
        memory.learn("双瑞一路", None, CHENGHUA, "returned", DAY)
        memory.learn("双瑞一路", None, JINNIU, "accepted", DAY)
    taxonomy = Taxonomy.load()
    resolver = PlaceResolver(Gazetteer.load(SHIPPED, taxonomy), taxonomy, PlaceModel.load(SHIPPED_MODEL), memory)
    unit = resolver.resolve(Letter(body="双瑞一路路灯坏了半个月")).unit
    assert unit.label == JINNIU
    assert unit.evidence[0].source.endswith("4 accepted by 金牛区, 4 returned by 成华区")


def test_one_wrong_record_does_not_move_a_well_known_road() -> None:
    memory = PlaceMemory()
    memory.learn("甲子路", None, JINNIU, "accepted", DAY)
    shares = memory.adjust("甲子路", None, {CHENGHUA: 1.0})
    assert shares[CHENGHUA] > 0.7


def test_an_unseen_house_is_judged_by_its_road_and_a_seen_one_by_itself() -> None:
    memory = PlaceMemory()
    for number in (2, 4, 6, 10, 12, 14):
        memory.learn("甲子路", number, CHENGHUA, "accepted", DAY)
    for _ in range(3):
        memory.learn("甲子路", 99, JINNIU, "accepted", DAY)
    even = {CHENGHUA: 0.5, JINNIU: 0.5}
    assert memory.adjust("甲子路", 8, even)[CHENGHUA] > 0.6
    assert memory.adjust("甲子路", 99, even)[JINNIU] > 0.6


def test_counts_halve_with_every_half_life() -> None:
    memory = PlaceMemory(half_life_days=100)
    memory.learn("甲子路", None, CHENGHUA, "accepted", DAY)
    memory.learn("乙丑街", None, JINNIU, "accepted", date(2026, 6, 9))
    accepted, returned = memory.counts("甲子路")[CHENGHUA]
    assert (accepted, returned) == pytest.approx((0.5, 0.0))


def test_a_return_for_another_reason_says_nothing_about_territory() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    memory = PlaceMemory()
    duty = Dispatch(unit=JINNIU, at=at, outcome="returned", reason="职能不符")
    territory = Dispatch(unit=JINNIU, at=at, outcome="returned", reason="属地不符")
    assert memory.learn_dispatches("甲子路", None, [duty]) == 0
    assert memory.learn_dispatches("甲子路", None, [territory]) == 1


def test_closed_cases_teach_a_memory_that_lies_beside_the_table_and_changes_the_version(tmp_path: Path) -> None:
    table = tmp_path / "gazetteer.csv"
    table.write_text("name,kind,unit,n_sources\n甲子路,road,510108,1\n", encoding="utf-8")
    taxonomy = Taxonomy.load()
    before = PlaceResolver.load(table, taxonomy)
    at = "2026-03-01T08:00:00+08:00"
    dispatches = [
        {"unit": CHENGHUA, "at": at, "outcome": "returned", "reason": "属地不符"},
        {"unit": JINNIU, "at": at, "outcome": "accepted"},
    ]
    case = {"title": "", "body": "成都甲子路路灯坏了", "dispatches": dispatches}
    cases = tmp_path / "cases.jsonl"
    cases.write_text((json.dumps(case) + "\n") * 5, encoding="utf-8")
    assert learn_file(cases, tmp_path / MEMORY, table, taxonomy) == 10
    after = PlaceResolver.load(table, taxonomy)
    letter = Letter(body="成都甲子路路灯坏了")
    assert before.resolve(letter).unit.label == CHENGHUA
    assert after.resolve(letter).unit.label == JINNIU
    assert after.version != before.version


def test_a_file_that_is_no_memory_or_no_case_is_named_without_its_text(tmp_path: Path) -> None:
    bad = tmp_path / MEMORY
    bad.write_text('{"places": []}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"place_memory\.json: not a place memory"):
        PlaceMemory.load(bad)
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"body": "秘密", "dispatches": [{"outcome": "lost"}]}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"cases\.jsonl, line 1, dispatches") as error:
        learn_file(cases, tmp_path / "out.json", SHIPPED, Taxonomy.load())
    assert "秘密" not in str(error.value)

"""The cheapest decision, emergencies before everything, and a city's own costs."""

from datetime import datetime
from pathlib import Path

import pytest

from models.case import Letter
from models.deadlines import CITY_TIME
from models.policy import Pair, Policy, PolicyError, best_pair
from models.suggestion import Choice
from models.triage import Triage

NOON = datetime(2026, 11, 24, 12, tzinfo=CITY_TIME)
SURE = {"p_department": 0.98, "unit": "510108", "p_unit": 0.98, "p_critical": 0.01}


def test_a_dispatch_leaves_alone_only_when_its_risk_costs_less_than_a_look() -> None:
    policy = Policy(wrong_dispatch=480, review=60)
    assert policy.decide(**SURE)[0] == "dispatch"
    assert policy.decide(**{**SURE, "p_department": 0.87})[0] == "review"
    assert Policy(wrong_dispatch=480, review=240).decide(**{**SURE, "p_department": 0.87})[0] == "dispatch"


def test_two_candidates_are_preferred_over_a_wrong_one() -> None:
    policy = Policy(wrong_dispatch=480, review=60, choose=20)
    pair = Pair("two_departments", ("市水务局", "市城市管理委员会"), 0.99)
    unsure = {**SURE, "p_department": 0.93}
    assert policy.decide(**unsure)[0] == "dispatch"
    decision, reasons = policy.decide(**unsure, pair=pair)
    assert (decision, reasons[0].code) == ("review", "two_departments")
    assert "市水务局" in reasons[0].text
    assert "市城市管理委员会" in reasons[0].text
    hopeless = Pair("two_units", ("锦江区", "青羊区"), 0.2)
    assert policy.decide(**{**SURE, "p_unit": 0.15}, pair=hopeless)[1][0].code == "unsure"


def test_the_pair_is_the_one_of_which_one_is_most_probably_right() -> None:
    departments = [Choice(label=d, name=d, confidence=p) for d, p in (("water", 0.5), ("urban_mgmt", 0.4))]
    units = [Choice(label=u, name=u, confidence=p) for u, p in (("510108", 0.9), ("510106", 0.08))]
    pair = best_pair(departments, units)
    assert pair is not None
    assert (pair.code, pair.p) == ("two_departments", pytest.approx(0.81))
    assert best_pair(departments[:1], units[:1]) is None


def test_an_emergency_waits_for_nothing() -> None:
    for unit in ("510108", "unknown", "outside"):
        for in_domain in (True, False):
            decision, _ = Policy().decide(p_department=0.1, unit=unit, p_unit=0.1, p_critical=0.5, in_domain=in_domain)
            assert decision == "emergency"


def test_a_text_that_is_no_letter_goes_to_a_person_before_anybody_asks_for_its_place() -> None:
    decision, reasons = Policy().decide(**{**SURE, "unit": "unknown"}, in_domain=False)
    assert (decision, reasons[0].code) == ("review", "out_of_domain")


def test_an_unknown_place_is_asked_for_unless_the_city_handles_the_matter_itself(triage: Triage) -> None:
    fund = Letter(title="公积金贷款", body="请问公积金异地贷款需要准备哪些材料，公积金提取在哪里办理？")
    lamp = Letter(title="路灯不亮", body="楼下的路灯坏了半个月，晚上一片漆黑，请尽快修一修。")
    first, second = triage([fund, lamp])
    assert first.department.label == "provident_fund"
    assert first.decision == "dispatch"
    assert "city_matter" in [reason.code for reason in first.reasons]
    assert second.decision == "ask"
    assert second.unit.question


def test_the_citys_costs_replace_the_bundles_and_show_in_the_version(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("review: 479\nact_within_hours: {critical: 1}\n", encoding="utf-8")
    letter = Letter(
        title="占道", body="双瑞一路的摊贩占了人行道，请城管来管一管。", received_at="2026-11-24T10:00:00+08:00"
    )
    own = Triage.load(policy=path)([letter])[0]
    usual = Triage.load()([letter])[0]
    assert own.versions.policy != usual.versions.policy
    assert own.versions.model == usual.versions.model
    assert own.decision == "dispatch"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("review: -1", "line 1, field review"),
        ("wrong_dispatch: 480\nrevew: 3", "line 2, field revew: .*choose from"),
        ("review: .inf", "line 1, field review"),
        ("- 1", "must be a mapping"),
        ("review: [", "not YAML"),
        ("review: 1\nreview: 2", "line 2: 'review' occurs twice"),
    ],
)
def test_a_wrong_cost_is_named_by_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=message):
        Policy.load(path)

"""The guard for dispatches made by hand: wrong ones are likelier to come back, with the reason and the better one."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.case import Case, Letter
from models.returns import DispatchError, check_dispatch
from models.triage import Triage

STALLS = Letter(id="s", title="占道", body="双瑞一路的摊贩把人行道占完了，请城管来管一管。")


def test_a_right_dispatch_passes(triage: Triage) -> None:
    check = check_dispatch(triage, STALLS, "成华区", "市城市管理委员会")
    assert check.return_probability < 0.2
    assert check.better is None
    assert (check.unit.label, check.department.label) == ("510108", "urban_mgmt")


def test_a_wrong_unit_is_held_up_with_the_owner_and_its_evidence(triage: Triage) -> None:
    check = check_dispatch(triage, STALLS, "510106", "urban_mgmt")
    assert check.return_probability > 0.8
    assert check.reason == "属地不符"
    assert check.better is not None
    assert check.better.unit.label == "510108"
    assert "双瑞一路" in [evidence.text for evidence in check.evidence]
    assert "成华区" in check.reasons[0].text


def test_a_wrong_department_is_held_up_with_the_right_one(triage: Triage) -> None:
    check = check_dispatch(triage, STALLS, "510108", "provident_fund")
    assert check.return_probability > 0.6
    assert check.reason == "职能不符"
    assert check.better is not None
    assert check.better.department.label == "urban_mgmt"


def test_reasons_that_the_letter_alone_cannot_show(triage: Triage) -> None:
    lamp = Letter(title="路灯不亮", body="楼下的路灯坏了半个月，晚上一片漆黑，请城管尽快修一修。")
    assert check_dispatch(triage, lamp, "510108", "urban_mgmt").reason == "信息不足"
    assert check_dispatch(triage, STALLS, "510108", "urban_mgmt", duplicate_of="earlier").reason == "重复"


def test_unknown_names_are_refused_by_field(triage: Triage) -> None:
    for unit, department, field in (("长安区", "urban_mgmt", "unit"), ("510108", "市梦想局", "department")):
        with pytest.raises(DispatchError) as caught:
            check_dispatch(triage, STALLS, unit, department)
        assert caught.value.field == field


def test_the_citys_share_of_returns_moves_the_probability(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("return_rate: 0.05", encoding="utf-8")
    careful = Triage.load(policy=tmp_path / "policy.yaml")
    usual = check_dispatch(Triage.load(), STALLS, "510106", "urban_mgmt").return_probability
    assert check_dispatch(careful, STALLS, "510106", "urban_mgmt").return_probability < usual


def test_on_held_out_letters_wrong_dispatches_stand_out(triage: Triage, demo: tuple[list[Case], list[Case]]) -> None:
    known = [c for c in demo[1] if c.labels.unit not in (None, "unknown", "outside") and c.labels.department]
    rng = np.random.default_rng(0)
    units = [unit.id for unit in triage.bundle.taxonomy.units]
    scores, truth = [], []
    for case in known:
        unit, department = str(case.labels.unit), str(case.labels.department)
        other_unit = str(rng.choice([u for u in units if u != unit]))
        other = str(rng.choice([c.labels.department for c in known if c.labels.department != department]))
        for u, d in ((unit, department), (other_unit, department), (unit, other)):
            scores.append(check_dispatch(triage, case, u, d).return_probability)
            truth.append((u, d) != (unit, department))
    assert len(known) > 50
    assert roc_auc_score(truth, scores) > 0.9

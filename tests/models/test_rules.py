"""The city's rules: first match wins, emergencies stay, mistakes are named, and no pattern can hang the service."""

import json
import time
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fenban
from models.case import Letter
from models.rules import RuleBook, RuleError
from models.rules_check import check_rules, slow_probe
from models.suggestion import Suggestion
from models.taxonomy import Taxonomy
from models.triage import Triage

STALLS = Letter(
    title="占道", body="双瑞一路夜市的摊贩把人行道占完了，请城管来管。", received_at="2026-11-24T21:30:00+08:00"
)
HEAD = "reason: 派单目录第12条, date: 2026-01-01"


def rule(identity: str, when: str, then: str, head: str = HEAD) -> str:
    return f"  - {{id: {identity}, {head}, when: {{{when}}}, then: {{{then}}}}}\n"


def write(folder: Path, *rules: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text("rules:\n" + "".join(rules), encoding="utf-8")
    return path


def suggest(folder: Path, letter: Letter, *rules: str) -> Suggestion:
    return Triage.load(rules=write(folder, *rules))([letter])[0]


def test_the_first_matching_rule_sets_department_unit_and_helpers_and_says_so(tmp_path: Path) -> None:
    found = suggest(
        tmp_path,
        STALLS,
        rule("never", "text: 公积金", "department: provident_fund"),
        rule("night", "text: 夜市", "department: market_reg, unit: 510106, co: [urban_mgmt]"),
        rule("later", "text: 夜市", "department: police"),
    )
    assert found.rule is not None
    assert (found.rule.id, found.rule.date) == ("night", date(2026, 1, 1))
    assert found.rule.changed == ["department", "unit", "co"]
    assert (found.department.label, found.department.name) == ("market_reg", "市市场监督管理局")
    assert found.unit.label == "510106"
    assert [c.label for c in found.department.co] == ["urban_mgmt"]
    assert "510108" in [c.label for c in found.unit.alternatives]
    assert found.decision == "dispatch"
    assert "night" in found.reasons[0].text
    assert found.versions.policy.count("+") == 1


def test_a_rule_is_as_sure_as_the_labels_it_rests_on(tmp_path: Path) -> None:
    plain = Triage.load()([STALLS])[0]
    found = suggest(tmp_path, STALLS, rule("x", "department: urban_mgmt", "department: police"))
    assert found.department.label == "police"
    assert found.department.confidence == pytest.approx(plain.department.confidence, abs=1e-3)


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ("text: 夜市, hours: '20:00-06:00'", True),
        ("text: 夜市, hours: '06:00-20:00'", False),
        ("text: 夜市, weekdays: [tue]", True),
        ("text: 夜市, weekdays: [sat, sun]", False),
        ("unit: 510108", True),
        ("unit: unknown", False),
        ("channel: app", False),
        ("topic: [urban, transport], urgency: normal", True),
    ],
)
def test_conditions_are_read_in_the_citys_time(tmp_path: Path, when: str, applies: bool) -> None:
    found = suggest(tmp_path, STALLS, rule("x", when, "decision: review"))
    assert (found.rule is not None) == applies


@pytest.mark.parametrize(
    ("head", "applies"),
    [
        ("reason: r, date: 2026-11-24", True),
        ("reason: r, date: 2026-11-25", False),
        ("reason: r, date: 2026-01-01, expires: 2026-11-24", True),
        ("reason: r, date: 2026-01-01, expires: 2026-11-23", False),
    ],
)
def test_a_rule_is_in_force_from_its_date_to_its_last_day(tmp_path: Path, head: str, applies: bool) -> None:
    assert (suggest(tmp_path, STALLS, rule("x", "text: 夜市", "decision: review", head)).rule is not None) == applies


def test_no_rule_lifts_an_emergency_but_one_may_call_it(tmp_path: Path) -> None:
    danger = Letter(title="楼道燃气味", body="楼道里燃气味特别重，有人晕倒，阀门还在嘶嘶漏气，马上派人！")
    assert suggest(tmp_path, danger, rule("x", "text: 燃气", "decision: dispatch")).decision == "emergency"
    assert suggest(tmp_path, STALLS, rule("x", "text: 夜市", "decision: emergency")).decision == "emergency"


def test_a_rule_may_ask_its_own_question(tmp_path: Path) -> None:
    found = suggest(tmp_path, STALLS, rule("x", "text: 夜市", "decision: ask, question: 是哪一段？"))
    assert (found.decision, found.unit.question) == ("ask", "是哪一段？")


def test_a_catastrophic_pattern_sends_the_letter_to_review_instead_of_holding_the_service(tmp_path: Path) -> None:
    long = Letter(title="占道", body="双瑞一路" + "中" * 19_000 + "！")
    triage = Triage.load(rules=write(tmp_path, rule("slow", "text: '(中+)+$'", "decision: dispatch")))
    triage([STALLS])
    begin = time.perf_counter()
    found = triage([long])[0]
    assert time.perf_counter() - begin < 5
    assert found.decision == "review"
    assert found.rule is None
    assert "rule_timeout" in [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            rule("x", "department: nobody", "decision: review"),
            r"line 2, field rules.0.when.department: .*has no",
        ),
        (rule("x", "text: '(a'", "decision: review"), r"line 2, field rules.0.when.text: not a regular expression"),
        (rule("x", "unit: 成华区", "decision: review"), r"write '510108'"),
        (rule("x", "text: a", "deparment: police"), r"field rules.0.then.deparment: no such field"),
        (rule("x", "text: a", "decision: ask"), r"decision ask and a question belong together"),
        (rule("x", "", "decision: review"), r"at least one condition"),
        (rule("x", "hours: evening", "decision: review"), r"'18:00-02:00'"),
        (rule("x", "text: a", "decision: review", "date: 2026-01-01"), r"field rules.0.reason: is missing"),
        (rule("x", "text: a", "decision: review") + rule("x", "text: b", "decision: review"), r"line 3, .*used twice"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_field(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        RuleBook.load(write(tmp_path, line), Taxonomy.load())


def test_check_finds_what_would_only_show_in_use(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        rule("wide", "department: [market_reg, commerce], text: 夜市|地摊", "decision: review"),
        rule("narrow", "department: market_reg, text: 地摊, unit: 510108", "decision: dispatch"),
        rule("beside", "department: market_reg, text: 小摊", "decision: dispatch"),
        rule("old", "text: 暖气", "decision: review", "reason: r, date: 2025-01-01, expires: 2025-12-31"),
        rule("slow", "text: '(中+)+$'", "decision: review"),
        rule("evening", "text: 噪音, hours: '18:00-06:00'", "decision: review"),
        rule("midnight", "text: 噪音, hours: '23:00-01:00'", "decision: review"),
    )
    found = {finding.rule: finding for finding in check_rules(path, Taxonomy.load(), today=date(2026, 11, 24))}
    assert set(found) == {"narrow", "old", "slow", "midnight"}
    assert "wide" in found["narrow"].message
    assert "line 3, field rules.1.when" in found["narrow"].where
    assert "expired on 2025-12-31" in found["old"].message
    assert "line 5" in found["old"].where
    assert "when.text" in found["slow"].where
    assert not any(finding.fatal for finding in found.values())


@pytest.mark.parametrize("pattern", ["夜市|地摊", r"\d{1,5}号", "占.{0,8}道", "[一-龥]{2,6}路"])
def test_ordinary_patterns_are_not_called_slow(pattern: str) -> None:
    assert slow_probe(pattern) is None


def test_the_command_counts_what_each_rule_would_do(tmp_path: Path) -> None:
    letters = tmp_path / "letters.jsonl"
    rows = [
        {"id": str(i), "title": "占道", "body": text} for i, text in enumerate(["夜市太吵", "路灯不亮", "夜市占道"])
    ]
    letters.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    good = write(tmp_path, rule("night", "text: 夜市", "decision: review"))
    answer = CliRunner().invoke(fenban.app, ["rules", "check", str(good), "--letters", str(letters)])
    assert answer.exit_code == 0
    assert "rule night: applies to 2 letters" in answer.output
    bad = write(tmp_path, rule("night", "topic: nothing", "decision: review"))
    answer = CliRunner().invoke(fenban.app, ["rules", "check", str(bad), "--letters", str(letters)])
    assert answer.exit_code == 1
    assert "line 2, field rules.0.when.topic" in answer.output

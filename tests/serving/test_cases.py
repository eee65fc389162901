"""Idempotence, outcomes with their history, paging, deletion, check, explain: over HTTP, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from eval.service_process import Server

LETTER = {"id": "a/1 甲", "title": "路灯", "body": "双瑞一路路灯不亮，我的电话13812345678，请尽快修。"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    running = Server(tmp_path_factory.mktemp("cases"), **settings)
    yield running
    running.stop()


def case_of(server: Server, case_id: str) -> httpx.Response:
    return server.client.get(f"/v1/cases/{case_id}")


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["field"]


def test_the_same_id_and_text_get_the_stored_suggestion_and_another_text_a_409(server: Server) -> None:
    first = server.post("/v1/triage", json=LETTER)
    again = server.post("/v1/triage", json={**LETTER, "received_at": "2026-01-05T08:00:00+08:00"})
    assert first.json()["stored"] is True
    assert again.json() == first.json()
    assert error_of(server.post("/v1/triage", json={**LETTER, "body": "换了内容"})) == (409, "id_conflict", "id")


def test_a_batch_with_a_conflict_stores_nothing_of_it(server: Server) -> None:
    server.post("/v1/triage", json=LETTER)
    letters = [{"id": "fresh", "body": "停水了"}, {**LETTER, "body": "换了内容"}]
    answer = server.post("/v1/triage/batch", json={"letters": letters})
    assert error_of(answer) == (409, "id_conflict", "letters.1.id")
    assert error_of(case_of(server, "fresh")) == (404, "unknown_case", "id")
    twice = [{"id": "twin", "body": "停水了"}, {"id": "twin", "body": "停电了"}]
    answer = server.post("/v1/triage/batch", json={"letters": twice})
    assert error_of(answer) == (409, "id_conflict", "letters.1.id")


def test_a_case_is_kept_redacted_with_its_suggestion(server: Server) -> None:
    suggestion = server.post("/v1/triage", json=LETTER).json()
    case = case_of(server, LETTER["id"]).json()
    assert case["body"] == "双瑞一路路灯不亮，我的电话【手机号】，请尽快修。"
    assert case["suggestion"] == {name: value for name, value in suggestion.items() if name != "stored"}
    assert (case["unit"], case["status"], case["history"]) == ("510108", "open", [])


def test_a_letter_without_an_id_gets_one_and_odd_characters_are_stored(server: Server) -> None:
    answer = server.post("/v1/triage", json={"title": "\0", "body": "路\0灯\u2028不亮\U0001f4a1" + "\b"})
    case = case_of(server, answer.json()["id"]).json()
    assert case["body"] == "路\ufffd灯\u2028不亮\U0001f4a1\b"


def test_outcomes_become_history_and_are_counted_once(server: Server) -> None:
    server.post("/v1/triage", json={"id": "o1", "body": "双瑞一路路灯不亮"})
    returned = {"kind": "returned", "id": "r1", "case_id": "o1", "by": "金牛区", "reason": "属地不符", "unit": "510106"}
    first = server.post("/v1/outcomes", json=returned).json()
    again = server.post("/v1/outcomes", json=returned).json()
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["recorded_at"] == first["recorded_at"]
    assert error_of(server.post("/v1/outcomes", json={**returned, "reason": "重复"})) == (409, "outcome_conflict", "id")
    fix = {"kind": "corrected", "case_id": "o1", "by": "r-3", "labels": {"unit": "510106"}, "because": "试", "note": "注"}
    assert server.post("/v1/outcomes", json=fix).status_code == 200
    assert server.post("/v1/outcomes", json={**fix, "labels": {"unit": "510108"}}).status_code == 200
    accepted = {"kind": "accepted", "case_id": "o1", "by": "成华区", "at": "2026-11-25T10:00:00"}
    assert server.post("/v1/outcomes", json=accepted).json()["repeated"] is False
    case = case_of(server, "o1").json()
    assert (case["status"], case["unit"]) == ("accepted", "510108")
    assert [event["kind"] for event in case["history"]] == ["returned", "corrected", "corrected", "accepted"]
    assert case["history"][0]["reason"] == "属地不符"
    assert case["history"][1]["labels"] == {"unit": ["510108", "510106"]}
    assert case["history"][2]["labels"] == {"unit": ["510106", "510108"]}
    assert case["history"][3]["at"] == "2026-11-25T02:00:00Z"
    assert case["history"][3]["department"] == case["department"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"case_id": "nobody"}, (404, "unknown_case", "case_id")),
        ({"unit": "510999"}, (422, "unknown_label", "unit")),
        ({"reason": "不想办"}, (422, "invalid", "reason")),
        ({"kind": "lost"}, (422, "invalid", "")),
        ({"by": "甲\n乙"}, (422, "invalid", "by")),
        ({"at": "0001-01-01T00:00:00Z"}, (422, "invalid", "at")),
        ({"kind": "corrected", "reason": None}, (422, "invalid", "labels")),
    ],
)
def test_a_wrong_report_names_its_field(server: Server, change: dict, expected: tuple[int, str, str]) -> None:
    server.post("/v1/triage", json={"id": "w1", "body": "双瑞一路路灯不亮"})
    report = {"kind": "returned", "case_id": "w1", "by": "金牛区", "reason": "属地不符", **change}
    assert error_of(server.post("/v1/outcomes", json=report)) == expected


def test_pages_hold_every_case_once_and_filters_hold(server: Server) -> None:
    letters = [{"id": f"p{i}", "body": "双瑞一路路灯不亮", "received_at": f"2026-03-{i + 1:02}T09:00:00"} for i in range(9)]
    server.post("/v1/triage/batch", json={"letters": letters})
    wanted = {"unit": "510108", "since": "2026-03-02T00:00:00+08:00", "until": "2026-03-08T00:00:00", "limit": 4}
    page = server.client.get("/v1/cases", params=wanted).json()
    assert [case["id"] for case in page["cases"]] == ["p6", "p5", "p4", "p3"]
    server.post("/v1/triage", json={"id": "late", "body": "双瑞一路路灯不亮", "received_at": "2026-03-03T09:00:00"})
    page = server.client.get("/v1/cases", params={**wanted, "cursor": page["next"]}).json()
    assert ([case["id"] for case in page["cases"]], page["next"]) == (["p2", "p1"], None)
    for name, value in (("department", "police"), ("urgency", "critical"), ("decision", "ask"), ("status", "returned")):
        assert server.client.get("/v1/cases", params={**wanted, name: value}).json()["cases"] == []
    bad = server.client.get("/v1/cases", params={"cursor": "x!"})
    assert error_of(bad) == (422, "bad_cursor", "cursor")


def test_a_deleted_case_leaves_a_trace_without_text_and_its_id_is_spent(server: Server) -> None:
    letter = {"id": "gone", "title": "无名氏来信", "body": "独一无二的来信内容"}
    server.post("/v1/triage", json=letter)
    server.post("/v1/outcomes", json={"kind": "accepted", "case_id": "gone", "by": "成华区", "note": "独一无二的备注"})
    assert server.client.delete("/v1/cases/gone").status_code == 204
    assert error_of(case_of(server, "gone")) == (410, "case_deleted", "id")
    assert error_of(server.client.delete("/v1/cases/gone")) == (410, "case_deleted", "id")
    assert error_of(server.post("/v1/triage", json=letter)) == (410, "case_deleted", "id")
    outcome = {"kind": "accepted", "case_id": "gone", "by": "成华区"}
    assert error_of(server.post("/v1/outcomes", json=outcome)) == (410, "case_deleted", "case_id")
    for path in (server.folder / "data").rglob("*"):
        if path.is_file():
            assert "独一无二".encode() not in path.read_bytes(), path


def test_check_knows_a_likely_return_and_the_better_dispatch(server: Server) -> None:
    letter = {"body": "双瑞一路路灯不亮"}
    wrong = server.post("/v1/check", json={"letter": letter, "unit": "510106", "department": "urban_mgmt"}).json()
    right = server.post("/v1/check", json={"letter": letter, "unit": "510108", "department": "urban_mgmt"}).json()
    assert wrong["return_probability"] > right["return_probability"]
    assert (wrong["reason"], wrong["better"]["unit"]["label"]) == ("属地不符", "510108")
    bad = server.post("/v1/check", json={"letter": letter, "unit": "510106", "department": "nowhere"})
    assert error_of(bad) == (422, "unknown_label", "department")
    empty = server.post("/v1/check", json={"letter": {"body": " "}, "unit": "510106", "department": "police"})
    assert error_of(empty) == (422, "empty_letter", "letter.body")


def test_explain_names_the_words_and_the_places(server: Server) -> None:
    answer = server.post("/v1/explain", json={"letter": {"body": "双瑞一路的路灯，晚上不亮"}}).json()
    assert "路灯" in [word["text"] for word in answer["heads"]["department"]["words"]]
    assert "双瑞一路" in [evidence["text"] for evidence in answer["unit"]["evidence"]]


def test_full_text_or_none_is_kept_where_the_operator_says_so(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(store_text="none")
    server.post("/v1/triage", json=LETTER)
    assert case_of(server, LETTER["id"]).json()["body"] is None
    assert server.post("/v1/triage", json=LETTER).status_code == 200
    assert error_of(server.post("/v1/triage", json={**LETTER, "body": "换了内容"}))[0] == 409

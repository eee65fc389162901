"""A real ``bentoml serve`` process: suggestions, batches, errors of one shape, and silent logs."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from eval.service_process import Server

PICKLE = "application/vnd.bentoml+pickle"
SECRET = "绝密来信内容不可外泄"


def test_the_founding_story_over_http(server: Server) -> None:
    letter = {"id": "x1", "title": "占道", "body": "金牛区管一下双瑞一路的摊贩，人行道都被小摊占了，没法走。"}
    answer = server.post("/v1/triage", json=letter)
    assert answer.status_code == 200
    suggestion = answer.json()
    assert suggestion["id"] == "x1"
    assert suggestion["department"]["label"] == "urban_mgmt"
    assert suggestion["unit"]["label"] == "510108"
    assert "双瑞一路" in [e["text"] for e in suggestion["unit"]["evidence"]]
    assert "stated_unit_not_owner" in [r["code"] for r in suggestion["reasons"]]


def test_a_batch_keeps_its_order(server: Server) -> None:
    letters = [{"id": str(i), "body": f"{i}号楼停水"} for i in range(30)]
    answer = server.post("/v1/triage/batch", json={"letters": letters})
    assert [s["id"] for s in answer.json()["suggestions"]] == [str(i) for i in range(30)]


@pytest.mark.parametrize(
    ("status", "code", "field", "kwargs"),
    [
        (422, "empty_letter", "body", {"json": {"title": " ", "body": ""}}),
        (422, "too_long", "title", {"json": {"title": "长" * 201, "body": SECRET}}),
        (422, "too_long", "body", {"json": {"body": SECRET * 2001}}),
        (422, "invalid", "body", {"json": {"body": [SECRET]}}),
        (422, "invalid", "", {"json": [SECRET]}),
        (422, "unknown_field", "colour", {"json": {"body": SECRET, "colour": SECRET}}),
        (422, "invalid", "body", {"content": b'{"body": "\\ud800"}', "headers": {"content-type": "application/json"}}),
        (400, "not_utf8", "", {"content": SECRET.encode("gb18030"), "headers": {"content-type": "application/json"}}),
        (400, "not_json", "", {"content": SECRET.encode(), "headers": {"content-type": "application/json"}}),
        (400, "not_json", "", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}),
        (400, "not_json", "", {"content": b"9" * 5000, "headers": {"content-type": "application/json"}}),
        (413, "body_too_large", "", {"content": b" " * 2_000_001, "headers": {"content-type": "application/json"}}),
        (415, "unsupported_media_type", "", {"content": b"x", "headers": {"content-type": "text/plain"}}),
        (415, "unsupported_media_type", "", {"content": b"x", "headers": {"content-type": PICKLE}}),
    ],
)  # fmt: skip
def test_bad_input_gets_one_shape_and_no_text(server: Server, status: int, code: str, field: str, kwargs: dict) -> None:
    answer = server.post("/v1/triage", **kwargs)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"code", "field", "message"}
    assert (error["code"], error["field"]) == (code, field)
    assert error["message"]
    assert SECRET not in answer.text


def test_wrong_paths_methods_and_batches_have_the_same_shape(server: Server) -> None:
    answers = {
        404: server.client.get("/nothing"),
        405: server.client.get("/v1/triage"),
        422: server.post("/v1/triage/batch", json={"letters": [{"body": "好"}] * 257}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"code", "field", "message"}
    bad = server.post("/v1/triage/batch", json={"letters": [{"body": "好"}, {"body": " "}]})
    assert bad.json()["error"]["field"] == "letters.1.body"


def test_the_page_the_health_checks_and_the_description_are_there(server: Server) -> None:
    assert "分办" in server.client.get("/").text
    assert server.client.get("/healthz").status_code == 200
    assert {"/v1/triage", "/v1/triage/batch"} <= set(server.client.get("/docs.json").json()["paths"])


def test_parallel_letters_are_scored_in_batches(server: Server) -> None:
    def send(i: int) -> int:
        return server.post("/v1/triage", json={"body": f"第{i}次反映路灯不亮，" * 40}).status_code

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(send, range(160))) == {200}
    metrics = server.client.get("/metrics").text
    total, single = (
        float(re.search(rf"fenban_batch_size_{name}(?:{{[^}}]*)?}}? ([0-9.e+]+)", metrics)[1])  # type: ignore[index]
        for name in ("sum", "count")
    )
    assert total / single > 1.5


def test_no_letter_text_reaches_the_log(server: Server) -> None:
    assert server.post("/v1/triage", json={"id": "log-1", "title": SECRET, "body": SECRET}).status_code == 200
    server.client.get(f"/v1/{SECRET}", params={"q": SECRET})
    time.sleep(0.5)
    assert '"path": "/v1/triage", "status": 200' in server.text()
    assert '"case": "log-1"' in server.text()
    assert SECRET not in server.text()
    assert SECRET.encode("unicode_escape").decode() not in server.text()


def test_every_answer_has_a_trace_id_and_security_headers(server: Server) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answers = [
        server.client.get("/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}),
        server.client.get("/v1/model"),
        server.client.get("/nothing"),
        server.post("/v1/triage", content=b"{"),
        server.client.get("/healthz"),
        server.client.get("/metrics"),
    ]
    assert answers[0].headers["x-trace-id"] == trace
    for answer in answers:
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-trace-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len({answer.headers["x-trace-id"] for answer in answers}) == len(answers)


def test_the_description_shows_our_errors_scopes_and_examples(server: Server) -> None:
    described = server.client.get("/docs.json").json()
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert "Scope: " in operation["description"], path
            for status, answer in operation["responses"].items():
                if status >= "400":
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (path, status)
    assert described["components"]["schemas"]["IncomingLetter"]["examples"]
    assert "id_conflict" in described["components"]["schemas"]["ErrorDetail"]["properties"]["code"]["enum"]
    outcome = described["paths"]["/v1/outcomes"]["post"]["requestBody"]["content"]["application/json"]
    assert {"accepted", "returned", "corrected"} <= set(outcome["examples"])


def test_metrics_count_decisions_units_departments_and_stages(server: Server) -> None:
    server.post("/v1/triage", json={"body": "双瑞一路路灯不亮"})
    metrics = server.client.get("/metrics").text
    version = server.client.get("/v1/model").json()["model"]
    assert re.search(rf'fenban_suggestions_total{{decision="\w+",model="{version}"}}', metrics)
    for expected in (
        'fenban_suggested_units_total{unit="510108"}',
        'fenban_suggested_departments_total{department="urban_mgmt"}',
        'fenban_confidence_bucket{head="unit",le="0.95"}',
        'fenban_stage_seconds_count{stage="score"}',
        'fenban_stage_seconds_count{stage="store"}',
        "fenban_store_up 1.0",
        "fenban_spooled_records 0.0",
    ):
        assert expected in metrics, expected

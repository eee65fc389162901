"""A real ``bentoml serve`` process: suggestions, batches, errors of one shape, and silent logs."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

PICKLE = "application/vnd.bentoml+pickle"
SECRET = "绝密来信内容不可外泄"


class Server:
    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log
        self.client = httpx.Client(base_url=url, timeout=30)

    def post(self, path: str, **kwargs: object) -> httpx.Response:
        return self.client.post(path, **kwargs)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("serve")
    log = folder / "log"
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "serving.service:Fenban",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = {**os.environ, "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=env, cwd=Path(__file__).parents[2]
        )
        running = Server(f"http://127.0.0.1:{port}", log)
        try:
            for _ in range(240):
                if process.poll() is not None:
                    break
                try:
                    if running.client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.5)
            else:
                pytest.fail(log.read_text(encoding="utf-8", errors="replace")[-3000:])
            yield running
        finally:
            process.terminate()
            process.wait(30)


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
    assert server.post("/v1/triage", json={"title": SECRET, "body": SECRET}).status_code == 200
    time.sleep(0.5)
    log = server.log.read_text(encoding="utf-8", errors="replace")
    assert "/v1/triage" in log
    assert SECRET not in log
    assert SECRET.encode("unicode_escape").decode() not in log

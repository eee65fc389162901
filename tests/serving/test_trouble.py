"""Trouble with real processes: databases that die, hang and come back, overload, SIGTERM, kill -9, bad bundles."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from eval.bench_durability import check_durability
from eval.service_process import ROOT, Server
from tests.serving.postgres import Postgres

BUNDLE = ROOT / "models" / "data" / "bundle"


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def post(server: Server, case_id: str, body: str = "双瑞一路路灯不亮") -> httpx.Response:
    return server.post("/v1/triage", json={"id": case_id, "body": body})


def readiness(server: Server) -> str:
    """The answer of ``/readyz``; empty as long as nothing listens."""
    try:
        return server.client.get("/readyz").text
    except httpx.TransportError:
        return ""


@pytest.fixture
def down(postgres: Postgres, serve: Callable[..., Server]) -> Iterator[tuple[Server, Postgres]]:
    """A server whose PostgreSQL has just died."""
    server = serve(database_url=postgres.new_database(), store_wait_s=0.5)
    assert post(server, "before").json()["stored"] is True
    postgres.stop()
    try:
        yield server, postgres
    finally:
        if postgres.process.poll() is not None:
            postgres.start()


def test_without_its_database_the_service_still_suggests_and_stores_everything_even_after_kill_9(
    down: tuple[Server, Postgres],
) -> None:
    server, postgres = down
    answers = [post(server, f"d{i}") for i in range(5)]
    assert [answer.json()["stored"] for answer in answers] == [False] * 5
    assert post(server, "d0").json() == answers[0].json()
    assert post(server, "d0", "另一封信").json()["error"]["code"] == "id_conflict"
    refused = server.post("/v1/outcomes", json={"kind": "accepted", "case_id": "before", "by": "成华区"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert server.client.get("/v1/cases").json()["error"]["code"] == "store_unavailable"
    assert server.client.get("/readyz").status_code == 200
    server.kill()
    server.start(wait=False)
    wait_for(lambda: "keys_unavailable" in readiness(server), 60)
    postgres.start()
    wait_for(lambda: post(server, "fresh").json().get("stored") is True)
    wait_for(lambda: not list((server.folder / "data" / "spool").glob("*.jsonl")))
    ids = [case["id"] for case in server.client.get("/v1/cases").json()["cases"]]
    assert sorted(ids) == sorted(["before", "fresh", *(f"d{i}" for i in range(5))])


def test_a_hanging_database_delays_no_suggestion_for_long(postgres: Postgres, serve: Callable[..., Server]) -> None:
    server = serve(database_url=postgres.new_database(), store_wait_s=0.3)
    post(server, "before")
    postgres.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert [post(server, f"h{i}").json()["stored"] for i in range(10)] == [False] * 10
        assert time.monotonic() - began < 5
    finally:
        postgres.signal(signal.SIGCONT)
    wait_for(lambda: post(server, "fresh").json().get("stored") is True)
    wait_for(lambda: len(server.client.get("/v1/cases").json().get("cases", [])) == 12)


@pytest.fixture(scope="module")
def strained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a disk that counts as full, little patience, and no text kept; SQLite."""
    settings = {"min_free_mb": 10**9, "store_wait_s": 0.3, "max_wait_s": 0.2, "store_text": "none"}
    server = Server(tmp_path_factory.mktemp("strained"), wait=False, **settings)
    wait_for(lambda: '"started"' in server.text(), 120)
    wait_for(lambda: _answers(server), 20)
    yield server
    server.stop()


def _answers(server: Server) -> bool:
    try:
        return server.client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_full_disk_is_not_ready(strained: Server) -> None:
    answer = strained.client.get("/readyz")
    assert answer.status_code == 503
    assert "disk_full" in answer.json()["error"]["message"]


def test_no_text_is_kept_where_the_operator_says_so(strained: Server) -> None:
    post(strained, "textless")
    case = strained.client.get("/v1/cases/textless").json()
    assert (case["title"], case["body"]) == (None, None)
    assert post(strained, "textless").status_code == 200
    assert post(strained, "textless", "换了内容").status_code == 409


def test_a_locked_sqlite_sends_records_to_the_spool(strained: Server) -> None:
    lock = sqlite3.connect(strained.folder / "data" / "fenban.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert post(strained, "locked").json()["stored"] is False
    lock.execute("ROLLBACK")
    lock.close()
    wait_for(lambda: strained.client.get("/v1/cases/locked").status_code == 200)


def test_overload_is_refused_with_retry_after_and_passes_and_sigterm_drains(strained: Server) -> None:
    letters = {"letters": [{"body": f"第{i}次反映路灯不亮，" * 40} for i in range(256)]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: strained.post("/v1/triage/batch", json=letters), range(8)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.json()["error"]["code"] for answer in refused} == {"overloaded"}
    assert post(strained, "later").status_code == 200
    _check_that_sigterm_drains(strained)


def _check_that_sigterm_drains(server: Server) -> None:
    """SIGTERM lets a request under way end."""
    letters = {"letters": [{"id": f"drain{i}", "body": "路灯不亮，" * 60} for i in range(200)]}
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(server.post("/v1/triage/batch", json=letters)))
    thread.start()
    time.sleep(0.3)
    server.process.terminate()
    thread.join(30)
    assert server.process.wait(30) == 0
    assert answers[0].status_code == 200
    assert len(answers[0].json()["suggestions"]) == 200


def test_a_bundle_is_exchanged_under_load_and_a_broken_one_is_refused(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    bundles = tmp_path / "bundles"
    for name in ("first", "second", "broken"):
        shutil.copytree(BUNDLE, bundles / name)
    (bundles / "broken" / "calibration.json").write_text("{}")
    _reseal(bundles / "second")
    server = serve(bundle=bundles / "first")
    old = server.client.get("/v1/model").json()
    stop = threading.Event()
    statuses: list[int] = []
    models: list[str] = []

    def load() -> None:
        while not stop.is_set():
            answer = server.post("/v1/triage", json={"body": "双瑞一路路灯不亮"})
            statuses.append(answer.status_code)
            models.append(answer.json()["versions"]["model"])

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(load)
        broken = server.post("/v1/model/reload", json={"bundle": "broken"})
        outside = server.post("/v1/model/reload", json={"bundle": "nothing"})
        good = server.post("/v1/model/reload", json={"bundle": "second"})
        time.sleep(0.5)
        stop.set()
    assert (broken.status_code, broken.json()["error"]["code"]) == (422, "bundle_rejected")
    assert "calibration.json" in broken.json()["error"]["message"]
    assert outside.json()["error"]["code"] == "bundle_rejected"
    assert good.json()["bundle"] == "second"
    assert set(statuses) == {200}
    assert list(dict.fromkeys(models)) == [old["model"], good.json()["model"]]


def _reseal(bundle: Path) -> None:
    """Another version of the same bundle: a longer card."""
    from models.bundle import MANIFEST, seal

    (bundle / "README.md").write_text("另一版", encoding="utf-8")
    facts = {
        k: v for k, v in json.loads((bundle / MANIFEST).read_text()).items() if k not in ("format", "version", "sha256")
    }
    seal(bundle, **facts)


def test_no_acknowledged_outcome_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    report = check_durability(tmp_path, outcomes=120, kill_every=60)
    assert report.kills == 2
    assert report.acknowledged >= 120
    assert (report.lost, report.doubled) == (0, 0)

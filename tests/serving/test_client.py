"""The Python client against a real server, and its retries against one that is told what to answer."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from eval.service_process import Server, free_port
from models.case import Letter
from serving.client import AsyncFenbanClient, FenbanClient, FenbanError
from serving.schema import Returned

STALLS = Letter(id="client-1", title="占道", body="双瑞一路的摊贩把人行道占完了，请城管来管一管。")


class Scripted(HTTPServer):
    """Answers with the given ``(status, headers, body)`` in turn; the last one for ever."""

    def __init__(self, *answers: tuple[int, dict[str, str], object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.asked = list(answers), 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        script = self.server
        status, headers, body = script.answers[min(script.asked, len(script.answers) - 1)]
        script.asked += 1
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def scripted() -> Iterator[object]:
    running: list[Scripted] = []

    def start(*answers: tuple[int, dict[str, str], object]) -> Scripted:
        running.append(Scripted(*answers))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


BUSY = {"error": {"code": "overloaded", "field": "", "message": "too many letters are waiting"}}
PAGE = {"cases": [], "next": None, "a field of a newer service": 1}


def test_every_call_gives_typed_answers(server: Server) -> None:
    with FenbanClient(f"http://127.0.0.1:{server.port}") as fenban:
        suggestion = fenban.triage(STALLS)
        assert (suggestion.unit.label, suggestion.department.label) == ("510108", "urban_mgmt")
        assert [s.id for s in fenban.triage_batch([STALLS, Letter(id="client-2", body="路灯不亮")])] == [
            "client-1",
            "client-2",
        ]
        assert fenban.check(STALLS, "金牛区", "urban_mgmt").return_probability > 0.5
        assert fenban.explain(STALLS).heads["department"].words
        receipt = fenban.report(Returned(kind="returned", case_id="client-1", by="金牛区", reason="属地不符"))
        assert receipt.case_id == "client-1"
        for _ in range(50):
            case = fenban.case("client-1")
            if case.history:
                break
            time.sleep(0.1)
        assert [event.reason for event in case.history] == ["属地不符"]
        assert "client-1" in [c.id for c in fenban.cases(unit="510108", limit=10).cases]
        assert fenban.model().labels["unit"]["510108"] == "成华区"


def test_the_async_client_gives_the_same(server: Server) -> None:
    async def both() -> tuple[str, str]:
        async with AsyncFenbanClient(f"http://127.0.0.1:{server.port}") as fenban:
            one, check = await asyncio.gather(fenban.triage(STALLS), fenban.check(STALLS, "510108", "urban_mgmt"))
            return one.unit.label, check.unit.label

    assert asyncio.run(both()) == ("510108", "510108")


def test_a_refusal_says_what_and_where_and_is_not_repeated(server: Server) -> None:
    with FenbanClient(f"http://127.0.0.1:{server.port}") as fenban:
        fenban.triage(STALLS)
        with pytest.raises(FenbanError) as conflict:
            fenban.triage(STALLS.model_copy(update={"body": "另一封信"}))
        with pytest.raises(FenbanError) as empty:
            fenban.triage(Letter(id="client-3", body=" "))
        with pytest.raises(FenbanError) as unknown:
            fenban.case("no/such?case")
    assert (conflict.value.status, conflict.value.code) == (409, "id_conflict")
    assert (empty.value.code, empty.value.field) == ("empty_letter", "body")
    assert unknown.value.code == "unknown_case"
    assert empty.value.trace_id


def test_429_and_503_are_tried_again_after_the_time_that_was_asked_for(scripted: object) -> None:
    busy = scripted((503, {"Retry-After": "1"}, BUSY), (429, {}, BUSY), (200, {}, PAGE))  # type: ignore[operator]
    begin = time.monotonic()
    with FenbanClient(busy.url, first_pause_s=0.01) as fenban:
        assert fenban.cases().cases == []
    assert time.monotonic() - begin >= 1.0
    assert busy.asked == 3


def test_patience_ends_with_the_last_answer_and_other_errors_are_final(scripted: object) -> None:
    busy = scripted((503, {"Retry-After": "0"}, BUSY))  # type: ignore[operator]
    with FenbanClient(busy.url, attempts=3, first_pause_s=0.01) as fenban, pytest.raises(FenbanError) as caught:
        fenban.cases()
    assert (busy.asked, caught.value.status, caught.value.code) == (3, 503, "overloaded")
    proxy = scripted((502, {}, b"<html>Bad gateway</html>"))  # type: ignore[operator]
    with FenbanClient(proxy.url, first_pause_s=0.01) as fenban, pytest.raises(FenbanError, match="check the URL"):
        fenban.cases()
    assert proxy.asked == 1


def test_a_service_that_is_not_there_is_said_after_all_attempts() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with FenbanClient(url, attempts=2, first_pause_s=0.01) as fenban, pytest.raises(httpx.ConnectError):
        fenban.model()

    async def ask() -> None:
        async with AsyncFenbanClient(url, attempts=2, first_pause_s=0.01) as fenban:
            await fenban.model()

    with pytest.raises(httpx.ConnectError):
        asyncio.run(ask())

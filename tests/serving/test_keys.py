"""Keys: scopes, revocation, rate limit, loopback without a key, and hashes in the database; with a real server."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from eval.service_process import ROOT, Server

LETTER = {"body": "双瑞一路路灯不亮"}


def fenban(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fenban", *arguments]
    return subprocess.run(command, env=server.env, cwd=ROOT, capture_output=True, text=True, check=False)


def lan_address() -> str | None:
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET and not address.address.startswith("127."):
                return address.address
    return None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("keys"), host="0.0.0.0", rate_per_second=20, key_refresh_s=0.2)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def keys(server: Server) -> dict[str, str]:
    """One key for each scope; made after it was seen that loopback alone is served without any."""
    assert server.post("/v1/triage", json=LETTER).status_code == 200
    assert "no_keys_loopback_only" in server.text()
    if address := lan_address():
        refused = httpx.post(f"http://{address}:{server.port}/v1/triage", json=LETTER)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "keys_required")
        assert httpx.get(f"http://{address}:{server.port}/healthz").status_code == 200
    made = {scope: fenban(server, "key", "create", f"系统 {scope}", "--scope", scope).stdout.strip()
            for scope in ("intake", "reviewer", "engineer", "metrics")}  # fmt: skip
    time.sleep(0.6)
    return made


def ask(server: Server, key: str, method: str, path: str, **kwargs: object) -> httpx.Response:
    return server.client.request(method, path, headers={"authorization": f"Bearer {key}"}, **kwargs)  # type: ignore[arg-type]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_each_scope_opens_its_own_paths_only(server: Server, keys: dict[str, str]) -> None:
    requests = {
        ("POST", "/v1/triage"): ({"intake", "reviewer"}, LETTER),
        ("POST", "/v1/check"): ({"intake", "reviewer"}, {"letter": LETTER, "unit": "510108", "department": "police"}),
        ("GET", "/v1/cases"): ({"reviewer"}, None),
        ("GET", "/v1/model"): ({"intake", "reviewer", "engineer"}, None),
        ("POST", "/v1/model/reload"): ({"engineer"}, {"bundle": "nothing"}),
        ("DELETE", "/v1/cases/nothing"): ({"engineer"}, None),
        ("GET", "/metrics"): ({"metrics"}, None),
    }
    for (method, path), (allowed, body) in requests.items():
        for scope, key in keys.items():
            answer = ask(server, key, method, path, json=body)
            if scope in allowed:
                assert answer.status_code in (200, 404, 422), (path, scope)
            else:
                assert code_of(answer) == (403, "scope_missing"), (path, scope)


def test_only_reviewers_correct_labels_and_the_history_names_the_key(server: Server, keys: dict[str, str]) -> None:
    case_id = ask(server, keys["intake"], "POST", "/v1/triage", json=LETTER).json()["id"]
    fix = {"kind": "corrected", "case_id": case_id, "by": "甲", "labels": {"unit": "510106"}, "because": "试"}
    assert code_of(ask(server, keys["intake"], "POST", "/v1/outcomes", json=fix)) == (403, "scope_missing")
    assert ask(server, keys["reviewer"], "POST", "/v1/outcomes", json=fix).status_code == 200
    history = ask(server, keys["reviewer"], "GET", f"/v1/cases/{case_id}").json()["history"]
    assert [event["key"] for event in history] == [keys["reviewer"].split("_")[1]]


@pytest.mark.parametrize("key", ["x", "fb_", "fb_000000000000_x", "x_y_z", "\xff"])
def test_a_wrong_key_is_refused_before_the_body_is_read(server: Server, keys: dict[str, str], key: str) -> None:
    for header in (f"Bearer {key}", f"Basic {keys['intake']}", f"Bearer {keys['intake']}x"):
        answer = server.post("/v1/triage", content=b"{", headers={"authorization": header.encode("latin-1")})
        assert code_of(answer) == (401, "key_invalid")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert code_of(server.post("/v1/triage", json=LETTER)) == (401, "key_missing")


def test_only_hashes_are_kept(server: Server, keys: dict[str, str]) -> None:
    for path in (server.folder / "data").glob("fenban.db*"):
        content = path.read_bytes()
        assert all(key.split("_", 2)[2].encode() not in content for key in keys.values())
    rows = sqlite3.connect(server.folder / "data" / "fenban.db").execute("SELECT hash FROM api_keys").fetchall()
    assert all(len(row[0]) == 64 for row in rows)
    assert all(key not in server.text() for key in keys.values())


def test_a_key_has_its_own_rate(server: Server, keys: dict[str, str]) -> None:
    answers = [ask(server, keys["engineer"], "GET", "/v1/model") for _ in range(80)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert int(limited[0].headers["retry-after"]) >= 1
    assert ask(server, keys["intake"], "GET", "/v1/model").status_code == 200


def test_a_revoked_key_ends_and_revoking_all_does_not_open_the_door(server: Server, keys: dict[str, str]) -> None:
    listed = fenban(server, "key", "list").stdout
    for key in keys.values():
        assert key.split("_")[1] in listed
        assert fenban(server, "key", "revoke", key.split("_")[1]).returncode == 0
    time.sleep(0.6)
    assert code_of(ask(server, keys["intake"], "POST", "/v1/triage", json=LETTER)) == (401, "key_invalid")
    assert code_of(server.post("/v1/triage", json=LETTER)) == (401, "key_missing")
    again = fenban(server, "key", "revoke", "nothing")
    assert (again.returncode, again.stderr.startswith("error: no key")) == (1, True)


def test_serve_refuses_other_addresses_than_loopback_without_a_key(server: Server, tmp_path: Path) -> None:
    server.env["FENBAN_DATA"], before = str(tmp_path), server.env["FENBAN_DATA"]
    refused = fenban(server, "serve", "--host", "0.0.0.0")
    server.env["FENBAN_DATA"] = before
    assert refused.returncode == 1
    assert "no API key is configured, so 0.0.0.0 is refused" in refused.stderr

"""The bento builds and serves, the container files name only what exists, and the dashboard only what is exported."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from eval.service_process import ROOT, Server

BENTO_TAG = re.compile(r"fenban:[a-z0-9]+")


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the built bento."""
    home = tmp_path_factory.mktemp("bentoml")
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (tag,) = set(BENTO_TAG.findall(done.stdout))
    return home / "bentos" / "fenban" / tag.split(":")[1]


def test_the_bento_serves_alone(bento: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "eval.service_process.ROOT", tmp_path
    )  # away from the checkout, so that only the bento is found
    server = Server(tmp_path, service=str(bento))
    try:
        letter = {"title": "占道", "body": "双瑞一路的摊贩占了人行道，请城管来管一管。"}
        answer = server.client.post("/v1/triage", json=letter).json()
        assert (answer["unit"]["label"], answer["department"]["label"]) == ("510108", "urban_mgmt")
    finally:
        server.stop()


def test_the_bento_holds_neither_data_nor_tests(bento: Path) -> None:
    top = {path.name for path in (bento / "src").iterdir()}
    assert {"models", "serving"} <= top
    assert not top & {"tests", "training", "eval", "work", ".venv"}
    assert sum(path.stat().st_size for path in bento.rglob("*") if path.is_file()) < 40_000_000


def test_every_path_that_the_container_copies_exists() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert {"requirements.lock", "models/", "serving/", "fenban.py"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source


def test_compose_mounts_what_exists_and_declares_what_it_uses() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert {"fenban", "postgres", "prometheus"} <= set(compose["services"])
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"], (name, mount)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
    scrape = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["fenban:3000"]


def test_every_variable_of_the_deployment_is_a_setting() -> None:
    from serving.settings import Settings

    known = {f"FENBAN_{name.upper()}" for name in Settings.model_fields}
    for path in ("Containerfile", "compose.yaml", "docs/deploy.md", "docs/policy.md"):
        used = set(re.findall(r"FENBAN_[A-Z_]+", (ROOT / path).read_text(encoding="utf-8")))
        assert used <= known, (path, used - known)


def test_every_metric_of_the_dashboard_is_exported(server: Server) -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "fenban.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    used = {name for expression in expressions for name in re.findall(r"fenban_[a-z_]+", expression)}
    report = {"kind": "returned", "case_id": "dash", "by": "x", "reason": "属地不符"}
    assert server.client.post("/v1/triage", json={"id": "dash", "body": "双瑞一路路灯不亮"}).status_code == 200
    for _ in range(50):
        if server.client.post("/v1/outcomes", json=report).status_code == 200:
            break
    exported = set(re.findall(r"^(fenban_[a-z_]+)[{ ]", httpx.get(f"{server.client.base_url}/metrics").text, re.M))
    assert len(used) >= 10
    assert used <= exported
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])

"""The city's own costs and rules reach the suggestions of a real server."""

from collections.abc import Callable
from pathlib import Path

from eval.service_process import Server

RULES = """rules:
  - {id: night-market, reason: 派单目录第12条, date: 2026-01-01, when: {text: 夜市}, then: {department: market_reg}}
"""


def test_rules_and_costs_of_the_settings_are_served(serve: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "policy.yaml").write_text("act_within_hours: {urgent: 12, critical: 1}", encoding="utf-8")
    server = serve(rules=tmp_path / "rules.yaml", policy=tmp_path / "policy.yaml")
    body = "双瑞一路的夜市占了人行道。"
    answer = server.client.post("/v1/triage", json={"id": "n", "body": body}).json()
    assert answer["rule"]["id"] == "night-market"
    assert answer["department"]["label"] == "market_reg"
    fire = {"id": "f", "body": "双瑞一路仓库正在起火，浓烟很大，有人被困！", "received_at": "2026-11-24T23:30:00+08:00"}
    urgent = server.client.post("/v1/triage", json=fire).json()
    assert urgent["decision"] == "emergency"
    assert urgent["act_by"].startswith("2026-11-25T00:30:00")
    assert [t["label"] for t in urgent["transfer_to"]] == ["119"]

"""Kill the service with ``kill -9`` again and again while outcomes are reported; count what was lost or doubled.

    python -m eval.bench_durability --outcomes 10000 --kill-every 500

An outcome counts as acknowledged when the client has read a 200. After each kill the service starts again on the
same database and the client repeats the one report that got no answer. At the end the database is read directly.
``--database-url`` runs it on PostgreSQL.
"""

from __future__ import annotations

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx
import sqlalchemy as sa
import typer

from eval.service_process import Server

N_CASES = 50
CLIENTS = 4


@dataclass
class Durability:
    """What came of it; ``lost`` and ``doubled`` must be 0."""

    acknowledged: int = 0
    kills: int = 0
    repeated: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0.0


@dataclass
class _Reports:
    """Numbers handed out to clients, and which of them were acknowledged."""

    total: int
    next: int = 0
    acknowledged: set[str] = field(default_factory=set)
    repeated: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int | None:
        with self.lock:
            self.next += 1
            return self.next - 1 if self.next <= self.total else None


def check_durability(folder: Path, *, outcomes: int, kill_every: int, database_url: str = "") -> Durability:
    """Run it; ``folder`` gets the service's data and log."""
    began = time.monotonic()
    server = Server(folder, **({"database_url": database_url} if database_url else {}))
    report = Durability()
    reports = _Reports(outcomes)
    try:
        letters = [{"id": f"case-{i}", "body": f"第{i}号楼路灯不亮"} for i in range(N_CASES)]
        server.post("/v1/triage/batch", json={"letters": letters}).raise_for_status()
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(_report, server, reports) for _ in range(CLIENTS)]
            for goal in range(kill_every, outcomes + 1, kill_every):
                while len(reports.acknowledged) < goal - kill_every // 10 and not all(c.done() for c in clients):
                    time.sleep(0.002)
                server.kill()
                report.kills += 1
                server.start()
            for client in clients:
                client.result()
        stored = _stored_ids(database_url or f"sqlite:///{folder / 'data' / 'fenban.db'}")
    finally:
        server.stop()
    report.acknowledged, report.repeated = len(reports.acknowledged), reports.repeated
    report.lost = len(reports.acknowledged - set(stored))
    report.doubled = len(stored) - len(set(stored))
    report.seconds = time.monotonic() - began
    return report


def _report(server: Server, reports: _Reports) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as client:
        while (number := reports.take()) is not None:
            body = {"kind": "accepted", "case_id": f"case-{number % N_CASES}", "by": "基准", "note": f"n{number}"}
            while True:
                try:
                    answer = client.post("/v1/outcomes", json=body)
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 503:
                    time.sleep(0.05)
                    continue
                answer.raise_for_status()
                reports.acknowledged.add(f"n{number}")
                reports.repeated += answer.json()["repeated"]
                break


def _stored_ids(url: str) -> list[str]:
    """The notes of all stored reports; each report had one of its own."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        notes = [row[0] for row in connection.execute(sa.text("SELECT note FROM events"))]
    engine.dispose()
    return notes


def main(
    outcomes: int = 10_000,
    kill_every: int = 500,
    database_url: Annotated[str, typer.Option(help="SQLAlchemy URL; default: SQLite in a temporary folder")] = "",
) -> None:
    """Print what was acknowledged, lost and doubled."""
    with tempfile.TemporaryDirectory(prefix="fenban-kill-") as folder:
        report = check_durability(Path(folder), outcomes=outcomes, kill_every=kill_every, database_url=database_url)
    print(
        f"{report.acknowledged} outcomes acknowledged through {report.kills} kills in {report.seconds:.0f} s: "
        f"{report.lost} lost, {report.doubled} doubled ({report.repeated} repeats recognised)"
    )
    raise typer.Exit(1 if report.lost or report.doubled else 0)


if __name__ == "__main__":
    typer.run(main)

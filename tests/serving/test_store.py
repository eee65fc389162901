"""Migrations, retention, replicas, and the spool; on real databases, without a server."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from typer.testing import CliRunner

import fenban
from models.case import Letter
from models.triage import Triage
from serving.errors import ApiError
from serving.store import changes, database, queries
from serving.store.records import Row, case_row
from serving.store.spool import Spool
from serving.store.store import Store
from serving.store.tables import metadata
from serving.store.writer import Writer

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def make_row(triage: Triage) -> Callable[..., Row]:
    suggestion = triage([Letter(body="双瑞一路路灯不亮")])[0]

    def make(case_id: str, body: str = "双瑞一路路灯不亮", now: datetime = NOW) -> Row:
        return case_row(Letter(id=case_id, body=body), suggestion, keep="redacted", key=None, now=now)

    return make


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = database.open_engine(database_url)
    database.upgrade(made)
    yield made
    made.dispose()


def test_migrations_go_up_down_and_up_and_make_what_the_code_expects(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    assert differences == []
    database.downgrade(engine, "base")
    assert set(sa.inspect(engine).get_table_names()) == {"alembic_version"}
    database.upgrade(engine)
    assert set(metadata.tables) < set(sa.inspect(engine).get_table_names())


def test_the_command_migrates_and_deletes(
    database_url: str, monkeypatch: pytest.MonkeyPatch, make_row: Callable[..., Row]
) -> None:
    monkeypatch.setenv("FENBAN_DATABASE_URL", database_url)
    run = partial(CliRunner().invoke, fenban.app)
    assert run(["db", "upgrade"]).exit_code == 0
    engine = database.open_engine(database_url)
    with engine.begin() as connection:
        changes.save_cases(connection, [make_row("old", now=datetime.now(UTC) - timedelta(days=40)), make_row("new")])
    assert run(["db", "purge", "--days", "30"]).output == "1 cases deleted\n"
    assert run(["db", "delete", "new", "--by", "甲"]).exit_code == 0
    again = run(["db", "delete", "new", "--by", "甲"])
    assert (again.exit_code, "was deleted" in again.output) == (1, True)
    with engine.connect() as connection:
        traces = connection.execute(sa.text("SELECT case_id, cause FROM deletions ORDER BY case_id")).all()
    assert traces == [("new", "request"), ("old", "retention")]
    assert run(["db", "downgrade", "base", "--yes"]).exit_code == 0
    engine.dispose()


def test_two_replicas_that_get_the_same_letter_keep_it_once(engine: sa.Engine, make_row: Callable[..., Row]) -> None:
    writers = [Writer(engine), Writer(engine)]
    rows = [make_row(f"r{i}") for i in range(40)]
    futures = [writer.submit(partial(changes.save_cases, rows=[row])) for row in rows for writer in writers]
    assert all(future.result(20) for future in futures)
    for writer in writers:
        writer.close()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM cases")) == 40


def test_a_job_that_fails_leaves_the_others_of_its_group_alone(engine: sa.Engine, make_row: Callable[..., Row]) -> None:
    writer = Writer(engine)
    rows = [make_row("a"), make_row("a", "另一封信"), {**make_row("b"), "decision": None}, make_row("c")]
    futures = [writer.submit(partial(changes.save_cases, rows=[row])) for row in rows]
    errors = [type(future.exception(20)).__name__ for future in futures]
    writer.close()
    assert errors == ["NoneType", "ApiError", "StoreRejected", "NoneType"]
    with engine.connect() as connection:
        found = queries.page(connection, filters={}, since=None, until=None, cursor=None, limit=10)
    assert [case.id for case in found.cases] == ["c", "a"]


def test_old_cases_are_deleted_by_a_running_store(
    database_url: str, engine: sa.Engine, tmp_path: Path, make_row: Callable[..., Row]
) -> None:
    with engine.begin() as connection:
        old = datetime.now(UTC) - timedelta(days=8)
        changes.save_cases(connection, [make_row("old", now=old), make_row("new", now=datetime.now(UTC))])
    store = Store(database_url, tmp_path / "spool", wait_s=2, migrate=False, retention_days=7)

    async def wait_for_deletion() -> str:
        for _ in range(100):
            try:
                await store.read(partial(queries.detail, case_id="old"))
            except ApiError as error:
                return error.code
            await asyncio.sleep(0.1)
        return ""

    assert asyncio.run(wait_for_deletion()) == "case_deleted"
    assert asyncio.run(store.read(partial(queries.detail, case_id="new"))).id == "new"
    store.close()


def test_no_error_of_the_database_shows_the_letter(engine: sa.Engine, make_row: Callable[..., Row]) -> None:
    with pytest.raises(sa.exc.SQLAlchemyError) as caught, engine.begin() as connection:
        changes.save_cases(connection, [{**make_row("x"), "decision": None}])
    if engine.dialect.name == "sqlite":
        assert "双瑞一路" not in str(caught.value)


def test_a_spool_survives_its_process_and_skips_a_line_cut_off(tmp_path: Path, make_row: Callable[..., Row]) -> None:
    spool = Spool(tmp_path)
    spool.append([make_row("one"), make_row("two")])
    other = Spool(tmp_path)
    assert len(other) == 0, "the file of a living process is its own"
    (file,) = tmp_path.glob("*.jsonl")
    assert file.stat().st_mode & 0o077 == 0
    for _, handle in spool._owned:
        handle.close()
    with file.open("ab") as stream:
        stream.write(b'{"id": "torn", "sugg')
    other.adopt()
    assert [row["id"] for row in other.waiting(10)] == ["one", "two"]
    assert other.waiting(1)[0] == make_row("one")
    other.done(other.waiting(10))
    assert list(tmp_path.glob("*.jsonl")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_loses_no_record_silently(tmp_path: Path, make_row: Callable[..., Row]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        spool = Spool(disk)
        kept = 0
        with pytest.raises(OSError, match="No space"):
            for i in range(1000):
                spool.append([make_row(f"f{i}")])
                kept += 1
        assert 0 < kept < 1000
        for _, handle in spool._owned:
            handle.close()
        assert [row["id"] for row in Spool(disk).waiting(1000)] == [f"f{i}" for i in range(kept)]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)

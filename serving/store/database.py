"""Engines and migrations for SQLite (WAL, every commit synced to disk) and PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

MIGRATIONS = Path(__file__).parents[1] / "migrations"
BUSY_MS = 2000
STATEMENT_MS = 5000
_MIGRATION_LOCK = 0x66656E62
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}", "secure_delete=ON", "foreign_keys=ON")


def open_engine(url: str) -> Engine:
    """An engine that shows no parameters in errors; nothing is connected yet.

    Raises:
        ValueError: the URL is malformed or of another database than SQLite or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(
            "FENBAN_DATABASE_URL is no SQLAlchemy URL, such as postgresql+psycopg://user@host/db"
        ) from None
    if parsed.get_backend_name() == "postgresql":
        options = f"-c statement_timeout={STATEMENT_MS}"
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args={"connect_timeout": 2, "options": options, "tcp_user_timeout": STATEMENT_MS},
            pool_pre_ping=True,
            hide_parameters=True,
        )
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ValueError("FENBAN_DATABASE_URL: use postgresql+psycopg://… or sqlite:////path/to/file.db")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(parsed, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the lock at once, so that two of them wait for each other instead of failing half-way."""
    immediate = not connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up; safe when several replicas start together."""
    _migrate(engine, command.upgrade, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema down to ``revision``; ``base`` drops everything."""
    _migrate(engine, command.downgrade, revision)


def _migrate(engine: Engine, step: Any, revision: str) -> None:
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        step(config, revision)


def forget(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, which may still hold deleted text; other databases have none to empty."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()

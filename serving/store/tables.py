"""The tables, as SQLAlchemy Core; ``serving/migrations`` makes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)
Serial = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; SQLite keeps it as naive UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive moments, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


cases = Table(
    "cases",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("key", String(64)),
    Column("channel", String(64)),
    Column("stated_unit", String(64)),
    Column("lon", Float),
    Column("lat", Float),
    Column("title", Text),
    Column("body", Text),
    Column("decision", String(32), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("department", String(64), nullable=False),
    Column("co_department", String(64)),
    Column("urgency", String(64), nullable=False),
    Column("request_type", String(64), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("model", String(64), nullable=False),
    Column("suggestion", Text, nullable=False),
    Index(None, "decision", "seq"),
    Index(None, "unit", "seq"),
    Index(None, "department", "seq"),
    Index(None, "received_at"),
    Index(None, "created_at"),
)

events = Table(
    "events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("case_id", String(128), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("by", String(128), nullable=False),
    Column("key", String(64)),
    Column("at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("reason", String(500)),
    Column("unit", String(64)),
    Column("department", String(64)),
    Column("labels", Text),
    Column("note", Text, nullable=False),
)

deletions = Table(
    "deletions",
    metadata,
    Column("case_id", String(128), primary_key=True),
    Column("deleted_at", UtcDateTime, nullable=False),
    Column("by", String(128), nullable=False),
    Column("cause", String(16), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("scopes", String(128), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

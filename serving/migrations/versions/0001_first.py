"""Cases, events, deletions and API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cases",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("key", sa.String(64)),
        sa.Column("channel", sa.String(64)),
        sa.Column("stated_unit", sa.String(64)),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("title", sa.Text()),
        sa.Column("body", sa.Text()),
        sa.Column("decision", sa.String(32), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("co_department", sa.String(64)),
        sa.Column("urgency", sa.String(64), nullable=False),
        sa.Column("request_type", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="uq_cases_id"),
        sqlite_autoincrement=True,
    )
    for columns in (["decision", "seq"], ["unit", "seq"], ["department", "seq"], ["received_at"], ["created_at"]):
        op.create_index(f"ix_cases_{'_'.join(columns)}", "cases", columns)
    op.create_table(
        "events",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("case_id", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("key", sa.String(64)),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.Column("reason", sa.String(500)),
        sa.Column("unit", sa.String(64)),
        sa.Column("department", sa.String(64)),
        sa.Column("labels", sa.Text()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="uq_events_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_case_id", "events", ["case_id"])
    op.create_table(
        "deletions",
        sa.Column("case_id", sa.String(128), primary_key=True),
        sa.Column("deleted_at", _MOMENT, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("scopes", sa.String(128), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
    )


def downgrade() -> None:
    """Drop the tables with all they hold."""
    for table in ("api_keys", "deletions", "events", "cases"):
        op.drop_table(table)

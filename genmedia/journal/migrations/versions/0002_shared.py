"""What journals need that several machines share: leases, what equal jobs are known by, whom money is spent for, the order of assets."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CHUNK = 1000


def upgrade() -> None:
    """Copy the tables into wider ones: SQLite can add no column that must not be null, and no primary key."""
    for table in ("submissions", "attempts", "assets"):
        op.rename_table(table, f"old_{table}")
    for index in ("one_live_attempt", "ix_assets_attempt", "ix_assets_sha256", "assets_came_as"):
        op.execute(f"DROP INDEX IF EXISTS {index}")  # their names are needed again
    _make_tables()
    op.execute(
        "INSERT INTO submissions (key, account, operation, request, take, created_at)"
        " SELECT key, account, operation, request, take, created_at FROM old_submissions"
    )
    op.execute(
        "INSERT INTO attempts (id, key, number, account, state, owner, remote_id, price, charged, unit, reason, intended_at,"
        " bound_at, ended_at) SELECT a.id, a.key, a.number, s.account, a.state, a.owner, a.remote_id, a.price, a.charged, a.unit,"
        " a.reason, a.intended_at, a.bound_at, a.ended_at FROM old_attempts AS a JOIN old_submissions AS s ON s.key = a.key"
    )
    _copy_assets()
    for table in ("assets", "attempts", "submissions"):
        op.drop_table(f"old_{table}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "SELECT setval(pg_get_serial_sequence('attempts', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM attempts), false)"
        )
    if sa.inspect(op.get_bind()).has_table("about"):
        op.drop_table("about")


def _make_tables() -> None:
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("operation", sa.String, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("take", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("remote_id", sa.String),
        sa.Column("echo", sa.String(64)),
        sa.Column("campaign", sa.String, nullable=False, server_default=""),
        sa.Column("run", sa.String, nullable=False, server_default=""),
        sa.Column("labels", sa.Text, nullable=False, server_default="{}"),
        sa.Column("origin", sa.Text, nullable=False, server_default="{}"),
        sa.Column("price", sa.Float),
        sa.Column("charged", sa.Float),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("intended_at", sa.String, nullable=False),
        sa.Column("asked_at", sa.String),
        sa.Column("bound_at", sa.String),
        sa.Column("ended_at", sa.String),
        sa.UniqueConstraint("key", "number"),
    )
    live = sa.text("state IN ('intended', 'bound', 'in_doubt', 'stored')")
    unbound = sa.text("state = 'intended' AND echo IS NOT NULL")
    still_open = sa.text("state IN ('intended', 'bound', 'in_doubt')")
    op.create_index("one_live_attempt", "attempts", ["key"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_index(
        "one_unbound_echo", "attempts", ["account", "echo"], unique=True, sqlite_where=unbound, postgresql_where=unbound
    )
    op.create_index("open_attempts", "attempts", ["intended_at"], sqlite_where=still_open, postgresql_where=still_open)
    op.create_index("spending", "attempts", ["account", "intended_at", "state", "charged", "price"])
    op.create_index("remote_jobs", "attempts", ["account", "remote_id"])
    op.create_table(
        "assets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.String, nullable=False, unique=True),
        sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("output", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("came_as", sa.String(64), nullable=False),
        sa.Column("sidecar", sa.Text, nullable=False),
    )
    for column in ("attempt", "sha256", "came_as"):
        op.create_index(f"ix_assets_{column}", "assets", [column])
    op.create_table(
        "interests",
        sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), primary_key=True),
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("since", sa.String, nullable=False),
    )
    op.create_table(
        "owners",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )


def _copy_assets() -> None:
    """In the order in which they were stored, as far as the old table tells."""
    connection = op.get_bind()
    told: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("path", "attempt", "output", "sha256", "sidecar")]
    order: sa.ColumnClause[Any] = sa.column("rowid" if connection.dialect.name == "sqlite" else "attempt")
    found = connection.execute(sa.select(*told).select_from(sa.table("old_assets")).order_by(order)).mappings()
    assets = sa.table("assets", *told, sa.column("came_as"))
    for rows in found.partitions(CHUNK):
        connection.execute(assets.insert(), [{**row, "came_as": _came_as(row["sidecar"], row["sha256"])} for row in rows])


def _came_as(sidecar: str, sha256: str) -> str:
    try:
        return str(json.loads(sidecar)["file"].get("original_sha256") or sha256)
    except (ValueError, LookupError, TypeError, AttributeError):
        return sha256

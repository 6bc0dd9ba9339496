"""Submissions, attempts and assets. Journals from before there were steps have them already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables where there are none."""
    if sa.inspect(op.get_bind()).has_table("submissions"):
        return
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("operation", sa.String, nullable=False),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("take", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("remote_id", sa.String),
        sa.Column("price", sa.Float),
        sa.Column("charged", sa.Float),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("intended_at", sa.String, nullable=False),
        sa.Column("bound_at", sa.String),
        sa.Column("ended_at", sa.String),
        sa.UniqueConstraint("key", "number"),
    )
    live = sa.text("state IN ('intended', 'bound', 'in_doubt', 'stored')")
    op.create_index("one_live_attempt", "attempts", ["key"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_table(
        "assets",
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("output", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("sidecar", sa.String, nullable=False),
    )

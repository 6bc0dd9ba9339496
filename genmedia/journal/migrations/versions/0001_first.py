"""The first schema.

Its number is 0005: four steps led to it before there was a release, and a journal that they made has this number and these tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = None

LARGEST = 1e12


def upgrade() -> None:
    """Make all tables."""
    _submissions()
    _attempts()
    _assets()
    _users_and_owners()
    _money()


def _submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("operation", sa.String, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("take", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
    )


def _attempts() -> None:
    amounts = ("price", "reserved", "charged", "planned")
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
        *(sa.Column(amount, sa.Float) for amount in amounts),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("reported", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("intended_at", sa.String, nullable=False),
        sa.Column("asked_at", sa.String),
        sa.Column("used", sa.Float),
        sa.Column("used_at", sa.String),
        sa.Column("bound_at", sa.String),
        sa.Column("ended_at", sa.String),
        sa.Column("key_print", sa.String(16)),
        sa.Column("block", sa.String, nullable=False, server_default=""),
        sa.Column("last_answer", sa.Text),
        sa.UniqueConstraint("key", "number"),
        *(sa.CheckConstraint(f"{one} >= 0 AND {one} <= {LARGEST}", name=f"{one}_is_an_amount") for one in amounts),
    )
    live = sa.text("state IN ('intended', 'bound', 'in_doubt', 'stored', 'content_refused')")
    unbound = sa.text("state = 'intended' AND echo IS NOT NULL")
    still_open = sa.text("state IN ('intended', 'bound', 'in_doubt')")
    op.create_index("one_live_attempt", "attempts", ["key"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_index(
        "one_unbound_echo", "attempts", ["account", "echo"], unique=True, sqlite_where=unbound, postgresql_where=unbound
    )
    op.create_index("open_attempts", "attempts", ["intended_at"], sqlite_where=still_open, postgresql_where=still_open)
    for name, column in (("spending", "intended_at"), ("spending_of_runs", "run"), ("spending_of_campaigns", "campaign")):
        op.create_index(name, "attempts", ["account", "unit", column, "state", "charged", "reserved"])
    op.create_index("endings", "attempts", ["account", "ended_at"])
    op.create_index("remote_jobs", "attempts", ["account", "remote_id"])


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.String, nullable=False, unique=True),
        sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("output", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("came_as", sa.String(64), nullable=False),
        sa.Column("sidecar", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, server_default="1"),
        sa.Column("forgotten_at", sa.String),
    )
    for column in ("attempt", "sha256", "came_as"):
        op.create_index(f"ix_assets_{column}", "assets", [column])


def _users_and_owners() -> None:
    op.create_table(
        "uses",
        sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), primary_key=True),
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("step", sa.String, primary_key=True),
        sa.Column("labels", sa.Text, nullable=False, server_default="{}"),
        sa.Column("since", sa.String, nullable=False),
    )
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


def _money() -> None:
    op.create_table(
        "caps",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("amount", sa.Float, nullable=False),
        sa.Column("unit", sa.String, nullable=False, server_default="credits"),
    )
    op.create_table(
        "holds",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("held_at", sa.String, nullable=False),
        sa.Column("released_at", sa.String),
    )
    op.create_table(
        "balances",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("seen_at", sa.String, nullable=False),
        sa.Column("balance", sa.Float, nullable=False),
        sa.Column("charged", sa.Float, nullable=False),
        sa.Column("open", sa.Float, nullable=False),
    )

"""What all processes that use an account share: its open jobs, what was seen of them and by whom, how long they ran, and its requests."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what was seen of a job and how long it ran, and the tables of watchers, requests, their limits, and those who wait."""
    op.add_column("attempts", sa.Column("over_at", sa.String))
    op.add_column("attempts", sa.Column("seen", sa.Text))
    op.add_column("attempts", sa.Column("seen_at", sa.Float))
    op.add_column("attempts", sa.Column("work", sa.String, nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("ran", sa.Float))
    op.add_column("attempts", sa.Column("hinted_at", sa.Float))
    timed = sa.text("ran IS NOT NULL")
    op.create_index("running_times", "attempts", ["work", "id", "ran"], sqlite_where=timed, postgresql_where=timed)
    at_work = sa.text("state IN ('intended', 'bound', 'in_doubt') AND over_at IS NULL")
    op.create_index("slots", "attempts", ["account"], sqlite_where=at_work, postgresql_where=at_work)
    bound = sa.text("state = 'bound'")
    op.create_index("looks", "attempts", ["account", "seen_at"], sqlite_where=bound, postgresql_where=bound)
    hinted = sa.text("hinted_at IS NOT NULL")
    op.create_index("hints", "attempts", ["account"], sqlite_where=hinted, postgresql_where=hinted)
    op.create_table(
        "watchers",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_index("ix_requests_account", "requests", ["account"])
    op.create_table(
        "line",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("rank", sa.Float, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_index("ix_line_account", "line", ["account"])
    op.create_table(
        "limits",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("per_minute", sa.Float, nullable=False),
        sa.Column("learned_at", sa.Float, nullable=False),
        sa.Column("held_until", sa.Float, nullable=False),
    )

"""What all processes that use an account share: its open jobs, what was seen of them and by whom, and the requests that it may send."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what was seen of a job, and the tables of watchers and requests."""
    op.add_column("attempts", sa.Column("over_at", sa.String))
    op.add_column("attempts", sa.Column("seen", sa.Text))
    op.add_column("attempts", sa.Column("seen_at", sa.Float))
    op.add_column("attempts", sa.Column("hinted_at", sa.Float))
    at_work = sa.text("state IN ('intended', 'bound', 'in_doubt') AND over_at IS NULL")
    op.create_index("slots", "attempts", ["account"], sqlite_where=at_work, postgresql_where=at_work)
    bound = sa.text("state = 'bound'")
    op.create_index("looks", "attempts", ["account"], sqlite_where=bound, postgresql_where=bound)
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

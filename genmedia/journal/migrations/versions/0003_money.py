"""What each purchase counts as before it is settled; caps and holds of accounts; the balances that providers told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """What was bought before counts as its price."""
    op.add_column("attempts", sa.Column("reserved", sa.Float))
    op.execute("UPDATE attempts SET reserved = price")
    op.drop_index("spending", "attempts")
    for name, column in (("spending", "intended_at"), ("spending_of_runs", "run"), ("spending_of_campaigns", "campaign")):
        op.create_index(name, "attempts", ["account", "unit", column, "state", "charged", "reserved"])
    op.create_index("endings", "attempts", ["account", "ended_at"])
    op.create_table(
        "caps",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("amount", sa.Float, nullable=False),
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

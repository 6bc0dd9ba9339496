"""What people say of assets: keep, retake, reject, and comments."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table of verdicts and comments."""
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("output", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("campaign", sa.String, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger),
    )
    op.create_index("ix_verdicts_key", "verdicts", ["key"])
    op.create_index("ix_verdicts_campaign", "verdicts", ["campaign"])

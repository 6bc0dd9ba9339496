"""What campaigns wait for people to decide."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table of submissions on which a verdict is wanted."""
    op.create_table(
        "wanted",
        sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), primary_key=True),
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("since", sa.String, nullable=False),
    )

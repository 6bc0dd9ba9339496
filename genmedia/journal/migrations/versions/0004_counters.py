"""What the provider said was used of an account, before each purchase."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nobody knows it of what was bought before."""
    op.add_column("attempts", sa.Column("used", sa.Float))
    op.add_column("attempts", sa.Column("used_at", sa.String))

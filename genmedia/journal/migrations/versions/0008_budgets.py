"""What was bought for a label in a month, answered from an index: budgets of labels."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the index over purchases that have labels."""
    labelled = sa.text("labels != '{}'")
    columns = ["unit", "intended_at", "labels", "account", "state", "charged", "reserved"]
    op.create_index("spending_of_labels", "attempts", columns, sqlite_where=labelled, postgresql_where=labelled)

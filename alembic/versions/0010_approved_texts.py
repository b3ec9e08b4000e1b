"""Replies that are a text which the platform approved beforehand.

Revision ID: 0010
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what such a delivery is frozen as."""
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("form", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("delivery") as table:
        table.drop_column("form")

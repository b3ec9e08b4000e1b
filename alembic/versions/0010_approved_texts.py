"""Replies that are an approved text, and what came of a sign-in on a platform's page.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what such a delivery is frozen as, and the outcome."""
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("form", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("channel_sign_in") as table:
        table.add_column(sa.Column("taken_at_ms", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("outcome", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("channel_sign_in") as table:
        table.drop_column("outcome")
        table.drop_column("taken_at_ms")
    with op.batch_alter_table("delivery") as table:
        table.drop_column("form")

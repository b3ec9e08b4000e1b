"""Accounts that are added in the app, how they are doing, and what residents change afterwards.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("account", "limited_until_ms", sa.BigInteger),
    ("account", "gaps", sa.JSON),
    ("account", "ended_at_ms", sa.BigInteger),
    ("conversation", "public", sa.Boolean),
    ("conversation", "answer_by_ms", sa.BigInteger),
    ("message", "public", sa.Boolean),
    ("message", "link", sa.String),
    ("message", "changed_at_ms", sa.BigInteger),
    ("message", "deleted_at_ms", sa.BigInteger),
)


def upgrade() -> None:
    """Add the columns and tables."""
    # Added, not rebuilt: a rebuilt table would lose what refers to it in SQLite.
    for table, column, kind in _COLUMNS:
        op.add_column(table, sa.Column(column, kind(), nullable=True))

    op.create_table(
        "message_version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("quoted", sa.String(), nullable=True),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_message_version_message_id", "message_version", ["message_id"])
    op.create_table(
        "channel_test",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("conversation_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "channel_sign_in",
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_index("ix_channel_sign_in_expires_at_ms", "channel_sign_in", ["expires_at_ms"])


def downgrade() -> None:
    """Remove them."""
    for table in ("channel_sign_in", "channel_test", "message_version"):
        op.drop_table(table)
    for table, column, _ in reversed(_COLUMNS):
        op.drop_column(table, column)

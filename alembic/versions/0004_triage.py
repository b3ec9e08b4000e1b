"""Rules that say what is urgent, and their verdicts.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "triage_rules",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=True),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("live_by", sa.String(), nullable=True),
        sa.Column("live_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["live_by"], ["person.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("triage_rules", schema=None) as batch_op:
        batch_op.create_index(
            "ux_triage_rules_state",
            ["state"],
            unique=True,
            sqlite_where=sa.text("state <> 'old'"),
            postgresql_where=sa.text("state <> 'old'"),
        )

    op.create_table(
        "triage_verdict",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("corrected_to", sa.Boolean(), nullable=True),
        sa.Column("corrected_by", sa.String(), nullable=True),
        sa.Column("corrected_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["corrected_by"], ["person.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("triage_verdict", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_triage_verdict_conversation_id"), ["conversation_id"], unique=False
        )
        batch_op.create_index("ix_triage_verdict_at", ["at_ms"], unique=False)

    # Added, not rebuilt: a rebuilt table would lose what refers to it in SQLite.
    op.add_column("conversation", sa.Column("verdict", sa.JSON(), nullable=True))
    op.add_column(
        "conversation",
        sa.Column("overdue_position", sa.Integer(), nullable=False, server_default="0"),
    )
    op.create_index("ix_conversation_waiting", "conversation", ["waiting_since_ms"], unique=False)


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_conversation_waiting", table_name="conversation")
    op.drop_column("conversation", "overdue_position")
    op.drop_column("conversation", "verdict")
    op.drop_table("triage_verdict")
    op.drop_table("triage_rules")

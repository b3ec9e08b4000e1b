"""Which residents may be one: what tells so, what was said of it, and who may know.

Revision ID: 0009
Revises: 0008
"""

import re
import uuid
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CHUNK = 1000


def upgrade() -> None:
    """Move the tables and what is in them forward."""
    op.add_column("change", sa.Column("also", sa.String(), nullable=True))
    two = sa.text("also IS NOT NULL")
    op.create_index("ix_change_also", "change", ["also"], sqlite_where=two, postgresql_where=two)
    clue = op.create_table(
        "resident_clue",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("resident_clue", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_resident_clue_conversation_id"), ["conversation_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_resident_clue_message_id"), ["message_id"], unique=False
        )
        batch_op.create_index("ix_resident_clue_value", ["value", "kind"], unique=False)

    op.create_table(
        "resident_pair",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("a_id", sa.String(), nullable=False),
        sa.Column("b_id", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("said_by", sa.String(), nullable=True),
        sa.Column("said_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["a_id"], ["resident.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["b_id"], ["resident.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["said_by"], ["person.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("a_id", "b_id"),
    )
    with op.batch_alter_table("resident_pair", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resident_pair_b_id"), ["b_id"], unique=False)

    # Where people wrote from so far, so that who writes elsewhere tomorrow is recognised. Their
    # words are not read again.
    connection = op.get_bind()
    rows = []
    for conversation, kind, value in _addresses(connection):
        rows.append(
            {
                "id": str(uuid.uuid4()),
                "conversation_id": conversation,
                "message_id": None,
                "kind": kind,
                "value": value,
                "own": True,
            }
        )
        if len(rows) == CHUNK:
            connection.execute(clue.insert(), rows)
            rows = []
    if rows:
        connection.execute(clue.insert(), rows)


def _addresses(connection: sa.Connection) -> Iterator[tuple[str, str, str]]:
    """Return (conversation, kind of clue, value), as `app/residents/rules.py` writes them."""
    after = ""
    query = sa.text(
        "SELECT c.id, a.kind, c.address FROM conversation c JOIN account a ON a.id = c.account_id"
        " WHERE c.id > :after AND c.address IS NOT NULL AND c.erased_at_ms IS NULL"
        " ORDER BY c.id LIMIT :most"
    )
    while found := connection.execute(query, {"after": after, "most": CHUNK}).all():
        for conversation, channel, address in found:
            bare = address.strip().partition(" ")[0].lower()
            if channel in {"email", "web", "contact"} and "@" in bare:
                yield conversation, "email", bare
            elif channel == "whatsapp" and re.fullmatch(r"\+?[1-9]\d{7,14}", bare):
                yield conversation, "phone", bare.removeprefix("+")
            elif channel == "mastodon" and "@" in bare:
                yield conversation, "handle", f"@{bare}"
            elif channel == "matrix" and bare.startswith("@") and ":" in bare:
                yield conversation, "handle", bare
        after = found[-1][0]


def downgrade() -> None:
    """There is no way back but the backup: going back would lose what was said since."""
    raise NotImplementedError

"""How far whoever took an urgent question knows it; the rota goes to whom it concerns.

Revision ID: 0005
Revises: 0004
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = (
    ("conversation", "urgent_position"),
    ("alert", "heard_position"),
    ("alert", "told_position"),
)


def upgrade() -> None:
    """Add the columns; whoever took an urgent question before knows all of it."""
    # Added, not rebuilt: a rebuilt table would lose what refers to it in SQLite.
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_team_area_area", "team_area", ["area"], unique=False)
    op.execute(
        "UPDATE alert SET heard_position = (SELECT c.in_position FROM conversation c"
        " WHERE c.id = alert.conversation_id)"
    )
    _scope_the_rota()


def _scope_the_rota() -> None:
    """Move shifts and absences from everybody's scope to those of their teams.

    A phone that has them keeps what it may see: it is told by the scope that comes with its next
    pull.
    """
    op.execute(
        "UPDATE change SET scope = (SELECT 'rota:' || s.team_id FROM shift s"
        " WHERE change.key = 'shift:' || s.id) WHERE kind = 'shift' AND scope = 'all'"
        " AND EXISTS (SELECT 1 FROM shift s WHERE change.key = 'shift:' || s.id)"
    )
    bind = op.get_bind()
    rows = bind.execute(
        sa.text(
            "SELECT c.key, c.body, c.scope, m.team_id FROM change c"
            " JOIN absence a ON c.key = 'absence:' || a.id"
            " JOIN membership m ON m.person_id = a.person_id"
            " WHERE c.kind = 'absence' ORDER BY c.seq, m.team_id"
        )
    ).all()
    bind.execute(sa.text("DELETE FROM change WHERE kind = 'absence'"))
    for key, body, scope, team in rows:
        seq = bind.execute(
            sa.text("UPDATE feed_head SET seq = seq + 1 WHERE id = 1 RETURNING seq")
        ).scalar_one()
        said = json.dumps(json.loads(body) | {"s": seq}, separators=(",", ":"))
        bind.execute(
            sa.text(
                "INSERT INTO change (key, seq, scope, kind, conversation_id, body)"
                " VALUES (:key, :seq, :scope, 'absence', '', :body)"
            ),
            {
                "key": f"{key}@{team}",
                "seq": seq,
                "scope": f"rota:{team}" if scope == "all" else scope,
                "body": said,
            },
        )


def downgrade() -> None:
    """Remove them. Everybody gets the rota again; of an absence what its first team is told."""
    op.execute("UPDATE change SET scope = 'all' WHERE kind = 'shift' AND scope LIKE 'rota:%'")
    op.execute(
        "DELETE FROM change WHERE kind = 'absence' AND EXISTS (SELECT 1 FROM change o"
        " WHERE o.kind = 'absence' AND o.seq < change.seq"
        " AND substr(o.key, 1, 44) = substr(change.key, 1, 44))"
    )
    op.execute(
        "UPDATE change SET key = substr(key, 1, 44),"
        " scope = CASE WHEN scope LIKE 'rota:%' THEN 'all' ELSE scope END WHERE kind = 'absence'"
    )
    op.drop_index("ix_team_area_area", table_name="team_area")
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)

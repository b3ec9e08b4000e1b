"""A database from before knows from the first day where its residents write from."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command

from app import migrate


def put(connection: sa.Connection, into: str, **given: Any) -> None:
    """Insert a row as the database was then; what it insists on is filled in."""
    table = sa.Table(into, sa.MetaData(), autoload_with=connection)
    blank: dict[type, Any] = {int: 0, bool: False, str: ""}
    row = {
        column.name: blank.get(column.type.python_type, {})
        for column in table.columns
        if not column.nullable and column.server_default is None
    }
    connection.execute(table.insert(), row | given)


def test_a_database_from_before_is_brought_along(tmp_path: Path, empty_postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path / 'before.db'}", empty_postgres_url):
        with migrate.connect(url) as connection:
            command.upgrade(migrate.config(connection), "0008")
            put(connection, "team", id="noord", name="Noord")
            put(connection, "resident", id="jan")
            wrote = {
                "email": "Jan@Voorbeeld.example",
                "web": "0191d5d0-0000-7000-8000-000000000000",
                "whatsapp": "+31612345678",
                "mastodon": "jan@m.example",
                "matrix": "@jan:m.example !room:m.example",
                "telegram": "31612345678",
                "contact": None,
            }
            for kind, address in wrote.items():
                put(
                    connection, "account", id=kind, kind=kind, name=kind, team_id="noord", config={}
                )
                put(
                    connection, "conversation", id=f"c-{kind}", account_id=kind, area="x",
                    resident_id="jan", topics=[], address=address,
                )  # fmt: skip
            put(connection, "change", key="c:c-email", seq=1, scope="x", kind="conversation")
            connection.commit()
        migrate.upgrade(url)
        with migrate.connect(url) as connection:
            clues = connection.execute(
                sa.text("SELECT conversation_id, kind, value, own FROM resident_clue ORDER BY 1")
            ).all()
            also = connection.execute(sa.text("SELECT also FROM change")).scalars().all()
        assert [tuple(clue)[:3] for clue in clues] == [
            ("c-email", "email", "jan@voorbeeld.example"),
            ("c-mastodon", "handle", "@jan@m.example"),
            ("c-matrix", "handle", "@jan:m.example"),
            ("c-whatsapp", "phone", "31612345678"),
        ]
        assert all(clue[3] for clue in clues)
        assert also == [None]

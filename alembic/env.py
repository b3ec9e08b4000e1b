"""How a migration runs: on the connection that app/migrate.py hands over, in its transaction."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection, text
from sqlmodel.sql.sqltypes import AutoString

from app import migrate


def search_tables(connection: Connection) -> set[str]:
    """Return SQLite's full-text tables and their shadows, which no model describes.

    Nor does one describe PostgreSQL's full-text indexes, whose names end in `_search`.

    Shadow names: https://www.sqlite.org/fts5.html, section 9 (read 2026-11-23).
    """
    if connection.dialect.name != "sqlite":
        return set()
    virtual = connection.execute(
        text("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'")
    ).scalars()
    shadows = ("", "_data", "_idx", "_content", "_docsize", "_config")
    return {name + shadow for name in virtual for shadow in shadows}


def without_sqlmodel(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Render SQLModel's text type as plain SQL: a migration must outlive the models' library."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


def run(connection: Connection) -> None:
    """Run what was asked of Alembic."""
    not_modelled = search_tables(connection)
    context.configure(
        connection=connection,
        target_metadata=migrate.metadata(),
        compare_type=True,
        # SQLite cannot alter a column: the table is made anew and its rows are copied.
        render_as_batch=True,
        render_item=without_sqlmodel,
        include_name=lambda name, kind, _parents: (
            not (
                (kind == "table" and name in not_modelled)
                or (kind == "index" and str(name).endswith("_search"))
            )
        ),
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

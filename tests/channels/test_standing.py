"""A new team can be written to at once."""

from sqlmodel import Session, select

from app.accounts.models import Team
from app.channels import standing
from app.channels.models import Account
from app.db import Database


def test_every_team_gets_its_form_and_notes_once(database: Database) -> None:
    database.write_now(lambda session: session.add(Team(id="noord", name="Noord")))

    def kinds(session: Session) -> list[tuple[str, str]]:
        return sorted(session.exec(select(Account.kind, Account.team_id)).all())

    for _ in range(2):
        database.write_now(lambda session: standing.complete(session, now_ms=1))
        assert database.read_now(kinds) == [("contact", "noord"), ("web", "noord")]
    assert database.read_now(standing.missing) == []

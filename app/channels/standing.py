"""The two channels that every team has without anybody adding them: its form and its own notes."""

from sqlmodel import Session, select

from app.accounts.models import Team
from app.channels.models import Account
from app.db import touch

NAMES = {"web": "Webformulier", "contact": "Contactmomenten"}


def missing(session: Session) -> list[tuple[str, str]]:
    """Return (kind, team id) of what some team does not have yet."""
    have = set(session.exec(select(Account.kind, Account.team_id)))
    teams = session.exec(select(Team.id).order_by(Team.id)).all()
    return [(kind, team) for team in teams for kind in NAMES if (kind, team) not in have]


def complete(session: Session, *, now_ms: int) -> None:
    """Give every team its form and its notes."""
    for kind, team in missing(session):
        account_id = f"{kind}-{team}"
        session.add(
            Account(
                id=account_id,
                kind=kind,
                name=NAMES[kind],
                team_id=team,
                health_since_ms=now_ms,
            )
        )
        session.flush()
        touch(session, "account", account_id)

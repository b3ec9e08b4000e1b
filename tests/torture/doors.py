"""Doors in the server under test that no municipality has: for residents and for the office.

What comes in here goes the way of a real question (`inbox.start`, `inbox.receive`) in the server's
own process, so that it competes with the phones as a resident does. Each door may be knocked on
again with the same ids: who knocked does not know whether the server died before or after.
"""

from typing import Any

from fastapi import FastAPI, Request
from sqlmodel import Session, col, delete, select

from app.accounts import service
from app.accounts.models import Membership, TeamArea
from app.db import touch
from app.ids import fingerprint
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message


def open_doors(app: FastAPI) -> None:
    """Add the doors to an application."""

    @app.post("/torture/resident", include_in_schema=False)
    async def resident(request: Request) -> dict[str, bool]:
        said = await request.json()
        now_ms = request.app.state.clock.now_ms()
        await request.app.state.db.write(lambda session: _resident_writes(session, said, now_ms))
        return {"done": True}

    @app.post("/torture/areas", include_in_schema=False)
    async def areas(request: Request) -> dict[str, bool]:
        said = await request.json()
        await request.app.state.db.write(lambda session: _give_areas(session, said))
        return {"done": True}

    @app.post("/torture/session", include_in_schema=False)
    async def begin(request: Request) -> dict[str, str]:
        said = await request.json()
        now_ms = request.app.state.clock.now_ms()
        secret = await request.app.state.db.write(
            lambda session: sign_in(session, said["person"], now_ms)
        )
        return {"secret": secret}

    @app.post("/torture/signed-out", include_in_schema=False)
    async def end(request: Request) -> dict[str, bool]:
        said = await request.json()
        now_ms = request.app.state.clock.now_ms()
        await request.app.state.db.write(
            lambda session: service.end_session(session, said["secret"], now_ms=now_ms)
        )
        return {"done": True}


def sign_in(session: Session, person: str, now_ms: int) -> str:
    """Begin a session on a new phone and return its secret."""
    begun = service.begin_session(
        session, person, now_ms=now_ms, session_days=365, device_name="Android, Chrome"
    )
    return begun.secret


def _resident_writes(session: Session, said: dict[str, Any], now_ms: int) -> None:
    if session.get(Message, said["message"]) is not None:
        return
    conversation = session.get(Conversation, said["conversation"], with_for_update=True)
    if conversation is None:
        resident = inbox.new_resident(session, name=said["name"], kind="resident", now_ms=now_ms)
        session.flush()
        conversation = inbox.start(
            session,
            resident,
            conversation_id=said["conversation"],
            account_id=said["account"],
            subject="",
            area=said["area"],
            address=said["address"],
            why_not=None,
            token=said["token"],
            secret_fingerprint=fingerprint(said["secret"]) if said["secret"] else None,
            now_ms=now_ms,
        )
    inbox.receive(
        session,
        conversation,
        inbox.Entry(
            id=said["message"],
            direction="in",
            sender_name=said["name"],
            text=said["text"],
            external_id=said["message"],
            written_at_ms=now_ms,
            accepted_at_ms=now_ms,
        ),
    )
    if said["urgent"] and not conversation.urgent:
        conversation.urgent, conversation.urgent_reason = True, "Zegt: spoed"


def _give_areas(session: Session, said: dict[str, Any]) -> None:
    team = said["team"]
    session.exec(delete(TeamArea).where(col(TeamArea.team_id) == team))
    for area in said["areas"]:
        session.add(TeamArea(team_id=team, area=area))
    touch(session, "team", team)
    for person in session.exec(select(Membership.person_id).where(Membership.team_id == team)):
        touch(session, "person", person)

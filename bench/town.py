"""The town that everything is measured in: 10,000 messages in 2,000 conversations of one team.

Filled through the services and the feed themselves, so that the rows are what the program writes.
Everything comes from a seed; only the instants follow today's date, because the phone keeps what
moved in the last 90 days.
"""

import json
import random
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from app import migrate
from app.accounts import cookies
from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.accounts.service import begin_session
from app.channels.models import Account
from app.config import Settings
from app.db import Database, insert_later, touch
from app.delivery.models import Delivery
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.main import open_database
from bench.words import Writer

CONVERSATIONS = 2_000
MESSAGES = 10_000
LENGTHS = (1, 3, 4, 5, 5, 6, 6, 7, 8, 5)
"""Messages a conversation, in turn; five on average."""

MESSAGE_CHARS = 600
OPEN_CONVERSATIONS = 400
"""The newest are open, the older ones done: as an inbox is."""

COLLEAGUES = 20
AREA = "WK001410"
TEAM = "noord"
DAY_MS = 86_400_000
CONVERSATIONS_PER_COMMIT = 100


@dataclass(frozen=True)
class Town:
    """A filled database; `people` are coordinators who all see all of it, anna first."""

    data_dir: Path
    people: list[str]

    @property
    def settings(self) -> Settings:
        """The settings that the server runs with on this folder."""
        return Settings(data_dir=self.data_dir)

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "stoep.db"

    def open(self) -> Database:
        """Return the database with the feed hooked to it."""
        return open_database(self.settings)


def fill(data_dir: Path) -> Town:
    """Make the town in an empty folder."""
    settings = Settings(data_dir=data_dir)
    migrate.upgrade(settings.database)
    database = open_database(settings)
    try:
        now_ms = int(time.time() * 1000)
        people = database.write_now(lambda session: _people(session, now_ms))
        _converse(database, people, now_ms)
    finally:
        database.close()
    return Town(data_dir, people)


def _people(session: Session, now_ms: int) -> list[str]:
    session.add(Area(code=AREA, name="Paddepoel", kind="WK"))
    session.add(Team(id=TEAM, name="Noord"))
    session.flush()
    session.add(TeamArea(team_id=TEAM, area=AREA))
    for kind in ("web", "contact"):
        session.add(Account(id=f"{kind}-{TEAM}", kind=kind, name=kind, team_id=TEAM, area=AREA))
        touch(session, "account", f"{kind}-{TEAM}")
    touch(session, "area", AREA)
    touch(session, "team", TEAM)
    writer = Writer(2)
    people = []
    for number in range(COLLEAGUES):
        name = writer.name()
        person = Person(
            id=uuid7(now_ms),
            name=name,
            email=f"{number}@voorbeeld.example",
            role="coordinator",
            created_at_ms=now_ms,
        )
        session.add(person)
        session.flush()
        session.add(Membership(person_id=person.id, team_id=TEAM))
        touch(session, "person", person.id)
        people.append(person.id)
    return people


def _converse(database: Database, people: list[str], now_ms: int) -> None:
    lengths = [LENGTHS[n % len(LENGTHS)] for n in range(CONVERSATIONS)]
    if sum(lengths) != MESSAGES:
        raise AssertionError("the lengths do not add up")
    writer, chance = Writer(3), random.Random(4)
    # Closed ones moved within the window, so that a phone holds all of it.
    step_ms = 80 * DAY_MS // CONVERSATIONS
    for start in range(0, CONVERSATIONS, CONVERSATIONS_PER_COMMIT):
        batch = range(start, start + CONVERSATIONS_PER_COMMIT)

        def write(session: Session, batch: range = batch) -> None:
            for number in batch:
                begun_ms = now_ms - (CONVERSATIONS - number) * step_ms
                is_open = number >= CONVERSATIONS - OPEN_CONVERSATIONS
                _thread(session, writer, chance, people, lengths[number], begun_ms, is_open=is_open)

        database.write_now(write)


def _thread(
    session: Session,
    writer: Writer,
    chance: random.Random,
    people: list[str],
    length: int,
    begun_ms: int,
    *,
    is_open: bool,
) -> None:
    name = writer.name()
    resident = inbox.new_resident(session, name=name, kind="resident", now_ms=begun_ms)
    session.flush()
    conversation_id = uuid7(begun_ms)
    conversation = inbox.start(
        session,
        resident,
        conversation_id=conversation_id,
        account_id=f"web-{TEAM}",
        subject="",
        area=AREA,
        address=conversation_id,
        why_not=None,
        place=writer.place() if chance.random() < 0.3 else None,
        now_ms=begun_ms,
    )
    for position in range(length):
        at_ms = begun_ms + position * 600_000
        if position % 2 == 0:
            incoming = inbox.Entry(
                id=uuid7(at_ms),
                direction="in",
                sender_name=name,
                text=writer.text(MESSAGE_CHARS),
                external_id=uuid7(at_ms),
                written_at_ms=at_ms,
                accepted_at_ms=at_ms,
            )
            inbox.receive(session, conversation, incoming)
        else:
            _answer(session, conversation, writer, chance.choice(people), at_ms)
    conversation.status = "open" if is_open else "closed"
    conversation.assignee_id = chance.choice([*people, None])
    conversation.topics = chance.sample(["afval", "groen", "verkeer", "geluid", "licht"], k=1)
    if not is_open:
        conversation.waiting_since_ms = None


def _answer(
    session: Session, conversation: Conversation, writer: Writer, author: str, at_ms: int
) -> None:
    entry = inbox.Entry(
        id=uuid7(at_ms),
        direction="out",
        author_id=author,
        text=writer.text(MESSAGE_CHARS),
        written_at_ms=at_ms - 60_000,
        accepted_at_ms=at_ms,
    )
    inbox.reply(session, conversation, entry)
    delivery: dict[str, Any] = {
        "id": uuid7(at_ms),
        "message_id": entry.id,
        "account_id": conversation.account_id,
        "recipient": str(conversation.address),
        "notice": False,
        "state": "sent",
        "external_id": uuid7(at_ms),
        "attempts": 1,
        "tried": True,
        "due_at_ms": at_ms,
        "expires_at_ms": at_ms + DAY_MS,
        "sent_at_ms": at_ms + 900,
    }
    insert_later(session, Delivery, delivery)


def sign_in(town: Town, people: list[str]) -> list[str]:
    """Begin a session on a new device for each person named; return the cookies' secrets."""
    database = town.open()
    settings = town.settings
    now_ms = int(time.time() * 1000)
    try:
        return database.write_now(
            lambda session: [
                begin_session(
                    session,
                    person,
                    now_ms=now_ms,
                    session_days=settings.session_days,
                    device_name="Bench",
                ).secret
                for person in people
            ]
        )
    finally:
        database.close()


def cookie(secret: str) -> dict[str, str]:
    """Return the session's cookie as a browser driver takes it, without an address."""
    return {"name": cookies.NAME, "value": secret}


@dataclass(frozen=True)
class Line:
    """One conversation as the feed has it: opaque JSON, and what the floors are given."""

    id: str
    number: int
    head: str
    messages: list[str]


def lines(town: Town) -> list[Line]:
    """Return all conversations, newest number first, as the server would send them."""
    connection = sqlite3.connect(town.file)
    try:
        rows = connection.execute(
            "SELECT conversation_id, kind, body FROM change"
            " WHERE kind IN ('conversation', 'message') ORDER BY seq"
        ).fetchall()
    finally:
        connection.close()
    heads = {conversation: body for conversation, kind, body in rows if kind == "conversation"}
    messages: dict[str, list[str]] = {conversation: [] for conversation in heads}
    for conversation, kind, body in rows:
        if kind == "message":
            messages[conversation].append(body)
    found = [
        Line(conversation, json.loads(head)["number"], head, messages[conversation])
        for conversation, head in heads.items()
    ]
    return sorted(found, key=lambda line: -line.number)

"""The town of `town.py` behind the whole application, with residents at their browsers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from sqlmodel import Session, select

from app.accounts import cookies, service
from app.accounts.policy import Principal
from app.channels import registry
from app.channels.models import Account
from app.clock import SetClock
from app.delivery.worker import Worker
from app.ids import fingerprint
from app.inbox.models import Conversation, Message
from app.secrets import unseal
from tests.support.town import PADDEPOEL, Town, build, op
from tests.support.visitor import Visitor, open_app

PATIENCE_S = 20
"""What a person takes to write a question."""


@dataclass
class Neighbourhood:
    """A running municipality; `resident` is somebody at home in Paddepoel."""

    app: FastAPI
    town: Town
    clock: SetClock
    resident: Visitor
    visitors: list[Visitor] = field(default_factory=list)

    def visitor(self, peer: str = "198.51.100.4", language: str = "nl") -> Visitor:
        """Return somebody else at another address."""
        visitor = Visitor(self.app, peer=peer, language=language)
        self.visitors.append(visitor)
        return visitor

    async def asks(self, visitor: Visitor | None = None, **typed: str) -> str:
        """Let a resident fill in the form of Paddepoel; return the path of her own page."""
        visitor = visitor or self.resident
        form = await visitor.form(f"/w/{PADDEPOEL}")
        self.clock.forward(s=PATIENCE_S)
        typed.setdefault("question", "De lantaarnpaal knippert.")
        answer = await visitor.send(form, **typed)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].partition("?")[0]

    def conversations(self) -> list[Conversation]:
        """Return all conversations, oldest first."""
        query = select(Conversation)
        rows = self.town.db.read_now(lambda session: session.exec(query).all())
        return sorted(rows, key=lambda conversation: conversation.number or 0)

    def of_page(self, page: str) -> Conversation:
        """Return the conversation behind a resident's page."""
        secret = page.removeprefix("/v/").partition("/")[0]

        def find(session: Session) -> Conversation:
            query = select(Conversation)
            return session.exec(
                query.where(Conversation.secret_fingerprint == fingerprint(secret))
            ).one()

        return self.town.db.read_now(find)

    def said(self, page: str, direction: str = "in") -> list[Message]:
        """Return the messages of one direction behind a page."""
        timeline = self.town.timeline(self.of_page(page).id)
        return [message for message in timeline if message.direction == direction]

    def replies(self, page: str, text: str, who: Principal | None = None) -> str:
        """Let a coordinator answer; it is accepted, and not yet on the page. Returns the id."""
        conversation = self.of_page(page)
        reply = op("reply", conversation.id, based_on=conversation.position, text=text)
        (result,) = self.town.does(who or self.town.anna, reply)
        assert result["outcome"] == "applied", result
        return reply.op_id

    async def delivers(self) -> None:
        """Let the worker take what is due."""
        worker = Worker(
            self.town.db,
            self.clock,
            lambda account: registry.adapter_of(
                account, unseal(self.app.state.settings, account.secret), self.clock.now_ms
            ),
        )
        await worker.once()

    def opens_mailbox(self) -> None:
        """Give the team of Paddepoel a mailbox that is switched on."""
        mailbox = Account(id="email-noord", kind="email", name="post", team_id="noord")
        self.town.db.write_now(lambda session: session.add(mailbox))

    def signs_in(self, who: Principal) -> dict[str, str]:
        """Return the cookie of a colleague who signed in on a phone."""
        begun = self.town.db.write_now(
            lambda session: service.begin_session(
                session,
                who.person_id,
                now_ms=self.clock.now_ms(),
                session_days=30,
                device_name="Android, Chrome",
            )
        )
        return {cookies.name(self.app.state.settings): begun.secret}

    async def close(self) -> None:
        """Close browsers and the database."""
        for visitor in (self.resident, *self.visitors):
            await visitor.http.aclose()
        self.town.db.close()


Open = Callable[..., Neighbourhood]


def open_neighbourhood(
    database_url: str, data_dir: Path, clock: SetClock, **settings: object
) -> Neighbourhood:
    """Return a town that is open for business on a migrated, empty database."""
    app = open_app(database_url, data_dir, clock, **settings)
    town = build(app.state.db)
    town.now_ms = clock.now_ms()
    return Neighbourhood(app, town, clock, Visitor(app))

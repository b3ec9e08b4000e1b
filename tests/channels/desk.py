"""A team that answers from one account through the real intake and the real delivery worker."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session, select

from app.channels import intake
from app.channels.contract import Adapter, Incoming
from app.channels.models import Account
from app.clock import SetClock, SystemClock
from app.db import Database, touch
from app.delivery.attempts import LOOK_AGAIN_MS
from app.delivery.models import Delivery
from app.delivery.worker import Worker
from tests.support.town import build, op

ACCOUNT = "kanaal-noord"


class Desk:
    """A town with one account more; `adapter` makes what the worker opens, and closes."""

    def __init__(self, db: Database, kind: str, adapter: Callable[[], Adapter]) -> None:
        self.town = build(db)
        self.clock = SetClock(SystemClock().now_ms())
        self.town.now_ms = self.clock.now_ms()
        self.worker = Worker(db, self.clock, lambda _account: adapter())

        def work(session: Session) -> None:
            session.add(Account(id=ACCOUNT, kind=kind, name="Stadsdeel Noord", team_id="noord"))
            touch(session, "account", ACCOUNT)

        db.write_now(work)

    def takes(self, *items: Incoming) -> str:
        """Take messages in; return the conversation of the last."""
        found = ""
        for item in items:
            prepared = intake.prepare(item, max_bytes=1_000_000)

            def store(session: Session, prepared: intake.Prepared = prepared) -> str | None:
                account = session.get_one(Account, ACCOUNT)
                return intake.take(session, account, prepared, now_ms=self.clock.now_ms())

            found = self.town.db.write_now(store) or found
        return found

    def answers(self, conversation: str, text: str = "Donderdag komt er iemand langs.") -> None:
        """Let Anna reply."""
        based_on = self.town.conversation(conversation).position
        asked = op("reply", conversation, based_on, text=text)
        (result,) = self.town.does(self.town.anna, asked)
        assert result["outcome"] == "applied", result

    async def delivers(self) -> None:
        """Let the worker do what is due now."""
        while await self.worker.once():
            pass

    async def waits(self, ms: int = LOOK_AGAIN_MS[0]) -> None:
        """Let time pass, a quarter more than asked for, and the worker do what is due then."""
        self.clock.forward(ms=ms + ms // 4 + 1)
        await self.delivers()

    @property
    def states(self) -> list[tuple[str, str | None]]:
        """Each delivery's state and error, oldest first."""
        return [(delivery.state, delivery.error) for delivery in self._deliveries()]

    @property
    def names(self) -> list[str]:
        """What each reply is called at the platform, oldest first."""
        return [delivery.external_id for delivery in self._deliveries()]

    def health(self) -> str:
        return self.town.db.read_now(lambda session: session.get_one(Account, ACCOUNT).health)

    def _deliveries(self) -> list[Delivery]:
        query = select(Delivery).order_by(Delivery.id)
        return list(self.town.db.read_now(lambda session: session.exec(query).all()))

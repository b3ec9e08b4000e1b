"""A town on each kind of database, whose people have phones that can be woken."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session, col, select

from app.accounts.policy import Principal
from app.clock import SetClock
from app.push import service
from app.push.connections import Connections
from app.push.models import Push, PushSubscription
from app.push.service import Notice
from app.push.worker import OnCall, PushWorker
from tests.peers.push_reading import Browser
from tests.peers.push_service import PushService, Taken, serving
from tests.support.neighbourhood import Neighbourhood, open_neighbourhood
from tests.support.visitor import ORIGIN

KNOWN_ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc:def"
PATIENCE_S = 0.5
"""How long the worker waits for a push service that never answers, in a test."""


@dataclass
class Phone:
    """A browser on which a colleague signed in."""

    name: str
    http: httpx.AsyncClient
    vendor: PushService
    browser: Browser = field(default_factory=Browser)
    device_id: str = ""

    async def subscribes(self, endpoint: str | None = None, **more: object) -> httpx.Response:
        """Ask the vendor's push service for a subscription and tell Stoep of it."""
        body = {
            "endpoint": endpoint or self.vendor.subscribe(self.name, self.browser),
            "keys": self.browser.keys,
            "browser": "chrome",
            "platform": "android",
        }
        return await self.http.put("/api/v1/push/subscription", json=body | more)

    async def health(self) -> dict[str, list[dict[str, object]]]:
        """Ask what is known."""
        answer = await self.http.get("/api/v1/push/health")
        assert answer.status_code == 200, answer.text
        known: dict[str, list[dict[str, object]]] = answer.json()
        return known

    async def mine(self) -> dict[str, object]:
        """Ask what is known of this phone."""
        devices = (await self.health())["devices"]
        return next(one for one in devices if one["device_id"] == self.device_id)

    async def asks_for_a_test(self) -> str:
        """Tap on "test"; return the push's id."""
        answer = await self.http.post("/api/v1/push/tests")
        assert answer.status_code == 202, answer.text
        push_id: str = answer.json()["push"]
        return push_id

    def got(self) -> list[Taken]:
        """Return what the push service took for this phone."""
        return [message for message in self.vendor.taken if message.id == self.name]

    def alerts(self) -> list[Taken]:
        """Return what the push service took for this phone, without the tests."""
        return [message for message in self.got() if message.json["kind"] != "test"]

    async def shows(self, message: Taken) -> httpx.Response:
        """Show a message and say so, as the service worker does."""
        said = {"push": message.json["push"], "report": message.json["report"]}
        return await self.http.post("/api/v1/push/reports", json=said)


class Wakeable:
    """A town with phones, a push service and the worker that sends to it."""

    def __init__(self, neighbourhood: Neighbourhood, vendor: PushService) -> None:
        self.neighbourhood = neighbourhood
        self.town = neighbourhood.town
        self.clock = neighbourhood.clock
        self.settings = neighbourhood.app.state.settings
        self.vendor = vendor
        self.phones: list[Phone] = []
        self.workers: list[PushWorker] = []
        self.worker = self.new_worker()

    def new_worker(self, on_call: OnCall | None = None, **settings: object) -> PushWorker:
        """Return another worker, as after a restart."""
        worker = PushWorker(
            self.town.db,
            self.clock,
            self.settings.model_copy(update=settings),
            connections=Connections(timeout_s=PATIENCE_S),
            on_call=on_call,
        )
        self.workers.append(worker)
        return worker

    async def signs_in(self, who: Principal) -> Phone:
        """Return a phone on which this colleague has just signed in."""
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.neighbourhood.app, raise_app_exceptions=True),
            base_url=ORIGIN,
            headers={"Sec-Fetch-Site": "same-origin"},
            cookies=self.neighbourhood.signs_in(who),
        )
        phone = Phone(f"{who.name.lower()}-{len(self.phones)}", http, self.vendor)
        phone.device_id = (await http.get("/api/v1/me")).json()["device_id"]
        self.phones.append(phone)
        return phone

    async def subscribed(self, who: Principal) -> Phone:
        """Return a phone that can be woken, and has not been tested yet."""
        phone = await self.signs_in(who)
        answer = await phone.subscribes()
        assert answer.status_code == 200, answer.text
        return phone

    async def proven(self, who: Principal) -> Phone:
        """Return a phone that has shown its test."""
        phone = await self.subscribed(who)
        await phone.asks_for_a_test()
        await self.sends()
        assert (await phone.shows(phone.got()[-1])).status_code == 204
        return phone

    async def sends(self, worker: PushWorker | None = None) -> None:
        """Let the worker send all that is due."""
        while await (worker or self.worker).once():
            pass

    def wakes(self, who: Principal, notice: Notice, **more: str) -> list[str]:
        """Queue a notice for a person; return the ids."""
        return self.town.db.write_now(
            lambda session: service.send(
                session, who.person_id, notice, now_ms=self.clock.now_ms(), **more
            )
        )

    def closes(self, conversation_id: str, **more: str) -> None:
        """Say that nobody needs to be woken about a conversation any more."""
        self.town.db.write_now(
            lambda session: service.close(
                session, conversation_id, now_ms=self.clock.now_ms(), **more
            )
        )

    def reach(self, who: Principal) -> str:
        """Return whether a person can be woken."""
        return self.town.db.read_now(
            lambda session: service.reach(session, who.person_id, now_ms=self.clock.now_ms())
        )

    def pushes(self) -> list[Push]:
        """Return all pushes in order."""

        def look(session: Session) -> list[Push]:
            found = session.exec(select(Push).order_by(col(Push.id))).all()
            session.expunge_all()
            return list(found)

        return self.town.db.read_now(look)

    def states(self) -> list[tuple[str, str | None]]:
        """Return state and error of all pushes in order."""
        return [(push.state, push.error) for push in self.pushes()]

    def subscriptions(self) -> list[PushSubscription]:
        """Return all subscriptions in order."""

        def look(session: Session) -> list[PushSubscription]:
            query = select(PushSubscription).order_by(col(PushSubscription.id))
            found = session.exec(query).all()
            session.expunge_all()
            return list(found)

        return self.town.db.read_now(look)

    async def close(self) -> None:
        """Close browsers and workers."""
        for phone in self.phones:
            await phone.http.aclose()
        for worker in self.workers:
            await worker.close()


@pytest.fixture
async def wakeable(database_url: str, tmp_path: Path, clock: SetClock) -> AsyncIterator[Wakeable]:
    """A town with phones; the test runs once on each kind of database."""
    async with serving(PushService(now_s=lambda: clock.now_ms() / 1000)) as vendor:
        neighbourhood = open_neighbourhood(
            database_url,
            tmp_path / "data",
            clock,
            push_services=vendor.url.removeprefix("http://"),
        )
        opened = Wakeable(neighbourhood, vendor)
        yield opened
        await opened.close()
        await neighbourhood.close()

"""Mails for tests, and waiting for them."""

import asyncio
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import make_msgid
from typing import TypeVar

from app.channels.contract import Batch, DeliveryReport, Incoming, Outgoing, Source
from app.clock import SystemClock
from app.ids import uuid7
from tests.peers.mail import PATIENCE_S

T = TypeVar("T")


def question(
    resident: str, team: str, text: str = "Wanneer wordt de lantaarn gemaakt?", **headers: str
) -> EmailMessage:
    """Return a resident's mail; headers as keywords, `In_Reply_To="<…>"`."""
    mail = EmailMessage()
    mail["From"] = f"Fatma Yıldız <{resident}>"
    mail["To"] = team
    mail["Subject"] = "Lantaarn stuk"
    mail["Message-ID"] = make_msgid(domain="resident.example")
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def reply_to(
    item: Incoming | None, external_id: Callable[[str], str], recipient: str, **changes: object
) -> Outgoing:
    """Return a coordinator's answer to what came in."""
    delivery_id = uuid7()
    values: dict[str, object] = {
        "delivery_id": delivery_id,
        "external_id": external_id(delivery_id),
        "recipient": recipient,
        "subject": item.subject if item else "Uw vraag",
        "text": "Donderdag komt er iemand langs. Groet, Anna",
        "created_at_ms": SystemClock().now_ms(),
        "token": "a1b2c3d4e5f60718",
        "from_name": "Stadsdeel Noord",
        "in_reply_to": item.external_id if item else None,
        "references": (item.external_id,) if item else (),
        **changes,
    }
    return Outgoing(**values)  # type: ignore[arg-type]


async def until(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` gives as soon as that is true; AssertionError after a while."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await ask()):  # noqa: ASYNC110  (a mail server tells nobody)
            await asyncio.sleep(0.02)
        return found


async def fetch_all(source: Source, cursor: str | None = None) -> Batch:
    """Fetch until nothing is left; return it as one batch."""
    items: list[Incoming | DeliveryReport] = []
    echoes: list[str] = []
    while True:
        batch = await source.fetch(cursor)
        items += batch.items
        echoes += batch.echoes
        cursor = batch.cursor
        if not batch.more:
            return Batch(tuple(items), cursor, more=False, echoes=tuple(echoes))


async def incoming(source: Source, count: int = 1) -> list[Incoming]:
    """Wait for this many messages from residents."""

    async def enough() -> list[Incoming]:
        batch = await fetch_all(source)
        found = [item for item in batch.items if isinstance(item, Incoming)]
        return found if len(found) >= count else []

    return await until(enough)


async def reports(source: Source, state: str) -> list[DeliveryReport]:
    """Wait for a report of this state."""

    async def some() -> list[DeliveryReport]:
        batch = await fetch_all(source)
        return [i for i in batch.items if isinstance(i, DeliveryReport) and i.state == state]

    return await until(some)

"""Fetching from many accounts: how each is doing is said, and one that hangs delays no other."""

import asyncio
import secrets
import string
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from app.channels import intake
from app.channels.contract import (
    Adapter,
    Batch,
    Capabilities,
    ChannelError,
    Gap,
    Incoming,
    IncomingAttachment,
    SignedOut,
    Temporary,
)
from app.channels.fetching import Fetching
from app.channels.models import Account
from app.clock import SetClock
from app.db import Database
from app.inbox.models import Message
from tests.support.town import NOON_MS, PADDEPOEL, Town, build


class Feed:
    """A source in the test's hands: it brings one batch, or is in trouble, or never answers."""

    capabilities = Capabilities(max_chars=100)

    def __init__(self, outcome: Batch | ChannelError | None) -> None:
        self._outcome = outcome
        self.asked = asyncio.Event()

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None:
        """Nothing to sign in to."""

    async def close(self) -> None:
        """Nothing is open."""

    async def fetch(self, cursor: str | None) -> Batch:
        self.asked.set()
        if self._outcome is None:
            await asyncio.Event().wait()
        if isinstance(self._outcome, ChannelError):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome


def brings(text: str, **more: Any) -> Batch:
    return Batch((Incoming(text, "jantje", "Jantje", text, NOON_MS),), "1", **more)


@pytest.fixture
def town(database: Database) -> Town:
    return build(database)


async def runs(
    town: Town, feeds: dict[str, Feed], until: Callable[[dict[str, Account]], bool]
) -> dict[str, Account]:
    """Fetch from feeds of these names until the accounts are as wanted; return them."""

    def add(session: Session) -> None:
        for name in feeds:
            account = Account(id=name, kind="rss", name=name, team_id="noord", area=PADDEPOEL)
            session.add(account)
        for standing in session.exec(select(Account).where(Account.team_id == "zuid")):
            standing.enabled = False

    town.db.write_now(add)

    def opens(account: Account) -> Adapter | None:
        return feeds.get(account.id)

    fetching = Fetching(town.db, SetClock(NOON_MS), opens, max_bytes=1000)
    task = asyncio.create_task(fetching.run())
    accounts: dict[str, Account] = {}
    try:
        async with asyncio.timeout(20):
            while not accounts or not until(accounts):
                await asyncio.gather(*(feed.asked.wait() for feed in feeds.values()))
                found = await town.db.read(lambda session: list(session.exec(select(Account))))
                accounts = {account.id: account for account in found if account.id in feeds}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return accounts


async def test_how_each_account_is_doing_is_said(town: Town) -> None:
    feeds = {
        "limited": Feed(Temporary("rate_limited", retry_after_s=600)),
        "down": Feed(Temporary("no_answer")),
        "out": Feed(SignedOut("password_refused")),
        "gap": Feed(brings("Hallo", gap=Gap(NOON_MS - 5000, NOON_MS))),
    }
    wanted = {"limited": "limited", "down": "down", "out": "signed_out", "gap": "working"}
    accounts = await runs(
        town,
        feeds,
        lambda found: (
            {name: one.health for name, one in found.items()} == wanted and bool(found["gap"].gaps)
        ),
    )
    assert accounts["limited"].limited_until_ms == NOON_MS + 600_000
    assert accounts["down"].limited_until_ms is None
    assert accounts["out"].health_detail == "password_refused"
    assert accounts["gap"].gaps == [[NOON_MS - 5000, NOON_MS]]


async def test_one_that_never_answers_delays_no_other(town: Town) -> None:
    feeds = {"hangs": Feed(None)} | {f"f{n}": Feed(brings(f"Bericht {n}")) for n in range(40)}
    await runs(
        town, feeds, lambda found: all(one.cursor for n, one in found.items() if n != "hangs")
    )
    texts = town.db.read_now(
        lambda session: session.exec(select(Message.text).where(Message.direction == "in")).all()
    )
    assert sorted(texts) == sorted(f"Bericht {n}" for n in range(40))


async def test_an_account_that_is_given_other_values_is_fetched_with_those(town: Town) -> None:
    # The first mailbox never lets go by itself: it waits for news, as an open line does.
    old, new = Feed(None), Feed(brings("Uit de nieuwe postbus"))

    def add(session: Session) -> None:
        for standing in session.exec(select(Account)):
            standing.enabled = False
        session.add(Account(id="box", kind="rss", name="box", team_id="noord", config={"box": 1}))

    town.db.write_now(add)
    fetching = Fetching(
        town.db,
        SetClock(NOON_MS),
        lambda account: new if account.config["box"] == 2 else old,
        max_bytes=1000,
        accounts_s=0.05,
    )
    task = asyncio.create_task(fetching.run())
    try:
        async with asyncio.timeout(20):
            await old.asked.wait()
            await town.db.write(give_other_values)
            await new.asked.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_the_mailbox_of_before_brought_moves_no_cursor_of_the_new_one(
    town: Town,
) -> None:
    class Slow(Feed):
        """Brings its batch only when the account has become another."""

        async def fetch(self, cursor: str | None) -> Batch:
            await town.db.write(give_other_values)
            return await super().fetch(cursor)

    def add(session: Session) -> None:
        for standing in session.exec(select(Account)):
            standing.enabled = False
        session.add(Account(id="box", kind="rss", name="box", team_id="noord", config={"box": 1}))

    town.db.write_now(add)
    old, new = Slow(brings("Uit de oude postbus")), Feed(None)
    fetching = Fetching(
        town.db,
        SetClock(NOON_MS),
        lambda account: new if account.config["box"] == 2 else old,
        max_bytes=1000,
        accounts_s=0.05,
    )
    task = asyncio.create_task(fetching.run())
    try:
        async with asyncio.timeout(20):
            await new.asked.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    cursor = town.db.read_now(lambda session: session.get_one(Account, "box").cursor)
    assert cursor is None


def give_other_values(session: Session) -> None:
    session.get_one(Account, "box").config = {"box": 2}


def message(name: str, **more: Any) -> Incoming:
    return Incoming(name, "jantje", "Jantje", name, NOON_MS - 90_000, **more)


def texts(town: Town) -> list[str]:
    query = select(Message.text).where(Message.account_id == "plein")
    return sorted(town.db.read_now(lambda session: list(session.exec(query))))


async def takes(town: Town, *items: Incoming) -> Account:
    """Let one batch be stored for an account; return how that is doing."""

    def add(session: Session) -> None:
        if session.get(Account, "plein") is None:
            session.add(Account(id="plein", kind="rss", name="Plein", team_id="noord"))

    town.db.write_now(add)
    fetching = Fetching(town.db, SetClock(NOON_MS), lambda _account: None, max_bytes=1000)
    await fetching.take("plein", Batch(items, "verder"))
    return town.db.read_now(lambda session: session.get_one(Account, "plein"))


async def test_a_message_that_cannot_be_stored_keeps_no_other_out_and_is_said_to_be_missing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake.take

    def take(session: Session, account: Account, prepared: intake.Prepared, *, now_ms: int) -> Any:
        found = real(session, account, prepared, now_ms=now_ms)
        if prepared.item.text == "gif":
            raise OverflowError
        return found

    monkeypatch.setattr(intake, "take", take)
    account = await takes(town, message("eerst"), message("gif"), message("later"))
    assert texts(town) == ["eerst", "later"]
    assert account.cursor == "verder"
    ((from_ms, to_ms),) = account.gaps or []
    assert from_ms <= NOON_MS - 90_000 < to_ms <= from_ms + 120_000


async def test_what_no_index_of_the_database_holds_keeps_no_other_out(postgres_url: str) -> None:
    db = Database(postgres_url)
    town = build(db)
    # Not to be made shorter by what the database does of itself.
    endless = "".join(secrets.choice(string.ascii_letters) for _ in range(9_000))
    await takes(town, message("eerst"), message(endless), message("later"))
    assert texts(town) == ["eerst", "later"]
    db.close()


async def test_when_nothing_can_be_stored_nothing_is_passed_over(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(*_: Any, **__: Any) -> None:
        raise OverflowError

    monkeypatch.setattr(intake, "take", take)
    with pytest.raises(OverflowError):
        await takes(town, message("een"), message("twee"))
    account = town.db.read_now(lambda session: session.get_one(Account, "plein"))
    assert (account.cursor, account.gaps or []) == (None, [])


async def test_when_the_database_is_away_nothing_is_passed_over(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake.take
    tries: list[str] = []

    def take(session: Session, account: Account, prepared: intake.Prepared, *, now_ms: int) -> Any:
        tries.append(prepared.item.text)
        if prepared.item.text == "een":
            raise OperationalError("INSERT", {}, Exception("disk I/O error"))
        return real(session, account, prepared, now_ms=now_ms)

    monkeypatch.setattr(intake, "take", take)
    with pytest.raises(OperationalError):
        await takes(town, message("een"), message("twee"))
    assert set(tries) == {"een"}
    assert texts(town) == []


async def test_a_picture_that_breaks_the_decoder_is_left_out_and_its_words_come_in(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("app.media.store", breaks)
    files = tuple(IncomingAttachment(f"{n}.jpg", "image/jpeg", b"x") for n in range(100))
    await takes(town, message("foto", attachments=files))
    query = select(Message).where(Message.account_id == "plein")
    (stored,) = town.db.read_now(lambda session: list(session.exec(query)))
    assert (stored.text, stored.notices) == ("foto", ["attachments_dropped"])

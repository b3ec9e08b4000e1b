"""Waking phones: a fan-out beside the bare library and beside the encryption alone, and the time
from a message that comes in to the push that goes out.
"""

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import uvloop
from pywebpush import webpush
from sqlmodel import Session, select

from app import migrate
from app.accounts.models import Device, Person, UserSession
from app.channels import web_service
from app.clock import SystemClock
from app.config import Settings
from app.db import Database, insert_later
from app.ids import fingerprint, uuid7
from app.main import create_app, open_database
from app.oncall.models import Shift
from app.push import payload, service
from app.push.endpoints import encode
from app.push.models import Push, PushSubscription
from app.push.sealing import seal
from app.push.vapid import server_key
from app.push.worker import PushWorker
from bench import processes, town
from bench.figures import median, percentile, ratio
from bench.world import World
from tests.peers.push_reading import browser_of

SUBSCRIPTIONS = 10_000
BARE = 400
"""Subscriptions in one run of the library's own loop, which is many times slower."""

FLOOR = 4_000
CHECK_EVERY = 50
"""The push service reads every fiftieth message, so that it is not what is measured."""

WORDS = {"title": "push.urgent_in", "area": "Paddepoel", "reason": "gaslucht"}
HOUR_MS = 3600_000

RATE = 50
"""Messages a second that come in; one in five is urgent."""

SECONDS = 20
URGENT_EVERY = 5
CALM, URGENT = "De lantaarnpaal bij ons knippert.", "Het ruikt hier sterk naar gas, spoed!"


def run(world: World) -> None:
    """Measure everything of this part."""
    folder = world.folder / "push"
    folder.mkdir()
    _fan_out(world, folder)
    _message_in(world)


@dataclass
class Took:
    """What one round took, per subscription."""

    wall_us: float
    cpu_us: float


@contextmanager
def _timed(count: int, into: list[Took]) -> Iterator[None]:
    gc.collect()
    gc.freeze()  # as `stoep serve` does
    began_s, used_s = time.perf_counter(), time.process_time()
    yield
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - used_s
    into.append(Took(wall_s / count * 1e6, cpu_s / count * 1e6))


def _fan_out(world: World, folder: Path) -> None:
    """Send one notice to 10,000 devices, from rows that are queued to rows that say `sent`."""
    with processes.push_service(SUBSCRIPTIONS, CHECK_EVERY) as vendor:
        host = vendor.url.removeprefix("http://")
        settings = Settings(data_dir=folder, push_services=host, push_contact="mailto:a@b.example")
        migrate.upgrade(settings.database)
        db = Database(settings.database)
        _settle(db, settings, vendor.url)
        keys = [browser_of(f"b{number}").keys for number in range(FLOOR)]
        ours: list[Took] = []
        floor: list[Took] = []
        bare: list[Took] = []
        kept: list[Took] = []
        for _ in range(world.runs):
            with _timed(FLOOR, floor):
                _encrypt_only(settings, keys)
            _queue(db)
            with _timed(SUBSCRIPTIONS, ours):
                uvloop.run(_send_all(db, settings))
            _check(db, vendor.url)
            with _timed(BARE, bare):
                _bare_loop(settings, vendor.url, keys[:BARE], None)
            with requests.Session() as session, _timed(BARE, kept):
                _bare_loop(settings, vendor.url, keys[:BARE], session)
        db.close()
    to_bare = ratio([one.wall_us for one in bare], [one.wall_us for one in ours])
    to_floor = ratio([one.cpu_us for one in ours], [one.cpu_us for one in floor])
    world.report.figure(
        "push fan-out",
        1e6 / median(one.wall_us for one in ours),
        "subscriptions/s",
        goal="≥ 3 × the bare library's loop",
        met=to_bare >= 3,
        subscriptions=SUBSCRIPTIONS,
        ratio_to_bare=to_bare,
        ratio_to_bare_on_one_connection=ratio(
            [one.wall_us for one in kept], [one.wall_us for one in ours]
        ),
        bare=1e6 / median(one.wall_us for one in bare),
        runs=[1e6 / one.wall_us for one in ours],
    )
    world.report.figure(
        "push fan-out, processor",
        1e6 / median(one.cpu_us for one in ours),
        "subscriptions/CPU-s",
        goal="≤ 1.5 × the encryption alone",
        met=to_floor <= 1.5,
        ratio_to_floor=to_floor,
        ratio_to_bare=ratio([one.cpu_us for one in bare], [one.cpu_us for one in ours]),
        floor=1e6 / median(one.cpu_us for one in floor),
        bare=1e6 / median(one.cpu_us for one in bare),
        runs=[1e6 / one.cpu_us for one in ours],
    )


def _settle(db: Database, settings: Settings, url: str) -> None:
    """Let 10,000 people sign in on a phone each."""
    now_ms = SystemClock().now_ms()
    ours = server_key(settings).fingerprint

    def work(session: Session) -> None:
        for number in range(SUBSCRIPTIONS):
            person, device = uuid7(now_ms), uuid7(now_ms)
            keys = browser_of(f"b{number}").keys
            insert_later(
                session,
                Person,
                {
                    "id": person,
                    "name": f"Collega {number}",
                    "email": f"{number}@voorbeeld.example",
                    "role": "coordinator",
                    "language": "nl",
                    "active": True,
                    "created_at_ms": now_ms,
                },
            )
            seen = {"created_at_ms": now_ms, "seen_at_ms": now_ms}
            insert_later(
                session,
                Device,
                {"id": device, "person_id": person, "name": "Android, Chrome", **seen},
            )
            insert_later(
                session,
                UserSession,
                {
                    "fingerprint": uuid7(now_ms),
                    "person_id": person,
                    "device_id": device,
                    "created_at_ms": now_ms,
                    "expires_at_ms": now_ms + 30 * 24 * HOUR_MS,
                },
            )
            insert_later(
                session,
                PushSubscription,
                {
                    "id": uuid7(now_ms),
                    "device_id": device,
                    "person_id": person,
                    "endpoint": f"{url}/wpush/b{number}",
                    **keys,
                    "server_key": ours,
                    "browser": "chrome",
                    "platform": "android",
                    "state": "new",
                    "created_at_ms": now_ms,
                    "next_test_at_ms": now_ms + 24 * HOUR_MS,
                },
            )

    db.write_now(work)


def _queue(db: Database) -> None:
    now_ms = SystemClock().now_ms()

    def work(session: Session) -> None:
        for subscription in session.exec(select(PushSubscription.id)).all():
            insert_later(
                session,
                Push,
                {
                    "id": uuid7(now_ms),
                    "subscription_id": subscription,
                    "kind": "urgent",
                    "topic": service.topic_of("lamp"),
                    "urgency": "high",
                    "payload": WORDS,
                    "state": "queued",
                    "attempts": 0,
                    "due_at_ms": now_ms,
                    "expires_at_ms": now_ms + HOUR_MS,
                },
            )

    db.write_now(work)


async def _send_all(db: Database, settings: Settings) -> None:
    worker = PushWorker(db, SystemClock(), settings)
    while await worker.once():
        pass
    await worker.close()


def _check(db: Database, url: str) -> None:
    """Make sure that what was measured is what was asked for."""
    states = db.read_now(lambda session: set(session.exec(select(Push.state)).all()))
    counted = requests.get(f"{url}/counted", timeout=30).json()
    if states != {"sent"} or counted["refused"] or counted["posts"] < SUBSCRIPTIONS:
        raise AssertionError(f"{states}, {counted['posts']} posts, {counted['refused'][:3]}")


def _encrypt_only(settings: Settings, keys: list[dict[str, str]]) -> None:
    """The floor: the same plaintext for as many browsers, fresh key pair and salt each."""
    plaintext = _plaintext(settings)
    for one in keys:
        seal(plaintext, one["p256dh"], one["auth"])


def _bare_loop(
    settings: Settings, url: str, keys: list[dict[str, str]], session: requests.Session | None
) -> None:
    """The library as its own documentation uses it, with the TTL and headers that ours has."""
    private = server_key(settings).private.private_numbers().private_value.to_bytes(32)
    raw = encode(private)
    plaintext = _plaintext(settings)
    for number, one in enumerate(keys):
        webpush(
            {"endpoint": f"{url}/wpush/b{number}", "keys": one},
            plaintext,
            vapid_private_key=raw,
            vapid_claims={"sub": "mailto:a@b.example"},
            ttl=3600,
            headers={"Urgency": "high", "Topic": service.topic_of("lamp")},
            requests_session=session,
        )


def _plaintext(settings: Settings) -> bytes:
    return payload.Composer(settings).compose(
        push_id=uuid7(),
        kind="urgent",
        conversation_id=None,
        words=json.dumps(WORDS),
        language="nl",
    )


# -- message in, push out --


def _message_in(world: World) -> None:
    """Let residents write fifty times a second, with one person on call; all in one process.

    From handing a question to the intake (before its commit) until the push service has the push:
    intake, rules, feed, alert, who is woken, lease, encryption and posting included.
    """
    home = world.fresh_town("urgent")
    secret = town.sign_in(home, home.people[:1])[0]
    with processes.push_service(1, 1) as vendor:
        host = vendor.url.removeprefix("http://")
        settings = Settings(
            data_dir=home.data_dir, push_services=host, push_contact="mailto:a@b.example"
        )
        _on_call(settings, home.people[0], secret, vendor.url)
        handed, took_s = uvloop.run(_write_in(settings))
        counted = requests.get(f"{vendor.url}/counted", timeout=30).json()
    arrived: dict[str, float] = {}
    for conversation, at_s in counted["taken"]:
        if conversation in handed:
            arrived.setdefault(conversation, at_s)
    if len(arrived) != len(handed) or counted["refused"]:
        raise AssertionError(f"{len(arrived)} of {len(handed)}, {counted['refused'][:3]}")
    waits = [(arrived[one] - handed[one]) * 1000 for one in handed]
    world.report.figure(
        "push, message in to push out",
        median(waits),
        "ms",
        p99=percentile(waits, 99),
        most=max(waits),
        urgent=len(waits),
        messages_a_second=RATE * SECONDS / took_s,
        says=f"{RATE} messages/s asked for",
    )


def _on_call(settings: Settings, person: str, secret: str, url: str) -> None:
    """Put a person with one phone on call for the whole team."""
    db = open_database(settings)
    now_ms = SystemClock().now_ms()

    def work(session: Session) -> None:
        signed_in = session.get_one(UserSession, fingerprint(secret))
        keys = browser_of("b0").keys
        session.add(
            PushSubscription(
                id=uuid7(now_ms),
                device_id=signed_in.device_id,
                person_id=person,
                endpoint=f"{url}/wpush/b0",
                p256dh=keys["p256dh"],
                auth=keys["auth"],
                server_key=server_key(settings).fingerprint,
                created_at_ms=now_ms,
                next_test_at_ms=now_ms + 24 * HOUR_MS,
            )
        )
        session.add(
            Shift(
                id=uuid7(now_ms),
                team_id=town.TEAM,
                person_id=person,
                starts_at_ms=now_ms - HOUR_MS,
                ends_at_ms=now_ms + HOUR_MS,
                created_at_ms=now_ms,
                changed_at_ms=now_ms,
            )
        )

    db.write_now(work)
    db.close()


async def _write_in(settings: Settings) -> tuple[dict[str, float], float]:
    """Write at an even pace; return when each urgent question was handed in, and how long it took.

    A question that could not be handed in at its time, because the ones before were still being
    taken, counts from its time.
    """
    app = create_app(settings)
    db: Database = app.state.db
    handed: dict[str, float] = {}
    async with app.router.lifespan_context(app):
        form = await db.read(lambda session: web_service.form_of(session, town.AREA))
        assert form is not None
        began_s = time.time()
        writing = []
        for number in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, began_s + number / RATE - time.time()))
            form_id = uuid7()
            if number % URGENT_EVERY == 0:
                handed[form_id] = began_s + number / RATE
            text = CALM if number % URGENT_EVERY else URGENT
            question = web_service.Question(text=text, name="Jantje")
            writing.append(asyncio.create_task(_submit(db, form, question, form_id)))
        await asyncio.gather(*writing)
        took_s = time.time() - began_s
        for _ in range(600):
            if await db.all(_SENT, {}) == [(len(handed),)]:
                break
            await asyncio.sleep(0.1)
    return handed, took_s


_SENT = "SELECT COUNT(*) FROM push WHERE kind = 'urgent' AND state = 'sent'"


async def _submit(
    db: Database, form: web_service.Form, question: web_service.Question, form_id: str
) -> None:
    await db.write(
        lambda session: web_service.submit(
            session,
            form,
            question,
            [],
            form_id=form_id,
            message=form_id,
            secret=form_id,
            now_ms=SystemClock().now_ms(),
        )
    )

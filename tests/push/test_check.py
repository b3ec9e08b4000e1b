"""What `stoep check` says of waking phones, without waking any."""

import asyncio

from sqlmodel import Session, update

from app.push import check
from app.push.models import PushSubscription
from tests.push.conftest import Wakeable


async def said(wakeable: Wakeable, **settings: object) -> dict[str, bool]:
    """Return what is said, and whether it is in order."""
    changed = wakeable.settings.model_copy(update=settings)
    lines = await asyncio.to_thread(check.check, changed)
    return {words: fine for fine, words in lines}


def of(lines: dict[str, bool], beginning: str) -> list[tuple[str, bool]]:
    return [(words, fine) for words, fine in lines.items() if words.startswith(beginning)]


async def test_a_push_service_that_somebody_uses_is_reached_and_sent_nothing(
    wakeable: Wakeable,
) -> None:
    await wakeable.subscribed(wakeable.town.anna)
    lines = await said(wakeable)
    host = wakeable.vendor.url.removeprefix("http://")
    assert of(lines, "push service") == [(f"push service {host} can be reached", True)]
    assert wakeable.vendor.taken == []
    assert all(lines.values())


async def test_a_push_service_that_cannot_be_reached_is_named(wakeable: Wakeable) -> None:
    await wakeable.subscribed(wakeable.town.anna)

    def moves(session: Session) -> None:
        session.exec(update(PushSubscription).values(endpoint="http://localhost:9/wpush/x"))

    wakeable.town.db.write_now(moves)
    lines = await said(wakeable, push_services="localhost:9")
    assert of(lines, "push service") == [("push service localhost:9: unreachable", False)]


async def test_one_that_the_setting_no_longer_names_is_told(wakeable: Wakeable) -> None:
    await wakeable.subscribed(wakeable.town.anna)
    lines = await said(wakeable, push_services="")
    assert of(lines, "push:") == [
        ("push: a phone uses a push service that is not allowed any more", False)
    ]


async def test_phones_of_another_key_are_counted(wakeable: Wakeable) -> None:
    await wakeable.subscribed(wakeable.town.anna)

    def older(session: Session) -> None:
        session.exec(update(PushSubscription).values(server_key="another"))

    wakeable.town.db.write_now(older)
    ((words, fine),) = of(await said(wakeable), "push key")
    assert ("1 phone subscribed with another one" in words, fine) == (True, False)


async def test_a_contact_is_asked_for_where_people_work(wakeable: Wakeable) -> None:
    for base_url, contact, fine in (
        ("https://stoep.example.nl", "", True),
        ("http://stoep.intern", "", False),
        ("http://stoep.intern", "mailto:webteam@example.nl", True),
        ("", "", True),
    ):
        lines = await said(wakeable, base_url=base_url, push_contact=contact)
        ((_, found),) = of(lines, "push contact")
        assert found is fine, (base_url, contact)


async def test_without_a_subscription_no_push_service_is_asked(wakeable: Wakeable) -> None:
    lines = await said(wakeable)
    assert lines["push services: nobody is subscribed yet"]

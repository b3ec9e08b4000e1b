"""Times in which messages may have been missed: said once, and only the newest are kept."""

from typing import Any

import pytest
from sqlmodel import Session

from app.channels.contract import Gap
from app.channels.models import Account
from app.db import Database
from app.delivery.health import (
    KEPT_GAPS,
    add_gap,
    does_not_read,
    does_not_send,
    is_limited,
    reads,
    sends,
    set_health,
)
from tests.support.town import build


def test_a_gap_said_again_is_one_and_one_that_goes_on_grows(database: Database) -> None:
    town = build(database)

    def work(session: Session) -> list[list[int]]:
        account = session.get_one(Account, "web-noord")
        for start, end in ((10, 20), (10, 20), (12, 18), (15, 30), (40, 40), (50, 60)):
            add_gap(session, account, Gap(start, end))
        return account.gaps or []

    assert town.db.write_now(work) == [[10, 30], [50, 60]]


def test_only_the_newest_gaps_are_kept(database: Database) -> None:
    town = build(database)

    def work(session: Session) -> list[list[int]]:
        account = session.get_one(Account, "web-noord")
        for n in range(KEPT_GAPS + 5):
            add_gap(session, account, Gap(n * 10, n * 10 + 5))
        return account.gaps or []

    gaps = town.db.write_now(work)
    assert len(gaps) == KEPT_GAPS
    assert gaps[-1] == [(KEPT_GAPS + 4) * 10, (KEPT_GAPS + 4) * 10 + 5]


def test_until_when_the_platform_limits_us_goes_with_the_limit(database: Database) -> None:
    town = build(database)

    def work(session: Session) -> tuple[int | None, int | None, int]:
        account = session.get_one(Account, "web-noord")
        set_health(session, account, "limited", "rate_limited", now_ms=5, until_ms=90)
        limited = account.limited_until_ms
        assert is_limited(account, 89)
        assert not is_limited(account, 90)
        set_health(session, account, "working", "", now_ms=9)
        return limited, account.limited_until_ms, account.health_since_ms

    assert town.db.write_now(work) == (90, None, 9)


class Patient:
    """An account that tells how it is after each thing that became known of it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.account = session.get_one(Account, "web-noord")
        self.now_ms = 100

    def goes(self, *known: str) -> list[str]:
        """Let these become known after each other, a millisecond apart; return how it then is."""
        return [self._after(one) for one in known]

    def _after(self, known: str) -> str:
        self.now_ms += 1
        at: dict[str, Any] = {"now_ms": self.now_ms}
        match known.split():
            case ["read"]:
                reads(self.session, self.account, **at)
            case ["sent"]:
                sends(self.session, self.account, **at)
            case ["unread", health]:
                does_not_read(self.session, self.account, health, "why", **at)
            case ["unread", health, until]:
                at["until_ms"] = int(until)
                does_not_read(self.session, self.account, health, "rate_limited", **at)
            case ["unsent", health]:
                does_not_send(self.session, self.account, health, "why", **at)
            case ["unsent", health, until]:
                at["until_ms"] = int(until)
                does_not_send(self.session, self.account, health, "rate_limited", **at)
        return self.account.health


@pytest.mark.parametrize(
    ("known", "told"),
    [
        # It may read and not post: every fetch goes well, every reply is refused.
        (
            ("unsent signed_out", "read", "unsent signed_out", "read", "sent"),
            ("cannot_send", "cannot_send", "cannot_send", "cannot_send", "working"),
        ),
        # It may post and not read.
        (
            ("unread signed_out", "sent", "unread signed_out", "sent", "unread down", "read"),
            ("signed_out", "cannot_read", "cannot_read", "cannot_read", "cannot_read", "working"),
        ),
        # Neither: whichever is known first, it is said as one, and stays so.
        (
            ("unsent signed_out", "unread signed_out", "unsent signed_out", "unread signed_out"),
            ("cannot_send", "signed_out", "signed_out", "signed_out"),
        ),
        (
            ("unread down", "sent", "unsent signed_out", "unread signed_out"),
            ("down", "cannot_read", "signed_out", "signed_out"),
        ),
        # Until then neither a fetch nor a call makes it work.
        (("unsent limited 103", "read", "read"), ("limited", "limited", "working")),
        (("unsent limited 105", "unread down", "read"), ("limited", "down", "limited")),
        (("unsent limited 103", "unsent signed_out"), ("limited", "cannot_send")),
    ],
)
def test_reading_and_sending_are_told_apart_and_one_never_covers_the_other(
    database: Database, known: tuple[str, ...], told: tuple[str, ...]
) -> None:
    town = build(database)
    found = town.db.write_now(lambda session: Patient(session).goes(*known))
    assert tuple(found) == told


def test_since_when_and_until_when_stay_with_the_trouble(database: Database) -> None:
    town = build(database)

    def work(session: Session) -> tuple[object, ...]:
        patient = Patient(session)
        patient.goes("unread down", "sent", "unread down")
        since_ms = patient.account.health_since_ms
        patient.goes("read", "unsent limited 900", "read", "read")
        return since_ms, patient.account.limited_until_ms, patient.account.health_detail

    assert town.db.write_now(work) == (101, 900, "rate_limited")

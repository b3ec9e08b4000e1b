"""Times in which messages may have been missed: said once, and only the newest are kept."""

from sqlmodel import Session

from app.channels.contract import Gap
from app.channels.models import Account
from app.db import Database
from app.delivery.health import KEPT_GAPS, add_gap, is_limited, set_health
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

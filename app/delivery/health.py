"""How an account is doing, as everybody in the app sees it."""

from sqlmodel import Session

from app.channels.contract import Gap
from app.channels.models import Account
from app.db import touch

KEPT_GAPS = 10


def set_health(
    session: Session,
    account: Account,
    health: str,
    detail: str,
    *,
    now_ms: int,
    until_ms: int | None = None,
) -> None:
    """Write down how an account is doing, with the instant it changed, and tell the phones.

    `until_ms` is when a platform that limits us takes us again.
    """
    known = (account.health, account.health_detail, account.limited_until_ms)
    if known == (health, detail, until_ms):
        return
    if account.health != health:
        account.health_since_ms = now_ms
    account.health, account.health_detail = health, detail
    account.limited_until_ms = until_ms
    session.flush()
    touch(session, "account", account.id)


def is_limited(account: Account, now_ms: int) -> bool:
    """Say whether the platform told us, when we sent, to wait until later than now.

    That it can still be read does not end this.
    """
    return account.health == "limited" and (account.limited_until_ms or 0) > now_ms


def add_gap(session: Session, account: Account, gap: Gap) -> None:
    """Write down a time in which messages may have been missed; said twice, it stands there once.

    One that goes on from the last makes that one longer.
    """
    gaps = [list(one) for one in account.gaps or []]
    if gap.to_ms <= gap.from_ms or any(f <= gap.from_ms and gap.to_ms <= t for f, t in gaps):
        return
    if gaps and gaps[-1][0] <= gap.from_ms <= gaps[-1][1]:
        gaps[-1][1] = gap.to_ms
    else:
        gaps.append([gap.from_ms, gap.to_ms])
    account.gaps = gaps[-KEPT_GAPS:]
    session.flush()
    touch(session, "account", account.id)

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
    """Say whether the platform told us to wait until later than now."""
    return (account.limited_until_ms or 0) > now_ms


# Reading and sending are two things that an account may do, and each tells of itself only. What is
# known of the other stays, or a token that may read and not post would be well and ill by turns.


def reads(session: Session, account: Account, *, now_ms: int, slow: bool = False) -> None:
    """Write down that the platform let us read, which ends no limit and says nothing of sending."""
    if account.health == "cannot_send":
        return
    if is_limited(account, now_ms):
        detail = account.health_detail if account.health == "limited" else "rate_limited"
        until_ms = account.limited_until_ms
        set_health(session, account, "limited", detail, now_ms=now_ms, until_ms=until_ms)
        return
    set_health(session, account, "slow" if slow else "working", "", now_ms=now_ms)


def does_not_read(
    session: Session,
    account: Account,
    health: str,
    detail: str,
    *,
    now_ms: int,
    until_ms: int | None = None,
) -> None:
    """Write down that nothing comes in: limited, down or signed_out, and why."""
    if account.health == "cannot_read" and health != "limited":
        health = "cannot_read"
    if until_ms is None and is_limited(account, now_ms):
        until_ms = account.limited_until_ms
    set_health(session, account, health, detail, now_ms=now_ms, until_ms=until_ms)


def sends(session: Session, account: Account, *, now_ms: int) -> None:
    """Write down that the platform took a reply, which says nothing of reading."""
    until_ms = account.limited_until_ms
    if account.health == "cannot_send":
        health = "limited" if is_limited(account, now_ms) else "working"
        detail = "rate_limited" if health == "limited" else ""
        set_health(session, account, health, detail, now_ms=now_ms, until_ms=until_ms)
    elif account.health in {"down", "signed_out"}:
        since_ms, detail = account.health_since_ms, account.health_detail
        set_health(session, account, "cannot_read", detail, now_ms=now_ms, until_ms=until_ms)
        # It is the same trouble, of which more is known.
        account.health_since_ms = since_ms


def does_not_send(
    session: Session,
    account: Account,
    health: str,
    detail: str,
    *,
    now_ms: int,
    until_ms: int | None = None,
) -> None:
    """Write down that the account may not send (signed_out), or has to wait with it (limited)."""
    if account.health in {"down", "signed_out"}:
        # It could not be read either: that is said already, and is no less so.
        if until_ms is not None:
            account.limited_until_ms = until_ms
        return
    if account.health == "cannot_read":
        both = "signed_out" if health == "signed_out" else "down"
        set_health(session, account, both, detail, now_ms=now_ms, until_ms=until_ms)
    elif health == "signed_out":
        until_ms = account.limited_until_ms
        set_health(session, account, "cannot_send", detail, now_ms=now_ms, until_ms=until_ms)
    else:
        set_health(session, account, health, detail, now_ms=now_ms, until_ms=until_ms)


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

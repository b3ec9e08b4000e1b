"""Looking after subscriptions: tests by themselves, silence noticed, what is old thrown away."""

import logging
from collections.abc import Callable

from sqlmodel import Session, col, delete, or_, select, update

from app.config import Settings
from app.push import schedule, service
from app.push.models import Push, PushSubscription
from app.push.vapid import server_key

log = logging.getLogger(__name__)

TESTS_AT_ONCE = 200
KEEP_MS = 30 * 86_400_000
"""How long a push is kept after its time, to answer who was woken when."""

PATIENT_MS = 3 * 86_400_000
"""A phone that has been silent for so long is asked once a day, no longer every hour."""


def look_after(
    session: Session,
    *,
    settings: Settings,
    on_call: Callable[[Session, str, int], bool] | None,
    now_ms: int,
) -> None:
    """Do all that is due: the worker calls this every half minute."""
    _drop_other_keys(session, server_key(settings).fingerprint)
    _notice_silence(session, now_ms)
    _test(session, on_call, now_ms)
    session.exec(delete(Push).where(col(Push.expires_at_ms) < now_ms - KEEP_MS))


def mark_gone(session: Session, subscription_id: str, error: str) -> None:
    """Use a subscription no more; only its phone can make a new one."""
    session.exec(
        update(PushSubscription)
        .where(col(PushSubscription.id) == subscription_id)
        .values(state="gone", error=error)
    )
    session.exec(
        update(Push)
        .where(col(Push.subscription_id) == subscription_id, col(Push.state) == "queued")
        .values(state="gone", error=error, payload={})
    )


def _drop_other_keys(session: Session, fingerprint: str) -> None:
    """Notice that our key changed: what was made with another is refused (RFC 8292, section 4)."""
    made_with_another = session.exec(
        select(PushSubscription.id)
        .where(PushSubscription.server_key != fingerprint, PushSubscription.state != "gone")
        .order_by(col(PushSubscription.id))
    ).all()
    for subscription_id in made_with_another:
        mark_gone(session, subscription_id, "key_changed")
    if made_with_another:
        log.warning("%d subscriptions were made with another key", len(made_with_another))


def _notice_silence(session: Session, now_ms: int) -> None:
    """Call a phone silent that was asked ten minutes ago, by a push that was taken, in vain."""
    tested, proven = col(PushSubscription.tested_at_ms), col(PushSubscription.proven_at_ms)
    silent = session.exec(
        select(PushSubscription)
        .where(col(PushSubscription.state).in_(["new", "proven"]))
        .where(tested <= now_ms - schedule.ANSWER_MS, or_(proven.is_(None), proven < tested))
        .order_by(col(PushSubscription.id))
        .with_for_update(skip_locked=True)
    ).all()
    for subscription in silent:
        subscription.state = "silent"
        subscription.next_test_at_ms = now_ms + schedule.SILENT_EVERY_MS
        session.add(subscription)
    session.flush()


def _test(
    session: Session, on_call: Callable[[Session, str, int], bool] | None, now_ms: int
) -> None:
    """Queue the tests that are due; at night only for who is on call."""
    due = session.exec(
        select(PushSubscription)
        .where(PushSubscription.next_test_at_ms <= now_ms, PushSubscription.state != "gone")
        .order_by(col(PushSubscription.next_test_at_ms))
        .limit(TESTS_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    night = schedule.is_night(now_ms)
    for subscription in due:
        if night and not (on_call and on_call(session, subscription.person_id, now_ms)):
            at_ms = schedule.after_the_night_ms(subscription.id, now_ms)
        else:
            service.test_by_itself(session, subscription, now_ms=now_ms)
            at_ms = _again_ms(subscription, now_ms)
        subscription.next_test_at_ms = at_ms
        session.add(subscription)
    session.flush()


def _again_ms(subscription: PushSubscription, now_ms: int) -> int:
    last_heard_ms = subscription.proven_at_ms or subscription.created_at_ms
    if subscription.state == "silent" and now_ms - last_heard_ms < PATIENT_MS:
        return now_ms + schedule.SILENT_EVERY_MS
    return schedule.next_test_ms(subscription.id, now_ms)

"""Waking a person: what is queued for her phones, whether they can be woken, what they told us.

Nothing here sends: a push is a row, and the worker takes it. Whoever queues one does so in the
transaction of what it is about.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, case, func
from sqlmodel import Session, col, delete, select, update

from app import keys
from app.accounts.models import Device, Person, UserSession
from app.accounts.policy import Principal
from app.config import Settings
from app.db import flush_rows, insert_later
from app.errors import Conflict, NotFound
from app.ids import uuid7
from app.push import endpoints, schedule
from app.push.models import Push, PushSubscription
from app.push.states import leading_to
from app.push.vapid import server_key

TEST_TTL_S = 4 * 3600
CLOSED_TTL_S = 3600
ASKED_AGAIN_MS = 10_000
"""A second tap on "test" within this time is the same test."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is to be told.

    `kind` is urgent, news, closed, test or warning; `topic` None means: by conversation, so that
    repeats replace one another. `words` is `{"title": key, "body": key, …}`: keys of texts added to
    `app.i18n` with what they have filled in (`area`, `reason`, …); without keys the kind's own
    words are used. `name` and `text`, a resident's, are dropped unless the setting `push_words` is
    on. `badge` is the number on the app's icon.
    """

    kind: str
    conversation_id: str | None
    topic: str | None = None
    urgency: str = "high"
    ttl_s: int = 3600
    words: dict[str, Any] = field(default_factory=dict)


_TEST = Notice("test", None, "stoep-test", "high", TEST_TTL_S)


def send(
    session: Session,
    person_id: str,
    notice: Notice,
    *,
    now_ms: int,
    skip_device: str | None = None,
) -> list[str]:
    """Queue a notice for every device on which this person can be reached; return the pushes' ids.

    An empty list says that she cannot be woken. An older push of the same topic that has not left
    yet is taken back. Also devices that fell silent are tried: see `reach` for what is known.
    """
    query = _live(now_ms).where(PushSubscription.person_id == person_id)
    return _queue(session, session.exec(query).all(), notice, now_ms, skip_device)


def reach(session: Session, person_id: str, *, now_ms: int) -> str:
    """Return whether a person can be woken: `proven`, `unproven` or `none`.

    Proven is that one of her devices told us in the last 26 hours that it showed a notification,
    and has not fallen silent since. None is that she has no device, or only silent ones.
    """
    return reaches(session, [person_id], now_ms=now_ms)[person_id]


def reaches(session: Session, people: Sequence[str], *, now_ms: int) -> dict[str, str]:
    """Return `reach` of many people at once."""
    proven = col(PushSubscription.proven_at_ms) >= now_ms - schedule.PROOF_MS
    rank = case(
        (col(PushSubscription.state) == "silent", 0),
        ((col(PushSubscription.state) == "proven") & proven, 2),
        else_=1,
    )
    query = (
        select(PushSubscription.person_id, func.max(rank))
        .where(*_is_live(now_ms), col(PushSubscription.person_id).in_(people))
        .group_by(col(PushSubscription.person_id))
    )
    found = dict(session.exec(query).all())
    return {person: ("none", "unproven", "proven")[found.get(person, 0)] for person in people}


def close(
    session: Session, conversation_id: str, *, now_ms: int, skip_device: str | None = None
) -> None:
    """Take back what has not left about a conversation, and have phones that show it take it away.

    A second call tells nobody twice.
    """
    flush_rows(session)
    urgent = (
        col(Push.conversation_id) == conversation_id,
        col(Push.kind).in_(["urgent", "news"]),
    )
    session.exec(
        update(Push)
        .where(*urgent, col(Push.state) == "queued", col(Push.attempts) == 0)
        .values(state="cancelled", payload={}, error="closed")
    )
    # One that was tried may be on a screen: it is not tried again, and its phone is told.
    session.exec(
        update(Push)
        .where(*urgent, col(Push.state).in_(["queued", "sending"]))
        .values(expires_at_ms=now_ms)
    )
    told = (
        *urgent,
        col(Push.state).in_(["queued", "sending", "sent", "shown"]),
        col(Push.closed_at_ms).is_(None),
    )
    topics = dict(session.exec(select(Push.subscription_id, Push.topic).where(*told)).all())
    if not topics:
        return
    session.exec(update(Push).where(*told).values(closed_at_ms=now_ms))
    query = _live(now_ms).where(col(PushSubscription.id).in_(topics))
    for subscription in session.exec(query).all():
        notice = Notice("closed", conversation_id, topics[subscription.id], "high", CLOSED_TTL_S)
        _queue(session, [subscription], notice, now_ms, skip_device)


def topic_of(conversation_id: str) -> str:
    """Return the topic of a conversation: 32 characters that tell a push service nothing.

    Source: RFC 8030, section 5.4: at most 32 characters of the base64url alphabet.
    """
    digest = hashlib.sha256(f"stoep topic {conversation_id}".encode()).digest()
    return endpoints.encode(digest[:24])


def test(session: Session, device_id: str, *, now_ms: int) -> str:
    """Ask one device to prove that it can be woken; return the push's id.

    Asked twice within seconds it is one test. Raises Conflict when the device has no subscription.
    """
    query = _live(now_ms).where(PushSubscription.device_id == device_id)
    subscription = session.exec(query).first()
    if subscription is None:
        raise Conflict("This device is not subscribed.", reason="not_subscribed")
    asked = session.exec(
        select(Push.id)
        .where(Push.subscription_id == subscription.id, Push.kind == "test")
        .where(Push.due_at_ms > now_ms - ASKED_AGAIN_MS, col(Push.state).in_(["queued", "sending"]))
    ).first()
    if asked is not None:
        return asked
    subscription.next_test_at_ms = schedule.next_test_ms(subscription.id, now_ms)
    session.add(subscription)
    (push_id,) = _queue(session, [subscription], _TEST, now_ms)
    return push_id


def test_by_itself(session: Session, subscription: PushSubscription, *, now_ms: int) -> None:
    """Queue a test for a subscription, when its device is still signed in."""
    query = _live(now_ms).where(PushSubscription.id == subscription.id)
    _queue(session, session.exec(query).all(), _TEST, now_ms)


def subscribe(
    session: Session,
    who: Principal,
    settings: Settings,
    *,
    endpoint: str,
    p256dh: str,
    auth: str,
    browser: str,
    platform: str,
    now_ms: int,
    fingerprint: str | None = None,
) -> PushSubscription:
    """Keep where this device is woken; what it said before is replaced.

    The same again changes nothing, also not that the push service said it is gone: only a new
    endpoint mends that. Raises BadRequest for an endpoint or keys that are none, Conflict when it
    was made with a key that is not ours (any more).
    """
    endpoints.origin(endpoint, settings.push_services)
    endpoints.check_keys(p256dh, auth)
    ours = server_key(settings).fingerprint
    if fingerprint not in {None, ours}:
        raise Conflict("This was made with another key: subscribe anew.", reason="key_changed")
    known = session.exec(
        select(PushSubscription).where(PushSubscription.device_id == who.device_id)
    ).first()
    if (
        known is not None
        and (known.endpoint, known.p256dh, known.auth) == (endpoint, p256dh, auth)
        and (known.person_id, known.server_key) == (who.person_id, ours)
    ):
        return known
    # An endpoint is one browser. Whoever signed in there before is no longer woken there.
    session.exec(
        delete(PushSubscription).where(
            (col(PushSubscription.endpoint) == endpoint)
            | (col(PushSubscription.device_id) == who.device_id)
        )
    )
    subscription = PushSubscription(
        id=uuid7(now_ms),
        device_id=who.device_id,
        person_id=who.person_id,
        endpoint=endpoint,
        p256dh=p256dh,
        auth=auth,
        server_key=ours,
        browser=browser,
        platform=platform,
        created_at_ms=now_ms,
        next_test_at_ms=now_ms + schedule.FIRST_TEST_MS,
    )
    session.add(subscription)
    session.flush()
    return subscription


def unsubscribe(session: Session, device_id: str) -> None:
    """Wake this device no more. No subscription is no error."""
    session.exec(delete(PushSubscription).where(col(PushSubscription.device_id) == device_id))


class Reports:
    """The tokens with which phones report: what only the phone can know that a push was for."""

    def __init__(self, settings: Settings) -> None:
        self._key = keys.derive(settings, "push report")

    def token(self, push_id: str) -> str:
        """Return the token that travels inside a push."""
        return endpoints.encode(hmac.digest(self._key, push_id.encode(), "sha256")[:16])

    def check(self, push_id: str, token: str) -> None:
        """Raise NotFound unless the token is that of the push."""
        if not hmac.compare_digest(self.token(push_id).encode(), token.encode()):
            raise NotFound("There is no such push.")


def shown(session: Session, push_id: str, *, now_ms: int) -> None:
    """Write down that a phone showed this push, which proves that it can be woken.

    A second report changes nothing; one about a push that is no longer there neither.
    """
    push = session.get(Push, push_id)
    if push is None or push.shown_at_ms is not None:
        return
    moved = session.exec(
        update(Push)
        .where(col(Push.id) == push_id, col(Push.state).in_(leading_to("shown")))
        .values(
            state="shown",
            shown_at_ms=now_ms,
            sent_at_ms=func.coalesce(col(Push.sent_at_ms), now_ms),
            payload={},
            leased_until_ms=None,
            leased_by=None,
            error=None,
        )
    )
    if not moved.rowcount:
        return
    subscription = session.get_one(PushSubscription, push.subscription_id)
    subscription.proven_at_ms = max(now_ms, subscription.proven_at_ms or 0)
    subscription.next_test_at_ms = schedule.next_test_ms(subscription.id, now_ms)
    if subscription.state != "gone":
        subscription.state, subscription.error = "proven", None
    session.add(subscription)


def _queue(
    session: Session,
    subscriptions: Sequence[PushSubscription],
    notice: Notice,
    now_ms: int,
    skip_device: str | None = None,
) -> list[str]:
    topic = notice.topic
    if topic is None and notice.conversation_id is not None:
        topic = topic_of(notice.conversation_id)
    reached = [one for one in subscriptions if one.device_id != skip_device]
    if not reached:
        return []
    flush_rows(session)
    if topic is not None:
        session.exec(
            update(Push)
            .where(col(Push.subscription_id).in_([one.id for one in reached]))
            .where(col(Push.topic) == topic, col(Push.state) == "queued")
            .values(state="cancelled", payload={}, error="replaced")
        )
    ids = []
    for subscription in reached:
        ids.append(uuid7(now_ms))
        insert_later(
            session,
            Push,
            {
                "id": ids[-1],
                "subscription_id": subscription.id,
                "kind": notice.kind,
                "conversation_id": notice.conversation_id,
                "topic": topic,
                "urgency": notice.urgency,
                "payload": notice.words,
                "state": "queued",
                "attempts": 0,
                "due_at_ms": now_ms,
                "expires_at_ms": now_ms + notice.ttl_s * 1000,
            },
        )
    session.info["pushes"] = True  # told after the commit: the worker wakes up
    return ids


def live_among(session: Session, subscription_ids: Iterable[str], *, now_ms: int) -> set[str]:
    """Return which of these subscriptions a push may still go to."""
    query = select(PushSubscription.id).where(
        col(PushSubscription.id).in_(sorted(set(subscription_ids))), *_is_live(now_ms)
    )
    return set(session.exec(query))


def _live(now_ms: int) -> Any:
    """Select the subscriptions that a push can go to."""
    return select(PushSubscription).where(*_is_live(now_ms)).order_by(col(PushSubscription.id))


def _is_live(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Not gone, on a device that is signed in, of a person who works here."""
    signed_in = (
        select(UserSession.device_id)
        .join(Device, col(Device.id) == col(UserSession.device_id))
        .join(Person, col(Person.id) == col(Device.person_id))
        .where(
            UserSession.device_id == PushSubscription.device_id,
            UserSession.person_id == PushSubscription.person_id,
            col(UserSession.ended_at_ms).is_(None),
            UserSession.expires_at_ms > now_ms,
            col(Device.revoked_at_ms).is_(None),
            col(Person.active),
        )
        .correlate(PushSubscription)
        .exists()
    )
    return (col(PushSubscription.state) != "gone", signed_in)

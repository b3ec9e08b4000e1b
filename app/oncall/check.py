"""Whether an escalation can leave the house, for `stoep check`. Nothing is sent to anybody."""

import asyncio
from urllib.parse import urlsplit

from sqlmodel import Session, col, or_, select

from app.accounts.models import Team
from app.channels.models import Account
from app.config import Settings
from app.db import Database
from app.oncall.models import EscalationPolicy
from app.push.connections import Connections, Unreachable

Line = tuple[bool, str]
"""Whether it is in order, and what it is."""


def check(settings: Settings) -> list[Line]:
    """Return a line for the SMS gateway, and for each team that counts on what is not there."""
    db = Database(settings.database)
    try:
        teams = db.read_now(_teams)
    finally:
        db.close()
    lines = [_gateway_line(settings)] if settings.sms_url else []
    for name, agreed, has_mailbox in teams:
        if agreed.sms and not settings.sms_url:
            lines.append((False, f"team {name} escalates by SMS, but STOEP_SMS_URL is empty"))
        if (agreed.email or agreed.contact_centre_email) and not has_mailbox:
            lines.append((False, f"team {name} escalates by mail, but no team has a mailbox"))
    return lines


def _teams(session: Session) -> list[tuple[str, EscalationPolicy, bool]]:
    mailbox = select(Account.id).where(Account.kind == "email", col(Account.enabled)).limit(1)
    has_mailbox = session.exec(mailbox).first() is not None
    query = (
        select(Team.name, EscalationPolicy)
        .join(EscalationPolicy, col(EscalationPolicy.team_id) == col(Team.id))
        .where(
            or_(
                col(EscalationPolicy.sms).is_not(None),
                col(EscalationPolicy.email).is_not(None),
                col(EscalationPolicy.contact_centre_email).is_not(None),
            )
        )
        .order_by(col(Team.name))
    )
    return [(name, agreed, has_mailbox) for name, agreed in session.exec(query)]


def _gateway_line(settings: Settings) -> Line:
    """Say whether the gateway is there. Only a text message would tell whether it knows us."""
    parts = urlsplit(settings.sms_url)
    said = "" if settings.sms_token else ", without a secret (STOEP_SMS_TOKEN)"
    try:
        asyncio.run(Connections().reach(f"{parts.scheme}://{parts.netloc}"))
    except Unreachable as error:
        return False, f"SMS gateway {parts.netloc}: {error.code}"
    return True, f"SMS gateway {parts.netloc} can be reached{said}"

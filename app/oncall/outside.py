"""Mails and text messages that escalate: queued with their step, and sent at most once.

`queue` runs in the transaction that records the step, so a step without its mail, or a mail without
its step, cannot be. What goes over the line is a `Way`: given in, so that this room knows no
channel.

    NotSent    nothing left: tried again after `retry_after_s`, or failed for good without it
    Unknown    it may have left: looked for where that can be done, and never simply sent again
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlmodel import Session

from app.ids import uuid7
from app.oncall.models import Dispatch

VALID_MS = 3600 * 1000
"""How long it is worth sending."""


class NotSent(Exception):
    """Nothing left. `code` names why; without `retry_after_s` trying again cannot help."""

    def __init__(self, code: str, retry_after_s: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s


class Unknown(Exception):
    """The answer was lost after it may have left."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent, the same every time; `external_id` is its name at the other side."""

    id: str
    account_id: str | None
    external_id: str
    recipient: str
    subject: str
    text: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Name:
    """Under which name a letter leaves, fixed before it does; `account_id` is who sends it."""

    external_id: str
    account_id: str | None = None


class Way(Protocol):
    """How a letter leaves: by mail, by SMS."""

    def name(self, session: Session, team_id: str, letter_id: str) -> Name | None:
        """Return the name that a letter of this team will have; None when there is no way."""
        ...

    async def send(self, letter: Letter) -> None:
        """Send it. Raises NotSent or Unknown."""
        ...

    async def find(self, letter: Letter) -> bool | None:
        """Say whether an earlier `send` took effect; None where that cannot be asked."""
        ...


Ways = Mapping[str, Way]
"""The ways there are, by `email` and `sms`."""


def queue(
    session: Session,
    ways: Ways,
    way: str,
    *,
    team_id: str,
    recipient: str,
    subject: str,
    text: str,
    step_id: str | None = None,
    shift_id: str | None = None,
    now_ms: int,
) -> bool:
    """Queue a letter of a team; False when there is no way to send it."""
    letter_id = uuid7(now_ms)
    name = ways[way].name(session, team_id, letter_id) if way in ways else None
    if name is None:
        return False
    session.add(
        Dispatch(
            id=letter_id,
            step_id=step_id,
            shift_id=shift_id,
            team_id=team_id,
            way=way,
            recipient=recipient,
            subject=subject,
            text=text,
            account_id=name.account_id,
            external_id=name.external_id,
            created_at_ms=now_ms,
            due_at_ms=now_ms,
            expires_at_ms=now_ms + VALID_MS,
        )
    )
    session.flush()
    session.info["letters"] = True  # told after the commit: the postman wakes up
    return True

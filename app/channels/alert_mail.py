"""The bridge by which an escalation leaves through a team's own mailbox.

Each mail leaves a copy there, under a Message-ID that was fixed with its step: that is how a mail
whose fate is unknown is looked for.
"""

from collections.abc import Callable
from typing import Protocol

from sqlmodel import Session, col, select

from app.channels.contract import (
    Adapter,
    ChannelError,
    Outgoing,
    Sender,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.models import Account
from app.channels.registry import external_id_of
from app.db import Database
from app.oncall.outside import Letter, Name, NotSent, Unknown

Opener = Callable[[Account], Adapter | None]

SIGNED_OUT_RETRY_S = 60.0


class AlertMail:
    """See `app.oncall.outside.Way`."""

    def __init__(self, db: Database, open_adapter: Opener) -> None:
        self._db = db
        self._open = open_adapter

    def name(self, session: Session, team_id: str, letter_id: str) -> Name | None:
        """Return the Message-ID, or None for a team without a mailbox.

        A mailbox that can sign in goes before one that cannot.
        """
        query = select(Account).where(
            Account.kind == "email", Account.team_id == team_id, col(Account.enabled)
        )
        refused = col(Account.health).in_(["signed_out", "cannot_send"])
        order = (refused, col(Account.id))
        account = session.exec(query.order_by(*order)).first()
        return Name(external_id_of(account, letter_id), account.id) if account else None

    async def send(self, letter: Letter) -> None:
        """Send it. Raises NotSent or Unknown."""
        account, adapter = await self._mailbox(letter)
        try:
            await adapter.send(_outgoing(letter, account))
        except Temporary as error:
            raise NotSent(error.code, error.retry_after_s) from error
        except SignedOut as error:
            raise NotSent(error.code, SIGNED_OUT_RETRY_S) from error
        except Unconfirmed as error:
            raise Unknown(error.code) from error
        except ChannelError as error:
            raise NotSent(error.code) from error
        finally:
            await adapter.close()

    async def find(self, letter: Letter) -> bool | None:
        """Say whether its copy lies in the mailbox; that it does not (yet) proves nothing."""
        account, adapter = await self._mailbox(letter)
        try:
            return await adapter.find(_outgoing(letter, account)) is not None
        except ChannelError as error:
            raise NotSent(error.code, SIGNED_OUT_RETRY_S) from error
        finally:
            await adapter.close()

    async def _mailbox(self, letter: Letter) -> "tuple[Account, Mailbox]":
        account = await self._db.read(lambda session: _account(session, letter))
        try:
            adapter = self._open(account) if account is not None else None
        except ChannelError as error:
            raise NotSent(error.code) from error
        if account is None or adapter is None:
            raise NotSent("no_way")
        if not isinstance(adapter, Sender):
            await adapter.close()
            raise NotSent("read_only")
        return account, adapter


class Mailbox(Adapter, Sender, Protocol):
    """An adapter that can send."""


def _account(session: Session, letter: Letter) -> Account | None:
    account = session.get(Account, letter.account_id) if letter.account_id else None
    if account is not None:
        session.expunge(account)
    return account


def _outgoing(letter: Letter, account: Account) -> Outgoing:
    return Outgoing(
        delivery_id=letter.id,
        external_id=letter.external_id,
        recipient=letter.recipient,
        subject=letter.subject,
        text=letter.text,
        created_at_ms=letter.created_at_ms,
        from_name=account.name,
    )

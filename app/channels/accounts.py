"""Accounts of the municipality: added, changed, switched off and on, ended. Never their history.

Nothing is kept before the platform has let us in, and whatever is wrong is one clear sentence. The
caller asks who may do it.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Area, Team
from app.channels import registry
from app.channels.contract import ChannelError, Known, Receiver, Setup, Temporary
from app.channels.models import Account
from app.channels.setup import Values, identity
from app.config import Settings
from app.db import touch, wait_for_turn
from app.errors import ConfigError, Conflict, NotFound
from app.ids import uuid7
from app.secrets import seal, unseal

CHECK_S = 18.0
"""How long a platform may take to let us in: a phone waits 20 seconds for an answer of ours."""

_KEEPING = 7_240_128
"""The turn in which accounts are compared and kept."""

KNOWN_AS = "known_as"
"""In an account's config: the platform's own lasting name for it, where it has one."""


@dataclass(slots=True)
class Candidate:
    """An account as it would be; `secret` is the opened one."""

    kind: str
    name: str
    team_id: str
    area: str | None
    config: dict[str, Any]
    secret: str = field(default="", repr=False)
    renews: str | None = None
    """The id of the account that is signed in again; None is a new one."""

    def is_known_as(self, name: str) -> None:
        """Remember what the platform calls it; what was known of other values holds no more."""
        self.config = {key: value for key, value in self.config.items() if key != KNOWN_AS}
        if name:
            self.config[KNOWN_AS] = name[:500]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a platform said to a candidate: `error` is None when it lets us in."""

    error: ChannelError | None
    called: bool = False
    """It calls us: messages come in at a webhook of this account."""
    known_as: str = ""
    """What the platform itself calls the account."""


def setup_of(kind: str) -> Setup:
    """Return how an account of a kind is added. Raises NotFound when it cannot be."""
    known = registry.KINDS.get(kind)
    if known is None or known.setup is None:
        raise NotFound("There is no such kind of channel to add.")
    return known.setup


async def try_out(candidate: registry.AccountLike, secret: str, now_ms: Callable[[], int]) -> Tried:
    """Sign in at the platform; send and keep nothing."""
    try:
        adapter = registry.adapter_of(candidate, secret, now_ms)
    except ChannelError as error:
        return Tried(error)
    if adapter is None:
        return Tried(None)
    called = isinstance(adapter, Receiver)
    name = ""
    try:
        async with asyncio.timeout(CHECK_S):
            await adapter.check()
            if isinstance(adapter, Known):
                name = await adapter.known_as()
    except TimeoutError:
        return Tried(Temporary("no_answer"), called)
    except ChannelError as error:
        return Tried(error, called)
    finally:
        await adapter.close()
    return Tried(None, called, name)


def values_of(account: Account, settings: Settings) -> Values:
    """Return what an account was given. Raises ConfigError when its secret cannot be opened."""
    opened = unseal(settings, account.secret)
    try:
        secret = json.loads(opened) if opened else {}
    except ValueError:
        secret = {}
    known = secret if isinstance(secret, dict) else {}
    return Values(dict(account.config), {str(key): str(value) for key, value in known.items()})


def place(session: Session, team: str, area: str | None) -> str:
    """Return the id of a team by id or name. Raises NotFound when it or the area is not there."""
    found = session.exec(
        select(Team.id).where((col(Team.id) == team) | (col(Team.name) == team))
    ).first()
    if found is None:
        raise NotFound(f"There is no team {team}; see `stoep team list`.")
    if area and session.get(Area, area) is None:
        raise NotFound(f"There is no area {area}; see `stoep area import`.")
    return found


ALLOWED_BY_THE_OPERATOR = ("private_hosts", "ca_file")
"""What only the command line sets, because it opens the own network; no form asks for it."""


def carry_over(account: Account, candidate: Candidate) -> None:
    """Let an account that had ended be tried again as it was allowed to reach its platform."""
    kept = {
        name: account.config[name] for name in ALLOWED_BY_THE_OPERATOR if name in account.config
    }
    candidate.config = kept | candidate.config


def same(session: Session, settings: Settings, candidate: Candidate) -> Account | None:
    """Return the account that this one would be a second copy of: everything would come twice."""
    setup = setup_of(candidate.kind)
    wanted = identity(setup, candidate.config)
    name = candidate.config.get(KNOWN_AS)
    ended = col(Account.ended_at_ms).is_not(None)
    query = select(Account).where(Account.kind == candidate.kind).order_by(ended, Account.id)
    for account in session.exec(query):
        # Where the platform told who both are, nothing that was typed can say otherwise.
        if name and account.config.get(KNOWN_AS):
            if account.config[KNOWN_AS] == name:
                return account
            continue
        if identity(setup, account.config) != wanted:
            continue
        # Of who signs in on a page nothing typed tells which of her accounts it was.
        tells = bool(wanted) and not setup.sign_in
        if tells or (candidate.secret and _secret_of(account, settings) == candidate.secret):
            return account
    return None


def _secret_of(account: Account, settings: Settings) -> str | None:
    try:
        return unseal(settings, account.secret)
    except ConfigError:
        return None


def add(session: Session, settings: Settings, candidate: Candidate, *, now_ms: int) -> Account:
    """Keep an account that was let in; one that had ended goes on where it stopped.

    Raises Conflict when it is here already.
    """
    wait_for_turn(session, _KEEPING)
    known = same(session, settings, candidate)
    if known is not None and known.ended_at_ms is None:
        raise Conflict("This account was added before.", reason="known", account=known.id)
    if known is not None:
        return change(session, settings, known, candidate, now_ms=now_ms)
    account = Account(
        id=uuid7(now_ms),
        kind=candidate.kind,
        name=candidate.name,
        team_id=place(session, candidate.team_id, candidate.area),
        # Adapters whose platform remembers years take nothing in from before this.
        config={"since_ms": now_ms} | candidate.config,
        health_since_ms=now_ms,
    )
    session.add(account)
    return change(session, settings, account, candidate, now_ms=now_ms)


def change(
    session: Session, settings: Settings, account: Account, candidate: Candidate, *, now_ms: int
) -> Account:
    """Give an account other values; what it has read stays read, and its history is its own.

    One that had ended goes on; one that was switched off stays so, until somebody switches it on.
    Raises Conflict when another account has these already.
    """
    wait_for_turn(session, _KEEPING)
    other = same(session, settings, candidate) if can_be_added(account.kind) else None
    if other is not None and other.id != account.id and other.ended_at_ms is None:
        raise Conflict("This account was added before.", reason="known", account=other.id)
    account.team_id = place(session, candidate.team_id, candidate.area)
    account.name, account.area = candidate.name, candidate.area or None
    since = {"since_ms": account.config["since_ms"]} if "since_ms" in account.config else {}
    account.config = since | candidate.config
    account.secret = seal(settings, candidate.secret)
    if account.ended_at_ms is not None:
        account.enabled, account.ended_at_ms = True, None
    if account.health != "working":
        account.health_since_ms = now_ms
    account.health, account.health_detail, account.limited_until_ms = "working", "", None
    session.flush()
    touch(session, "account", account.id)
    return account


def find(session: Session, account_id: str) -> Account:
    """Return an account. Raises NotFound."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return account


def switch(session: Session, account: Account, enabled: bool) -> None:
    """Stop or go on fetching and sending there. Raises Conflict when the account has ended."""
    if enabled and account.ended_at_ms is not None:
        raise Conflict("This account has ended; add it again.", reason="ended")
    account.enabled = enabled
    session.flush()
    touch(session, "account", account.id)


def end(session: Session, account: Account, *, now_ms: int) -> None:
    """End an account, because its platform died or we left it; its history stays readable.

    What opened it is forgotten. Raises Conflict for a form or a book of notes: every team has one.
    """
    known = registry.KINDS.get(account.kind)
    if known is not None and not can_be_added(account.kind):
        raise Conflict("Every team has this one; switch it off instead.", reason="standing")
    account.enabled, account.secret = False, ""
    account.ended_at_ms = account.ended_at_ms or now_ms
    account.limited_until_ms = None
    session.flush()
    touch(session, "account", account.id)


def can_be_added(kind: str) -> bool:
    """Say whether accounts of this kind are added by people, and not there for every team."""
    known = registry.KINDS.get(kind)
    return known is not None and known.setup is not None

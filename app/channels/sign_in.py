"""Signing in on a platform's own page (OAuth): begun here, finished with what it hands back.

What the platform hands back works once, within minutes, and only for the person who began, on the
device on which she did: a link that somebody else had her open connects nothing.

Finishing may take longer than a phone waits for an answer. What came of it is kept in the
transaction that keeps the account, so a phone that asks again hears the same, and nothing is
half made: an account without an outcome, or the other way round, cannot be.
"""

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session, col, delete

from app.accounts.policy import Principal
from app.channels import accounts, registry
from app.channels.accounts import Candidate
from app.channels.contract import Permanent, SigningIn, Temporary
from app.channels.models import Account, ChannelSignIn
from app.config import Settings
from app.errors import BadRequest, Conflict
from app.ids import fingerprint, new_secret
from app.secrets import seal, unseal

LIFE_MS = 15 * 60 * 1000
BUSY_MS = 90_000
"""After so long without an outcome, whoever was finishing it is gone: nothing was kept."""
RETURN_PATH = "/channels/signed-in"
"""The app's own page that the platform sends the browser back to."""


async def begin(state: Any, who: Principal, candidate: Candidate) -> str:
    """Return the platform's page to open. Raises ChannelError, Conflict, NotFound."""
    if not accounts.setup_of(candidate.kind).sign_in:
        raise Conflict("This kind is not signed in to on a page.", reason="no_sign_in")
    await state.db.read(lambda session: _may_begin(session, candidate))
    secret = new_secret()
    kept, page = "", ""
    adapter = registry.adapter_of(candidate, candidate.secret, state.clock.now_ms)
    if adapter is None:
        raise Permanent("bad_config")
    try:
        if not isinstance(adapter, SigningIn):
            raise Permanent("bad_config", "this adapter has no sign-in")
        async with asyncio.timeout(accounts.CHECK_S):
            page, kept = await adapter.begin(return_to(state.settings), secret)
    except TimeoutError:
        raise Temporary("no_answer") from None
    finally:
        await adapter.close()
    if not page.startswith(("https://", "http://localhost:", "http://127.0.0.1:")):
        raise Permanent("bad_config", "the platform's page is not https")
    sealed = seal(state.settings, json.dumps({"candidate": asdict(candidate), "kept": kept}))

    def keep(session: Session) -> None:
        now_ms = state.clock.now_ms()
        session.exec(delete(ChannelSignIn).where(col(ChannelSignIn.expires_at_ms) <= now_ms))
        session.add(
            ChannelSignIn(
                state=fingerprint(secret),
                person_id=who.person_id,
                device_id=who.device_id,
                sealed=sealed,
                expires_at_ms=now_ms + LIFE_MS,
            )
        )

    await state.db.write(keep)
    return page


def _may_begin(session: Session, candidate: Candidate) -> None:
    accounts.place(session, candidate.team_id, candidate.area)
    if candidate.renews and accounts.find(session, candidate.renews).kind != candidate.kind:
        raise Conflict("That account is of another kind.", reason="other_kind")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a sign-in so far: to be finished (`sealed`), finished (`outcome`), or under
    way in another request (neither)."""

    sealed: str = ""
    outcome: dict[str, Any] | None = None


async def take(state: Any, who: Principal, said: str) -> Taken:
    """Begin to finish a sign-in; only the first who asks is to do it.

    Raises BadRequest when this state was not given out to her here, came to nothing, or is too old.
    """

    def work(session: Session) -> Taken | None:
        begun = session.get(ChannelSignIn, fingerprint(said), with_for_update=True)
        if begun is None or (begun.person_id, begun.device_id) != (who.person_id, who.device_id):
            return None
        now_ms = state.clock.now_ms()
        if begun.outcome is None and begun.taken_at_ms is None and begun.expires_at_ms > now_ms:
            begun.taken_at_ms, sealed, begun.sealed = now_ms, begun.sealed, ""
            return Taken(sealed=sealed)
        if begun.outcome is None and now_ms < (begun.taken_at_ms or 0) + BUSY_MS:
            return Taken()
        # Decided here, under the lock: who still works on it may keep nothing after this.
        begun.outcome = begun.outcome or OVER
        return None if begun.outcome == OVER else Taken(outcome=begun.outcome)

    taken: Taken | None = await state.db.write(work)
    if taken is None:
        raise _over()
    return taken


OVER = {"over": True}


def _over() -> BadRequest:
    return BadRequest(
        "This sign-in was finished before, or took too long. Begin again.", reason="consent_over"
    )


def settle(session: Session, said: str, outcome: dict[str, Any]) -> None:
    """Keep what came of it, in the transaction of what it did.

    Raises BadRequest when it was given up meanwhile: then nothing may be kept.
    """
    begun = session.get(ChannelSignIn, fingerprint(said), with_for_update=True)
    if begun is None or begun.outcome is not None:
        raise _over()
    begun.outcome = outcome


def give_up(session: Session, said: str) -> None:
    """Take note that it came to nothing, unless something came of it."""
    begun = session.get(ChannelSignIn, fingerprint(said), with_for_update=True)
    if begun is not None and begun.outcome is None:
        begun.outcome = OVER


async def finish(state: Any, sealed: str, code: str) -> Candidate:
    """Exchange the code; return the account that may be kept once it was tried.

    Raises ChannelError.
    """
    kept = json.loads(unseal(state.settings, sealed))
    candidate = Candidate(**kept["candidate"])
    adapter = registry.adapter_of(candidate, candidate.secret, state.clock.now_ms)
    if adapter is None or not isinstance(adapter, SigningIn):
        raise Permanent("bad_config")
    try:
        async with asyncio.timeout(accounts.CHECK_S / 2):
            candidate.secret = await adapter.finish(kept["kept"], return_to(state.settings), code)
    except TimeoutError:
        raise Temporary("no_answer") from None
    finally:
        await adapter.close()
    return candidate


def keep(session: Session, settings: Settings, candidate: Candidate, *, now_ms: int) -> Account:
    """Keep a signed-in account, or give the one that was signed in again its new secret.

    Raises Conflict when it is here already, or when somebody else was signed in than before: what
    was read of the one says nothing of the other.
    """
    if candidate.renews is None:
        return accounts.add(session, settings, candidate, now_ms=now_ms)
    known = accounts.find(session, candidate.renews)
    before, now = (one.config.get(accounts.KNOWN_AS) for one in (known, candidate))
    if before and now and before != now:
        raise Conflict("Another account was signed in to.", reason="other_account")
    return accounts.change(session, settings, known, candidate, now_ms=now_ms)


def return_to(settings: Settings) -> str:
    """Return the address that the platform sends the browser back to."""
    return settings.origin + RETURN_PATH

"""Webhooks: what a platform calls us with, taken in as if it had been fetched.

A call is nobody until its adapter has found the platform's signature over the raw body. No session
counts here, so the check on other sites does not hold for these paths either.

A signature does not say when it was made. So what was called is known again for a week and a day,
longer than platforms repeat a call (Meta: seven days); a call that somebody kept and sends once
more brings no old wording back.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import text
from sqlmodel import Session

from app.channels import batches, intake, registry
from app.channels.contract import (
    Adapter,
    Challenging,
    ChannelError,
    Completing,
    DeliveryReport,
    Gap,
    InboundRequest,
    Incoming,
    Receiver,
    SignedOut,
    Temporary,
)
from app.channels.models import Account
from app.delivery import health
from app.errors import BadRequest, ConfigError, NotAllowed, NotFound, Unavailable
from app.ratelimit import limit
from app.secrets import unseal

log = logging.getLogger(__name__)

CALLS, PERIOD_S = 1200, 60
BAD, BAD_PERIOD_S = 60, 600
KNOWN_MS = 8 * 24 * 3600 * 1000

# With the other counts by period: forgotten when that is over, without a table of its own.
_KNOWS = "SELECT count FROM rate_count WHERE key = :key AND period > :now_ms"
_KEEP = text(
    "INSERT INTO rate_count (key, period, count) VALUES (:key, :until_ms, 1)"
    " ON CONFLICT (key, period) DO NOTHING"
)

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

router = APIRouter(prefix="/hooks", include_in_schema=False)


@router.get("/{account_id}")
async def challenge(request: Request, account_id: Id) -> Response:
    """Answer a platform that asks whether this address is ours."""
    adapter = await _adapter(request, account_id)
    try:
        if not isinstance(adapter, Challenging):
            raise NotFound
        answer = adapter.challenge(_inbound(request, b""))
    except ChannelError:
        answer = None
    finally:
        await adapter.close()
    if answer is None:
        await _refused(request, account_id)
        raise NotAllowed
    # As text, not as a page: what comes back is what the caller sent.
    kind = "application/json" if answer.startswith("{") else "text/plain"
    return Response(answer, media_type=kind)


@router.post("/{account_id}")
async def call(request: Request, account_id: Id) -> Response:
    """Take in what the platform tells us, all of it in one transaction, or none."""
    adapter = await _adapter(request, account_id)
    body = await request.body()
    try:
        if not isinstance(adapter, Receiver):
            raise NotFound
        items = adapter.parse(_inbound(request, body))
        name = f"call {account_id} {hashlib.sha256(body).hexdigest()}"
        state = request.app.state
        if await state.db.all(_KNOWS, {"key": name, "now_ms": state.clock.now_ms()}):
            return Response(status_code=200)
        if isinstance(adapter, Completing):
            items = await adapter.complete(items)
    except (Temporary, SignedOut) as error:
        # What came along could not be fetched now: the platform calls again.
        log.info("a call to %s waits: %s", account_id, error.code)
        raise Unavailable from None
    except ChannelError as error:
        await _refused(request, account_id)
        if error.code == "bad_signature":
            raise NotAllowed from None
        raise BadRequest from None
    finally:
        await adapter.close()
    await take(request, account_id, items, name)
    return Response(status_code=200)


async def take(
    request: Request, account_id: str, items: list[Incoming | DeliveryReport], name: str
) -> None:
    """Store what was believed, by the same way as what is fetched, and that it was called."""
    state = request.app.state
    max_bytes = state.settings.max_photo_bytes
    ready = await asyncio.to_thread(lambda: intake.prepare_all(items, max_bytes=max_bytes))

    now_ms = state.clock.now_ms()

    def take_some(session: Session, some: Sequence[intake.Ready]) -> None:
        intake.take_all(session, session.get_one(Account, account_id), some, now_ms=now_ms)

    def finish(session: Session, missing: Gap | None) -> None:
        account = session.get_one(Account, account_id)
        if missing is not None:
            health.add_gap(session, account, missing)
        session.execute(_KEEP, {"key": name, "until_ms": now_ms + KNOWN_MS})
        if account.health not in {"signed_out", "cannot_read"}:
            # That a platform calls us says nothing about whether it lets us in.
            health.reads(session, account, now_ms=now_ms)

    await batches.store(state.db, ready, take_some, finish, now_ms)


async def _adapter(request: Request, account_id: str) -> Adapter:
    """Return the adapter of whom is called. Raises NotFound, and TooMany.

    Calls are counted only for an account that is there: nobody fills the table by calling names.
    """
    state = request.app.state

    def find(session: Session) -> tuple[Account, str] | None:
        account = session.get(Account, account_id)
        if account is None or not account.enabled or not account.secret:
            return None
        session.expunge(account)
        return account, account.secret

    found = await state.db.read(find)
    if found is None:
        raise NotFound
    account, sealed = found
    await limit(request, f"hook {account_id}", times=CALLS, period_s=PERIOD_S)
    try:
        secret = unseal(state.settings, sealed)
        adapter = registry.adapter_of(account, secret, state.clock.now_ms)
    except (ChannelError, ConfigError) as error:
        log.error("a call to %s: %s", account_id, type(error).__name__)  # noqa: TRY400
        raise NotFound from None
    if adapter is None:
        raise NotFound
    return adapter


def _inbound(request: Request, body: bytes) -> InboundRequest:
    headers: Mapping[str, str] = {name.lower(): value for name, value in request.headers.items()}
    return InboundRequest(request.method, headers, body, dict(request.query_params))


async def _refused(request: Request, account_id: str) -> None:
    """Count what was refused: who guesses at a signature is not let to for long."""
    log.info("a call to %s was refused", account_id)
    await limit(request, f"bad hook {account_id}", times=BAD, period_s=BAD_PERIOD_S)

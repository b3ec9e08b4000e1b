"""One try at a delivery, or one look whether an earlier try took effect; no rows are touched."""

import random
from dataclasses import dataclass, replace

from app.channels.contract import (
    Adapter,
    ChannelError,
    Outgoing,
    Permanent,
    Receipt,
    Sender,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.models import Account

MIN_WAIT_MS = 1_000
MAX_WAIT_MS = 15 * 60 * 1000
MAX_LIMIT_MS = 24 * 3600 * 1000
"""No platform is left alone for longer, whatever it asks for."""

LOOK_AGAIN_MS = (15_000, 60_000, 300_000, 1_800_000)
"""When an uncertain reply is looked for again; after the last only a person can tell."""

CANNOT_LOOK_MS = 300_000
"""When a look is tried again for which somebody has to sign in first."""


@dataclass(frozen=True, slots=True)
class Job:
    """One leased delivery with all that sending it takes."""

    delivery_id: str
    account: Account
    reply: Outgoing
    tried: bool
    state: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: the state it goes to, and when to come back to it."""

    state: str
    error: str | None = None
    external_id: str | None = None
    retry_ms: int | None = None
    health: str | None = None
    cause: str | None = None
    """Why the account's health is what it is; None is `error`."""
    limited_ms: int | None = None
    """For how long the whole account is limited."""
    spent: bool = True
    took: bool = False
    """The platform took a reply just now, which says that we may send there."""
    looked: bool = True
    """False when the channel could not be asked: such a look does not count."""


async def attempt(adapter: Adapter | None, job: Job) -> Outcome:
    """Send a reply that nobody tried yet; look for one that somebody did.

    Raises ChannelError when a look finds nothing out.
    """
    if adapter is None or not isinstance(adapter, Sender):
        return Outcome("failed", error="read_only")
    if job.tried:
        # An earlier try may have taken effect: a lapsed lease, or an answer that was lost.
        return await look(adapter, job)
    try:
        receipt = await adapter.send(job.reply)
    except Temporary as error:
        wait_ms = int(min(error.retry_after_s * 1000, MAX_LIMIT_MS))
        outcome = Outcome("queued", error=error.code, retry_ms=wait_ms, spent=False)
        if not error.account_wide:
            return outcome
        return replace(outcome, health="limited", limited_ms=wait_ms)
    except SignedOut as error:
        return Outcome(
            "queued", error=error.code, retry_ms=60_000, health="signed_out", spent=False
        )
    except Unconfirmed:
        return await look(adapter, job)
    except Permanent as error:
        return Outcome("failed", error=error.code)
    return replace(_sent(receipt), took=True)


async def look(adapter: Adapter, job: Job) -> Outcome:
    """Look at the channel whether an earlier try took effect; never send."""
    if not isinstance(adapter, Sender):
        return Outcome("failed", error="read_only")
    looked = job.attempts if job.state == "uncertain" else 0
    again = LOOK_AGAIN_MS[min(looked, len(LOOK_AGAIN_MS) - 1)]
    unknown = Outcome("uncertain", error="unconfirmed", retry_ms=again)
    try:
        receipt = await adapter.find(job.reply)
    except SignedOut as error:
        out = replace(unknown, health="signed_out", cause=error.code)
        return replace(out, retry_ms=CANNOT_LOOK_MS, looked=False)
    except Temporary as error:
        wait_ms = max(again, min(error.retry_after_s * 1000, MAX_WAIT_MS))
        return replace(unknown, retry_ms=int(wait_ms), looked=False)
    except ChannelError:
        return replace(unknown, retry_ms=CANNOT_LOOK_MS, looked=False)
    return unknown if receipt is None else _sent(receipt)


def _sent(receipt: Receipt) -> Outcome:
    return Outcome(receipt.state, external_id=receipt.external_id)


def put_off(job: Job, code: str, *, may_be_out: bool = False) -> Outcome:
    """Come back later: to send what never left, to look for what may have."""
    if job.state == "uncertain":
        return Outcome("uncertain", error=code, retry_ms=CANNOT_LOOK_MS, looked=may_be_out)
    if job.tried or may_be_out:
        return Outcome("uncertain", error=code, retry_ms=LOOK_AGAIN_MS[0])
    return Outcome("queued", error=code, retry_ms=60_000, spent=False)


def with_backoff(wait_ms: int, attempts: int, outcome: Outcome) -> int:
    """Return how long to leave what is tried again, ms; longer each time, and never at once."""
    if outcome.state != "queued":
        return wait_ms
    wait_ms = max(wait_ms, MIN_WAIT_MS)
    grown = min(wait_ms * 2 ** min(max(0, attempts - 1), 8), max(MAX_WAIT_MS, wait_ms))
    # Jitter, so that all that failed together does not come back together.
    return int(grown * random.uniform(1.0, 1.25))  # noqa: S311

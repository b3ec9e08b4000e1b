"""A platform that says it did nothing, where somebody before it may say so of what took long."""

import asyncio
from collections.abc import Awaitable

from app.channels.contract import ChannelError, Receipt, Unconfirmed

LOOK_S = 40.0
"""How long is looked; with what came before it stays under the two minutes for which a delivery is
leased."""


async def after_all(look: Awaitable[Receipt | None]) -> Receipt | None:
    """Return what a look finds after a 503: a server says it of what it did not do, a gateway of
    what it did not wait for. None is that nothing is there.

    Raises Unconfirmed when nobody could look.
    """
    try:
        async with asyncio.timeout(LOOK_S):
            return await look
    except (ChannelError, TimeoutError):
        raise Unconfirmed("answer_lost", "status 503, and nobody could look") from None

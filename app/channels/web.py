"""The web form as a channel: a reply is sent by being there, on the resident's own page.

Residents' questions do not come through here; the form's own routes take them in.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.channels.contract import Capabilities, Outgoing, Permanent, Receipt

MAX_CHARS = 5000
MAX_PHOTOS = 4

CAPABILITIES = Capabilities(
    max_chars=MAX_CHARS, attachments=MAX_PHOTOS, max_attachment_bytes=25_000_000
)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return the id of our message on the page: its delivery's."""
    return delivery_id


def build(_config: Mapping[str, Any], _secret: str, now_ms: Callable[[], int]) -> "WebPage":
    """Make the adapter; there is nothing to configure and no account to sign in to."""
    return WebPage(now_ms)


class WebPage:
    """Puts replies on the resident's page; sent twice, a reply stands there once."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    @property
    def capabilities(self) -> Capabilities:
        """What the composer must know."""
        return CAPABILITIES

    def new_external_id(self, delivery_id: str) -> str:
        """Return the delivery's own id."""
        return delivery_id

    async def check(self) -> None:
        """Succeed: the page is served by whoever asks this."""

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def send(self, reply: Outgoing) -> Receipt:
        """Say that the reply stands on the page, which shows whatever has been sent.

        Raises Permanent when it is longer than the page shows, or has too many photos.
        """
        if len(reply.text) > MAX_CHARS:
            raise Permanent("too_long", f"{len(reply.text)} of {MAX_CHARS}")
        if len(reply.attachments) > MAX_PHOTOS:
            raise Permanent("too_many_attachments", str(len(reply.attachments)))
        return Receipt(reply.external_id, "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """Say whether an earlier `send` took effect: always, unless it was refused."""
        try:
            return await self.send(reply)
        except Permanent:
            return None

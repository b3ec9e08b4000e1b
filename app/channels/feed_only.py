"""What all sources have in common that are only read: nothing is sent there and nobody signs in."""

from collections.abc import Callable, Mapping
from typing import Any

from app.channels.contract import Batch, Capabilities, Permanent
from app.channels.safe_http import checked_url

CAPABILITIES = Capabilities(max_chars=0, public=True, threads=False)
"""What the composer must know: that there is nothing to write."""


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return the delivery's own id: nothing is ever sent there."""
    return delivery_id


class ReadOnly:
    """Adapter and Source, but for `fetch`, at one address that somebody typed."""

    capabilities = CAPABILITIES

    def __init__(self, config: Mapping[str, Any], now_ms: Callable[[], int]) -> None:
        """Raises Permanent("bad_config") without an address that can be fetched."""
        try:
            self._url = checked_url(str(config.get("url", "")))
        except Permanent:
            raise Permanent("bad_config", "url") from None
        self._now_ms = now_ms
        self._private_hosts = tuple(str(host) for host in config.get("private_hosts", ()))

    def new_external_id(self, delivery_id: str) -> str:
        """Return the delivery's own id."""
        return delivery_id

    async def check(self) -> None:
        """Fetch once. Raises Temporary or Permanent."""
        await self.fetch(None)

    async def close(self) -> None:
        """Do nothing: no connection is kept for a visit now and then."""

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source."""
        raise NotImplementedError

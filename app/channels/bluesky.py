"""Bluesky (AT protocol): mentions, replies and quotes in, replies out, with an app password.

A reply's name is its record key, decided by its delivery before anything is sent, so sending it
again leaves one post. Private messages are another service, without any such name: not here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.channels.bluesky_read import Reading, read_cursor
from app.channels.bluesky_search import search
from app.channels.bluesky_send import CAPABILITIES, Sending, check
from app.channels.bluesky_session import Account
from app.channels.bluesky_text import tid_of
from app.channels.contract import Batch, Outgoing, Permanent, Receipt, Setup, SetupField
from app.channels.social_http import server_address

__all__ = ["CAPABILITIES", "SETUP", "BlueskyChannel", "build", "external_id"]

SERVICE = "https://bsky.social"

SETUP = Setup(
    intro=(
        (
            "Maak in Bluesky een app-wachtwoord: Instellingen → Privacy en beveiliging → "
            "App-wachtwoorden. Het gewone wachtwoord is niet nodig, en werkt niet als Bluesky "
            "een code per mail stuurt."
        ),
        (
            "Make an app password in Bluesky: Settings → Privacy and security → App passwords. The "
            "ordinary password is not needed, and does not work where Bluesky mails a code."
        ),
    ),
    fields=(
        SetupField(
            "identifier",
            ("Naam op Bluesky", "Name on Bluesky"),
            "text",
            ("Bijvoorbeeld stadsdeel.bsky.social", "For example stadsdeel.bsky.social"),
        ),
        SetupField("app_password", ("App-wachtwoord", "App password"), "secret"),
        SetupField(
            "service",
            ("Eigen server", "Server of your own"),
            "url",
            (
                "Leeg laten voor een account bij Bluesky zelf.",
                "Leave empty for an account with Bluesky itself.",
            ),
            required=False,
        ),
    ),
)

_IDENTIFIER = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}|did:[a-z]+:[a-zA-Z0-9._:%-]{1,200}")


@dataclass(frozen=True, slots=True)
class BlueskySettings:
    """One account. `since_ms` is the floor: what is older is never taken in."""

    identifier: str
    service: str = SERVICE
    since_ms: int = 0
    private_hosts: tuple[str, ...] = ()
    """Hosts in a private network from which pictures may be fetched all the same."""
    app_password: str = field(default="", repr=False)
    timeout_s: float = 15.0


class BlueskyChannel:
    """Adapter, Source, Searching and Sender of one account."""

    capabilities = CAPABILITIES

    def __init__(self, settings: BlueskySettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._account = Account(
            settings.service,
            settings.identifier,
            settings.app_password,
            now_ms,
            settings.timeout_s,
        )

    def new_external_id(self, delivery_id: str) -> str:
        return tid_of(delivery_id)

    async def check(self) -> None:
        """Sign in and read one notification."""
        answer = await self._account.ask(
            "GET", "app.bsky.notification.listNotifications", params={"limit": "1"}
        )
        answer.table()

    async def known_as(self) -> str:
        """See Known: the DID, which stays when the handle or the server changes."""
        return await self._account.did()

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The cursor is JSON: how far was read, what was seen, what is watched."""
        reading = Reading(
            self._account,
            self._now_ms,
            since_ms=self._settings.since_ms,
            private_hosts=self._settings.private_hosts,
        )
        return await reading.fetch(read_cursor(cursor))

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. Long texts are refused before anybody is asked."""
        check(reply)
        return await Sending(self._account, self._now_ms).send(reply)

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender."""
        return await Sending(self._account, self._now_ms).find(reply)

    async def search(self, query: str, cursor: str | None) -> Batch:
        """See Searching: words, a hashtag, a phrase."""
        return await search(self._account, query, cursor, self._now_ms)

    async def close(self) -> None:
        await self._account.close()


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> BlueskyChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return BlueskyChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return the record key that a reply will have."""
    return tid_of(delivery_id)


def settings_of(config: Mapping[str, Any], secret: str) -> BlueskySettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    identifier = str(config.get("identifier") or "").strip().removeprefix("@")
    identifier = identifier if identifier.startswith("did:") else identifier.lower()
    if not _IDENTIFIER.fullmatch(identifier):
        raise Permanent("bad_config", "identifier is not a name on Bluesky")
    service = server_address(config.get("service") or SERVICE)
    if not service:
        raise Permanent("bad_config", "service is not the address of a server")
    since_ms, timeout_s = config.get("since_ms", 0), config.get("timeout_s", 15.0)
    if not isinstance(since_ms, int) or not isinstance(timeout_s, int | float) or timeout_s <= 0:
        raise Permanent("bad_config", "since_ms and timeout_s must be numbers")
    try:
        opened = json.loads(secret) if secret else {}
        password = str(opened.get("app_password") or "").strip()
    except (ValueError, AttributeError):
        raise Permanent("bad_config", "the secret is unreadable") from None
    return BlueskySettings(
        identifier=identifier,
        service=service,
        since_ms=since_ms,
        private_hosts=tuple(str(host) for host in config.get("private_hosts") or ()),
        app_password=password,
        timeout_s=float(timeout_s),
    )

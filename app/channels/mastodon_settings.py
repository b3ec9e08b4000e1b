"""What a Mastodon account needs to know, how it is set up, and what its server says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.channels.contract import Capabilities, Permanent, Setup, SetupField
from app.channels.social_http import Caller, server_address

MAX_HASHTAGS = 10
DEFAULT_MAX_CHARS = 500
NAME_CHARS = 40
"""Room for `@name ` before the reply: a name has 30 characters on Mastodon, elsewhere more."""

CAPABILITIES = Capabilities(
    max_chars=DEFAULT_MAX_CHARS - NAME_CHARS,
    counts="graphemes",
    public=True,
    attachments=4,
    max_attachment_bytes=16_000_000,
    undo=True,
)
"""What every server takes; one that takes more is not told apart here (docs.joinmastodon.org,
user/posting, read November 2026)."""

SETUP = Setup(
    intro=(
        (
            "Neem een account op een Mastodon-server en vul het adres van de server in. Die vraagt "
            "daarna om toestemming. Met een toegangssleutel (Voorkeuren → Ontwikkeling → Nieuwe "
            "toepassing, met lezen en schrijven) kan het ook zonder."
        ),
        (
            "Take an account on a Mastodon server and fill in that server's address. It then asks "
            "for consent. With an access token (Preferences → Development → New application, with "
            "read and write) it can be done without."
        ),
    ),
    fields=(
        SetupField(
            "server",
            ("Adres van de server", "Address of the server"),
            "text",
            ("Bijvoorbeeld social.overheid.nl", "For example social.overheid.nl"),
            server=True,
        ),
        SetupField(
            "hashtags",
            ("Hashtags die binnenkomen", "Hashtags that come in"),
            "lines",
            (
                "Eén per regel, zonder #. Openbare berichten met deze woorden komen ook binnen.",
                "One a line, without #. Public posts with these words come in too.",
            ),
            required=False,
        ),
        SetupField(
            "access_token",
            ("Toegangssleutel", "Access token"),
            "secret",
            (
                "Leeg laten om op de server zelf toestemming te geven.",
                "Leave empty to give consent on the server itself.",
            ),
            required=False,
        ),
    ),
    sign_in=True,
)

_TAG = re.compile(r"\w{1,100}")


@dataclass(frozen=True, slots=True)
class MastodonSettings:
    """One account. `since_ms` is the floor: what is older is never taken in."""

    server: str
    hashtags: tuple[str, ...] = ()
    since_ms: int = 0
    private_hosts: tuple[str, ...] = ()
    """Hosts in a private network from which pictures may be fetched all the same."""
    token: str = field(default="", repr=False)
    timeout_s: float = 15.0


def settings_of(config: Mapping[str, Any], secret: str) -> MastodonSettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    server = server_address(config.get("server"))
    if not server:
        raise Permanent("bad_config", "server is not the address of one")
    tags = config.get("hashtags") or []
    if not isinstance(tags, list | tuple) or len(tags) > MAX_HASHTAGS:
        raise Permanent("bad_config", f"hashtags must be a list of at most {MAX_HASHTAGS}")
    names = [str(tag).strip().lstrip("#").lower() for tag in tags]
    if not all(_TAG.fullmatch(name) for name in names if name):
        raise Permanent("bad_config", "hashtags must be words without spaces")
    since_ms, timeout_s = config.get("since_ms", 0), config.get("timeout_s", 15.0)
    if not isinstance(since_ms, int) or not isinstance(timeout_s, int | float) or timeout_s <= 0:
        raise Permanent("bad_config", "since_ms and timeout_s must be numbers")
    hosts = config.get("private_hosts") or ()
    try:
        opened = json.loads(secret) if secret else {}
        token = str(opened.get("access_token") or "").strip()
    except (ValueError, AttributeError):
        raise Permanent("bad_config", "the secret is unreadable") from None
    if not token.isascii() or any(ord(sign) <= 32 for sign in token):
        raise Permanent("bad_config", "the access token has a space or a strange sign in it")
    return MastodonSettings(
        server=server,
        hashtags=tuple(dict.fromkeys(name for name in names if name)),
        since_ms=since_ms,
        private_hosts=tuple(str(host) for host in hosts),
        token=token,
        timeout_s=float(timeout_s),
    )


@dataclass(frozen=True, slots=True)
class Instance:
    """What a server says of itself, with what is usual where it says nothing."""

    domain: str
    """The name behind the @ of its people, which need not be the name of the server."""
    max_chars: int = DEFAULT_MAX_CHARS
    streaming: str = ""
    """Where its streams are, https; the server itself when it names no other place."""


async def instance_of(caller: Caller, server: str) -> Instance:
    """Ask a server for its limits: in the newest way, then in the one of before 4.0.

    Source: docs.joinmastodon.org, methods/instance, read November 2026.
    """
    for path in ("/api/v2/instance", "/api/v1/instance"):
        answer = await caller.ask("GET", path)
        said = answer.value()
        if answer.ok and isinstance(said, dict):
            return read_instance(said, server)
    return Instance(domain=_host(server), streaming=server)


def read_instance(said: dict[str, Any], server: str) -> Instance:
    """Read what a server says of itself, in either of the two ways."""
    configuration = _table(said.get("configuration"))
    urls = _table(configuration.get("urls")) or _table(said.get("urls"))
    limit = _table(configuration.get("statuses")).get("max_characters", said.get("max_toot_chars"))
    stream = str(urls.get("streaming") or urls.get("streaming_api") or "")
    stream = stream.replace("wss://", "https://", 1).replace("ws://", "http://", 1)
    named = str(said.get("domain") or said.get("uri") or "")
    # Up to 3.x `uri` was a name; some servers give an address there.
    domain = _host(named) if "://" in named else named.partition("/")[0]
    return Instance(
        domain=domain.lower() or _host(server),
        max_chars=limit if isinstance(limit, int) and limit > 0 else DEFAULT_MAX_CHARS,
        streaming=_of_its_own(server_address(stream), server, domain) or server,
    )


def _of_its_own(stream: str, server: str, domain: str) -> str:
    """Return where a stream is, when that is a place of the server's own; else "".

    The token goes there, and a server could name any host, in our own network as well.
    """
    host = _host(stream)
    own = {name for name in (_host(server), domain.lower()) if name}
    return stream if any(host == name or host.endswith(f".{name}") for name in own) else ""


def _host(address: str) -> str:
    parts = urlsplit(address)
    return (parts.hostname or "").lower()


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

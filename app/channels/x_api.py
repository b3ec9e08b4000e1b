"""Requests to X, signed for one account (OAuth 1.0a, user context), and what its refusals mean.

Source: X, "OAuth 1.0a: Creating a signature", "Authorizing a request", "Response codes & errors"
and "Rate limits" (read 2026-11); RFC 5849, sections 3.4 and 3.5.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from app.channels.contract import ChannelError, Permanent, SignedOut, Temporary, Unconfirmed
from app.channels.platform_http import Answer, PlatformApi, base_of, dig_text, secrets_of

API = "https://api.x.com"
NAMES = ("api_key", "api_secret", "access_token", "access_secret")
CREDITS_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class XSettings:
    """One account. Its id stands at the beginning of the access token."""

    user_id: str
    cap: int
    """What a month may cost, in millionths of a dollar."""
    url: str = API
    messages: bool = True
    links: bool = False
    since_ms: int = 0
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


def settings_of(config: Mapping[str, Any], secret: str) -> XSettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    keys = {name: value.strip() for name, value in secrets_of(secret).items()}
    for name in NAMES:
        if not keys.get(name):
            raise Permanent("bad_config", f"{name} is missing")
    user_id = keys["access_token"].partition("-")[0]
    if not re.fullmatch(r"\d{1,20}", user_id, re.ASCII):
        raise Permanent("bad_config", "the access token does not begin with a number")
    cap, since_ms = config.get("monthly_cap", 20), config.get("since_ms", 0)
    messages, links = config.get("messages") or "yes", config.get("links") or "no"
    known = {messages, links} <= {"yes", "no"} and isinstance(since_ms, int)
    if not known or isinstance(cap, bool) or not isinstance(cap, int | float) or not 0 < cap < 1e6:
        raise Permanent("bad_config", "monthly_cap, messages, links or since_ms is not right")
    return XSettings(
        user_id=user_id,
        cap=int(cap * 1_000_000),
        url=base_of(config.get("api_url") or API),
        messages=messages == "yes",
        links=links == "yes",
        since_ms=since_ms,
        keys=keys,
    )


class XApi:
    """Asks as the account."""

    def __init__(self, settings: XSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._api = PlatformApi(settings.url)

    async def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Read. Raises Temporary, Permanent or SignedOut."""
        answer = await self._ask("GET", path, query)
        if not answer.fine:
            raise self._refusal(answer, changes=False)
        if not isinstance(answer.body.get("data", answer.body.get("meta")), dict | list):
            raise Temporary("platform_busy", "an answer without data", account_wide=True)
        return answer.body

    async def post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write, at most once. Raises Unconfirmed too."""
        answer = await self._ask("POST", path, {}, json=content)
        if not answer.fine:
            raise self._refusal(answer, changes=True)
        return answer.body

    async def close(self) -> None:
        await self._api.close()

    async def _ask(self, method: str, path: str, query: Mapping[str, str], **more: Any) -> Answer:
        header = sign(
            method,
            self._settings.url + path,
            query,
            self._settings.keys,
            stamp=str(self._now_ms() // 1000),
            nonce=secrets.token_hex(16),
        )
        return await self._api.ask(
            method,
            path,
            changes=method == "POST",
            params=dict(query),
            headers={"Authorization": header},
            **more,
        )

    def _refusal(self, answer: Answer, *, changes: bool) -> ChannelError:
        said = f"{dig_text(answer.body, 'title')} {dig_text(answer.body, 'detail')}".lower().strip()
        detail = str(answer.status)
        if answer.status == 429:
            reset = answer.headers.get("x-rate-limit-reset", "")
            wait_s = answer.retry_after_s(self._now_ms(), 900.0)
            if reset.isascii() and reset.isdecimal() and len(reset) < 13:
                wait_s = max(1.0, int(reset) - self._now_ms() / 1000)
            return Temporary("rate_limited", detail, retry_after_s=wait_s, account_wide=True)
        if answer.status == 401 and said:
            return SignedOut("token_refused", detail)
        if answer.status == 402 or "credits" in said:
            return Temporary(
                "credits_spent", detail, retry_after_s=CREDITS_WAIT_S, account_wide=True
            )
        if answer.status == 403 and "duplicate" in said:
            return Permanent("said_before", detail)
        if answer.status == 403 and said and changes:
            return Permanent("not_invited", detail)
        if 400 <= answer.status < 500 and said:
            return Permanent("platform_refused", detail)
        if changes:
            return Unconfirmed("answer_lost", detail)
        return Temporary("platform_busy", detail, account_wide=True)


def sign(
    method: str,
    url: str,
    query: Mapping[str, str],
    keys: Mapping[str, str],
    *,
    stamp: str,
    nonce: str,
) -> str:
    """Return the Authorization header of a request (RFC 5849, HMAC-SHA1)."""
    oauth = {
        "oauth_consumer_key": keys["api_key"],
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": stamp,
        "oauth_token": keys["access_token"],
        "oauth_version": "1.0",
    }
    pairs = sorted((_quoted(k), _quoted(v)) for k, v in ({**query} | oauth).items())
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    base = f"{method}&{_quoted(url)}&{_quoted(joined)}"
    key = f"{_quoted(keys['api_secret'])}&{_quoted(keys['access_secret'])}"
    # HMAC-SHA1 is what RFC 5849 and X ask for; the key is what keeps it.
    made = hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()
    oauth["oauth_signature"] = base64.b64encode(made).decode()
    return "OAuth " + ", ".join(
        f'{name}="{_quoted(value)}"' for name, value in sorted(oauth.items())
    )


def _quoted(text: str) -> str:
    return quote(text, safe="~")

"""Signed in to a personal data server: calls with a short-lived token that is renewed on the way.

Signing in with the password is allowed some three hundred times a day, and a sender is opened for
each few replies. So a session lives as long as the process and is shared by all that act for one
account. Source: docs.bsky.app/docs/api (com.atproto.server.createSession, refreshSession) and
docs.bsky.app/docs/advanced-guides/rate-limits, read November 2026.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.channels.bluesky_text import table
from app.channels.contract import SignedOut
from app.channels.social_http import Answer, Caller

MAX_SESSIONS = 500
_ENDED = {"ExpiredToken", "InvalidToken"}


@dataclass(slots=True)
class Session:
    did: str = ""
    handle: str = ""
    access: str = ""
    refresh: str = ""


_SESSIONS: dict[str, Session] = {}


class Account:
    """One account on one server, for as long as an adapter is open."""

    def __init__(
        self,
        service: str,
        identifier: str,
        password: str,
        now_ms: Callable[[], int],
        timeout_s: float,
    ) -> None:
        self._caller = Caller(service, now_ms, timeout_s)
        self._identifier = identifier
        self._password = password
        key = hashlib.sha256("\0".join((service, identifier, password)).encode()).hexdigest()
        while len(_SESSIONS) >= MAX_SESSIONS and key not in _SESSIONS:
            _SESSIONS.pop(next(iter(_SESSIONS)))
        self._session = _SESSIONS.setdefault(key, Session())

    async def did(self) -> str:
        """Return who we are, signing in when we are not."""
        if not self._session.access:
            await self._sign_in()
        return self._session.did

    async def ask(self, method: str, name: str, **what: Any) -> Answer:
        """Make a call that may be made twice; see `Caller.ask`."""
        return await self._signed(self._caller.ask, method, name, what)

    async def publish(self, name: str, **what: Any) -> Answer:
        """Make a call that people see the effect of; see `Caller.publish`.

        A token that had ended was refused before anything else was looked at, so after renewing it
        the same call is made again.
        """
        return await self._signed(self._caller.publish, "POST", name, what)

    async def close(self) -> None:
        await self._caller.close()

    async def _signed(self, call: Any, method: str, name: str, what: dict[str, Any]) -> Answer:
        await self.did()
        token = self._session.access
        answer: Answer = await call(
            method, f"/xrpc/{name}", token=token, accept_401=True, **dict(what)
        )
        if not _is_ended(answer):
            return answer
        if self._session.access == token:  # nobody else renewed it meanwhile
            await self._renew()
        answer = await call(
            method, f"/xrpc/{name}", token=self._session.access, accept_401=True, **dict(what)
        )
        if _is_ended(answer):
            raise SignedOut("token_refused", f"{name} answered {answer.status}")
        return answer

    async def _renew(self) -> None:
        answer = await self._caller.ask(
            "POST",
            "/xrpc/com.atproto.server.refreshSession",
            token=self._session.refresh,
            accept_401=True,
        )
        if answer.status in {400, 401}:
            await self._sign_in()
            return
        self._keep(answer)

    async def _sign_in(self) -> None:
        self._session.access = ""
        answer = await self._caller.ask(
            "POST",
            "/xrpc/com.atproto.server.createSession",
            json={"identifier": self._identifier, "password": self._password},
            accept_401=True,
        )
        if error_of(answer) == "AuthFactorTokenRequired":
            raise SignedOut("app_password_needed", "a code by mail was asked for")
        if answer.status in {400, 401, 403}:
            raise SignedOut("token_refused", f"signing in answered {answer.status}")
        if answer.status == 404:
            raise SignedOut("no_such_server", "signing in answered 404")
        self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        said = answer.table()
        if said.get("active") is False:
            raise SignedOut("not_allowed_there", f"the account is {said.get('status')}"[:80])
        self._session.did = str(said.get("did") or "")
        self._session.handle = str(said.get("handle") or "")
        self._session.access = str(said.get("accessJwt") or "")
        self._session.refresh = str(said.get("refreshJwt") or "")
        if not self._session.did or not self._session.access:
            raise SignedOut("token_refused", "the server gave no session")


def error_of(answer: Answer) -> str:
    """Return the name of the error that an answer holds, "" for one that holds none."""
    value = answer.value()
    return str(value.get("error") or "") if isinstance(value, dict) and not answer.ok else ""


def _is_ended(answer: Answer) -> bool:
    if answer.status == 401:
        return True
    # The same word for a token that is alive and may not do this (the data server's `pipethrough`).
    may_not = table(answer.value()).get("message") == "Bad token method"
    return error_of(answer) in _ENDED and not may_not

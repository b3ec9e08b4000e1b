"""Consent on the server's own page: an app is registered there, and a code becomes a token.

Every server is its own provider, so an app is registered at each sign-in and kept with the token.
Source: docs.joinmastodon.org, client/authorized and methods/oauth, read November 2026. PKCE is
asked for (servers from 4.3 check it); an older one ignores it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from urllib.parse import urlencode

from app.channels.contract import Permanent, SignedOut, Temporary
from app.channels.social_http import Caller

SCOPES = "read:accounts read:notifications read:search read:statuses write:media write:statuses"
APP = "Stoep"


async def begin(caller: Caller, server: str, redirect_uri: str, state: str) -> tuple[str, str]:
    """See SigningIn."""
    answer = await caller.ask(
        "POST",
        "/api/v1/apps",
        data={"client_name": APP, "redirect_uris": redirect_uri, "scopes": SCOPES},
    )
    if answer.status in {400, 404, 422}:
        raise Permanent("no_such_server", f"app registration answered {answer.status}")
    app = answer.table()
    client_id, client_secret = app.get("client_id"), app.get("client_secret")
    if not isinstance(client_id, str) or not isinstance(client_secret, str):
        raise Permanent("no_such_server", "app registration gave no client")
    verifier = secrets.token_urlsafe(48)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "force_login": "true",
        "code_challenge": digest.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    kept = {"client_id": client_id, "client_secret": client_secret, "verifier": verifier}
    return f"{server}/oauth/authorize?{urlencode(query)}", json.dumps(kept)


async def finish(caller: Caller, kept: str, redirect_uri: str, code: str) -> str:
    """See SigningIn."""
    try:
        app = {name: str(value) for name, value in json.loads(kept).items()}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "code_verifier": app["verifier"],
        }
    except (ValueError, KeyError, AttributeError):
        raise Permanent("bad_config", "what was kept of the sign-in is unreadable") from None
    answer = await caller.ask("POST", "/oauth/token", data=form, accept_401=True)
    if answer.status in {400, 401, 403}:
        raise SignedOut("consent_refused", f"token endpoint answered {answer.status}")
    token = answer.table().get("access_token")
    if not isinstance(token, str) or not token:
        raise Temporary("platform_unreachable", "token endpoint gave no token", account_wide=True)
    return json.dumps(
        {
            "access_token": token,
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
        }
    )

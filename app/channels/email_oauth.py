"""Access tokens for mail servers that take no password (XOAUTH2: Microsoft 365, Google)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.channels.contract import Permanent, SignedOut, Temporary
from app.channels.email_settings import MailSettings

if TYPE_CHECKING:
    import httpx

EARLY_MS = 60_000
DEFAULT_LIFE_S = 600


class AccessToken:
    """Fetches a token when there is none or the last one is about to end. Used from one thread.

    With a refresh token it uses that, else the client's own credentials (RFC 6749, 4.4 and 6). A
    fixed `access_token` in the secret is used as it is.
    """

    def __init__(
        self,
        settings: MailSettings,
        now_ms: Callable[[], int],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._transport = transport
        self._token = settings.secret.get("access_token", "")
        self._until_ms: int | None = None

    def get(self) -> str:
        """Return a token. Raises SignedOut when refused, Temporary when unreachable."""
        fresh = self._until_ms is None or self._now_ms() < self._until_ms - EARLY_MS
        if self._token and fresh:
            return self._token
        import httpx  # four megabytes that a mailbox with a password never needs

        url = self._settings.oauth.get("token_url", "")
        if not url.startswith("https://"):
            raise Permanent("bad_config", "oauth needs a token_url that starts with https://")
        try:
            with httpx.Client(timeout=self._settings.timeout_s, transport=self._transport) as http:
                answer = http.post(url, data=self._grant())
        except httpx.HTTPError as error:
            raise Temporary(
                "sign_in_unreachable", type(error).__name__, account_wide=True
            ) from None
        if answer.status_code in {400, 401, 403}:
            raise SignedOut("password_refused", f"token endpoint answered {answer.status_code}")
        return self._keep(answer)

    def drop(self) -> None:
        """Forget the token: the server refused it before its time."""
        if self._until_ms is not None:
            self._token = ""

    def _grant(self) -> dict[str, str]:
        secret, oauth = self._settings.secret, self._settings.oauth
        form = {"client_id": oauth.get("client_id", "")}
        if secret.get("client_secret"):
            form["client_secret"] = secret["client_secret"]
        if oauth.get("scope"):
            form["scope"] = oauth["scope"]
        if secret.get("refresh_token"):
            return form | {"grant_type": "refresh_token", "refresh_token": secret["refresh_token"]}
        return form | {"grant_type": "client_credentials"}

    def _keep(self, answer: httpx.Response) -> str:
        import httpx

        try:
            body = answer.raise_for_status().json()
            self._token = str(body["access_token"])
            life_s = int(body.get("expires_in", DEFAULT_LIFE_S))
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            raise Temporary(
                "sign_in_unreachable",
                f"token endpoint answered {answer.status_code}",
                account_wide=True,
            ) from None
        self._until_ms = self._now_ms() + life_s * 1000
        return self._token

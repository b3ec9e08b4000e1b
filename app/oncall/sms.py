"""Text messages through any HTTP gateway: one POST of JSON, shaped by the municipality's template.

A generic gateway cannot be asked what became of a message. Each carries an idempotency key, but not
every gateway heeds it: what may have been taken is never posted again.

Source of the key's header: draft-ietf-httpapi-idempotency-key-header-07, read 2026-11-23.
"""

import asyncio
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from app.config import Settings
from app.oncall.outside import Letter, Name, NotSent, Unknown

if TYPE_CHECKING:
    from httpx import AsyncClient

TIMEOUT_S = 15.0
PATIENCE_S = 60.0
"""For an answer that drips: less than the lease of a letter."""

RETRY_S = 20.0
MAX_RETRY_S = 300.0
MAX_CHARS = 480
"""Three parts of a text message in the plain alphabet."""

_WORDS = re.compile(r"\{(?:to|text|id)\}")


class SmsGateway:
    """The gateway of the setting `STOEP_SMS_URL`, which only the administrator can set."""

    def __init__(
        self,
        settings: Settings,
        open_client: "Callable[[], AsyncClient] | None" = None,
    ) -> None:
        self._url = settings.sms_url
        self._template: Any = json.loads(settings.sms_body)
        self._authorization = _authorization(settings.sms_token)
        self._open_client = open_client or _client

    def name(self, _session: Session, _team_id: str, letter_id: str) -> Name | None:
        """See Way. The letter's own id is its idempotency key."""
        return Name(letter_id)

    async def send(self, letter: Letter) -> None:
        """See Way. 2xx is sent; a redirect is not followed, for it would take the secret along."""
        import httpx

        headers = {"Idempotency-Key": f'"{letter.external_id}"'} | self._authorization
        filled = {
            "{to}": letter.recipient,
            "{text}": letter.text[:MAX_CHARS],
            "{id}": letter.external_id,
        }
        body = json.dumps(_fill(self._template, filled)).encode()
        headers["Content-Type"] = "application/json"
        try:
            async with (
                asyncio.timeout(PATIENCE_S),
                self._open_client() as client,
                client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status, retry_after = answer.status_code, answer.headers.get("retry-after", "")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent("sms_unreachable", RETRY_S) from error
        except (httpx.HTTPError, TimeoutError) as error:
            # It was, or may have been, out by then: the answer is what was lost.
            raise Unknown("sms_answer_lost") from error
        _judge(status, retry_after)

    async def find(self, _letter: Letter) -> bool | None:
        """See Way. A generic gateway cannot be asked."""
        return None


def _judge(status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    if status in {429, 503}:
        wait_s = float(retry_after) if retry_after.isdecimal() else RETRY_S
        raise NotSent(f"sms_{status}", min(wait_s, MAX_RETRY_S))
    if status >= 500 or status == 408:
        raise Unknown(f"sms_{status}")
    raise NotSent(f"sms_{status}")


def _fill(template: Any, values: dict[str, str]) -> Any:
    """Return the template with its words replaced in strings, so that no text can add a member."""
    if isinstance(template, dict):
        return {key: _fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, values) for value in template]
    if isinstance(template, str):
        # In one pass: what was filled in is not looked at again.
        return _WORDS.sub(lambda found: values[found[0]], template)
    return template


def _authorization(token: str) -> dict[str, str]:
    if not token:
        return {}
    return {"Authorization": token if " " in token else f"Bearer {token}"}


def _client() -> "AsyncClient":
    import httpx

    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

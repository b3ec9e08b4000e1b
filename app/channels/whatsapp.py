"""WhatsApp Cloud: Meta calls us with what residents write, and we answer within 24 hours.

The platform knows no idempotency and nothing can be looked up: a lost answer stays uncertain until
a status names the delivery that went along with the message (`biz_opaque_callback_data`). Source:
Meta, WhatsApp Business Platform, "Cloud API", "Send messages" and "Error codes" (read 2026-11).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from app.channels.contract import (
    Capabilities,
    ChannelError,
    DeliveryReport,
    InboundRequest,
    Incoming,
    IncomingAttachment,
    Outgoing,
    OutgoingAttachment,
    Permanent,
    Receipt,
    Setup,
    SetupField,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.platform_http import (
    Answer,
    PlatformApi,
    base_of,
    dig,
    dig_int,
    dig_text,
    secrets_of,
)
from app.channels.whatsapp_events import CODES, Call, File, check_signature, read
from app.text.approved import Approved, Form
from app.text.approved import read as read_approved

API = "https://graph.facebook.com/v23.0"
MAX_CHARS = 4096
MAX_CAPTION_CHARS = 1024
MAX_FILE_BYTES = 5_000_000
"""The largest image that WhatsApp takes ("Media", read 2026-11)."""

MAX_IN_BYTES = 25_000_000
WINDOW_S = 24 * 3600
"""The customer service window: free text is taken this long after the resident's last message."""

CAPABILITIES = Capabilities(
    max_chars=MAX_CHARS,
    threads=False,
    attachments=1,
    max_attachment_bytes=MAX_FILE_BYTES,
    reply_window_s=WINDOW_S,
)

SETUP = Setup(
    intro=(
        (
            "Maak in Meta Business Manager een app met WhatsApp en een systeemgebruiker met een "
            "token dat niet verloopt. Geef bij de app als webhook het adres op dat Stoep toont."
        ),
        (
            "Make an app with WhatsApp in Meta Business Manager, and a system user with a token "
            "that does not expire. Enter the address that Stoep shows as the app's webhook."
        ),
    ),
    fields=(
        SetupField(
            "phone_number_id",
            ("Id van het telefoonnummer", "Phone number id"),
            help=("Bij WhatsApp, API-configuratie.", "Under WhatsApp, API Setup."),
        ),
        SetupField("access_token", ("Toegangstoken", "Access token"), "secret"),
        SetupField(
            "app_secret",
            ("App-geheim", "App secret"),
            "secret",
            (
                "Bij App-instellingen, Basis. Hiermee wordt elke melding gecontroleerd.",
                "Under App settings, Basic. Every call is checked with it.",
            ),
        ),
        SetupField(
            "verify_token",
            ("Verificatietoken", "Verify token"),
            "secret",
            (
                "Verzin het zelf, en geef het ook op bij de webhook.",
                "Make it up, and enter it with the webhook too.",
            ),
        ),
        SetupField(
            "templates",
            ("Goedgekeurde berichten voor na 24 uur", "Approved messages for after 24 hours"),
            "lines",
            (
                (
                    "Eén per regel: naam | taal | de hele tekst, precies zoals Meta die "
                    "goedkeurde. Wat per keer wordt ingevuld staat er als {{1}} of {{naam}}."
                ),
                (
                    "One a line: name | language | the whole text, exactly as Meta approved it. "
                    "What is filled in each time stands there as {{1}} or {{name}}."
                ),
            ),
            required=False,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class WhatsAppSettings:
    """One number of the municipality."""

    phone_number_id: str
    url: str = API
    templates: tuple[Approved, ...] = ()
    access_token: str = field(default="", repr=False)
    app_secret: str = field(default="", repr=False)
    verify_token: str = field(default="", repr=False)


def settings_of(config: Mapping[str, Any], secret: str) -> WhatsAppSettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    opened = secrets_of(secret)
    number = str(config.get("phone_number_id", "")).strip()
    if not re.fullmatch(r"\d{1,30}", number, re.ASCII):
        raise Permanent("bad_config", "phone_number_id must be a number")
    for name in ("access_token", "app_secret", "verify_token"):
        if not opened.get(name):
            raise Permanent("bad_config", f"{name} is missing")
    return WhatsAppSettings(
        phone_number_id=number,
        url=base_of(config.get("api_url") or API),
        templates=templates_of(config),
        access_token=opened["access_token"],
        app_secret=opened["app_secret"],
        verify_token=opened["verify_token"],
    )


def templates_of(config: Mapping[str, Any]) -> tuple[Approved, ...]:
    """Return the approved templates of an account. Raises Permanent."""
    lines = config.get("templates", [])
    if not isinstance(lines, list):
        raise Permanent("bad_config", "templates must be lines")
    try:
        found = {(one.name, one.language): one for one in map(read_approved, map(str, lines))}
    except ValueError as error:
        raise Permanent("bad_config", str(error)) from None
    return tuple(found.values())


def approved(config: Mapping[str, Any]) -> tuple[Approved, ...]:
    """Return what may be sent after 24 hours."""
    try:
        return templates_of(config)
    except Permanent:
        return ()


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> WhatsAppChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return WhatsAppChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return what a reply is called until Meta names it: the delivery that goes along with it."""
    return delivery_id


class WhatsAppChannel:
    """Adapter, Receiver, Challenging, Completing and Sender of one number."""

    capabilities = CAPABILITIES

    def __init__(self, settings: WhatsAppSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._api = PlatformApi(settings.url)
        self._call = Call()
        """What was parsed last: its files are fetched by `complete`."""

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None:
        """Ask for the number with the token."""
        answer = await self._ask("GET", f"/{self._settings.phone_number_id}", {"fields": "id"})
        if not answer.fine:
            raise self._refusal(answer, changes=False)
        if dig_text(answer.body, "id") != self._settings.phone_number_id:
            raise Temporary("platform_busy", "an answer without the number", account_wide=True)

    async def close(self) -> None:
        await self._api.close()

    # -- inwards ------------------------------------------------------------------

    def challenge(self, request: InboundRequest) -> str | None:
        """See Challenging: Meta shows the verify token that was entered with the webhook."""
        shown = request.query.get("hub.verify_token", "").encode("utf-8", "replace")
        known = hmac.compare_digest(shown, self._settings.verify_token.encode())
        if request.query.get("hub.mode") != "subscribe" or not known:
            return None
        return request.query.get("hub.challenge", "")[:200] or None

    def parse(self, request: InboundRequest) -> list[Incoming | DeliveryReport]:
        """See Receiver. A call that is repeated has the same external ids."""
        header = request.headers.get("x-hub-signature-256", "")
        check_signature(self._settings.app_secret, header, request.body)
        self._call = read(request.body, self._settings.phone_number_id, self._now_ms())
        return self._call.items

    async def complete(
        self, items: list[Incoming | DeliveryReport]
    ) -> list[Incoming | DeliveryReport]:
        """See Completing."""
        return [
            await self._with_file(item, self._call.files[item.external_id])
            if isinstance(item, Incoming) and item.external_id in self._call.files
            else item
            for item in items
        ]

    async def _with_file(self, item: Incoming, file: File) -> Incoming:
        lost = replace(item, notices=(*item.notices, "attachments_dropped"))
        found = await self._ask("GET", f"/{quote(file.media_id, safe='')}", {})
        content = found
        if found.fine:
            url = dig_text(found.body, "url")
            # Our token goes along, so it goes nowhere but to the platform.
            ours = _is_metas(url) or url.startswith(f"{self._settings.url}/")
            if not ours or dig_int(found.body, "file_size") > MAX_IN_BYTES:
                return lost
            try:
                content = await self._api.ask(
                    "GET", "", url=url, max_bytes=MAX_IN_BYTES, headers=self._headers()
                )
            except Permanent:
                return lost
        if content.status in {401, 429} or content.status >= 500:
            # Meta calls again, for up to a week.
            raise self._refusal(content, changes=False)
        if not content.fine:
            return lost
        kept = IncomingAttachment(file.name, file.media_type, content.content)
        return replace(item, attachments=(kept,))

    # -- outwards -----------------------------------------------------------------

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. An approved template goes as one, which takes no window."""
        content = await self._content(reply)
        answer = await self._ask(
            "POST", f"/{self._settings.phone_number_id}/messages", {}, changes=True, json=content
        )
        if not answer.fine:
            raise self._refusal(answer, changes=True)
        wamid = dig_text(answer.body, "messages", 0, "id")
        if not wamid:
            raise Unconfirmed("answer_lost", "an answer without a message")
        return Receipt(wamid, "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. Nothing can be looked up; a status may prove it later."""
        return None

    async def _content(self, reply: Outgoing) -> dict[str, Any]:
        if len(reply.text) > MAX_CHARS:
            raise Permanent("too_long", f"{len(reply.text)} of {MAX_CHARS}")
        if len(reply.attachments) > 1:
            raise Permanent("too_many_attachments", str(len(reply.attachments)))
        content: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "biz_opaque_callback_data": reply.delivery_id,
        }
        content["to" if reply.recipient.startswith("+") else "recipient"] = reply.recipient
        if reply.form is not None:
            return content | {"type": "template", "template": _template(reply.form)}
        if (reply.in_reply_to or "").startswith("wamid."):
            content["context"] = {"message_id": reply.in_reply_to}
        if not reply.attachments:
            return content | {"type": "text", "text": {"body": reply.text, "preview_url": False}}
        (file,) = reply.attachments
        kind = "image" if file.media_type in {"image/jpeg", "image/png"} else "document"
        sent: dict[str, Any] = {"id": await self._upload(reply, file)}
        caption = reply.caption(MAX_CAPTION_CHARS)
        sent |= {"caption": caption} if caption else {}
        sent |= {"filename": file.name} if kind == "document" else {}
        return content | {"type": kind, kind: sent}

    async def _upload(self, reply: Outgoing, file: OutgoingAttachment) -> str:
        """Hand over a file; alone it says nothing to anybody, so doing that twice is harmless."""
        if len(reply.text) > MAX_CAPTION_CHARS:
            raise Permanent("caption_too_long", f"{len(reply.text)} of {MAX_CAPTION_CHARS}")
        if len(file.content) > MAX_FILE_BYTES:
            raise Permanent("file_too_large", f"{len(file.content)} bytes")
        answer = await self._ask(
            "POST",
            f"/{self._settings.phone_number_id}/media",
            {},
            data={"messaging_product": "whatsapp", "type": file.media_type},
            files={"file": (file.name, file.content, file.media_type)},
        )
        media_id = dig_text(answer.body, "id")
        if not answer.fine or not media_id:
            raise self._refusal(answer, changes=False)
        return media_id

    async def _ask(
        self, method: str, path: str, query: dict[str, str], *, changes: bool = False, **more: Any
    ) -> Answer:
        return await self._api.ask(
            method, path, changes=changes, params=query, headers=self._headers(), **more
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._settings.access_token}"}

    def _refusal(self, answer: Answer, *, changes: bool) -> ChannelError:
        """Return what an answer that is not fine means."""
        code = dig_int(answer.body, "error", "code")
        detail = f"{answer.status} {code or ''}".strip()
        said = dig(answer.body, "error", "code") is not None
        if answer.status == 401 or (said and code in {0, 3, 10, 190}) or 200 <= code < 300:
            return SignedOut("token_refused", detail)
        if CODES.get(code) == "account_blocked":
            return SignedOut("account_blocked", detail)
        if code in {131048, 131056}:
            return Temporary(
                "rate_limited", detail, retry_after_s=answer.retry_after_s(self._now_ms())
            )
        if answer.status == 429 or code in {4, 80007, 130429}:
            wait_s = answer.retry_after_s(self._now_ms())
            return Temporary("rate_limited", detail, retry_after_s=wait_s, account_wide=True)
        if code in {2, 131016, 133004}:
            return Temporary("platform_busy", detail, account_wide=True)
        if 132000 <= code < 133000:
            return Permanent("template_refused", detail)
        if code in CODES or (400 <= answer.status < 500 and said and code != 1):
            return Permanent(CODES.get(code, "platform_refused"), detail)
        # 131000, and what comes without words of Meta's: a proxy's page says nothing of a message.
        if changes:
            return Unconfirmed("answer_lost", detail)
        return Temporary("platform_busy", detail, account_wide=True)


def _template(form: Form) -> dict[str, Any]:
    """Return an approved text as the API names it; blanks without a name go by their order."""
    told: dict[str, Any] = {"name": form.name, "language": {"code": form.language}}
    values = [
        {"type": "text", "text": value} | ({} if blank.isdigit() else {"parameter_name": blank})
        for blank, value in form.values
    ]
    return told | ({"components": [{"type": "body", "parameters": values}]} if values else {})


def _is_metas(url: str) -> bool:
    """Say whether an address is one of Meta's own, by its whole name."""
    host = re.match(r"https://([A-Za-z0-9.-]+)(?:/|$)", url)
    name = host[1].lower() if host else ""
    return any(
        name == one or name.endswith(f".{one}")
        for one in ("facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net")
    )

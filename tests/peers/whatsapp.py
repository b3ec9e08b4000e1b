"""WhatsApp's Cloud API in small, written from Meta's documentation and from nothing else.

Sources, read 2026-11: Meta, WhatsApp Business Platform, "Cloud API: Messages", "Media", "Error
codes", "Webhooks: create a webhook endpoint", "messages webhook reference" (text, image, location,
button, interactive, reaction, edit, revoke, unsupported), "status messages webhook reference",
"Pricing and the customer service window", "Template components", "Business-scoped user IDs".

It keeps numbers, tokens, messages, media and the window of 24 hours, and signs what it calls with.
Not covered: billing, the approval of templates (it has a list), quality ratings and messaging
limits, groups, calls, flows, that Meta repeats calls by itself, and its real errors' wording.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Self

from app.channels.contract import InboundRequest
from tests.peers.api_server import ApiServer, Request, Response

NUMBER_ID = "106540352242922"
TOKEN = "EAAJB-geheim"
APP_SECRET = "app-geheim"
VERIFY_TOKEN = "zelf-verzonnen"
WINDOW_S = 24 * 3600


@dataclass
class Taken:
    """One message that the platform took for a resident."""

    wamid: str
    to: str
    content: dict[str, Any]
    delivery: str

    @property
    def text(self) -> str:
        kind = self.content["type"]
        if kind == "template":
            return f"[{self.content['template']['name']}]"
        if kind == "text":
            return str(self.content["text"]["body"])
        return str(self.content[kind].get("caption", ""))


@dataclass
class WhatsApp:
    """The platform; `calls` are what it would post to the webhook, oldest first."""

    now_s: int = 1_793_610_000
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    templates: set[tuple[str, str]] = field(default_factory=set)
    bodies: dict[str, str] = field(default_factory=dict)
    """The body of a template that has blanks to fill in, by its name."""
    residents: dict[str, int] = field(default_factory=dict)
    """Who is on WhatsApp, by number or user id, and when each wrote last."""
    taken: list[Taken] = field(default_factory=list)
    media: dict[str, bytes] = field(default_factory=dict)
    calls: list[InboundRequest] = field(default_factory=list)
    error: tuple[int, int] | None = None
    """(HTTP status, code) to answer the next message with."""
    media_elsewhere: str = ""
    """An address to give instead of the media's own."""

    async def __aenter__(self) -> Self:
        self.server = ApiServer(self._answer)
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.server.__aexit__(*error)

    # -- what a business asks ------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return _error(401, 190, "Error validating access token")
        path = request.path.removeprefix("/v23.0")
        if request.method == "GET" and path == f"/{NUMBER_ID}":
            return Response(200, {"id": NUMBER_ID})
        if request.method == "GET" and path.startswith("/file/"):
            return Response(200, self.media[path.removeprefix("/file/")])
        if request.method == "GET" and path.removeprefix("/") in self.media:
            media_id = path.removeprefix("/")
            url = self.media_elsewhere or f"http://{request.headers['host']}/v23.0/file/{media_id}"
            size = len(self.media[media_id])
            return Response(200, {"id": media_id, "url": url, "file_size": size})
        if request.method == "POST" and path == f"/{NUMBER_ID}/media":
            media_id = uuid.uuid4().hex
            self.media[media_id] = request.body
            return Response(200, {"id": media_id})
        if request.method == "POST" and path == f"/{NUMBER_ID}/messages":
            return self._take(request.json)
        return _error(400, 100, "Unsupported request")

    def _take(self, said: dict[str, Any]) -> Response:
        if self.error is not None:
            status, code = self.error
            self.error = None
            return _error(status, code, "refused")
        to = str(said.get("to") or said.get("recipient") or "").removeprefix("+")
        kind = said.get("type", "")
        if (
            said.get("messaging_product") != "whatsapp"
            or not to
            or not isinstance(said.get(kind), dict)
        ):
            return _error(400, 100, "Invalid parameter")
        if kind == "text" and not 0 < len(said["text"]["body"]) <= 4096:
            return _error(400, 100, "Param text['body'] must be at most 4096 characters long")
        if kind in {"image", "document"} and (
            said[kind]["id"] not in self.media or len(said[kind].get("caption", "")) > 1024
        ):
            return _error(400, 131009, "Parameter value is not valid")
        if kind == "template":
            known = (said["template"]["name"], said["template"]["language"]["code"])
            if known not in self.templates:
                return _error(404, 132001, "Template does not exist")
            wrong = self._filled_wrongly(said["template"])
            if wrong:
                return _error(400, wrong, "Parameters do not match")
        wamid = f"wamid.{uuid.uuid4().hex}"
        delivery = str(said.get("biz_opaque_callback_data", ""))
        message = Taken(wamid, to, said, delivery)
        if to not in self.residents:
            self._fails(message, 131026)
        elif kind != "template" and self.now_s - self.residents[to] >= WINDOW_S:
            self._fails(message, 131047)
        else:
            self.taken.append(message)
        return Response(
            200,
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": to, "wa_id": to}],
                "messages": [{"id": wamid}],
            },
        )

    def _filled_wrongly(self, template: dict[str, Any]) -> int:
        """Return an error code unless each blank of the body has one value that is taken.

        By position when blanks are numbers ("Number of parameters does not match": 132000), else
        by `parameter_name`; no line break, tab or more than four spaces (132018).
        """
        body = self.bodies.get(template["name"], "")
        blanks = set(re.findall(r"\{\{(\w+)\}\}", body))
        parts = template.get("components", [])
        given = [one for part in parts if part["type"] == "body" for one in part["parameters"]]
        if len(given) != len(blanks) or any(one["type"] != "text" for one in given):
            return 132000
        named = {one.get("parameter_name") for one in given} - {None}
        if named != {blank for blank in blanks if not blank.isdigit()}:
            return 132000
        if any(not one["text"] or re.search(r"[\n\t]| {5}", one["text"]) for one in given):
            return 132018
        return 0

    # -- what the platform tells -----------------------------------------------------

    def _fails(self, message: Taken, code: int) -> None:
        errors = [{"code": code, "title": "Message undeliverable"}]
        self.calls.append(self.call({"statuses": [self._status(message, "failed", errors=errors)]}))

    def tells(self, message: Taken, status: str, **more: Any) -> InboundRequest:
        """Return the call that says what became of a message."""
        return self.call({"statuses": [self._status(message, status, **more)]})

    def _status(self, message: Taken, status: str, **more: Any) -> dict[str, Any]:
        told = {"id": message.wamid, "status": status, "timestamp": str(self.now_s)}
        if message.delivery:
            told["biz_opaque_callback_data"] = message.delivery
        return told | {"recipient_id": message.to} | more

    def writes(
        self,
        number: str,
        content: dict[str, Any] | str,
        *,
        user_id: str = "",
        name: str = "Fatma Yıldız",
        **more: Any,
    ) -> InboundRequest:
        """Let a resident write; return the call. Whoever shows no number has a user id only."""
        if isinstance(content, str):
            content = {"type": "text", "text": {"body": content}}
        self.residents[number or user_id] = self.now_s
        contact: dict[str, Any] = {"profile": {"name": name}}
        message = {"id": f"wamid.{uuid.uuid4().hex}", "timestamp": str(self.now_s)} | content | more
        if number:
            contact["wa_id"], message["from"] = number, number
        if user_id:
            contact["user_id"], message["from_user_id"] = user_id, user_id
        return self.call({"contacts": [contact], "messages": [message]})

    def call(self, value: dict[str, Any], number_id: str = NUMBER_ID) -> InboundRequest:
        """Return a signed call with this value in it."""
        metadata = {"display_phone_number": "31201234567", "phone_number_id": number_id}
        value = {"messaging_product": "whatsapp", "metadata": metadata} | value
        change = {"field": "messages", "value": value}
        entry = {"id": "102290129340398", "changes": [change]}
        return signed(
            json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        )


def signed(body: bytes, secret: str = APP_SECRET) -> InboundRequest:
    """Return a call with a signature over these bytes."""
    made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return InboundRequest("POST", {"x-hub-signature-256": f"sha256={made}"}, body)


def _error(status: int, code: int, message: str) -> Response:
    return Response(status, {"error": {"message": message, "code": code, "fbtrace_id": "A1"}})

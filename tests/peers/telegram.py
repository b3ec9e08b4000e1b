"""Telegram's Bot API in small, written from its documentation and from nothing else.

Sources, read 2026-11: Telegram, "Bot API": Making requests, Getting updates (getUpdates, Update),
Available types (Message, Chat, User, PhotoSize, ResponseParameters), Available methods (getMe,
sendMessage, sendPhoto, sendDocument, getFile), getWebhookInfo; "Bots FAQ" (limits, privacy mode).

It keeps updates for 24 hours, forgets those behind which somebody asks, numbers them at random
after a week of silence, holds a long poll open, knows who started or blocked the bot, and what a
bot with privacy mode may see. Not covered: webhooks, entities, keyboards, channels, payments,
topics, migration of groups, and its real limits by the second (a test says when it is limited).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any, Self

from tests.peers.api_server import ApiServer, Request, Response

TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
BOT = {"id": 123456, "is_bot": True, "first_name": "Stadsdeel Noord", "username": "noord_bot"}
DAY_S = 24 * 3600
FATMA, HENK = 777001, 777002
GROUP = -1001234567890


@dataclass
class Telegram:
    """The platform; `sent` are the messages that the bot sent, oldest first."""

    now_s: Callable[[], int]
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    started: set[int] = field(default_factory=set)
    """Who opened a chat with the bot, and the groups that it is in."""
    blocked: set[int] = field(default_factory=set)
    public: dict[int, str] = field(default_factory=dict)
    """The handles of public groups."""
    privacy: bool = True
    sent: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    refuses: tuple[int, str, dict[str, Any]] | None = None
    """(code, description, parameters) to answer the next message with."""
    webhook: str = ""
    polled_elsewhere: bool = False

    def __post_init__(self) -> None:
        self._updates: list[tuple[int, dict[str, Any]]] = []
        self._next_update = random.randrange(10**6, 10**8)
        self._last_s = self.now_s()
        self._numbers: dict[int, int] = {}
        self._news = asyncio.Event()
        self.polled = asyncio.Event()
        """Set when somebody begins to wait for news."""

    async def __aenter__(self) -> Self:
        self.server = ApiServer(self._answer)
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.server.__aexit__(*error)

    @property
    def texts(self) -> list[str]:
        return [str(message.get("text") or message.get("caption")) for message in self.sent]

    # -- what residents do -------------------------------------------------------------

    def writes(self, text: str = "", user: int = FATMA, chat: int = 0, **more: Any) -> int:
        """Let somebody write to the bot, or in a group; return the number of the message."""
        message = self._message(chat or user, {"text": text} if text else {})
        message |= {"from": person(user)} | more
        if not chat:
            self.started.add(user)
        if not chat or not self.privacy or self._is_for_bot(message):
            self._update({"message": message})
        return int(message["message_id"])

    def edits(self, number: int, text: str, user: int = FATMA, chat: int = 0) -> None:
        message = self._message(chat or user, {"text": text}, number) | {"from": person(user)}
        self._update({"edited_message": message | {"edit_date": self.now_s()}})

    def photo(self, content: bytes, size: int | None = None) -> list[dict[str, Any]]:
        """Return the sizes of a photo, smallest first."""
        self.files["groot"], self.files["klein"] = content, b"klein"
        large = {"file_id": "groot", "width": 800, "height": 600}
        small = {"file_id": "klein", "width": 80, "height": 60, "file_size": 5}
        return [small, large | {"file_size": len(content) if size is None else size}]

    def _is_for_bot(self, message: dict[str, Any]) -> bool:
        """Privacy mode: replies to the bot, what names it, and commands."""
        replied = message.get("reply_to_message", {}).get("from", {}).get("id") == BOT["id"]
        text = message.get("text", "")
        return bool(replied or f"@{BOT['username']}" in text or text.startswith("/"))

    def _message(self, chat: int, content: dict[str, Any], number: int = 0) -> dict[str, Any]:
        if not number:
            number = self._numbers[chat] = self._numbers.get(chat, 0) + 1
        where = {"id": chat, "type": "private" if chat > 0 else "supergroup"}
        where |= {"username": self.public[chat]} if chat in self.public else {}
        return {"message_id": number, "date": self.now_s(), "chat": where} | content

    def _update(self, content: dict[str, Any]) -> None:
        if self.now_s() - self._last_s > 7 * DAY_S:
            self._next_update = random.randrange(1, self._next_update)
        self._last_s = self.now_s()
        self._updates.append((self.now_s(), {"update_id": self._next_update} | content))
        self._next_update += 1
        self._news.set()

    # -- what the bot asks -------------------------------------------------------------

    async def _answer(self, request: Request) -> Response:
        where, _, rest = request.path.lstrip("/").partition("/")
        if where == "file":
            token, _, path = rest.partition("/")
            if token.removeprefix("bot") not in self.tokens or path not in self.files:
                return _refused(404, "Not Found")
            return Response(200, self.files[path])
        if where.removeprefix("bot") not in self.tokens:
            return _refused(401, "Unauthorized")
        said = _said(request)
        match rest:
            case "getMe":
                return _ok(BOT)
            case "getWebhookInfo":
                return _ok({"url": self.webhook, "pending_update_count": len(self._updates)})
            case "getUpdates":
                return await self._get_updates(said)
            case "getFile":
                if said["file_id"] not in self.files:
                    return _refused(400, "Bad Request: invalid file_id")
                return _ok({"file_id": said["file_id"], "file_path": said["file_id"]})
            case "sendMessage" | "sendPhoto" | "sendDocument":
                return self._take(said, rest)
        return _refused(404, "Not Found")

    async def _get_updates(self, said: dict[str, Any]) -> Response:
        if self.webhook:
            return _refused(409, "Conflict: can't use getUpdates method while webhook is active")
        if self.polled_elsewhere:
            return _refused(409, "Conflict: terminated by other getUpdates request")
        offset = int(said.get("offset", 0))
        self._updates = [
            (at_s, update)
            for at_s, update in self._updates
            if self.now_s() - at_s <= DAY_S and update["update_id"] >= offset
        ]
        if not self._updates and int(said.get("timeout", 0)):
            self._news.clear()
            self.polled.set()
            try:
                async with asyncio.timeout(int(said["timeout"])):
                    await self._news.wait()
            except TimeoutError:
                return _ok([])
        wanted = said.get("allowed_updates") or ["message", "edited_message"]
        found = [u for _, u in self._updates if set(u) & set(wanted)]
        return _ok(found[: int(said.get("limit", 100))])

    def _take(self, said: dict[str, Any], method: str) -> Response:
        if self.refuses is not None:
            code, description, parameters = self.refuses
            self.refuses = None
            return _refused(code, description, parameters)
        chat = int(said["chat_id"])
        if chat in self.blocked:
            return _refused(403, "Forbidden: bot was blocked by the user")
        if chat not in self.started:
            return _refused(400, "Bad Request: chat not found")
        text = said.get("text", "")
        if method == "sendMessage" and not text:
            return _refused(400, "Bad Request: message text is empty")
        if len(text) > 4096:
            return _refused(400, "Bad Request: message is too long")
        if len(said.get("caption", "")) > 1024:
            return _refused(400, "Bad Request: message caption is too long")
        message = self._message(chat, {"from": BOT} | said)
        self.sent.append(message)
        return _ok({"message_id": message["message_id"], "chat": message["chat"], "from": BOT})


def person(user: int) -> dict[str, Any]:
    """Return somebody as a message names her."""
    known = {FATMA: ("Fatma", "Yıldız"), HENK: ("Henk", "")}
    first, last = known.get(user, ("Iemand", ""))
    return {"id": user, "is_bot": False, "first_name": first} | (
        {"last_name": last} if last else {}
    )


def _said(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    if not request.body:
        return dict(request.query)
    if kind.startswith("application/json"):
        return request.json
    mail = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    found: dict[str, Any] = {}
    for part in mail.get_payload():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        found[str(name)] = content if part.get_filename() else content.decode()
    return found


def _ok(result: Any) -> Response:
    return Response(200, {"ok": True, "result": result})


def _refused(code: int, description: str, parameters: dict[str, Any] | None = None) -> Response:
    body = {"ok": False, "error_code": code, "description": description}
    return Response(code, body | ({"parameters": parameters} if parameters else {}))

"""Telegram: a bot that residents write to, and that answers them, in private or in a group.

Updates are kept for a day and fetched by long polling. There is no idempotency and a bot cannot
read back what it sent: a lost answer stays uncertain until a person decides. Source: Telegram,
"Bot API" (getUpdates, sendMessage, getFile, ResponseParameters), read 2026-11.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from app.channels.contract import (
    Batch,
    Capabilities,
    ChannelError,
    Gap,
    Incoming,
    IncomingAttachment,
    Outgoing,
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
    dig_dict,
    dig_int,
    dig_text,
    secrets_of,
)
from app.channels.telegram_events import Bot, File, Groups, named, place_of, read

API = "https://api.telegram.org"
MAX_CHARS = 4096
MAX_CAPTION_CHARS = 1024
MAX_FILE_BYTES = 10_000_000
"""The largest photo that a bot may send ("Sending files", read 2026-11)."""

MAX_IN_BYTES = 20_000_000
"""The largest file that a bot may fetch (getFile)."""

MAX_BATCH_BYTES = 40_000_000
"""Once so much came along, the rest waits for the next look: anybody can send a hundred files."""

KEPT_MS = 24 * 3600 * 1000
"""How long Telegram keeps an update that was not fetched ("Getting updates")."""

QUIET_MS = 6 * KEPT_MS
"""After a week without updates the next one gets any number (Update.update_id): before that, ours
is no longer held against it."""

PAGE = 100
POLL_S = 50

CAPABILITIES = Capabilities(
    max_chars=MAX_CHARS, threads=False, attachments=1, max_attachment_bytes=MAX_FILE_BYTES
)

SETUP = Setup(
    intro=(
        "Maak bij @BotFather in Telegram een bot voor het team (/newbot) en plak hier het token.",
        "Make a bot for the team with @BotFather in Telegram (/newbot) and paste its token here.",
    ),
    fields=(
        SetupField("bot_token", ("Token van de bot", "The bot's token"), "secret"),
        SetupField(
            "groups",
            ("In groepen", "In groups"),
            "choice",
            (
                "Wat de bot in groepen mag zien, regel je bij @BotFather onder Group Privacy.",
                "What the bot may see in groups is set with @BotFather under Group Privacy.",
            ),
            required=False,
            choices=(
                ("addressed", ("Alleen wat aan de bot is gericht", "Only what the bot is asked")),
                ("all", ("Alles wat de bot ziet", "All that the bot sees")),
                ("none", ("Niets", "Nothing")),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """One bot."""

    url: str = API
    groups: Groups = "addressed"
    since_ms: int = 0
    bot_token: str = field(default="", repr=False)


def settings_of(config: Mapping[str, Any], secret: str) -> TelegramSettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    token = secrets_of(secret).get("bot_token", "").strip()
    if not re.fullmatch(r"\d{1,20}:[A-Za-z0-9_-]{10,100}", token, re.ASCII):
        raise Permanent("bad_config", "the token does not look like one of @BotFather's")
    groups: Groups = config.get("groups") or "addressed"
    since_ms = config.get("since_ms", 0)
    if groups not in get_args(Groups) or not isinstance(since_ms, int):
        raise Permanent("bad_config", "groups or since_ms is not one that is known")
    return TelegramSettings(base_of(config.get("api_url") or API), groups, since_ms, token)


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> TelegramChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return TelegramChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return what a reply is called until Telegram numbers it."""
    return delivery_id


@dataclass(frozen=True, slots=True)
class Cursor:
    """Whose it is, the next update, when we last asked, and when one last came."""

    bot: int
    offset: int = 0
    asked_ms: int = 0
    came_ms: int = 0

    def __str__(self) -> str:
        return f"t2 {self.bot} {self.offset} {self.asked_ms} {self.came_ms}"

    @classmethod
    def read(cls, cursor: str | None, bot: int) -> Cursor:
        """Return what a cursor says; one that nobody knows, or of another bot, is the beginning.

        Each bot counts its own updates: asking behind another's number would throw away unread
        what this one has.
        """
        form = re.fullmatch(
            r"t2 (\d{1,20}) (\d{1,18}) (\d{1,15}) (\d{1,15})", cursor or "", re.ASCII
        )
        known = cls(*map(int, form.groups())) if form else cls(bot)
        return known if known.bot == bot else cls(bot)


class TelegramChannel:
    """Adapter, Source, Waiting and Sender of one bot."""

    capabilities = CAPABILITIES

    def __init__(self, settings: TelegramSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._api = PlatformApi(settings.url)
        self._bot: Bot | None = None
        self._ahead: tuple[Cursor, list[Any]] | None = None
        self._number = int(settings.bot_token.partition(":")[0])
        self._seen = Cursor(self._number)

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None:
        """Ask who we are, and that no other program is called for what residents write."""
        await self._who()
        info = await self._ask("getWebhookInfo")
        if dig_text(info, "url"):
            raise Permanent("read_elsewhere", "a webhook is set")

    async def known_as(self) -> str:
        """See Known: the bot's number, which stays when its token is made anew."""
        return str((await self._who()).id)

    async def close(self) -> None:
        await self._api.close()

    # -- inwards ------------------------------------------------------------------

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. Asking behind an update makes Telegram forget it, so only then is it ours."""
        known = Cursor.read(cursor, self._number)
        bot = await self._who()
        updates = await self._updates(known, 0)
        now_ms = self._now_ms()
        items: list[Incoming] = []
        taken = updates
        for at, update in enumerate(updates, start=1):
            item, file = read(update, bot, self._settings.groups, now_ms)
            if item is not None and item.sent_at_ms >= self._settings.since_ms:
                items.append(item if file is None else await self._with_file(item, file))
            if _size(items) > MAX_BATCH_BYTES:
                taken = updates[:at]
                break
        numbers = (dig_int(update, "update_id") + 1 for update in taken)
        offset = max(numbers, default=known.offset)
        self._seen = Cursor(self._number, offset, now_ms, now_ms if updates else known.came_ms)
        missed = known.asked_ms and now_ms - known.asked_ms > KEPT_MS
        gap = Gap(known.asked_ms, now_ms - KEPT_MS) if missed else None
        more = len(taken) < len(updates) or len(updates) == PAGE
        return Batch(tuple(items), str(self._seen), more, gap=gap)

    async def wait(self, timeout_s: float) -> bool:
        """See Waiting. What comes meanwhile is kept for `fetch`."""
        end_s = asyncio.get_running_loop().time() + timeout_s
        known = self._seen
        while (left_s := end_s - asyncio.get_running_loop().time()) > 0:
            updates = await self._updates(known, max(1, min(POLL_S, int(left_s))))
            if updates:
                self._ahead = (known, updates)
                return True
        return False

    async def _updates(self, known: Cursor, wait_s: int) -> list[Any]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and not wait_s and ahead[0] == known:
            return ahead[1]
        asked: dict[str, Any] = {
            "timeout": wait_s,
            "limit": PAGE,
            "allowed_updates": ["message", "edited_message"],
        }
        if known.offset and self._now_ms() - known.came_ms < QUIET_MS:
            asked["offset"] = known.offset
        result = await self._ask("getUpdates", timeout_s=wait_s + 20.0, json=asked)
        return result if isinstance(result, list) else []

    async def _who(self) -> Bot:
        if self._bot is None:
            me = await self._ask("getMe")
            self._bot = Bot(dig_int(me, "id"), dig_text(me, "username"))
        return self._bot

    async def _with_file(self, item: Incoming, file: File) -> Incoming:
        lost = replace(item, notices=(*item.notices, "attachments_dropped"))
        if file.size_bytes > MAX_IN_BYTES:
            return lost
        try:
            found = await self._ask("getFile", json={"file_id": file.file_id})
            path = dig_text(found, "file_path")
            if not re.fullmatch(r"[A-Za-z0-9_./-]{1,300}", path) or ".." in path:
                return lost
            whole = await self._api.ask(
                "GET", f"/file/bot{self._settings.bot_token}/{path}", max_bytes=MAX_IN_BYTES
            )
        except Permanent:
            return lost
        if not whole.fine:
            return lost
        kept = IncomingAttachment(file.name, file.media_type, whole.content)
        return replace(item, attachments=(kept,))

    # -- outwards -----------------------------------------------------------------

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. Whoever never wrote to the bot, or blocked it, cannot be reached."""
        method, request = self._message(reply)
        sent = await self._ask(method, changes=True, **request)
        chat, number = dig_int(sent, "chat", "id"), dig_int(sent, "message_id")
        if not chat or not number:
            raise Unconfirmed("answer_lost", "an answer without a message")
        return Receipt(named(chat, number), "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. A bot cannot read back what it sent."""
        return None

    def _message(self, reply: Outgoing) -> tuple[str, dict[str, Any]]:
        if len(reply.text) > MAX_CHARS:
            raise Permanent("too_long", f"{len(reply.text)} of {MAX_CHARS}")
        if len(reply.attachments) > 1:
            raise Permanent("too_many_attachments", str(len(reply.attachments)))
        chat_text = reply.recipient.rpartition(" ")[2]
        if not re.fullmatch(r"-?\d{1,20}", chat_text, re.ASCII):
            raise Permanent("undeliverable_there", "not a chat")
        fields: dict[str, Any] = {"chat_id": int(chat_text)}
        chat, number = place_of(reply.in_reply_to or "")
        if chat == fields["chat_id"]:
            fields["reply_parameters"] = {"message_id": number, "allow_sending_without_reply": True}
        if not reply.attachments:
            quiet = {"link_preview_options": {"is_disabled": True}}
            return "sendMessage", {"json": fields | quiet | {"text": reply.text}}
        (file,) = reply.attachments
        if len(reply.text) > MAX_CAPTION_CHARS:
            raise Permanent("caption_too_long", f"{len(reply.text)} of {MAX_CAPTION_CHARS}")
        if len(file.content) > MAX_FILE_BYTES:
            raise Permanent("file_too_large", f"{len(file.content)} bytes")
        kind = "photo" if file.media_type in {"image/jpeg", "image/png"} else "document"
        form = {"chat_id": chat_text, "caption": reply.caption(MAX_CAPTION_CHARS)}
        if "reply_parameters" in fields:
            form["reply_parameters"] = json.dumps(fields["reply_parameters"])
        files = {kind: (file.name, file.content, file.media_type)}
        return f"send{kind.capitalize()}", {"data": form, "files": files}

    async def _ask(
        self, method: str, *, changes: bool = False, timeout_s: float | None = None, **more: Any
    ) -> Any:
        """Return the `result` of a method. Raises what its refusal means."""
        path = f"/bot{self._settings.bot_token}/{method}"
        answer = await self._api.ask("POST", path, changes=changes, timeout_s=timeout_s, **more)
        if answer.fine and answer.body.get("ok") is True:
            return answer.body.get("result")
        raise self._refusal(answer, changes=changes)

    def _refusal(self, answer: Answer, *, changes: bool) -> ChannelError:
        said = dig_text(answer.body, "description").lower()
        status = dig_int(answer.body, "error_code") or answer.status
        # Never the description: it may repeat what was sent.
        detail = str(status)
        if status == 429:
            wait_s = dig_int(dig_dict(answer.body, "parameters"), "retry_after")
            return Temporary(
                "rate_limited",
                detail,
                retry_after_s=float(wait_s) or answer.retry_after_s(self._now_ms(), 30.0),
                # One chat or group may be meant; what is fetched is the account's.
                account_wide=not changes,
            )
        if said and status in {401, 404}:
            return SignedOut("token_refused", detail)
        if said and status == 409:
            return Temporary("read_elsewhere", detail, account_wide=True)
        if said and status == 403:
            blocked = "blocked" in said or "deactivated" in said
            return Permanent("blocked_there" if blocked else "undeliverable_there", detail)
        if said and status == 400 and "too long" in said.replace("_", " "):
            return Permanent("too_long", detail)
        if said and status == 400:
            gone = "chat not found" in said or "rights" in said or "kicked" in said
            return Permanent("undeliverable_there" if gone else "platform_refused", detail)
        if changes:
            return Unconfirmed("answer_lost", detail)
        return Temporary("platform_busy", detail, account_wide=True)


def _size(items: list[Incoming]) -> int:
    return sum(len(file.content) for item in items for file in item.attachments)

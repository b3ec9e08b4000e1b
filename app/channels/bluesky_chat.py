"""Direct messages on Bluesky: another service, reached through our own data server.

A message has no name of ours there: the service gives it one when it takes it. What may be out is
therefore looked for in the chat, by whose it is, what it says and when. Sources, read November
2026: the lexicons chat.bsky.convo.* (getLog, listConvos, getConvo, getConvoForMembers, getMessages,
acceptConvo, sendMessage) and atproto.com/specs/xrpc, "Service Proxying".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from app.channels.bluesky_read import shown_name
from app.channels.bluesky_session import Account, error_of
from app.channels.bluesky_text import facets, post_text, rows, table
from app.channels.contract import (
    Capabilities,
    Incoming,
    Outgoing,
    Permanent,
    Receipt,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.doubt import after_all
from app.channels.social_http import Answer, instant_ms
from app.text.graphemes import graphemes

PROXY = {"atproto-proxy": "did:web:api.bsky.chat#bsky_chat"}
NAME = "dm:"
PRIVATE = " dm"
"""Behind somebody's DID: that is where her private messages come from and go to."""

CAPABILITIES = Capabilities(max_chars=1000, counts="graphemes", threads=False)
"""The limits of chat.bsky.convo.defs#messageInput; a message carries no pictures."""

MAX_BYTES = 10_000
MAX_PAGES = 10
MAX_CHATS = 50
"""As many chats are looked at when the log cannot say what is new."""

BEFORE = 20
GOES_ON_MS = 7 * 24 * 3600 * 1000
"""What was said longer ago is another conversation, in a chat as well."""

SKEW_MS = 120_000
PREPARE_S = 40.0
_NOT_TO_HER = {
    "AccountSuspended",
    "BlockedActor",
    "ConvoLocked",
    "MessagesDisabled",
    "NotFollowedBySender",
    "RecipientNotFound",
}


class Chat:
    """The private messages of one account."""

    def __init__(self, account: Account, now_ms: Callable[[], int], *, since_ms: int) -> None:
        self._account = account
        self._now_ms = now_ms
        self._since_ms = since_ms

    async def check(self) -> None:
        """Ask for one chat. Raises SignedOut("dm_not_allowed") when the password may not."""
        _table(await self._ask("chat.bsky.convo.listConvos", {"limit": "1"}))

    async def fetch(self, cursor: str) -> tuple[list[Incoming], str]:
        """Return what residents said after `cursor`, oldest first, and the next cursor.

        "" is the beginning: the log is then only asked where it is, and the chats what they hold.
        """
        if not cursor:
            # Where the log is comes first: what is said meanwhile is then met twice, and not never.
            answer = await self._ask("chat.bsky.convo.getLog", {})
            begin = str(_table(answer).get("cursor") or "")
            return await self._all_chats(), begin
        found: dict[str, list[dict[str, Any]]] = {}
        for _ in range(MAX_PAGES):
            answer = await self._ask("chat.bsky.convo.getLog", {"cursor": cursor})
            if answer.status == 400 and error_of(answer) != "InvalidToken":
                return await self.fetch("")  # the log no longer knows where we were
            said = _table(answer)
            logs = rows(said.get("logs"))
            for log in logs:
                message, chat = table(log.get("message")), str(log.get("convoId") or "")
                if str(log.get("$type")).endswith("#logCreateMessage") and _is_said(message):
                    found.setdefault(chat, []).append(message)
            revs = [str(log["rev"]) for log in logs if isinstance(log.get("rev"), str)]
            after = max([cursor, str(said.get("cursor") or ""), *revs])
            if after == cursor or not logs:
                break
            cursor = after
        own_did = await self._account.did()
        items: list[Incoming] = []
        for chat, messages in found.items():
            if any(table(one.get("sender")).get("did") != own_did for one in messages):
                items += await self._new(chat, messages)
        items.sort(key=lambda item: item.sent_at_ms)
        return items, cursor

    async def _all_chats(self) -> list[Incoming]:
        """Return what was said since the account is here, in the chats used last."""
        items: list[Incoming] = []
        answer = await self._ask("chat.bsky.convo.listConvos", {"limit": str(MAX_CHATS)})
        floor_ms = max(self._since_ms, self._now_ms() - GOES_ON_MS)
        for convo in rows(_table(answer).get("convos")):
            last = instant_ms(table(convo.get("lastMessage")).get("sentAt")) or 0
            if last >= floor_ms and convo.get("id"):
                messages = await self._messages(str(convo["id"]))
                recent = [one for one in messages if _sent_ms(one, self._now_ms()) >= floor_ms]
                items += await self._read(convo, recent, messages)
        items.sort(key=lambda item: item.sent_at_ms)
        return items

    async def _new(self, chat: str, new: list[dict[str, Any]]) -> list[Incoming]:
        answer = await self._ask("chat.bsky.convo.getConvo", {"convoId": chat})
        if answer.status == 400:
            return []  # we left it, or it is gone
        return await self._read(table(_table(answer).get("convo")), new, await self._messages(chat))

    async def _read(
        self, convo: dict[str, Any], new: list[dict[str, Any]], all_of_it: list[dict[str, Any]]
    ) -> list[Incoming]:
        """Return messages of a chat of two; in a group nobody is answered by mistake."""
        own_did = await self._account.did()
        people = {str(one.get("did")): one for one in rows(convo.get("members"))}
        if len(people) != 2 or own_did not in people:
            return []
        if str(table(convo.get("kind")).get("$type") or "").endswith("#groupConvo"):
            return []
        items = []
        for message in new:
            sender = str(table(message.get("sender")).get("did") or "")
            at_ms = _sent_ms(message, self._now_ms())
            if sender == own_did or sender not in people or at_ms < self._since_ms:
                continue
            items.append(
                Incoming(
                    external_id=f"{NAME}{message['id']}",
                    address=f"{sender}{PRIVATE}",
                    sender_name=shown_name(people[sender]),
                    text=_text(message),
                    sent_at_ms=at_ms,
                    in_reply_to=_before(message, all_of_it, at_ms),
                    public=False,
                    raw=json.dumps(message, ensure_ascii=False).encode(),
                )
            )
        return items

    async def _messages(self, chat: str) -> list[dict[str, Any]]:
        """Return the last messages of a chat, the newest first."""
        answer = await self._ask(
            "chat.bsky.convo.getMessages", {"convoId": chat, "limit": str(2 * BEFORE)}
        )
        return [one for one in rows(_table(answer).get("messages")) if _is_said(one)]

    # -- outwards -----------------------------------------------------------------

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. It looks in the chat first: there is no name by which a repeat is known."""
        check(reply)
        try:
            async with asyncio.timeout(PREPARE_S):
                chat = await self._chat_with(reply)
                there = await self._look(chat, reply)
        except TimeoutError:
            raise Temporary("platform_busy", f"over {PREPARE_S} s", account_wide=True) from None
        if there is not None:
            return there
        message: dict[str, Any] = {"text": reply.text}
        if marked := facets(reply.text, {}):
            message["facets"] = marked
        try:
            answer = await self._account.publish(
                "chat.bsky.convo.sendMessage",
                json={"convoId": chat, "message": message},
                headers=PROXY,
            )
        except Temporary as error:
            busy = error.code == "platform_busy"
            there = await after_all(self._look(chat, reply)) if busy else None
            if there is None:
                raise
            return there
        if not answer.ok:
            raise _refusal(answer)
        name = str(table(answer.value()).get("id") or "")
        if not name:
            raise Unconfirmed("answer_lost", "an answer without an id")
        return Receipt(f"{NAME}{name}", "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender."""
        return await self._look(await self._chat_with(reply), reply)

    async def _chat_with(self, reply: Outgoing) -> str:
        """Return the chat with a resident; what she asked for is accepted, or she sees nothing."""
        did = reply.recipient.removesuffix(PRIVATE)
        answer = await self._ask("chat.bsky.convo.getConvoForMembers", {"members": [did]})
        if not answer.ok:
            raise _refusal(answer)
        convo = table(_table(answer).get("convo"))
        chat = str(convo.get("id") or "")
        if not chat:
            raise Temporary("platform_unreachable", "no chat", account_wide=True)
        if convo.get("status") == "request":
            accepted = await self._account.ask(
                "POST", "chat.bsky.convo.acceptConvo", json={"convoId": chat}, headers=PROXY
            )
            if not accepted.ok:
                raise _refusal(accepted)
        return chat

    async def _look(self, chat: str, reply: Outgoing) -> Receipt | None:
        own_did = await self._account.did()
        for message in await self._messages(chat):
            name = f"{NAME}{message['id']}"
            if (
                table(message.get("sender")).get("did") == own_did
                and message.get("text") == reply.text
                and name not in {*reply.references, *reply.others}
                and (instant_ms(message.get("sentAt")) or 0) >= reply.created_at_ms - SKEW_MS
            ):
                return Receipt(name, "sent", self._now_ms())
        return None

    async def _ask(self, name: str, params: dict[str, Any]) -> Answer:
        return await self._account.ask("GET", name, params=params, headers=PROXY)


def is_private(reply: Outgoing) -> bool:
    """Say whether a reply goes into a chat."""
    return reply.recipient.endswith(PRIVATE)


def check(reply: Outgoing) -> None:
    """Refuse what no chat takes, before it is asked. Raises Permanent."""
    length = graphemes(reply.text)
    if length > CAPABILITIES.max_chars or len(reply.text.encode()) > MAX_BYTES:
        raise Permanent("too_long", f"{len(reply.text.encode())} bytes")
    if reply.attachments:
        raise Permanent("no_pictures_there", str(len(reply.attachments)))


def _table(answer: Answer) -> dict[str, Any]:
    if not answer.ok and answer.status < 500:
        refusal = _refusal(answer)
        if isinstance(refusal, SignedOut):
            raise refusal
    return answer.table()


def _refusal(answer: Answer) -> Permanent | SignedOut:
    """Return what a refusal means. A password that may not is refused by the data server itself."""
    name = error_of(answer)[:60]
    if name == "InvalidToken" or answer.status == 403:
        return SignedOut("dm_not_allowed", f"answered {answer.status} {name}")
    if name in _NOT_TO_HER:
        return Permanent("dm_refused", name)
    return Permanent("reply_refused", f"answered {answer.status} {name}")


def _is_said(message: dict[str, Any]) -> bool:
    """Say whether this is a message, and neither a deleted one nor the service's own."""
    return isinstance(message.get("text"), str) and isinstance(message.get("id"), str)


def _text(message: dict[str, Any]) -> str:
    """Return the words of a message; a post that was shared in it stands below, as its page."""
    shared = table(table(message.get("embed")).get("record"))
    uri = str(shared.get("uri") or "")
    did, _, path = uri.removeprefix("at://").partition("/")
    page = f"https://bsky.app/profile/{did}/post/{path.rpartition('/')[2]}"
    words = [post_text({"text": message["text"], "facets": message.get("facets")})]
    if uri.startswith("at://") and "/app.bsky.feed.post/" in uri:
        words.append(page)
    return "\n\n".join(one for one in words if one)


def _sent_ms(message: dict[str, Any], now_ms: int) -> int:
    found = instant_ms(message.get("sentAt"))
    return min(found, now_ms) if found is not None else now_ms


def _before(
    message: dict[str, Any], all_of_it: list[dict[str, Any]], at_ms: int
) -> tuple[str, ...]:
    """Return what was said in the chat before, nearest first: a chat has no threads."""
    earlier = [
        (sent_ms, str(one["id"]))
        for one in all_of_it
        if one["id"] != message["id"]
        and (sent_ms := instant_ms(one.get("sentAt"))) is not None
        and at_ms - GOES_ON_MS <= sent_ms <= at_ms
    ]
    earlier.sort(reverse=True)
    return tuple(f"{NAME}{name}" for _, name in earlier[:BEFORE])

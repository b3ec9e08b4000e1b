"""X: who mentions the account, and direct messages, by polling; answers only where X allows them.

Everything is paid by use, so everything is counted and capped. X knows no idempotency: after a
lost answer our own recent posts are looked through. Source: X, "X API v2": Mentions, Manage posts,
Direct Messages, "Pricing", and the change of 24 February 2026 to replies (read 2026-11).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.channels.contract import (
    Batch,
    Capabilities,
    Gap,
    Outgoing,
    Permanent,
    Purse,
    Receipt,
    Setup,
    SetupField,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.platform_http import dig_dict, dig_list, dig_text
from app.channels.x_api import XApi, XSettings, settings_of
from app.channels.x_events import at_ms_of, number_of, read_message, read_post
from app.channels.x_meter import (
    MESSAGE,
    MESSAGE_READ,
    POST,
    POST_READ,
    POST_WITH_LINK,
    USER_READ,
    meter_of,
)
from app.channels.x_text import MAX_WEIGHT, has_link, same, weight

CAPABILITIES = Capabilities(
    max_chars=MAX_WEIGHT, counts="weighted", public=True, threads=False, undo=True
)
MESSAGES = Capabilities(max_chars=10_000, threads=False)
"""What a direct message takes."""

MAX_PAGES = 5
EARLY_MS = 120_000
"""How much earlier than ours X's clock may be when a post is looked for."""

_POST_FIELDS = "created_at,author_id,referenced_tweets,edit_history_tweet_ids,attachments"
_YES_NO = (("yes", ("Ja", "Yes")), ("no", ("Nee", "No")))

SETUP = Setup(
    intro=(
        (
            "Maak in de Developer Console van X een app met lees-, schrijf- en DM-rechten en "
            "tegoed. Elk bericht dat gelezen of geplaatst wordt, kost geld."
        ),
        (
            "Make an app with read, write and DM rights and credits in X's Developer Console. "
            "Every post that is read or written costs money."
        ),
    ),
    fields=(
        SetupField("api_key", ("API-sleutel", "API key"), "secret"),
        SetupField("api_secret", ("Geheim van de API-sleutel", "API key secret"), "secret"),
        SetupField("access_token", ("Toegangstoken", "Access token"), "secret"),
        SetupField(
            "access_secret", ("Geheim van het toegangstoken", "Access token secret"), "secret"
        ),
        SetupField(
            "monthly_cap",
            ("Hoogstens per maand, in dollars", "At most each month, in dollars"),
            "number",
            (
                "Daarna leest en plaatst Stoep niets meer tot de volgende maand.",
                "After that Stoep reads and posts nothing until next month.",
            ),
        ),
        SetupField(
            "messages",
            ("Ook directe berichten", "Direct messages too"),
            "choice",
            (
                "De laatste berichten kosten elke dag opnieuw.",
                "The latest ones cost anew each day.",
            ),
            required=False,
            choices=_YES_NO,
        ),
        SetupField(
            "links",
            ("Links in antwoorden toestaan", "Allow links in replies"),
            "choice",
            (
                "Een bericht met een link kost ruim tien keer zo veel.",
                "A post with a link costs over ten times as much.",
            ),
            required=False,
            choices=_YES_NO,
        ),
    ),
)


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> XChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return XChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return what a reply is called until X names it."""
    return delivery_id


@dataclass(frozen=True, slots=True)
class Cursor:
    """The newest post and message that were read, when, and what the month has cost."""

    post: int = 0
    message: int = 0
    at_ms: int = 0
    month: str = ""
    spent: int = 0

    def __str__(self) -> str:
        fields = [self.post, self.message, self.at_ms, self.month, self.spent]
        return f"x1 {json.dumps(fields)}"

    @classmethod
    def read(cls, cursor: str | None) -> Cursor:
        """Return what a cursor says; one that nobody knows is the beginning."""
        number = r"(\d{1,20})"
        form = re.fullmatch(
            rf'x1 \[{number}, {number}, {number}, "(\d{{4}}-\d\d)", {number}\]',
            cursor or "",
            re.ASCII,
        )
        if form is None:
            return cls()
        return cls(int(form[1]), int(form[2]), int(form[3]), form[4], int(form[5]))


class XChannel:
    """Adapter, Source and Sender of one account."""

    capabilities = CAPABILITIES

    def __init__(self, settings: XSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._api = XApi(settings, now_ms)
        self._meter = meter_of(f"{settings.url} {settings.user_id}")

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    def pay_from(self, purse: Purse) -> None:
        """See Paying."""
        self._meter.purse = purse

    async def check(self) -> None:
        """Ask who we are."""
        await self._room(USER_READ)
        me = await self._api.get("/2/users/me", {})
        await self._meter.read([f"user {self._settings.user_id}"], USER_READ, self._now_ms())
        if dig_text(me, "data", "id") != self._settings.user_id:
            raise SignedOut("token_refused", "the token belongs to another account")

    async def known_as(self) -> str:
        """See Known: the number of the account."""
        return self._settings.user_id

    async def close(self) -> None:
        await self._api.close()

    # -- inwards ------------------------------------------------------------------

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The month's cost goes along with the cursor. Raises Permanent("cost_cap")."""
        known = Cursor.read(cursor)
        await self._meter.knows(known.month, known.spent, self._month())
        posts, all_posts = await self._mentions(known.post)
        wanted = self._settings.messages
        messages, all_messages = await self._messages(known.message) if wanted else ([], True)
        now_ms, us = self._now_ms(), self._settings.user_id
        said = [item for post in posts for item in read_post(post, us, now_ms)]
        told = [item for one in messages if (item := read_message(one, us, now_ms)) is not None]
        items = said + told
        # What came is the newest; between the last look and the oldest of it something is missing.
        cut = said[:1] * (not all_posts and known.post > 0)
        cut += told[:1] * (not all_messages and known.message > 0)
        to_ms = max((item.sent_at_ms for item in cut), default=0)
        gap = Gap(min(known.at_ms, to_ms), to_ms) if cut else None
        after = Cursor(
            max([known.post, *(number_of(post["post"]) for post in posts)]),
            max([known.message, *(number_of(one["message"]) for one in messages)]),
            now_ms,
            self._meter.month,
            self._meter.spent,
        )
        kept = [one for one in items if one.sent_at_ms >= self._settings.since_ms]
        return Batch(tuple(kept), str(after), gap=gap)

    async def _mentions(self, since: int) -> tuple[list[dict[str, Any]], bool]:
        """Return posts that mention us, oldest first, and whether that is all of them."""
        query = {
            "max_results": "100",
            "tweet.fields": _POST_FIELDS,
            "expansions": "author_id",
            "user.fields": "name,username",
        } | ({"since_id": str(since)} if since else {})
        found: list[dict[str, Any]] = []
        for _ in range(MAX_PAGES):
            await self._room(POST_READ)
            path = f"/2/users/{self._settings.user_id}/mentions"
            answer = await self._api.get(path, query)
            users = await self._people(answer)
            page = [dig_dict(post) for post in dig_list(answer, "data")]
            await self._read("post", page, POST_READ)
            found += [
                {"post": post, "by": users.get(dig_text(post, "author_id"), {})} for post in page
            ]
            token = dig_text(answer, "meta", "next_token")
            if not token:
                return found[::-1], True
            query["pagination_token"] = token
        return found[::-1], False

    async def _messages(self, since: int) -> tuple[list[dict[str, Any]], bool]:
        """Return direct messages back to the newest that is known, and whether that is all."""
        query = {
            "max_results": "10",
            "event_types": "MessageCreate",
            "dm_event.fields": "id,text,created_at,sender_id,dm_conversation_id,attachments",
            "expansions": "sender_id",
            "user.fields": "name,username",
        }
        found: list[dict[str, Any]] = []
        for _ in range(MAX_PAGES):
            await self._room(MESSAGE_READ)
            answer = await self._api.get("/2/dm_events", query)
            users = await self._people(answer)
            page = [dig_dict(one) for one in dig_list(answer, "data")]
            await self._read("message", page, MESSAGE_READ)
            found += [
                {"message": one, "by": users.get(dig_text(one, "sender_id"), {})}
                for one in page
                if number_of(one) > since
            ]
            token = dig_text(answer, "meta", "next_token")
            if not token or any(number_of(one) <= since for one in page):
                return found[::-1], True
            query["pagination_token"] = token
        return found[::-1], False

    async def _people(self, answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        users = [dig_dict(user) for user in dig_list(answer, "includes", "users")]
        await self._read("user", users, USER_READ)
        return {dig_text(user, "id"): user for user in users}

    # -- outwards -----------------------------------------------------------------

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. A reply is only posted to a post that mentioned us; all else X refuses."""
        user, _, private = reply.recipient.partition(" ")
        length = len(reply.text) if private else weight(reply.text)
        most = MESSAGES.max_chars if private else MAX_WEIGHT
        if length > most:
            raise Permanent("too_long", f"{length} of {most}")
        if reply.attachments:
            raise Permanent("too_many_attachments", str(len(reply.attachments)))
        linked = has_link(reply.text)
        if linked and not self._settings.links and not private:
            raise Permanent("link_costs", "a link, and links are switched off")
        if not user.isascii() or not user.isdecimal():
            raise Permanent("undeliverable_there", "not an account")
        if private:
            path = f"/2/dm_conversations/with/{user}/messages"
            sent = await self._write(path, {"text": reply.text}, MESSAGE)
            return self._receipt(f"dm:{_checked(dig_text(sent, 'data', 'dm_event_id'))}")
        answers = reply.in_reply_to or ""
        if not answers.isascii() or not answers.isdecimal():
            raise Permanent("not_invited", "nothing that mentioned us is answered")
        cost = POST_WITH_LINK if linked else POST
        content = {"text": reply.text, "reply": {"in_reply_to_tweet_id": answers}}
        try:
            sent = await self._write("/2/tweets", content, cost)
        except Permanent as error:
            # The very same words are there already, perhaps from a try whose answer was lost.
            if error.code != "said_before" or (found := await self.find(reply)) is None:
                raise
            return found
        return self._receipt(_checked(dig_text(sent, "data", "id")))

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. Looks through our own posts, or the messages with this resident."""
        user, _, private = reply.recipient.partition(" ")
        await self._room(MESSAGE_READ)
        if private:
            path = f"/2/dm_conversations/with/{user}/dm_events"
            fields = {
                "event_types": "MessageCreate",
                "dm_event.fields": "id,text,created_at,sender_id",
            }
            answer = await self._api.get(path, fields | {"max_results": "20"})
        else:
            path = f"/2/users/{self._settings.user_id}/tweets"
            fields = {"tweet.fields": "created_at,referenced_tweets", "exclude": "retweets"}
            answer = await self._api.get(path, fields | {"max_results": "50"})
        page = [dig_dict(one) for one in dig_list(answer, "data")]
        kind, price = ("message", MESSAGE_READ) if private else ("post", POST_READ)
        await self._read(kind, page, price)
        for one in page:
            at_ms = at_ms_of(dig_text(one, "created_at"), self._now_ms())
            if at_ms < reply.created_at_ms - EARLY_MS or not same(
                dig_text(one, "text"), reply.text
            ):
                continue
            answers = [dig_text(about, "id") for about in dig_list(one, "referenced_tweets")]
            ours = one.get("sender_id") == self._settings.user_id
            name = f"dm:{dig_text(one, 'id')}" if private else dig_text(one, "id")
            # Another reply may have said the same, minutes before: that one proves nothing.
            another = name in {*reply.references, *reply.others}
            if not another and (ours if private else reply.in_reply_to in answers):
                return self._receipt(name)
        return None

    async def _write(self, path: str, content: Mapping[str, Any], cost: int) -> dict[str, Any]:
        """Write, and count it unless X says that it did nothing. Raises Permanent("cost_cap")."""
        await self._meter.turn(self._month())
        await self._meter.set_aside(cost, self._settings.cap)
        try:
            return await self._api.post(path, content)
        except (Temporary, Permanent, SignedOut):
            await self._meter.count(-cost)
            raise

    def _receipt(self, external_id: str) -> Receipt:
        return Receipt(external_id, "sent", self._now_ms())

    # -- money --------------------------------------------------------------------

    def _month(self) -> str:
        return datetime.fromtimestamp(self._now_ms() / 1000, UTC).strftime("%Y-%m")

    async def _room(self, cost: int) -> None:
        await self._meter.turn(self._month())
        self._meter.room(cost, self._settings.cap)

    async def _read(self, kind: str, things: list[dict[str, Any]], price: int) -> None:
        ids = [f"{kind} {dig_text(one, 'id')}" for one in things]
        await self._meter.read(ids, price, self._now_ms())


def _checked(number: str) -> str:
    if not number.isascii() or not number.isdecimal():
        raise Unconfirmed("answer_lost", "an answer without an id")
    return number

"""A forum that runs Discourse: posts by number in topics, an API key, signed webhooks.

An admin's key may ask 60 times a minute. Sources: docs.discourse.org (posts, topics, search, user
actions), meta.discourse.org "Configure webhooks"; read November 2026.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.channels.contract import (
    InboundRequest,
    Incoming,
    Permanent,
    Setup,
    SetupField,
    SignedOut,
    Unconfirmed,
)
from app.channels.forum import MAX_PAGES, SHARED_FIELDS, Forum, Post, gone, incoming, lines
from app.channels.forum_api import ForumApi
from app.text.html import html_to_text

REGULAR = 1
"""`post_type` of what a person wrote; others are moderators' actions and whispers."""
REPLIES = 5
"""`action_type` of a user's own replies."""
MINE = 6

SETUP = Setup(
    intro=(
        (
            "Een beheerder van het forum maakt onder Admin, Advanced, API keys een sleutel voor "
            "het account van het team. Met een webhook komen berichten meteen binnen."
        ),
        (
            "An administrator of the forum makes a key for the team's account under Admin, "
            "Advanced, API keys. With a webhook posts come in at once."
        ),
    ),
    fields=(
        *SHARED_FIELDS,
        SetupField("username", ("Gebruikersnaam", "User name")),
        SetupField("key", ("API-sleutel", "API key"), "secret"),
        SetupField("webhook_secret", ("Geheim van de webhook", "Webhook secret"), "secret",
                   required=False),
    ),
)  # fmt: skip


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> "Discourse":
    """Make the adapter. Raises Permanent("bad_config")."""
    try:
        secrets = json.loads(secret)
        key, hook = str(secrets["key"]), str(secrets.get("webhook_secret") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Permanent("bad_config", "key") from None
    username = str(config.get("username") or "")
    if not key.isascii() or not username.isascii() or not username or "\n" in key + username:
        raise Permanent("bad_config", "username")
    headers = {"api-key": key, "api-username": username}
    api = ForumApi(str(config.get("url", "")), headers, tuple(lines(config, "private_hosts")))
    return Discourse(_Dialect(api, username), lines(config, "words"), now_ms, hook)


class Discourse(Forum):
    """Reads and answers by the API, and hears at once by a webhook."""

    def __init__(
        self,
        dialect: "_Dialect",
        words: Sequence[str],
        now_ms: Callable[[], int],
        webhook_secret: str,
    ) -> None:
        super().__init__(dialect, words, now_ms)
        self._hook = webhook_secret
        self._read = dialect.read

    def parse(self, request: InboundRequest) -> list[Incoming]:
        """Read a webhook's call: edits and deletions of posts; new ones come by the next poll.

        Whether a new post concerns us depends on what we know, which the cursor has. An edit or
        deletion of a post that was never taken changes nothing.
        """
        good = hmac.new(self._hook.encode(), request.body, hashlib.sha256).hexdigest()
        given = request.headers.get("x-discourse-event-signature", "").removeprefix("sha256=")
        if not self._hook or not hmac.compare_digest(good.encode(), given.encode()):
            raise Permanent("bad_signature")
        try:
            said = json.loads(request.body).get("post")
            post = self._read(said) if said else None
        except (ValueError, AttributeError, KeyError, TypeError):
            raise Permanent("unreadable_there", "webhook") from None
        event = request.headers.get("x-discourse-event", "")
        if post is None or event not in {"post_edited", "post_destroyed"}:
            return []
        if event == "post_destroyed":
            return [gone(post.id, self._now_ms())]
        return [incoming(post, "edit", ())]


class _Dialect:
    def __init__(self, api: ForumApi, username: str) -> None:
        self._api = api
        self._username = username

    async def me(self) -> str:
        found = await self._api.get("/session/current.json")
        name = ((found or {}).get("current_user") or {}).get("username", "")
        if str(name).lower() != self._username.lower():
            raise SignedOut("key_refused", "another account, or none")
        return str(name)

    async def recent(self, after: int | None) -> tuple[list[Post], bool]:
        found: list[Post] = []
        before: int | None = None
        for _ in range(MAX_PAGES):
            asked = {} if before is None else {"before": before}
            got = await self._api.get("/posts.json", **asked) or {}
            page = [self.read(one) for one in got.get("latest_posts") or []]
            found += [post for post in page if post.id > (after or 0)]
            if after is None or not page or min(post.id for post in page) <= after + 1:
                return _people(found), False
            before = min(post.id for post in page) - 1
        return _people(found), True

    async def post(self, post_id: int) -> Post | None:
        got = await self._api.get(f"/posts/{post_id}.json")
        return self.read(got) if got else None

    async def typed(self, post: Post) -> Post:
        return post  # the list has it

    async def mine(self, me: str, since_ms: int) -> Sequence[Post]:
        got = await self._api.get("/user_actions.json", username=me, filter=REPLIES) or {}
        actions = got.get("user_actions") or []
        newest = [one for one in actions if _ms(one.get("created_at")) >= since_ms][:MINE]
        found = [await self.post(int(one["post_id"])) for one in newest]
        return [post for post in found if post is not None]

    async def create(self, question: Post, text: str) -> int:
        said = {"raw": text, "topic_id": question.topic, "reply_to_post_number": question.number}
        try:
            got = await self._api.post("/posts.json", said)
        except SignedOut:
            # A closed topic is refused with the same status as a key; the key can be tried alone.
            await self.me()
            raise Permanent("forum_refused", "status 403") from None
        if isinstance(got, dict) and isinstance(got.get("id"), int):
            return int(got["id"])
        if isinstance(got, dict) and got.get("action") == "enqueued":
            raise Unconfirmed("waits_for_moderator")
        raise Unconfirmed("answer_lost", "no id")

    async def search(self, query: str) -> list[Post]:
        got = await self._api.get("/search.json", q=f"{query} order:latest") or {}
        titles = {one["id"]: one.get("title", "") for one in got.get("topics") or []}
        return [
            self.read({"topic_title": titles.get(one["topic_id"], ""), "raw": one["blurb"], **one})
            for one in got.get("posts") or []
        ]

    async def close(self) -> None:
        await self._api.close()

    def read(self, said: Mapping[str, Any]) -> Post:
        topic, number = int(said["topic_id"]), int(said["post_number"])
        raw = said.get("raw")
        return Post(
            id=int(said["id"]),
            topic=topic,
            number=number,
            reply_to=said.get("reply_to_post_number"),
            author=str(said.get("username") or ""),
            name=str(said.get("name") or ""),
            title=str(said.get("topic_title") or ""),
            text=str(raw) if raw is not None else html_to_text(str(said.get("cooked") or "")),
            at_ms=_ms(said.get("created_at")),
            deleted=bool(said.get("deleted_at") or said.get("user_deleted"))
            or said.get("post_type", REGULAR) != REGULAR,
            link=self._api.link(f"/t/{topic}/{number}"),
        )


def _people(posts: list[Post]) -> list[Post]:
    return [post for post in posts if post.author]


def _ms(stamp: Any) -> int:
    try:
        return int(datetime.fromisoformat(str(stamp)).timestamp() * 1000)
    except ValueError:
        return 0

"""A forum that runs NodeBB (1.15 or newer): its read interface and Write API v3, by a user's token.

Source: NodeBB's OpenAPI files (read.yaml, write.yaml); read November 2026.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from app.channels.contract import Permanent, Setup, SetupField, SignedOut, Unconfirmed
from app.channels.forum import SHARED_FIELDS, Forum, Post, lines
from app.channels.forum_api import ForumApi
from app.text.html import html_to_text

MINE = 6

SETUP = Setup(
    intro=(
        (
            "Een beheerder van het forum maakt onder Admin, Settings, API Access een token voor "
            "de gebruiker van het team (geen master token)."
        ),
        (
            "An administrator of the forum makes a token for the team's user under Admin, "
            "Settings, API Access (not a master token)."
        ),
    ),
    fields=(*SHARED_FIELDS, SetupField("token", ("Token", "Token"), "secret")),
)


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> Forum:
    """Make the adapter. Raises Permanent("bad_config")."""
    try:
        token = str(json.loads(secret)["token"])
    except (ValueError, KeyError, TypeError):
        raise Permanent("bad_config", "token") from None
    if not token.isascii() or not token.isprintable():
        raise Permanent("bad_config", "token")
    headers = {"authorization": f"Bearer {token}"}
    api = ForumApi(str(config.get("url", "")), headers, tuple(lines(config, "private_hosts")))
    return Forum(_Dialect(api), lines(config, "words"), now_ms)


class _Dialect:
    def __init__(self, api: ForumApi) -> None:
        self._api = api
        self._slug = ""

    async def me(self) -> str:
        found = await self._api.get("/api/self") or {}
        if not found.get("uid") or not found.get("username"):
            raise SignedOut("key_refused", "a guest")
        self._slug = str(found.get("userslug") or found["username"])
        return str(found["username"])

    async def recent(self, after: int | None) -> tuple[list[Post], bool]:
        got = await self._api.get("/api/recent/posts/month") or []
        page = [self._read(one) for one in got]
        found = [post for post in page if post.id > (after or 0)]
        # One page is all there is: when even its oldest is new, older ones may have been missed.
        missed = after is not None and bool(page) and len(found) == len(page)
        return found, missed and min(post.id for post in page) > (after or 0) + 1

    async def post(self, post_id: int) -> Post | None:
        got = await self._api.get(f"/api/v3/posts/{post_id}")
        said = (got or {}).get("response")
        if not said or not said.get("pid"):
            return None
        return await self.typed(self._read(said))

    async def typed(self, post: Post) -> Post:
        got = await self._api.get(f"/api/v3/posts/{post.id}/raw")
        raw = ((got or {}).get("response") or {}).get("content")
        return post if raw is None else replace(post, text=str(raw))

    async def mine(self, me: str, since_ms: int) -> Sequence[Post]:
        got = await self._api.get(f"/api/user/{quote(self._slug)}/posts") or {}
        newest = [one for one in got.get("posts") or [] if _at_ms(one) >= since_ms][:MINE]
        found = [await self.post(int(one["pid"])) for one in newest]
        return [post for post in found if post is not None]

    async def create(self, question: Post, text: str) -> int:
        said = {"content": text, "toPid": question.id}
        try:
            got = await self._api.post(f"/api/v3/topics/{question.topic}", said)
        except SignedOut:
            # A locked topic is refused with the same status as a token; that can be tried alone.
            await self.me()
            raise Permanent("forum_refused", "status 403") from None
        made = (got.get("response") or {}) if isinstance(got, dict) else {}
        if isinstance(made, dict) and isinstance(made.get("pid"), int):
            return int(made["pid"])
        if isinstance(made, dict) and made.get("queued"):
            raise Unconfirmed("waits_for_moderator")
        raise Unconfirmed("answer_lost", "no pid")

    async def search(self, query: str) -> list[Post]:
        asked = {"in": "titlesposts", "sortBy": "timestamp", "sortDirection": "desc"}
        got = await self._api.get("/api/search", term=query, **asked) or {}
        return [self._read(one) for one in got.get("posts") or []]

    async def close(self) -> None:
        await self._api.close()

    def _read(self, said: Mapping[str, Any]) -> Post:
        post_id = int(said["pid"])
        user, topic = said.get("user") or {}, said.get("topic") or {}
        reply_to = str(said.get("toPid") or "")
        return Post(
            id=post_id,
            topic=int(said["tid"]),
            number=1 if post_id == topic.get("mainPid") else post_id,
            reply_to=int(reply_to) if reply_to.isdecimal() else None,
            author=str(user.get("username") or ""),
            name=str(user.get("displayname") or ""),
            title=html_to_text(str(topic.get("title") or "")),
            text=html_to_text(str(said.get("content") or "")),
            at_ms=_at_ms(said),
            deleted=bool(said.get("deleted") or topic.get("deleted")),
            link=self._api.link(f"/post/{post_id}"),
        )


def _at_ms(said: Mapping[str, Any]) -> int:
    stamp = said.get("timestamp")
    return int(stamp) if isinstance(stamp, int | float) else 0

"""One reply on Bluesky, under a record key that the delivery alone decides.

Putting the same record twice under one key leaves one record, so a reply whose answer was lost may
be put again: nothing is seen twice. Source: docs.bsky.app/docs/api/com-atproto-repo-put-record and
docs.bsky.app/blog/create-post, read November 2026.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.channels.bluesky_session import Account, error_of
from app.channels.bluesky_text import facets, fits, names_in, table, tid_of
from app.channels.contract import (
    Capabilities,
    ChannelError,
    Outgoing,
    Permanent,
    Receipt,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.social_http import Answer

POSTS = "app.bsky.feed.post"
MAX_PICTURES = 4
MAX_PICTURE_BYTES = 2_000_000
PREPARE_S = 40.0
"""All that comes before a reply is put; with putting it twice it stays under the two minutes for
which a delivery is leased."""

MAX_NAMES = 10

CAPABILITIES = Capabilities(
    max_chars=300,
    counts="graphemes",
    public=True,
    attachments=MAX_PICTURES,
    max_attachment_bytes=MAX_PICTURES * MAX_PICTURE_BYTES,
    undo=True,
)
"""The limits of app.bsky.feed.post and app.bsky.embed.images (lexicons read November 2026)."""


class Sending:
    """Puts and looks up the replies of one account."""

    def __init__(self, account: Account, now_ms: Callable[[], int]) -> None:
        self._account = account
        self._now_ms = now_ms

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender."""
        check(reply)
        try:
            async with asyncio.timeout(PREPARE_S):
                ready = await self._prepare(reply)
        except TimeoutError:
            raise Temporary("platform_busy", f"over {PREPARE_S} s", account_wide=True) from None
        if isinstance(ready, Receipt):
            return ready
        try:
            answer = await self._put(reply, ready)
        except Unconfirmed as lost:
            answer = await self._again(reply, ready, lost)
        if not answer.ok:
            raise _refusal(answer)
        return Receipt(tid_of(reply.delivery_id), "sent", self._now_ms())

    async def _again(self, reply: Outgoing, record: dict[str, Any], lost: Unconfirmed) -> Answer:
        """Put the same record once more: one post, whatever became of the first.

        A refusal now says nothing of the first, which may stand there: it stays Unconfirmed.
        """
        try:
            answer = await self._put(reply, record)
        except ChannelError:
            raise lost from None
        if not answer.ok:
            raise lost
        return answer

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. Our own server knows for certain what it holds under a key."""
        key = tid_of(reply.delivery_id)
        answer = await self._account.ask(
            "GET",
            "com.atproto.repo.getRecord",
            params={"repo": await self._account.did(), "collection": POSTS, "rkey": key},
        )
        if answer.ok and table(answer.value()).get("uri"):
            return Receipt(key, "sent", self._now_ms())
        if answer.status not in {400, 404}:
            raise Temporary("platform_unreachable", f"answered {answer.status}")
        return None

    async def _prepare(self, reply: Outgoing) -> dict[str, Any] | Receipt:
        """Return the record to put, or the proof that it stands there. Nobody sees any of this."""
        there = await self.find(reply)
        if there is not None:
            return there
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": reply.text,
            "createdAt": written(reply.created_at_ms),
            "reply": await self._refs(reply),
        }
        if marked := facets(reply.text, await self._dids(reply.text)):
            record["facets"] = marked
        if reply.attachments:
            images = [await self._image(reply, at) for at in range(len(reply.attachments))]
            record["embed"] = {"$type": "app.bsky.embed.images", "images": images}
        return record

    async def _put(self, reply: Outgoing, record: dict[str, Any]) -> Answer:
        return await self._account.publish(
            "com.atproto.repo.putRecord",
            json={
                "repo": await self._account.did(),
                "collection": POSTS,
                "rkey": tid_of(reply.delivery_id),
                "record": record,
            },
        )

    async def _refs(self, reply: Outgoing) -> dict[str, Any]:
        """Return what the reply hangs on: the post it answers, and the root of its thread."""
        if not reply.in_reply_to or not reply.in_reply_to.startswith("at://"):
            raise Permanent("only_replies", "no post to answer")
        answer = await self._account.ask(
            "GET", "app.bsky.feed.getPosts", params={"uris": reply.in_reply_to}
        )
        found = answer.table().get("posts")
        posts = [table(post) for post in found] if isinstance(found, list) else []
        if not posts or not posts[0].get("cid"):
            raise Permanent("question_gone", "the post is not there")
        if table(posts[0].get("viewer")).get("replyDisabled") is True:
            raise Permanent("replies_closed", "the post takes no replies")
        parent = {"uri": reply.in_reply_to, "cid": posts[0]["cid"]}
        root = table(table(table(posts[0].get("record")).get("reply")).get("root"))
        known = root if root.get("uri") and root.get("cid") else parent
        return {"root": {"uri": known["uri"], "cid": known["cid"]}, "parent": parent}

    async def _dids(self, text: str) -> dict[str, str]:
        """Look up who the names in a text are; one that nobody has stays plain text."""
        dids: dict[str, str] = {}
        for name in names_in(text)[:MAX_NAMES]:
            answer = await self._account.ask(
                "GET", "com.atproto.identity.resolveHandle", params={"handle": name}
            )
            did = table(answer.value()).get("did")
            if answer.ok and isinstance(did, str):
                dids[name] = did
        return dids

    async def _image(self, reply: Outgoing, at: int) -> dict[str, Any]:
        file = reply.attachments[at]
        answer = await self._account.ask(
            "POST",
            "com.atproto.repo.uploadBlob",
            content=file.content,
            headers={"content-type": file.media_type},
        )
        if answer.status in {400, 413, 415}:
            raise Permanent("picture_refused", f"answered {answer.status}")
        blob = answer.table().get("blob")
        if not isinstance(blob, dict):
            raise Temporary("platform_unreachable", "no blob", account_wide=True)
        return {"image": blob, "alt": file.alt}


def check(reply: Outgoing) -> None:
    """Refuse what no server takes, before one is asked. Raises Permanent."""
    if not fits(reply.text):
        raise Permanent("too_long", f"{len(reply.text.encode())} bytes")
    if len(reply.attachments) > MAX_PICTURES:
        raise Permanent("too_many_attachments", str(len(reply.attachments)))
    for file in reply.attachments:
        if len(file.content) > MAX_PICTURE_BYTES or not file.media_type.startswith("image/"):
            raise Permanent("picture_refused", f"{len(file.content)} bytes, {file.media_type}")


def written(ms: int) -> str:
    """Return an instant as records hold it."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refusal(answer: Answer) -> Permanent | SignedOut:
    name = error_of(answer)[:60]
    if answer.status == 403 or name in {"AccountTakedown", "AccountDeactivated"}:
        return SignedOut("not_allowed_there", f"answered {answer.status} {name}")
    return Permanent("reply_refused", f"answered {answer.status} {name}")

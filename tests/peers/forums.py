"""Forums at the other end, written from their published interfaces and not from our adapters.

Discourse: docs.discourse.org (posts, session, user actions, search), its webhooks' signature.
NodeBB: public/openapi/read.yaml and write.yaml. Both read November 2026.

Not covered: permissions of groups and categories, Markdown (a post's HTML is its text in <p>),
other types of posts than a person's, the limits of time between posts, and the forums' own search:
a post is found when it holds the words. No forum of the two was run: what npm has of NodeBB is of
2016, before the interface that is spoken here existed.
"""

import asyncio
import hashlib
import hmac
import html
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.support.site import Visit

ME = "gemeente"
KEY = "geheim-van-het-forum"
START_MS = 1_793_600_000_000


@dataclass(frozen=True)
class Written:
    """A post as a forum keeps it."""

    id: int
    topic: int
    number: int
    author: str
    text: str
    at_ms: int
    reply_to: int | None = None
    deleted: bool = False


@dataclass
class ForumPeer:
    """What both have: people who write, and a moderator."""

    name: ClassVar[str]
    config: ClassVar[dict[str, Any]] = {}
    secret: ClassVar[str]

    posts: dict[int, Written] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    key: str = KEY
    now_ms: int = START_MS
    """When what is posted next is posted."""
    refusals: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """What the next posts are answered instead: status line, headers, body."""
    moderated: bool = False
    asked: list[str] = field(default_factory=list)

    def writes(
        self,
        author: str,
        text: str,
        *,
        topic: int = 0,
        title: str = "",
        reply_to: int | None = None,
    ) -> int:
        """Let somebody write; a new topic is begun when none is named. Returns the post's id."""
        topic = topic or max(self.titles, default=10) + 1
        self.titles.setdefault(topic, title or "Over de buurt")
        number = 1 + max((p.number for p in self.posts.values() if p.topic == topic), default=0)
        post_id = max(self.posts, default=100) + 1
        self.now_ms += 1_000
        self.posts[post_id] = Written(post_id, topic, number, author, text, self.now_ms, reply_to)
        return post_id

    def change(self, post_id: int, **given: Any) -> None:
        """Edit, delete or move a post."""
        self.posts[post_id] = replace(self.posts[post_id], **given)

    def ours(self) -> list[str]:
        """Return what the municipality wrote, in order."""
        return [post.text for post in self.posts.values() if post.author == ME]

    async def answer(self, visit: Visit, out: asyncio.StreamWriter) -> None:
        """Answer one request."""
        parts = urlsplit(visit.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{visit.method} {parts.path}")
        if not self.knows(visit):
            status, said = self.stranger()
        elif visit.method == "POST" and self.refusals:
            line, headers, body = self.refusals.pop(0)
            _say(out, line, body, headers)
            return
        elif visit.method == "POST":
            status, said = self.take(parts.path, json.loads(visit.body))
        else:
            status, said = self.give(parts.path, query)
        _say(out, status, json.dumps(said).encode(), {})

    def knows(self, visit: Visit) -> bool:
        """Say whether this is our account."""
        raise NotImplementedError

    def stranger(self) -> tuple[str, Any]:
        """Return what somebody without a key is told."""
        raise NotImplementedError

    def take(self, path: str, said: dict[str, Any]) -> tuple[str, Any]:
        """Take what is posted."""
        raise NotImplementedError

    def give(self, path: str, query: dict[str, str]) -> tuple[str, Any]:
        """Return what is asked for."""
        raise NotImplementedError


def _say(out: asyncio.StreamWriter, status: str, body: bytes, headers: dict[str, str]) -> None:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    out.write("\r\n".join([*lines, "", ""]).encode() + body)


def _iso(at_ms: int) -> str:
    stamp = datetime.fromtimestamp(at_ms / 1000, UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03}Z"


class DiscoursePeer(ForumPeer):
    """A forum that runs Discourse."""

    name = "discourse"
    config: ClassVar[dict[str, Any]] = {"username": ME}
    secret = json.dumps({"key": KEY, "webhook_secret": "haakje"})

    def knows(self, visit: Visit) -> bool:
        return visit.headers.get("api-key") == self.key and visit.headers.get("api-username") == ME

    def stranger(self) -> tuple[str, Any]:
        return "403 Forbidden", {"errors": ["not permitted"], "error_type": "invalid_access"}

    def take(self, path: str, said: dict[str, Any]) -> tuple[str, Any]:
        assert path == "/posts.json"
        if self.moderated:
            return "200 OK", {"action": "enqueued", "success": True, "pending_post": {"id": 5}}
        if int(said["topic_id"]) not in self.titles:
            return "404 Not Found", {}
        post_id = self.writes(
            ME, said["raw"], topic=said["topic_id"], reply_to=said.get("reply_to_post_number")
        )
        return "200 OK", self.told(self.posts[post_id])

    def give(self, path: str, query: dict[str, str]) -> tuple[str, Any]:
        living = [post for post in self.posts.values() if not post.deleted]
        newest = sorted(living, key=lambda post: -post.id)
        if path == "/session/current.json":
            return "200 OK", {"current_user": {"id": 7, "username": ME}}
        if path == "/posts.json":
            page = [post for post in newest if post.id <= int(query.get("before", 1 << 40))][:50]
            return "200 OK", {"latest_posts": [self.told(post) for post in page]}
        if path == "/user_actions.json":
            done = [post for post in newest if post.author == query["username"]]
            told = [
                {"created_at": _iso(p.at_ms), "post_id": p.id, "topic_id": p.topic} for p in done
            ]
            return "200 OK", {"user_actions": told}
        if path == "/search.json":
            words = query["q"].replace(" order:latest", "").lower()
            found = [post for post in newest if words in post.text.lower()]
            blurbs = [self.told(post) | {"blurb": post.text} for post in found]
            for one in blurbs:
                del one["raw"], one["topic_title"]
            topics = [{"id": p.topic, "title": self.titles[p.topic]} for p in found]
            return "200 OK", {"posts": blurbs, "topics": topics}
        post = self.posts.get(int(path.removeprefix("/posts/").removesuffix(".json")))
        return ("404 Not Found", {}) if not post or post.deleted else ("200 OK", self.told(post))

    def told(self, post: Written) -> dict[str, Any]:
        """Return a post as the interface shows it."""
        return {
            "id": post.id,
            "name": post.author.title(),
            "username": post.author,
            "created_at": _iso(post.at_ms),
            "cooked": f"<p>{html.escape(post.text)}</p>",
            "raw": post.text,
            "post_number": post.number,
            "post_type": 1,
            "topic_id": post.topic,
            "topic_title": self.titles[post.topic],
            "reply_to_post_number": post.reply_to,
            "deleted_at": None,
            "user_deleted": False,
        }

    def webhook(self, event: str, post_id: int) -> tuple[dict[str, str], bytes]:
        """Return the headers (lower case) and the body of a webhook's call."""
        body = json.dumps({"post": self.told(self.posts[post_id])}).encode()
        signed = hmac.new(b"haakje", body, hashlib.sha256).hexdigest()
        return {
            "x-discourse-event": event,
            "x-discourse-event-signature": f"sha256={signed}",
        }, body


class NodebbPeer(ForumPeer):
    """A forum that runs NodeBB."""

    name = "nodebb"
    secret = json.dumps({"token": KEY})

    def knows(self, visit: Visit) -> bool:
        return visit.headers.get("authorization") == f"Bearer {self.key}"

    def stranger(self) -> tuple[str, Any]:
        return "401 Unauthorized", {"status": {"code": "not-authorised"}, "response": {}}

    def take(self, path: str, said: dict[str, Any]) -> tuple[str, Any]:
        topic = int(path.removeprefix("/api/v3/topics/"))
        if self.moderated:
            return "200 OK", {"status": {"code": "ok"}, "response": {"queued": True, "id": "x"}}
        if topic not in self.titles:
            return "404 Not Found", {"status": {"code": "not-found"}, "response": {}}
        post_id = self.writes(ME, said["content"], topic=topic, reply_to=said.get("toPid"))
        return "200 OK", {"status": {"code": "ok"}, "response": self.told(self.posts[post_id])}

    def give(self, path: str, query: dict[str, str]) -> tuple[str, Any]:
        newest = sorted(self.posts.values(), key=lambda post: -post.id)
        living = [post for post in newest if not post.deleted]
        if path == "/api/self":
            return "200 OK", {"uid": 7, "username": ME, "userslug": ME}
        if path == "/api/recent/posts/month":
            return "200 OK", [self.told(post) for post in living[:20]]
        if path == f"/api/user/{ME}/posts":
            return "200 OK", {"posts": [self.told(p) for p in living if p.author == ME]}
        if path == "/api/search":
            term = query["term"].lower()
            return "200 OK", {"posts": [self.told(p) for p in living if term in p.text.lower()]}
        wanted = path.removeprefix("/api/v3/posts/")
        post = self.posts.get(int(wanted.removesuffix("/raw")))
        if post is None:
            return "404 Not Found", {"status": {"code": "not-found"}, "response": {}}
        if wanted.endswith("/raw"):
            return "200 OK", {"response": {"pid": post.id, "content": post.text}}
        slim = self.told(post)
        del slim["user"], slim["topic"]
        return "200 OK", {"status": {"code": "ok"}, "response": slim}

    def told(self, post: Written) -> dict[str, Any]:
        """Return a post as the interface shows it."""
        first = min(p.id for p in self.posts.values() if p.topic == post.topic)
        told: dict[str, Any] = {
            "pid": post.id,
            "tid": post.topic,
            "content": f"<p>{html.escape(post.text)}</p>",
            "uid": 7 if post.author == ME else 8,
            "timestamp": post.at_ms,
            "deleted": 1 if post.deleted else 0,
            "user": {"uid": 8, "username": post.author, "displayname": post.author.title()},
            "topic": {"tid": post.topic, "title": self.titles[post.topic], "mainPid": first},
        }
        return told | ({"toPid": post.reply_to} if post.reply_to else {})

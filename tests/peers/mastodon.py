"""A Mastodon server of our own, written from the published documentation of its API.

A real one needs Ruby, Redis, PostgreSQL and a name with a certificate. Pages of
https://docs.joinmastodon.org (read November 2026) that this follows: methods/statuses (create, get,
context, source, edit and delete; Idempotency-Key kept for an hour), methods/notifications,
methods/accounts (verify_credentials, statuses), methods/timelines (tag), methods/media (v2: 200,
or 202 and then 206), methods/instance (v1, v2), methods/apps and methods/oauth (code, PKCE),
methods/streaming (user, SSE), api/rate-limits, entities/Status and entities/Notification, and
user/posting for who sees what and how a text is counted; methods/search (v2, statuses, offset) with
admin/elasticsearch for what is found: one's own posts and those one met, others' where asked for.

`Habits` are ways in which other servers that speak this API were seen to differ.

Not covered: federation (remote people live in the same memory), answers to answers in a context,
polls, boosts, blocks, filters, operators in a search, who lets herself be found there, streams over
WebSocket, the real formatting of text beyond names, hashtags and links.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import itertools
import json
import re
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.peers.serving import Serving, loop

IDEMPOTENCY_S = 3600
MAX_CHARS = 500
_NAME = re.compile(r"(?<![\w/])@(\w+)(?:@([\w.:-]+\w))?")
_LINK = re.compile(r"https?://[^\s<]+")
_HASHTAG = re.compile(r"(?<![\w/&])#(\w+)")


@dataclass
class Habits:
    """How a server differs from Mastodon itself."""

    opaque_ids: bool = False
    link_header: bool = True
    since_id: bool = True
    default_limit: int = 40
    max_limit: int = 80
    instance_v2: bool = True
    instance_v1: bool = True
    idempotency: bool = True
    streaming: bool = True
    streaming_at: str = ""
    """Where the streams are said to be; the server itself when empty."""
    media_later: int = 0
    """How often a picture is "not ready yet" before it is."""
    media_v2: bool = True
    max_chars: int = MAX_CHARS
    hides_direct: bool = False
    """Somebody's posts are listed without the direct ones, to herself as well."""
    search: str = "all"
    """`all` posts are searched, `own` ones only, `nothing`, or the call is `missing`."""
    search_by_fit: bool = False
    """What is found comes in another order than that of time."""
    rewrites_text: bool = False
    """The HTML that is shown is not the text that was given."""


@dataclass
class Person:
    id: str
    username: str
    host: str = ""
    display_name: str = ""
    bot: bool = False
    emojis: list[dict[str, str]] = field(default_factory=list)

    @property
    def acct(self) -> str:
        return f"{self.username}@{self.host}" if self.host else self.username


@dataclass
class Post:
    id: str
    author: Person
    text: str
    visibility: str
    made: datetime
    mentioned: list[Person]
    in_reply_to: Post | None = None
    spoiler_text: str = ""
    sensitive: bool = False
    media: list[dict[str, Any]] = field(default_factory=list)
    edited: datetime | None = None
    key: str = ""


class Mastodon:
    """The server: `with Mastodon() as server`. Everything that it holds may be looked at."""

    domain = "stad.example"

    def __init__(
        self,
        habits: Habits | None = None,
        *,
        served: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Not `served`, it listens nowhere and only its `app` answers."""
        self.habits = habits or Habits()
        self._now = now
        self.people: dict[str, Person] = {}
        self.posts: list[Post] = []
        self.notifications: list[tuple[str, Person, Post, datetime]] = []
        self.media: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, bytes] = {}
        """What was handed over, by the id of the medium."""
        self.pictures: dict[str, bytes] = {}
        """What lies at /media/NAME for people elsewhere."""
        self.tokens: dict[str, Person] = {}
        self.apps: dict[str, dict[str, str]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.next_answers: dict[tuple[str, str], int] = {}
        """(verb, path) → the status that the next such call gets instead of what it asks for."""
        self.limit_s = 240
        """How long whoever gets a 429 has to wait."""
        self.retry_after_header = False
        self.down: int | None = None
        """Set: every call answers this status, with a page of HTML."""
        self.forbids_writing = False
        self.forbids_searching = False
        self._numbers = itertools.count(110_000_000_000_000_001)
        self._keys: dict[tuple[str, str], tuple[Post, datetime]] = {}
        self._listeners: list[tuple[Person, asyncio.Queue[str]]] = []
        self._lock = threading.RLock()
        self.app = self._app()
        self._serving = Serving(self.app) if served else None

    # What a test does

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        if self._serving is not None:
            self._serving.close()

    @property
    def port(self) -> int:
        return self._serving.port if self._serving is not None else 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _streams_at(self) -> str:
        return self.habits.streaming_at or self.url.replace("http", "ws", 1)

    def person(self, name: str, **more: Any) -> Person:
        """Return somebody, made at the first call: `fatma` here, `jan@elders.example` elsewhere."""
        with self._lock:
            if name not in self.people:
                username, _, host = name.partition("@")
                self.people[name] = Person(self._new_id(), username, host, **more)
            return self.people[name]

    def token(self, name: str) -> str:
        """Return an access token as the settings page gives one."""
        token = secrets.token_urlsafe(24)
        self.tokens[token] = self.person(name)
        return token

    def post(
        self,
        name: str,
        text: str,
        visibility: str = "public",
        answers: str | None = None,
        *,
        ago_s: float = 0,
        **more: Any,
    ) -> Post:
        """Let somebody post."""
        with self._lock:
            parent = self.find(answers) if answers else None
            return self._publish(self.person(name), text, visibility, parent, ago_s, more)

    def edit(self, post: Post, text: str) -> None:
        """Let its author change a post."""
        with self._lock:
            post.text, post.edited = text, self._now()
            for person in post.mentioned:
                self._tell(person, "status.update", json.dumps(self._status(post)))

    def delete(self, post: Post) -> None:
        """Let its author delete a post; what answered it stays, alone."""
        with self._lock:
            self.posts.remove(post)
            self.notifications = [n for n in self.notifications if n[2] is not post]
            for other in self.posts:
                if other.in_reply_to is post:
                    other.in_reply_to = None
            for person in post.mentioned:
                self._tell(person, "delete", post.id)

    def find(self, post_id: str) -> Post:
        with self._lock:
            return next(post for post in self.posts if post.id == post_id)

    def by(self, name: str) -> list[Post]:
        """Return what somebody posted, oldest first."""
        with self._lock:
            return [post for post in self.posts if post.author is self.person(name)]

    def forget_keys(self) -> None:
        """Let an hour pass for idempotency keys."""
        self._keys.clear()

    def listeners(self) -> int:
        return len(self._listeners)

    def drop_streams(self) -> None:
        """End every stream, as a restart of the streaming server does."""
        for _, queue in self._listeners:
            loop().call_soon_threadsafe(queue.put_nowait, "")

    # What the server does

    def _new_id(self) -> str:
        number = next(self._numbers)
        if self.habits.opaque_ids:
            return base64.b32encode(hashlib.sha256(str(number).encode()).digest())[:18].decode()
        return str(number)

    def _publish(
        self,
        author: Person,
        text: str,
        visibility: str,
        parent: Post | None,
        ago_s: float,
        more: dict[str, Any],
    ) -> Post:
        named = [self._named(*match.groups()) for match in _NAME.finditer(text)]
        mentioned = list({person.id: person for person in named if person}.values())
        made = self._now() - timedelta(seconds=ago_s)
        post = Post(
            self._new_id(), author, text, visibility, made, mentioned, in_reply_to=parent, **more
        )
        self.posts.append(post)
        for person in mentioned:
            if person is not author:
                told = (self._new_id(), person, post, made)
                self.notifications.append(told)
                self._tell(person, "notification", json.dumps(self._notification(told)))
        return post

    def _named(self, username: str, host: str | None) -> Person | None:
        host = "" if host in {None, self.domain} else host or ""
        return self.people.get(f"{username}@{host}" if host else username)

    def _tell(self, person: Person, event: str, data: str) -> None:
        for listener, queue in self._listeners:
            if listener is person:
                loop().call_soon_threadsafe(queue.put_nowait, f"event: {event}\ndata: {data}\n\n")

    def _sees(self, person: Person | None, post: Post) -> bool:
        if post.visibility in {"public", "unlisted"} or post.author is person:
            return True
        return person in post.mentioned

    def _account(self, person: Person) -> dict[str, Any]:
        return {
            "id": person.id,
            "username": person.username,
            "acct": person.acct,
            "display_name": person.display_name or person.username,
            "bot": person.bot,
            "emojis": person.emojis,
            "url": f"https://{person.host or self.domain}/@{person.username}",
        }

    def _status(self, post: Post) -> dict[str, Any]:
        parent = post.in_reply_to
        home = f"https://{post.author.host or self.domain}"
        return {
            "id": post.id,
            "created_at": _written(post.made),
            "edited_at": _written(post.edited) if post.edited else None,
            "in_reply_to_id": parent.id if parent else None,
            "in_reply_to_account_id": parent.author.id if parent else None,
            "sensitive": post.sensitive,
            "spoiler_text": post.spoiler_text,
            "visibility": post.visibility,
            "uri": f"{home}/users/{post.author.username}/{post.id}",
            "url": f"{home}/@{post.author.username}/{post.id}",
            "content": self._formatted(post),
            "reblog": None,
            "account": self._account(post.author),
            "media_attachments": post.media,
            "mentions": [
                {"id": person.id, "username": person.username, "acct": person.acct}
                for person in post.mentioned
            ],
            "tags": [{"name": tag.lower()} for tag in _HASHTAG.findall(post.text)],
            "emojis": [],
            "poll": None,
        }

    def _formatted(self, post: Post) -> str:
        text = html.escape(post.text, quote=False)
        if self.habits.rewrites_text:
            text = text.upper()
        text = _LINK.sub(_linked, text)
        text = _NAME.sub(
            lambda name: (
                '<span class="h-card"><a href="https://stad.example/@x" class="u-url mention">'
                f"@<span>{name[1]}</span></a></span>"
                if self._named(name[1], name[2])
                else name[0]
            ),
            text,
        )
        paragraphs = (part.replace("\n", "<br />") for part in text.split("\n\n"))
        return "".join(f"<p>{part}</p>" for part in paragraphs if part)

    def _notification(self, told: tuple[str, Person, Post, datetime]) -> dict[str, Any]:
        return {
            "id": told[0],
            "type": "mention",
            "created_at": _written(told[3]),
            "account": self._account(told[2].author),
            "status": self._status(told[2]),
        }

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        """Return one page of a list that is newest first, as methods/… say of each list."""
        asked = request.query_params
        limit = min(int(asked.get("limit", self.habits.default_limit)), self.habits.max_limit)
        place = self._place(rows)
        if "max_id" in asked:
            rows = [row for row in rows if place(row["id"]) > place(asked["max_id"])]
        if self.habits.since_id and "min_id" in asked:
            rows = [row for row in rows if place(row["id"]) < place(asked["min_id"])][-limit:]
        elif self.habits.since_id and "since_id" in asked:
            rows = [row for row in rows if place(row["id"]) < place(asked["since_id"])]
        rows = rows[:limit]
        headers = {}
        if rows and self.habits.link_header:
            base = f"{self.url}{request.url.path}"
            headers["link"] = (
                f'<{base}?max_id={rows[-1]["id"]}>; rel="next", '
                f'<{base}?min_id={rows[0]["id"]}>; rel="prev"'
            )
        return Json(rows, headers=headers)

    def _place(self, rows: list[dict[str, Any]]) -> Callable[[str], int]:
        """Return where an id stands in a list: known by its number, or by looking where it is."""
        if not self.habits.opaque_ids:
            return lambda row_id: -int(row_id)
        places = {row["id"]: at for at, row in enumerate(rows)}
        return lambda row_id: places.get(row_id, len(rows))

    # The API

    def _app(self) -> Starlette:
        routes: list[tuple[str, str, Any]] = [
            ("GET", "/api/v2/instance", self._instance_v2),
            ("GET", "/api/v1/instance", self._instance_v1),
            ("POST", "/api/v1/apps", self._new_app),
            ("POST", "/oauth/token", self._new_token),
            ("GET", "/api/v1/accounts/verify_credentials", self._verify),
            ("GET", "/api/v1/accounts/{id}/statuses", self._own),
            ("GET", "/api/v1/notifications", self._notifications),
            ("GET", "/api/v1/timelines/tag/{tag}", self._tag),
            ("GET", "/api/v2/search", self._search),
            ("POST", "/api/v1/statuses", self._create),
            ("GET", "/api/v1/statuses/{id}", self._one),
            ("GET", "/api/v1/statuses/{id}/context", self._context),
            ("GET", "/api/v1/statuses/{id}/source", self._source),
            ("POST", "/api/v2/media", self._upload),
            ("POST", "/api/v1/media", self._upload),
            ("GET", "/api/v1/media/{id}", self._medium),
            ("GET", "/api/v1/streaming/user", self._stream),
            ("GET", "/media/{id}", self._picture),
        ]
        return Starlette(
            routes=[Route(path, self._guarded(work), methods=[verb]) for verb, path, work in routes]
        )

    def _guarded(self, work: Any) -> Any:
        async def answer(request: Request) -> Response:
            self.asked.append((request.method, request.url.path))
            if self.down is not None:
                return Response("<h1>Down</h1>", self.down, media_type="text/html")
            status = self.next_answers.pop((request.method, request.url.path), None)
            if status == 429:
                return self._limited(self.limit_s)
            if status is not None:
                return _error(status, "No")
            return await work(request)

        return answer

    def _limited(self, wait_s: int) -> Response:
        reset = self._now() + timedelta(seconds=wait_s)
        headers = {
            "x-ratelimit-limit": "300",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": _written(reset),
        }
        if self.retry_after_header:
            headers = {"retry-after": str(wait_s)}
        return Json({"error": "Too many requests"}, 429, headers)

    def _who(self, request: Request) -> Person | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.tokens.get(token) if scheme == "Bearer" else None

    async def _instance_v2(self, _request: Request) -> Response:
        if not self.habits.instance_v2:
            return _error(404, "Record not found")
        return Json(
            {
                "domain": self.domain,
                "configuration": {
                    "urls": {"streaming": self._streams_at},
                    "statuses": {"max_characters": self.habits.max_chars},
                },
            }
        )

    async def _instance_v1(self, _request: Request) -> Response:
        if not self.habits.instance_v1:
            return _error(404, "Record not found")
        return Json({"uri": self.domain, "urls": {"streaming_api": self._streams_at}})

    async def _new_app(self, request: Request) -> Response:
        form = await _form(request)
        if not form.get("client_name") or not form.get("redirect_uris"):
            return _error(422, "Validation failed: Application name can't be blank")
        client_id = secrets.token_urlsafe(16)
        self.apps[client_id] = {**form, "client_secret": secrets.token_urlsafe(16)}
        return Json(
            {
                "client_id": client_id,
                "client_secret": self.apps[client_id]["client_secret"],
                "name": form["client_name"],
            }
        )

    def consents(self, name: str, query: dict[str, str]) -> str:
        """Let somebody press "Authorize" on the page at /oauth/authorize; return the code."""
        app = self.apps[query["client_id"]]
        assert query["response_type"] == "code"
        assert query["redirect_uri"] in app["redirect_uris"].split()
        assert set(query["scope"].split()) <= set(app["scopes"].split())
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**query, "name": name}
        return code

    async def _new_token(self, request: Request) -> Response:
        form = await _form(request)
        app = self.apps.get(form.get("client_id", ""))
        if app is None or app["client_secret"] != form.get("client_secret"):
            return Json({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return Json({"error": "invalid_grant"}, 400)
        if asked.get("code_challenge"):
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
                return Json({"error": "invalid_grant"}, 400)
        return Json(
            {
                "access_token": self.token(asked["name"]),
                "token_type": "Bearer",
                "scope": asked["scope"],
            }
        )

    async def _verify(self, request: Request) -> Response:
        person = self._who(request)
        return Json(self._account(person)) if person else _unauthorized()

    async def _own(self, request: Request) -> Response:
        person = self._who(request)
        posts = [
            post
            for post in reversed(self.posts)
            if post.author.id == request.path_params["id"]
            and self._sees(person, post)
            and not (self.habits.hides_direct and post.visibility == "direct")
        ]
        return self._page(request, [self._status(post) for post in posts])

    async def _notifications(self, request: Request) -> Response:
        person = self._who(request)
        if person is None:
            return _unauthorized()
        told = [one for one in reversed(self.notifications) if one[1] is person]
        return self._page(request, [self._notification(one) for one in told])

    async def _tag(self, request: Request) -> Response:
        tag = request.path_params["tag"].lower()
        posts = [
            post
            for post in reversed(self.posts)
            if post.visibility == "public"
            and tag in {name.lower() for name in _HASHTAG.findall(post.text)}
        ]
        return self._page(request, [self._status(post) for post in posts])

    async def _search(self, request: Request) -> Response:
        person = self._who(request)
        if person is None:
            return _unauthorized()
        if self.habits.search == "missing":
            return _error(404, "Record not found")
        if self.forbids_searching:
            return _error(403, "This action is outside the authorized scopes")
        asked = request.query_params
        assert asked["type"] == "statuses"
        words = asked["q"].lower().split() if '"' not in asked["q"] else []
        phrase = asked["q"].lower().strip('"')
        found = [
            post
            for post in reversed(self.posts)
            if self._sees(person, post)
            and self._lets_find(person, post)
            and (phrase in post.text.lower() if not words else _has_all(post.text, words))
        ]
        if self.habits.search_by_fit:
            found.sort(key=lambda post: len(post.text))
        limit, at = min(int(asked.get("limit", 20)), 40), int(asked.get("offset", 0))
        rows = [self._status(post) for post in found[at : at + limit]]
        return Json({"accounts": [], "hashtags": [], "statuses": rows})

    def _lets_find(self, person: Person, post: Post) -> bool:
        if self.habits.search == "nothing":
            return False
        met = post.author is person or person in post.mentioned
        return met or (self.habits.search == "all" and post.visibility == "public")

    async def _create(self, request: Request) -> Response:
        person = self._who(request)
        if person is None:
            return _unauthorized()
        if self.forbids_writing:
            return _error(403, "This action is outside the authorized scopes")
        form = json.loads(await request.body())
        key = request.headers.get("idempotency-key", "")
        known = self._keys.get((person.id, key))
        if key and known and self._now() - known[1] < timedelta(seconds=IDEMPOTENCY_S):
            return Json(self._status(known[0]))
        text, media_ids = form.get("status", ""), form.get("media_ids", [])
        if not text and not media_ids:
            return _error(422, "Validation failed: Text can't be blank")
        counted = _LINK.sub("x" * 23, _NAME.sub(lambda name: f"@{name[1]}", text))
        if len(counted) + len(form.get("spoiler_text", "")) > self.habits.max_chars:
            return _error(422, "Validation failed: Text character limit of 500 exceeded")
        parent = self._readable(person, form.get("in_reply_to_id"))
        if form.get("in_reply_to_id") and parent is None:
            return _error(404, "The post you are trying to reply to does not appear to exist.")
        media = [self.media[media_id] for media_id in media_ids]
        if any(one["url"] is None for one in media):
            return _error(422, "Cannot attach files that have not finished processing.")
        more = {
            "spoiler_text": form.get("spoiler_text", ""),
            "sensitive": bool(form.get("sensitive")),
            "media": media,
            "key": key,
        }
        visibility = form.get("visibility", "public")
        post = self._publish(person, text, visibility, parent, 0, more)
        if key and self.habits.idempotency:
            self._keys[person.id, key] = (post, self._now())
        return Json(self._status(post))

    def _readable(self, person: Person | None, post_id: object) -> Post | None:
        found = (post for post in self.posts if post.id == post_id and self._sees(person, post))
        return next(found, None)

    async def _one(self, request: Request) -> Response:
        post = self._readable(self._who(request), request.path_params["id"])
        return Json(self._status(post)) if post else _error(404, "Record not found")

    async def _context(self, request: Request) -> Response:
        post = self._readable(self._who(request), request.path_params["id"])
        if post is None:
            return _error(404, "Record not found")
        below = [one for one in self.posts if self._sees(self._who(request), one)]
        below = [one for one in below if one.in_reply_to is post]
        above: list[Post] = []
        while post.in_reply_to is not None:
            post = post.in_reply_to
            above.insert(0, post)
        return Json(
            {
                "ancestors": [self._status(one) for one in above],
                "descendants": [self._status(one) for one in below],
            }
        )

    async def _source(self, request: Request) -> Response:
        person = self._who(request)
        post = self._readable(person, request.path_params["id"])
        if post is None or post.author is not person:
            return _error(404, "Record not found")
        return Json({"id": post.id, "text": post.text, "spoiler_text": post.spoiler_text})

    async def _upload(self, request: Request) -> Response:
        if self._who(request) is None:
            return _unauthorized()
        if "v2" in request.url.path and not self.habits.media_v2:
            return _error(404, "Record not found")
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            content = await file.read()
            media_type = file.content_type or ""
            description = form.get("description")
        if not media_type.startswith(("image/", "video/")):
            return _error(422, "Validation failed: File content type is invalid, File is invalid")
        media_id = self._new_id()
        medium = {
            "id": media_id,
            "type": media_type.partition("/")[0],
            "url": f"{self.url}/media/{media_id}",
            "description": description,
            "_bytes": len(content),
        }
        self.media[media_id], self.uploads[media_id] = medium, content
        if self.habits.media_later:
            medium |= {"url": None, "_left": self.habits.media_later}
            return Json(medium, 202)
        return Json(medium)

    async def _medium(self, request: Request) -> Response:
        medium = self.media.get(request.path_params["id"])
        if medium is None:
            return _error(404, "Record not found")
        if medium.get("_left"):
            medium["_left"] -= 1
            return Response(status_code=206)
        medium["url"] = f"{self.url}/media/{medium['id']}"
        return Json(medium)

    async def _picture(self, request: Request) -> Response:
        return Response(self.pictures[request.path_params["id"]], media_type="image/png")

    async def _stream(self, request: Request) -> Response:
        person = self._who(request)
        if person is None:
            return _unauthorized()
        if not self.habits.streaming:
            return _error(404, "Record not found")
        queue: asyncio.Queue[str] = asyncio.Queue()

        entry = (person, queue)
        self._listeners.append(entry)

        async def events() -> AsyncIterator[str]:
            try:
                yield ":)\n"
                while said := await queue.get():
                    yield said
            finally:
                self._listeners.remove(entry)

        return StreamingResponse(events(), media_type="text/event-stream")


class Json(JSONResponse):
    """JSON in ASCII, which can spell what UTF-8 cannot: half a pair of surrogates."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


def _has_all(text: str, words: list[str]) -> bool:
    return all(word in text.lower() for word in words)


def _linked(link: re.Match[str]) -> str:
    """Shorten what is shown of a link, as Mastodon does."""
    scheme, _, rest = link[0].partition("://")
    shown = rest[:30]
    ellipsis_class = ' class="ellipsis"' if len(rest) > 30 else ""
    return (
        f'<a href="{link[0]}" rel="nofollow noopener" target="_blank">'
        f'<span class="invisible">{scheme}://</span><span{ellipsis_class}>{shown}</span>'
        f'<span class="invisible">{rest[30:]}</span></a>'
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _form(request: Request) -> dict[str, str]:
    asked = parse_qs((await request.body()).decode())
    return {name: values[0] for name, values in asked.items()}


def _error(status: int, words: str) -> Response:
    return Json({"error": words}, status)


def _unauthorized() -> Response:
    return _error(401, "The access token is invalid")

"""X's API v2 in small, written from X's documentation and from nothing else.

Sources, read 2026-11: docs.x.com, "Get mentions", "Get Posts" (timelines), "Create Post", "Direct
Messages: lookup, manage", "Users: me", "Pagination", "Rate limits", "Response codes & errors",
"Pricing"; "OAuth 1.0a" with RFC 5849 for signatures; X Developers, 24 February 2026, on replies.

It checks each signature, keeps posts, messages and what reading and writing cost, refuses a reply
to whoever did not mention or quote the account, and a second post with the same words. Not
covered: OAuth 2.0, media, deletions (X tells nobody who polls), the window of edits, suspended and
protected accounts, group messages, spam rules, and rate limits (a test says when it is limited).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote, unquote

from tests.peers.api_server import ApiServer, Request, Response

US, FATMA, HENK = "2244994945", "777001", "777002"
NAMES = {US: "GemNoord", FATMA: "fatma", HENK: "henk"}
KEYS = {
    "api_key": "sleutel",
    "api_secret": "geheim één",
    "access_token": f"{US}-token",
    "access_secret": "geheim&twee",
}
DAY_S = 24 * 3600


@dataclass
class X:
    """The platform; `posts` and `messages` are all there is, oldest first."""

    now_s: Callable[[], int]
    posts: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    signed_out: bool = False
    refuses: Response | None = None
    """What the next request is answered."""
    spent: float = 0.0
    """In dollars."""
    page: int = 100
    """How many things it returns at most, whatever is asked."""

    def __post_init__(self) -> None:
        self._next = 1_900_000_000_000_000_000
        self._paid: set[tuple[int, str]] = set()

    async def __aenter__(self) -> Self:
        self.server = ApiServer(self._answer)
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.server.__aexit__(*error)

    @property
    def ours(self) -> list[str]:
        """What the account said in public, oldest first."""
        return [post["text"] for post in self.posts if post["author_id"] == US]

    @property
    def told(self) -> list[str]:
        """What the account said in private, oldest first."""
        return [one["text"] for one in self.messages if one["sender_id"] == US]

    # -- what people do ----------------------------------------------------------------

    def post(self, text: str, by: str = FATMA, answers: str = "", quotes: str = "") -> str:
        """Let somebody post; return the post's id."""
        about = [{"type": "replied_to", "id": answers}] if answers else []
        about += [{"type": "quoted", "id": quotes}] if quotes else []
        post: dict[str, Any] = {"id": self._id(), "text": text, "author_id": by}
        post |= {"created_at": self._stamp(), "edit_history_tweet_ids": [post["id"]]}
        self.posts.append(post | ({"referenced_tweets": about} if about else {}))
        return str(post["id"])

    def edit(self, number: str, text: str) -> str:
        """Let somebody edit a post; the newest version takes its place under an id of its own."""
        (old,) = (post for post in self.posts if post["id"] == number)
        self.posts.remove(old)
        new = old | {"id": self._id(), "text": text}
        new["edit_history_tweet_ids"] = [*old["edit_history_tweet_ids"], new["id"]]
        self.posts.append(new)
        return str(new["id"])

    def tell(self, text: str, by: str = FATMA, to: str = US, group: str = "") -> str:
        """Let somebody write a direct message."""
        between = group or "-".join(sorted([by, to], key=int))
        message = {"id": self._id(), "event_type": "MessageCreate", "text": text, "sender_id": by}
        message |= {"dm_conversation_id": between, "created_at": self._stamp()}
        self.messages.append(message)
        return str(message["id"])

    def _id(self) -> str:
        self._next += 1
        return str(self._next)

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    # -- what the account asks -----------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        if self.signed_out or not self._is_signed(request):
            return _problem(401, "Unauthorized", "Unauthorized")
        if self.refuses is not None:
            refusal, self.refuses = self.refuses, None
            return refusal
        query = request.query
        with_whom = re.fullmatch(
            r"/2/dm_conversations/with/(\d+)/(dm_events|messages)", request.path
        )
        match request.method, request.path:
            case "GET", "/2/users/me":
                self._pays("user", [US], 0.010)
                return Response(200, {"data": self._user(US)})
            case "GET", path if path == f"/2/users/{US}/mentions":
                found = [p for p in self.posts if self._mentions(p) and p["author_id"] != US]
                return self._paged(found, query, "post", 0.005, "author_id")
            case "GET", path if path == f"/2/users/{US}/tweets":
                found = [post for post in self.posts if post["author_id"] == US]
                return self._paged(found, query, "post", 0.005)
            case "GET", "/2/dm_events":
                return self._paged(self.messages, query, "message", 0.010, "sender_id")
            case "POST", "/2/tweets":
                return self._take_post(request.json)
        if with_whom is not None:
            between = "-".join(sorted([US, with_whom[1]], key=int))
            with_her = [one for one in self.messages if one["dm_conversation_id"] == between]
            if request.method == "GET":
                return self._paged(with_her, query, "message", 0.010)
            self.spent += 0.015
            number = self.tell(request.json["text"], US, with_whom[1])
            return Response(201, {"data": {"dm_event_id": number, "dm_conversation_id": between}})
        return _problem(404, "Not Found Error", "no such path")

    def _take_post(self, said: dict[str, Any]) -> Response:
        answers = said.get("reply", {}).get("in_reply_to_tweet_id", "")
        original = next((p for p in self.posts if answers in p["edit_history_tweet_ids"]), None)
        if answers and (original is None or not self._mentions(original)):
            return _problem(403, "Forbidden", "Reply to this conversation is not allowed")
        if said["text"] in self.ours:
            detail = "You are not allowed to create a Tweet with duplicate content."
            return _problem(403, "Forbidden", detail)
        if not 0 < len(re.sub(r"https?://\S+", "x" * 23, said["text"])) <= 280:
            return _problem(400, "Invalid Request", "Your Tweet text is too long.")
        self.spent += 0.200 if re.search(r"https?://|\w\.nl\b", said["text"]) else 0.015
        # As X shows it: links shortened, and what HTML needs escaped.
        shown = re.sub(r"https?://\S+|\b\w+\.nl\b", "https://t.co/a1b2c3", said["text"])
        number = self.post(shown.replace("&", "&amp;").replace("<", "&lt;"), US, answers)
        return Response(201, {"data": {"id": number, "text": shown}})

    def _mentions(self, post: dict[str, Any]) -> bool:
        """Say whether a post names the account, quotes it, or answers it."""
        ours = {one["id"] for one in self.posts if one["author_id"] == US}
        about = {one["id"] for one in post.get("referenced_tweets", [])}
        return bool(ours & about) or f"@{NAMES[US]}".lower() in post["text"].lower()

    def _paged(
        self, all_of: list[dict[str, Any]], query: Any, kind: str, price: float, by: str = ""
    ) -> Response:
        """Return a page, newest first, as every timeline does."""
        since = int(query.get("since_id", "0"))
        found = [one for one in reversed(all_of) if int(one["id"]) > since]
        start = int(query.get("pagination_token", "p0")[1:])
        size = min(int(query.get("max_results", "10")), self.page)
        page = found[start : start + size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if len(found) > start + size:
            meta["next_token"] = f"p{start + size}"
        self._pays(kind, [one["id"] for one in page], price)
        answer: dict[str, Any] = {"meta": meta} | ({"data": page} if page else {})
        if by and page:
            people = sorted({one[by] for one in page})
            self._pays("user", people, 0.010)
            answer["includes"] = {"users": [self._user(person) for person in people]}
        return Response(200, answer)

    def _pays(self, kind: str, ids: list[str], price: float) -> None:
        for one in ids:
            key = (self.now_s() // DAY_S, f"{kind} {one}")
            if key not in self._paid:
                self._paid.add(key)
                self.spent += price

    def _user(self, person: str) -> dict[str, str]:
        name = NAMES.get(person, f"mens{person}")
        return {"id": person, "name": name.capitalize(), "username": name}

    def _is_signed(self, request: Request) -> bool:
        """Check a signature as RFC 5849 (3.4) has it made."""
        header = request.headers.get("authorization", "")
        given = {k: unquote(v) for k, v in re.findall(r'(oauth_\w+)="([^"]*)"', header)}
        signature = given.pop("oauth_signature", "")
        if (
            given.get("oauth_token") != KEYS["access_token"]
            or abs(int(given.get("oauth_timestamp", "0")) - self.now_s()) > 300
        ):
            return False
        every = [*given.items(), *request.query.items()]
        pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in every)
        parts = [
            request.method,
            f"http://{request.headers['host']}{request.path}",
            "&".join(f"{k}={v}" for k, v in pairs),
        ]
        base = "&".join(quote(part, safe="~") for part in parts)
        key = "&".join(quote(KEYS[name], safe="~") for name in ("api_secret", "access_secret"))
        made = base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest())
        return hmac.compare_digest(made, signature.encode())


def _problem(status: int, title: str, detail: str) -> Response:
    return Response(status, {"title": title, "detail": detail, "type": "about:blank"})

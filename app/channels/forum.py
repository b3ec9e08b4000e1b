"""A neighbourhood's forum: what is asked of the municipality there, and its answers.

Taken in are posts that name the account (`@name`) or one of the words of the neighbourhood, replies
to what we wrote, and what the asker adds in the topic. A topic is one conversation. Forums know no
key that makes a repeated post harmless, so before anything is posted again, our own posts are
looked through.

The two kinds of forum differ in `forum_discourse` and `forum_nodebb` only.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.channels.contract import (
    Batch,
    Capabilities,
    Gap,
    Incoming,
    IncomingKind,
    Outgoing,
    Permanent,
    Receipt,
    SetupField,
    Temporary,
)
from app.channels.doubt import after_all

MAX_CHARS = 32_000
"""Discourse's `max_post_length` and NodeBB's `maximumPostLength` as they are shipped."""

CAPABILITIES = Capabilities(max_chars=MAX_CHARS, public=True, undo=True)
POLL_S = 60.0
MAX_PAGES = 8
MAX_KNOWN = 300
RECHECKED = 3
"""Posts that are looked at again in each round, in turn: for edits and deletions."""
SKEW_MS = 300_000
"""How far the forum's clock may be behind ours."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post of either kind of forum."""

    id: int
    topic: int
    number: int
    """Its place in the topic, where the forum counts; else its id."""
    reply_to: int | None
    """The `number` of the post it answers."""
    author: str
    name: str
    title: str
    text: str
    at_ms: int
    deleted: bool = False
    link: str = ""

    @property
    def digest(self) -> str:
        """Changes when its text does."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Dialect(Protocol):
    """What differs between the kinds of forum. All of it raises as `ForumApi` does."""

    async def me(self) -> str:
        """Return the account's own user name."""
        ...

    async def recent(self, after: int | None) -> tuple[list[Post], bool]:
        """Return posts newer than an id (None: the newest page), and whether some were missed."""
        ...

    async def post(self, post_id: int) -> Post | None:
        """Return a post with its text as it was typed; None when it is gone."""
        ...

    async def typed(self, post: Post) -> Post:
        """Return a post of `recent` with its text as it was typed."""
        ...

    async def mine(self, me: str, since_ms: int) -> Sequence[Post]:
        """Return our own newest posts, with their text as it was typed."""
        ...

    async def create(self, question: Post, text: str) -> int:
        """Post an answer; return its id."""
        ...

    async def search(self, query: str) -> list[Post]:
        """Return what matches, in any order."""
        ...

    async def close(self) -> None: ...


def external_id(_config: Mapping[str, Any], _delivery_id: str) -> str:
    """Return nothing: the forum numbers posts itself."""
    return ""


SHARED_FIELDS = (
    SetupField(
        "url",
        ("Adres van het forum", "Address of the forum"),
        "url",
        ("Bijvoorbeeld https://forum.voorbeeldstad.example", "Such as https://forum.town.example"),
    ),
    SetupField(
        "words",
        ("Woorden van de buurt", "Words of the neighbourhood"),
        "lines",
        (
            "Eén per regel, zoals Paddepoel. Wie ze noemt, komt in de inbox.",
            "One a line, such as Paddepoel. Who names them comes into the inbox.",
        ),
        required=False,
    ),
)


class Forum:
    """Reads, answers and searches one forum."""

    def __init__(self, dialect: Dialect, words: Sequence[str], now_ms: Callable[[], int]) -> None:
        self._dialect = dialect
        self._words = [word for word in (word.strip() for word in words) if len(word) > 1]
        self._now_ms = now_ms
        self._me = ""

    @property
    def capabilities(self) -> Capabilities:
        """What the composer must know."""
        return CAPABILITIES

    def new_external_id(self, delivery_id: str) -> str:
        """Return nothing: the forum numbers posts itself."""
        return external_id({}, delivery_id)

    async def check(self) -> None:
        """Ask the forum who we are. Raises Temporary or SignedOut."""
        await self._name()

    async def close(self) -> None:
        """Close connections."""
        await self._dialect.close()

    async def fetch(self, cursor: str | None) -> Batch:
        """Return what is new for us, and what changed of what we took, oldest first."""
        with _readable():
            return await self._fetch(await self._name(), _Seen.read(cursor))

    async def _fetch(self, me: str, seen: "_Seen") -> Batch:
        recent, missed = await self._dialect.recent(seen.last)
        items: list[Incoming] = []
        echoes: list[str] = []
        for post in sorted(recent, key=lambda post: post.id):
            seen.last = max(seen.last or 0, post.id)
            if post.author.lower() == me.lower():
                echoes.append(str(post.id))
                seen.know(post, ours=True)
            elif not post.deleted and self._concerns_us(post, me, seen):
                whole = await self._dialect.typed(post)
                items.append(incoming(whole, "new", seen.answers(whole)))
                seen.know(whole)
        items += await self._changed(seen)
        now_ms = self._now_ms()
        gap = Gap(seen.at_ms, now_ms) if missed and seen.at_ms else None
        seen.at_ms = now_ms
        return Batch(tuple(items), seen.cursor(), echoes=tuple(echoes), gap=gap)

    def _concerns_us(self, post: Post, me: str, seen: "_Seen") -> bool:
        said = f"{post.title}\n{post.text}" if post.number == 1 else post.text
        if re.search(rf"(?<![\w@])@{re.escape(me)}(?![\w-])", said, re.IGNORECASE):
            return True
        if any(
            re.search(rf"(?<!\w){re.escape(w)}(?!\w)", said, re.IGNORECASE) for w in self._words
        ):
            return True
        return seen.is_ours(post.topic, post.reply_to) or seen.asker(post.topic) == post.author

    async def _changed(self, seen: "_Seen") -> list[Incoming]:
        """Look at a few of the posts that were taken: were they edited, deleted, moved?"""
        found: list[Incoming] = []
        for post_id in seen.next_in_turn():
            now = await self._dialect.post(post_id)
            if now is None or now.deleted:
                found.append(gone(post_id, self._now_ms()))
                seen.forget(post_id)
            elif seen.changed(now):
                found.append(incoming(now, "edit", ()))
        return found

    async def send(self, reply: Outgoing) -> Receipt:
        """Answer in the topic where the question stands now, wherever that was moved to."""
        if len(reply.text) > MAX_CHARS:
            raise Permanent("too_long", f"{len(reply.text)} of {MAX_CHARS}")
        if reply.attachments:
            raise Permanent("too_many_attachments", str(len(reply.attachments)))
        question = await self._question(reply)
        if question is None or question.deleted:
            raise Permanent("question_gone")
        try:
            made = await self._dialect.create(question, reply.text)
        except Temporary as error:
            if error.code != "site_busy":
                raise
            there = await after_all(self.find(reply))
            if there is None:
                raise
            return there
        return Receipt(str(made), "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """Look for the reply among our own newest posts.

        It is ours if it says the same in the question's topic, was posted since, and is none of our
        other replies in this conversation. When the question is gone nothing tells its topic: the
        same words to somebody else would be taken for this reply, so that is left to a person.
        """
        me, question = await self._name(), await self._question(reply)
        if question is None:
            return None
        with _readable():
            mine = await self._dialect.mine(me, reply.created_at_ms - SKEW_MS)
        for post in mine:
            if (
                post.topic == question.topic
                and post.at_ms >= reply.created_at_ms - SKEW_MS
                and str(post.id) not in {*reply.references, *reply.others}
                and _plain(post.text) == _plain(reply.text)
            ):
                return Receipt(str(post.id), "sent", post.at_ms)
        return None

    async def search(self, query: str, cursor: str | None) -> Batch:
        """Return posts that match and are newer than the last that was found."""
        me = await self._name()
        last = int(cursor) if cursor and cursor.isascii() and cursor.isdecimal() else 0
        with _readable():
            found = sorted(await self._dialect.search(query), key=lambda post: post.id)
        items = [
            incoming(post, "new", ())
            for post in found
            if post.id > last and post.author.lower() != me.lower() and not post.deleted
        ]
        return Batch(tuple(items), str(max([last, *(post.id for post in found)])))

    async def _question(self, reply: Outgoing) -> Post | None:
        name = reply.in_reply_to or ""
        with _readable():
            return await self._dialect.post(int(name)) if name.isdecimal() else None

    async def _name(self) -> str:
        if not self._me:
            with _readable():
                self._me = await self._dialect.me()
        return self._me


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Say of an answer of another shape than agreed that it cannot be read (now)."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Temporary("unreadable_there", type(error).__name__, account_wide=True) from None


def _plain(text: str) -> str:
    return " ".join(text.split())


def incoming(post: Post, kind: IncomingKind, answers: tuple[str, ...]) -> Incoming:
    return Incoming(
        external_id=str(post.id),
        address=post.author,
        sender_name=post.name or post.author,
        text=post.text,
        sent_at_ms=post.at_ms,
        kind=kind,
        subject=post.title[:300],
        in_reply_to=answers,
        public=True,
        link=post.link,
    )


def gone(post_id: int, now_ms: int) -> Incoming:
    return Incoming(str(post_id), "", "", "", now_ms, kind="delete")


class _Seen:
    """The cursor opened: how far we read, which posts were taken, which are ours."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.last: int | None = state.get("last")
        self.at_ms: int = state.get("at", 0)
        self._turn: int = state.get("turn", 0)
        self._known: dict[str, list[Any]] = state.get("known", {})
        """{post id: [topic, number, digest, author, ours]}, oldest first."""

    @classmethod
    def read(cls, cursor: str | None) -> "_Seen":
        """Open a cursor of ours; anything else is the beginning."""
        try:
            state = json.loads(cursor or "")
            whole = [type(state[key]) for key in ("last", "at", "turn", "known")]
            shapes = [type(part) for one in state["known"].values() for part in one]
            counts = {len(one) for one in state["known"].values()} <= {5}
            if whole == [int, int, int, dict] and counts and set(shapes) <= {int, str, bool}:
                return cls(state)
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        return cls({})

    def cursor(self) -> str:
        """Close it again, no longer than `MAX_KNOWN` posts."""
        known = dict(list(self._known.items())[-MAX_KNOWN:])
        state = {"last": self.last or 0, "at": self.at_ms, "turn": self._turn, "known": known}
        return json.dumps(state, separators=(",", ":"))

    def know(self, post: Post, *, ours: bool = False) -> None:
        """Remember a post that was taken, or that is our own."""
        row = [post.topic, post.number, post.digest, post.author, ours]
        self._known[str(post.id)] = row

    def forget(self, post_id: int) -> None:
        """Remember it no longer."""
        self._known.pop(str(post_id), None)

    def is_ours(self, topic: int, number: int | None) -> bool:
        """Say whether this place in a topic is a post of ours."""
        return any(one[:2] == [topic, number] and one[4] for one in self._known.values())

    def asker(self, topic: int) -> str | None:
        """Return who began the conversation in a topic."""
        asked = (one[3] for one in self._known.values() if one[0] == topic and not one[4])
        return next(asked, None)

    def answers(self, post: Post) -> tuple[str, ...]:
        """Return the posts of the same conversation, what it answers first, then the oldest."""
        here = [(name, one) for name, one in self._known.items() if one[0] == post.topic]
        nearest = [name for name, one in here if one[1] == post.reply_to]
        return tuple(dict.fromkeys([*nearest, *(name for name, _ in here[:5])]))

    def next_in_turn(self) -> list[int]:
        """Return the posts to be looked at again in this round."""
        taken = [int(name) for name, one in self._known.items() if not one[4]]
        if not taken:
            return []
        start = self._turn % len(taken)
        self._turn = (start + RECHECKED) % len(taken)
        return (taken[start:] + taken[:start])[:RECHECKED]

    def changed(self, post: Post) -> bool:
        """Say whether its text is another than it was; follows where it was moved to."""
        row = self._known[str(post.id)]
        was = row[2]
        row[0], row[1], row[2] = post.topic, post.number, post.digest
        return bool(was != post.digest)


def lines(config: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of strings from the config, whatever stands there."""
    value = config.get(name) or []
    return [str(one) for one in value] if isinstance(value, list | tuple) else []

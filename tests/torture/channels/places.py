"""The platforms behind one shape: what residents do there, and what we are seen to have said.

A question comes in as the platform's adapter hands it over (its own tests show that it does); what
is under test here goes the other way.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.channels.contract import DeliveryReport, Incoming
from app.channels.whatsapp import WhatsAppChannel
from app.channels.whatsapp import build as build_whatsapp
from tests.peers import bluesky_chat, forums, homeserver, pds, telegram, whatsapp, x
from tests.peers.api_server import Request, Response
from tests.peers.mastodon import Habits, Mastodon
from tests.support.site import Visit
from tests.torture.channels.net import ask_app

DOMAIN = Mastodon.domain


@dataclass(frozen=True, slots=True)
class Said:
    """Something of ours that stands at a platform."""

    key: str
    to: str
    """The address that it answers, as it is in `Delivery.recipient`."""
    text: str
    pictures: tuple[str, ...] = ()


def picture(number: int) -> bytes:
    """Return a picture that can be told from every other."""
    return b"\xff\xd8\xff\xe0 foto %d. \xff\xd9" % number


def shown(content: bytes) -> str:
    """Return which picture these bytes hold."""
    found = re.findall(rb"foto \d+\.", content)
    return found[0].decode() if len(found) == 1 else f"{len(found)} pictures in one"


def _words(caption: str) -> str:
    """Return a caption without what the picture shows."""
    return re.sub(r"(^|\n\n)\[[^\]]*\]$", "", caption)


@dataclass(frozen=True, slots=True)
class Question:
    """What a resident asked, and what the platform calls it."""

    external_id: str
    address: str
    handle: Any


@dataclass
class Place:
    """One account's platform."""

    clock: Callable[[], int]
    chance: random.Random
    questions: list[Question] = field(default_factory=list)

    kind = ""
    name = ""
    """What this place is called where a kind has more than one; else `kind`."""
    looks = True
    """Whether the platform lets us look for what we said."""
    config: dict[str, Any] = field(default_factory=dict)
    secret: str = ""

    def __post_init__(self) -> None:
        self.begin()

    # -- for each platform ---------------------------------------------------------------

    def begin(self) -> None:
        """Set the platform up."""
        raise NotImplementedError

    async def answer(self, request: Request) -> Response:
        """Answer one request of the adapter."""
        raise NotImplementedError

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        """Let a resident ask something, or go on with what she asked."""
        raise NotImplementedError

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        """Let her change what she asked."""
        return []

    def deletes(self, question: Question) -> list[Incoming | DeliveryReport]:
        """Let her take it away."""
        return []

    def said(self) -> list[Said]:
        """Return what stands there of ours."""
        raise NotImplementedError

    def expire(self) -> None:
        """Let the account's credentials end."""
        raise NotImplementedError

    def renew(self) -> None:
        """Let a person sign in again; `secret` is the new one."""
        raise NotImplementedError

    def tells(self) -> list[str]:
        """Return the external ids by which what we said comes back to us when we read there."""
        return []

    def calls(self) -> list[Incoming | DeliveryReport]:
        """Return what the platform calls us with of its own accord, once."""
        return []

    # -- for all -------------------------------------------------------------------------

    def _ask(self, question: Question, text: str, **more: Any) -> list[Incoming | DeliveryReport]:
        self.questions.append(question)
        return [self._incoming(question, text, **more)]

    def _incoming(self, question: Question, text: str, **more: Any) -> Incoming:
        return Incoming(question.external_id, question.address, "Fatma", text, self.clock(), **more)

    def _changed(self, question: Question, kind: Any, text: str = "") -> list[Any]:
        return [self._incoming(question, text, kind=kind)]


class OnMastodon(Place):
    kind = "mastodon"

    def begin(self) -> None:
        chance = self.chance
        self.peer = Mastodon(
            Habits(
                opaque_ids=chance.random() < 0.3,
                link_header=chance.random() < 0.7,
                since_id=chance.random() < 0.7,
                default_limit=chance.choice([1, 40]),
                instance_v2=chance.random() < 0.7,
                idempotency=chance.random() < 0.5,
                hides_direct=chance.random() < 0.3,
                rewrites_text=chance.random() < 0.2,
            ),
            served=False,
            now=lambda: datetime.fromtimestamp(self.clock() / 1000, UTC),
        )
        self.renew()

    async def answer(self, request: Request) -> Response:
        return await ask_app(self.peer.app, request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        name = after.address.partition("@")[0] if after else self.chance.choice(["fatma", "henk"])
        public = self.chance.random() < 0.6
        ours = [post.id for post in self.peer.by("gemeente")] if after else []
        living = {post.id for post in self.peer.posts}
        answers = next((one for one in reversed(ours) if one in living), None)
        post = self.peer.post(
            name, f"@gemeente {text}", "public" if public else "direct", answers=answers
        )
        names = (after.external_id,) if after else ()
        question = Question(post.id, f"{name}@{DOMAIN}", post)
        return self._ask(question, text, in_reply_to=names, public=public)

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        self.peer.edit(question.handle, f"@gemeente {text}")
        return self._changed(question, "edit", text)

    def deletes(self, question: Question) -> list[Incoming | DeliveryReport]:
        self.peer.delete(question.handle)
        return self._changed(question, "delete")

    def said(self) -> list[Said]:
        return [
            Said(
                post.id,
                _named(post.text),
                re.sub(r"^(@\S+\s+)+", "", post.text),
                tuple(shown(self.peer.uploads[one["id"]]) for one in post.media),
            )
            for post in self.peer.by("gemeente")
        ]

    def expire(self) -> None:
        self.peer.tokens.clear()

    def renew(self) -> None:
        self.secret = json.dumps({"access_token": self.peer.token("gemeente")})


def _named(text: str) -> str:
    found = re.match(r"@(\S+)", text)
    name = found[1].rstrip(":") if found else ""
    return name if "@" in name else f"{name}@{DOMAIN}"


class OnForum(Place):
    kinds: Any = forums.DiscoursePeer

    def begin(self) -> None:
        self.peer: forums.ForumPeer = self.kinds()
        self.config = dict(self.peer.config)
        self._keys = 0
        self._answered: dict[int, str] = {}
        self.renew()

    async def answer(self, request: Request) -> Response:
        self.peer.now_ms = self.clock() - 1_000
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        out = _Out()
        await self.peer.answer(
            Visit(f"{request.path}?{query}", dict(request.headers), request.method, request.body),
            out,  # type: ignore[arg-type]
        )
        return out.response()

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        self.peer.now_ms = self.clock() - 1_000
        name = after.address if after else self.chance.choice(["jan", "els"])
        topic = self.peer.posts[after.handle].topic if after else 0
        post = self.peer.writes(name, f"@{forums.ME} {text}", topic=topic)
        names = (after.external_id,) if after else ()
        return self._ask(Question(str(post), name, post), text, in_reply_to=names, public=True)

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        self.peer.change(question.handle, text=text)
        return self._changed(question, "edit", text)

    def deletes(self, question: Question) -> list[Incoming | DeliveryReport]:
        if self.chance.random() < 0.3:  # a moderator moves it to another topic, which is no deed
            topic = max(self.peer.titles) + 1
            self.peer.titles[topic] = "Verplaatst"
            self.peer.change(question.handle, topic=topic)
            return []
        self.peer.change(question.handle, deleted=True)
        return self._changed(question, "delete")

    def said(self) -> list[Said]:
        posts = self.peer.posts
        return [
            Said(str(post.id), self._asker(post), post.text)
            for post in posts.values()
            if post.author == forums.ME
        ]

    def _asker(self, post: forums.Written) -> str:
        """Return who is answered: a post's place in a topic is kept when it is moved away."""
        answered = self._answered.get(post.id)
        if answered is None:
            there = [one for one in self.peer.posts.values() if self._is_answered(one, post)]
            answered = self._answered[post.id] = there[0].author if there else ""
        return answered

    def _is_answered(self, question: forums.Written, answer: forums.Written) -> bool:
        if self.kind == "nodebb":
            return answer.reply_to == question.id
        return (answer.topic, answer.reply_to) == (question.topic, question.number)

    def expire(self) -> None:
        self.peer.key = "een andere"

    def renew(self) -> None:
        self._keys += 1
        self.peer.key = f"sleutel-{self._keys}"
        name = "key" if self.kind == "discourse" else "token"
        self.secret = json.dumps({name: self.peer.key})


class OnDiscourse(OnForum):
    kind = "discourse"


class OnNodebb(OnForum):
    kind = "nodebb"
    kinds = forums.NodebbPeer


class _Out:
    """As much of a stream's writer as a forum writes its answer to."""

    def __init__(self) -> None:
        self._raw = b""

    def write(self, raw: bytes) -> None:
        self._raw += raw

    def response(self) -> Response:
        head, _, body = self._raw.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in fields)
        return Response(int(first.split(" ")[1]), body, headers)


class OnX(Place):
    kind = "x"
    private = 0.2
    """How many questions are direct messages."""

    def begin(self) -> None:
        self.peer = x.X(lambda: self.clock() // 1000)
        self.config = {"monthly_cap": 100_000, "links": "yes"}
        self.secret = json.dumps(x.KEYS)

    async def answer(self, request: Request) -> Response:
        return self.peer._answer(request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        private = after.address.endswith(" dm") if after else self.chance.random() < self.private
        who = after.address.partition(" ")[0] if after else self.chance.choice([x.FATMA, x.HENK])
        if private:
            number = self.peer.tell(text, who)
            return self._ask(Question(f"dm:{number}", f"{who} dm", number), text, public=False)
        number = self.peer.post(f"@{x.NAMES[x.US]} {text}", who)
        return self._ask(Question(number, who, number), text, public=True)

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        if question.address.endswith(" dm"):
            return []
        versions = [p for p in self.peer.posts if question.handle in p["edit_history_tweet_ids"]]
        self.peer.edit(versions[0]["id"], f"@{x.NAMES[x.US]} {text}")
        return self._changed(question, "edit", text)

    def said(self) -> list[Said]:
        authors = {
            number: post["author_id"]
            for post in self.peer.posts
            for number in post["edit_history_tweet_ids"]
        }
        public = [
            Said(post["id"], authors.get(post["referenced_tweets"][0]["id"], ""), post["text"])
            for post in self.peer.posts
            if post["author_id"] == x.US
        ]
        private = [
            Said(
                f"dm:{one['id']}",
                f"{next(w for w in one['dm_conversation_id'].split('-') if w != x.US)} dm",
                one["text"],
            )
            for one in self.peer.messages
            if one["sender_id"] == x.US
        ]
        return public + private

    def expire(self) -> None:
        self.peer.signed_out = True

    def renew(self) -> None:
        self.peer.signed_out = False


class OnXMessages(OnX):
    name = "x-messages"
    private = 1.0


class OnWhatsApp(Place):
    kind = "whatsapp"
    looks = False

    def begin(self) -> None:
        self.peer = whatsapp.WhatsApp(self.clock() // 1000)
        self.config = {"phone_number_id": whatsapp.NUMBER_ID}
        self._told: set[str] = set()
        self._tokens = 0
        self.renew()

    async def answer(self, request: Request) -> Response:
        self.peer.now_s = self.clock() // 1000
        return self.peer._answer(request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        self.peer.now_s = self.clock() // 1000
        number = after.address[1:] if after else self.chance.choice(["31612345678", "31687654321"])
        items = self._read(self.peer.writes(number, text))
        for item in items:
            if isinstance(item, Incoming):
                self.questions.append(Question(item.external_id, item.address, item.external_id))
        return items

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        return self._changed(question, "edit", text)

    def deletes(self, question: Question) -> list[Incoming | DeliveryReport]:
        return self._changed(question, "delete")

    def said(self) -> list[Said]:
        return [
            Said(one.wamid, f"+{one.to}", _words(one.text), self._pictures(one.content))
            for one in self.peer.taken
        ]

    def _pictures(self, content: dict[str, Any]) -> tuple[str, ...]:
        if content["type"] != "image":
            return ()
        return (shown(self.peer.media[content["image"]["id"]]),)

    def expire(self) -> None:
        self.peer.tokens.clear()

    def renew(self) -> None:
        self._tokens += 1
        self.peer.tokens = {f"EAAJB-{self._tokens}"}
        self.secret = json.dumps(
            {
                "access_token": f"EAAJB-{self._tokens}",
                "app_secret": whatsapp.APP_SECRET,
                "verify_token": whatsapp.VERIFY_TOKEN,
            }
        )

    def calls(self) -> list[Incoming | DeliveryReport]:
        items = [item for call in self.peer.calls for item in self._read(call)]
        self.peer.calls.clear()
        for message in self.peer.taken:
            if message.wamid not in self._told:
                self._told.add(message.wamid)
                items += self._read(self.peer.tells(message, "sent"))
        return items

    def _read(self, call: Any) -> list[Incoming | DeliveryReport]:
        reader: WhatsAppChannel = build_whatsapp(self.config, self.secret, self.clock)
        return reader.parse(call)


class OnTelegram(Place):
    kind = "telegram"
    looks = False

    def begin(self) -> None:
        self.peer = telegram.Telegram(lambda: self.clock() // 1000)
        self._tokens = 0
        self.renew()

    async def answer(self, request: Request) -> Response:
        return await self.peer._answer(request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        known = [telegram.FATMA, telegram.HENK]
        user = int(after.address) if after else self.chance.choice(known)
        number = self.peer.writes(text, user)
        return self._ask(Question(f"{user}:{number}", str(user), number), text)

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        self.peer.edits(question.handle, text, int(question.address))
        return self._changed(question, "edit", text)

    def said(self) -> list[Said]:
        return [
            Said(
                f"{one['chat']['id']}:{one['message_id']}",
                str(one["chat"]["id"]),
                one["text"] if "text" in one else _words(one["caption"]),
                (shown(one["photo"]),) if "photo" in one else (),
            )
            for one in self.peer.sent
        ]

    def expire(self) -> None:
        self.peer.tokens.clear()

    def renew(self) -> None:
        self._tokens += 1
        token = f"123456:AAA-{self._tokens:012}"
        self.peer.tokens = {token}
        self.secret = json.dumps({"bot_token": token})


class OnMatrix(Place):
    kind = "matrix"

    def begin(self) -> None:
        self.peer = homeserver.Homeserver(self.clock)
        self.config = {"user": homeserver.US}
        self._passwords = 0
        self.renew()

    async def answer(self, request: Request) -> Response:
        return self.peer.answer(request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        if after is not None:
            room, user = self.peer.rooms[after.handle[0]], after.address.partition(" ")[0]
        else:
            user = self.chance.choice([f"@{n}:{homeserver.SERVER}" for n in ("fatma", "henk")])
            group = self.chance.random() < 0.3
            others = (user, f"@els:{homeserver.SERVER}") if group else (user,)
            same = [room for room in self.peer.rooms.values() if room.members[1:] == [*others]]
            room = same[0] if same else self.peer.room(*others)
        event = self.peer.says(room, user, text)
        address = user if len(room.members) == 2 else f"{user} {room.id}"
        public = False if len(room.members) == 2 else None
        question = Question(f"{room.id}/{event}", address, (room.id, event))
        return self._ask(question, text, public=public)

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        return self._changed(question, "edit", text)

    def deletes(self, question: Question) -> list[Incoming | DeliveryReport]:
        room, event = question.handle
        self.peer.takes_back(self.peer.rooms[room], event)
        return self._changed(question, "delete")

    def said(self) -> list[Said]:
        found = []
        for room in self.peer.rooms.values():
            for event in room.events:
                if event["sender"] == homeserver.US:
                    user = room.members[1]
                    to = user if len(room.members) == 2 else f"{user} {room.id}"
                    said = event["content"]
                    url = said.get("url")
                    pictures = (shown(self.peer.media[url]),) if url else ()
                    words = _words(said["body"]) if url else said["body"]
                    found.append(Said(event["event_id"], to, words, pictures))
        return sorted(found, key=lambda one: int(one.key[2:]))

    def expire(self) -> None:
        self.peer.sign_out()
        if self.chance.random() < 0.3:
            self.peer.password = "een ander"

    def renew(self) -> None:
        self._passwords += 1
        self.peer.password = f"deur-{self._passwords}"
        self.secret = json.dumps({"password": self.peer.password})

    def tells(self) -> list[str]:
        events = [event for room in self.peer.rooms.values() for event in room.events]
        ours = [event["content"].get("nl.stoep.delivery", "") for event in events]
        return [one for one in ours if one]


class OnBluesky(Place):
    kind = "bluesky"

    def begin(self) -> None:
        self.peer = pds.Pds(self.clock)
        self.config = {"identifier": pds.HANDLE}
        self._passwords = 0
        self.renew()

    async def answer(self, request: Request) -> Response:
        return self.peer.answer(request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        did = after.address if after else self.chance.choice(["did:plc:fatma", "did:plc:henk"])
        parent = self.peer.records.get(after.external_id) if after else None
        post = self.peer.posts(did, f"@{pds.HANDLE} {text}", parent)
        names = (after.external_id,) if after else ()
        return self._ask(Question(post.uri, did, post.uri), text, in_reply_to=names, public=True)

    def edits(self, question: Question, text: str) -> list[Incoming | DeliveryReport]:
        if question.handle in self.peer.records:
            self.peer.rewrites(question.handle, text)
        return self._changed(question, "edit", text)

    def deletes(self, question: Question) -> list[Incoming | DeliveryReport]:
        self.peer.deletes(question.handle)
        return self._changed(question, "delete")

    def said(self) -> list[Said]:
        return [
            Said(
                record.uri,
                record.value["reply"]["parent"]["uri"].removeprefix("at://").partition("/")[0],
                record.value["text"],
                tuple(shown(self.peer.blobs[cid]) for cid in pds.pictures_of(record.value)),
            )
            for record in self.peer.records.values()
            if record.uri.startswith(f"at://{pds.US}/")
        ]

    def expire(self) -> None:
        if self.chance.random() < 0.6:
            self.peer.end_access()
            return
        self.peer.sign_out()
        if self.chance.random() < 0.5:
            self.peer.password = "zzzz-zzzz-zzzz-zzzz"

    def renew(self) -> None:
        self._passwords += 1
        self.peer.password = f"abcd-efgh-ijkl-{self._passwords:04}"
        self.secret = json.dumps({"app_password": self.peer.password})


class OnBlueskyChat(Place):
    kind = "bluesky"
    name = "bluesky-chat"

    def begin(self) -> None:
        now = lambda: datetime.fromtimestamp(self.clock() / 1000, UTC)  # noqa: E731
        self.peer = bluesky_chat.BlueskyChat(now)
        self.config = {"identifier": self.peer.names[bluesky_chat.US], "messages": "yes"}
        self._passwords = 0
        self.renew()

    async def answer(self, request: Request) -> Response:
        return self.peer.answer(request)

    def asks(self, text: str, after: Question | None) -> list[Incoming | DeliveryReport]:
        did = after.handle if after else self.chance.choice(["did:plc:fatma", "did:plc:henk"])
        status = self.chance.choice(["accepted", "request"])
        message = self.peer.says(did.rpartition(":")[2], text, status=status)
        names = (after.external_id,) if after else ()
        question = Question(f"dm:{message['id']}", f"{did} dm", did)
        return self._ask(question, text, in_reply_to=names, public=False)

    def said(self) -> list[Said]:
        return [
            Said(one["id"], f"{next(m for m in convo.members if m != bluesky_chat.US)} dm",
                 one["text"])
            for convo in self.peer.convos.values()
            for one in convo.messages
            if one["sender"]["did"] == bluesky_chat.US
        ]  # fmt: skip

    def expire(self) -> None:
        self.peer.ended = True
        if self.chance.random() < 0.4:
            self.peer.signed_out = True
            if self.chance.random() < 0.5:
                self.peer.password = "zzzz-zzzz-zzzz-zzzz"

    def renew(self) -> None:
        self._passwords += 1
        self.peer.password = f"abcd-efgh-ijkl-{self._passwords:04}"
        self.secret = json.dumps({"app_password": self.peer.password})


KINDS: tuple[type[Place], ...] = (
    OnMastodon,
    OnBluesky,
    OnBlueskyChat,
    OnMatrix,
    OnWhatsApp,
    OnTelegram,
    OnX,
    OnXMessages,
    OnDiscourse,
    OnNodebb,
)

URLS = {
    "mastodon": "server",
    "bluesky": "service",
    "matrix": "url",
    "whatsapp": "api_url",
    "telegram": "api_url",
    "x": "api_url",
    "discourse": "url",
    "nodebb": "url",
}
"""What the address of the platform is called in each kind's config."""

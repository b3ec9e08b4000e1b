"""Bluesky's chat service behind a data server, written from the lexicons chat.bsky.convo.*.

The makers' test network has no chat service. What this follows (lexicons read November 2026):
getLog (revs in order, a cursor that is the last rev; without one only where the log is),
listConvos, getConvo, getConvoForMembers (makes the chat), getMessages (newest first), acceptConvo,
sendMessage (1,000 graphemes, an id of the service's own each time: no repeat is known); and of the
data server createSession, refreshSession, listNotifications (`mentions`), the header
`atproto-proxy`, and "Bad token method" for an app password without access to messages (see
`pipethrough` of @atproto/pds).

Not covered: blocks and who may write to whom beyond `refuses`, reactions, locked chats, deletions
for oneself, how long a log is kept, limits on the number of calls, real tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.text.graphemes import graphemes
from tests.peers.api_server import ApiServer, Request, Response

PROXY = "did:web:api.bsky.chat#bsky_chat"
US = "did:plc:stadsdeel"
PASSWORD = "aaaa-bbbb-cccc-dddd"
PAGE = 50


@dataclass
class Convo:
    id: str
    members: tuple[str, ...]
    status: str = "accepted"
    group: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)


class BlueskyChat(ApiServer):
    """`async with BlueskyChat() as server`: the team's account and whoever writes to it."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(self.answer)
        self._now = now
        self.password = PASSWORD
        self.signed_out = False
        """No session goes on: only the password opens another."""
        self.convos: dict[str, Convo] = {}
        self.log: list[dict[str, Any]] = []
        self.names: dict[str, str] = {US: "stadsdeel.example"}
        self.may_chat = True
        self.refuses = ""
        """The name of the error that whoever wants to write gets."""
        self.next_answers: dict[str, tuple[int, dict[str, str], Any]] = {}
        """Name of a call → what the next one gets; nothing is done."""
        self.ended = False
        """The access token is over until it is renewed."""
        self.forgets_log = False
        self.mentions: list[dict[str, Any]] = []
        """What the account is told of beside its chats, as notifications."""
        self.heard: list[str] = []
        self._numbers = itertools.count(1)

    # What a test does

    def says(
        self,
        name: str,
        text: str,
        *others: str,
        ago_s: float = 0,
        status: str = "accepted",
        **more: Any,
    ) -> dict[str, Any]:
        """Let somebody write to the team; with `others`, in a group."""
        did = f"did:plc:{name}"
        self.names[did] = f"{name}.example"
        members = (US, did, *(f"did:plc:{one}" for one in others))
        for one in members:
            self.names.setdefault(one, f"{one.rpartition(':')[2]}.example")
        convo = self._convo(members, status)
        return self._add(convo, did, {"text": text, **more}, ago_s)

    def sent(self, name: str = "fatma") -> list[str]:
        """Return what the team wrote to somebody, oldest first."""
        convo = self.convos.get(_id_of((US, f"did:plc:{name}")))
        told = convo.messages if convo else []
        return [one["text"] for one in told if one["sender"]["did"] == US]

    # What the service does

    def _convo(self, members: tuple[str, ...], status: str) -> Convo:
        name = _id_of(members)
        if name not in self.convos:
            self.convos[name] = Convo(name, members, status, group=len(members) > 2)
            self._tell("logBeginConvo", name)
        return self.convos[name]

    def _add(
        self, convo: Convo, did: str, said: dict[str, Any], ago_s: float = 0
    ) -> dict[str, Any]:
        number = next(self._numbers)
        made = self._now() - timedelta(seconds=ago_s)
        message = {
            "$type": "chat.bsky.convo.defs#messageView",
            "id": f"3m{number:011}",
            "rev": f"2222{next(self._numbers):09}",
            "sender": {"did": did},
            "sentAt": made.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **said,
        }
        convo.messages.append(message)
        self._tell("logCreateMessage", convo.id, message=message)
        return message

    def _tell(self, kind: str, convo: str, **more: Any) -> None:
        rev = f"2222{next(self._numbers):09}"
        self.log.append(
            {"$type": f"chat.bsky.convo.defs#{kind}", "rev": rev, "convoId": convo, **more}
        )

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        name = request.path.removeprefix("/xrpc/")
        self.heard.append(name)
        if name == "com.atproto.server.createSession":
            if request.json["password"] != self.password:
                return _error(401, "AuthenticationRequired")
            self.ended = self.signed_out = False
            return self._session()
        if name == "com.atproto.server.refreshSession":
            if self.signed_out:
                return _error(400, "ExpiredToken")
            self.ended = False
            return self._session()
        if self.ended or self.signed_out:
            return _error(400, "ExpiredToken")
        if request.headers.get("authorization") != "Bearer access":
            return _error(401, "AuthMissing")
        if name == "app.bsky.notification.listNotifications":
            return Response(body={"notifications": self.mentions})
        if name == "app.bsky.feed.getPosts":
            return Response(body={"posts": []})
        if request.headers.get("atproto-proxy") != PROXY:
            return Response(501, {"error": "MethodNotImplemented", "message": "No service"})
        if not self.may_chat:
            return Response(400, {"error": "InvalidToken", "message": "Bad token method"})
        if name in self.next_answers:
            status, headers, body = self.next_answers.pop(name)
            return Response(status, body, headers)
        work = getattr(self, f"_{name.removeprefix('chat.bsky.convo.')}", None)
        wanted = "POST" if name.endswith(("sendMessage", "acceptConvo")) else "GET"
        if work is None or request.method != wanted:
            return _error(404, "MethodNotImplemented")
        answer: Response = work(request)
        return answer

    def _session(self) -> Response:
        return Response(
            body={
                "did": US,
                "handle": self.names[US],
                "accessJwt": "access",
                "refreshJwt": "refresh",
                "active": True,
            }
        )

    def _getLog(self, request: Request) -> Response:
        cursor = request.query.get("cursor")
        last = self.log[-1]["rev"] if self.log else "2222"
        if cursor is None:
            return Response(body={"logs": [], "cursor": last})
        if self.forgets_log:
            self.forgets_log = False
            return _error(400, "InvalidRequest")
        found = [one for one in self.log if one["rev"] > cursor][:PAGE]
        return Response(body={"logs": found, "cursor": found[-1]["rev"] if found else cursor})

    def _listConvos(self, request: Request) -> Response:
        limit = int(request.query.get("limit", "50"))
        convos = [self._view(one) for one in self.convos.values()]
        return Response(body={"convos": convos[:limit]})

    def _getConvo(self, request: Request) -> Response:
        convo = self.convos.get(request.query["convoId"])
        return Response(body={"convo": self._view(convo)}) if convo else _error(400, "InvalidConvo")

    def _getConvoForMembers(self, request: Request) -> Response:
        did = request.query["members"]
        if self.refuses:
            return _error(400, self.refuses)
        if did not in self.names:
            return _error(400, "RecipientNotFound")
        return Response(body={"convo": self._view(self._convo((US, did), "accepted"))})

    def _getMessages(self, request: Request) -> Response:
        convo = self.convos.get(request.query["convoId"])
        if convo is None:
            return _error(400, "InvalidConvo")
        limit = int(request.query.get("limit", "50"))
        return Response(body={"messages": convo.messages[::-1][:limit]})

    def _acceptConvo(self, request: Request) -> Response:
        convo = self.convos[request.json["convoId"]]
        convo.status = "accepted"
        return Response(body={"rev": f"2222{next(self._numbers):09}"})

    def _sendMessage(self, request: Request) -> Response:
        asked = request.json
        convo, message = self.convos.get(asked["convoId"]), asked["message"]
        if convo is None:
            return _error(400, "InvalidConvo")
        if convo.status == "request":
            return _error(400, "InvalidRequest")
        if graphemes(message["text"]) > 1000 or len(message["text"].encode()) > 10_000:
            return _error(400, "InvalidRequest")
        return Response(body=self._add(convo, US, message))

    def _view(self, convo: Convo) -> dict[str, Any]:
        kind = "groupConvo" if convo.group else "directConvo"
        return {
            "id": convo.id,
            "rev": f"2222{next(self._numbers):09}",
            "members": [{"did": did, "handle": self.names[did]} for did in convo.members],
            "status": convo.status,
            "muted": False,
            "unreadCount": 0,
            "kind": {"$type": f"chat.bsky.convo.defs#{kind}"},
            **({"lastMessage": convo.messages[-1]} if convo.messages else {}),
        }


def _id_of(members: tuple[str, ...]) -> str:
    return "c" + "-".join(sorted(one.rpartition(":")[2] for one in members))


def _error(status: int, name: str) -> Response:
    return Response(status, {"error": name, "message": name})

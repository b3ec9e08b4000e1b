"""A Matrix homeserver in small, written from the specification and from nothing else.

Source: Matrix specification v1.15, Client-Server API (read 2026-11): "Login", "Getting events for a
room" (state, joined_members, messages), "Sending events to a room", "Transaction identifiers" (of
one device, for one endpoint), "Redactions", "Content repository" (upload), "Standard error
response".

It is for simulations of thousands of histories, which would take a real server hours; the tests of
the adapter play against Synapse. Not covered: syncing, invitations, federation, encryption, who may
do what in a room, refresh tokens, and limits of any kind.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.peers.api_server import Request, Response

SERVER = "buurt.example"
US = f"@gemeente:{SERVER}"
CLIENT = "/_matrix/client/v3"


@dataclass
class Room:
    """One room; `events` are all that was said, oldest first."""

    id: str
    members: list[str]
    events: list[dict[str, Any]] = field(default_factory=list)


class Homeserver:
    """The server, with one account of ours; everybody else is moved by the test."""

    def __init__(self, now_ms: Callable[[], int], password: str = "deur-op-een-kier") -> None:
        self.password = password
        self.rooms: dict[str, Room] = {}
        self.tokens: dict[str, str] = {}
        """Token → device."""
        self.media: dict[str, bytes] = {}
        """What was uploaded, by its address."""
        self._now_ms = now_ms
        self._count = itertools.count(1)
        self._done: dict[tuple[str, str], str] = {}

    # -- what people do ----------------------------------------------------------------

    def room(self, *residents: str) -> Room:
        """Let residents begin a room with us."""
        room = Room(f"!r{next(self._count)}:{SERVER}", [US, *residents])
        self.rooms[room.id] = room
        return room

    def says(self, room: Room, sender: str, content: dict[str, Any] | str) -> str:
        """Let somebody say something; return the event's id."""
        if isinstance(content, str):
            content = {"msgtype": "m.text", "body": content}
        event_id = f"$e{next(self._count)}"
        room.events.append(
            {
                "type": "m.room.message",
                "event_id": event_id,
                "sender": sender,
                "origin_server_ts": self._now_ms(),
                "content": content,
            }
        )
        return event_id

    def takes_back(self, room: Room, event_id: str) -> None:
        """Let somebody redact what she said: the event stays, without its content."""
        for event in room.events:
            if event["event_id"] == event_id:
                event["content"] = {}

    def sign_out(self) -> None:
        """End every token of ours."""
        self.tokens.clear()

    # -- what the account asks -----------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        if request.method == "POST" and request.path == f"{CLIENT}/login":
            return self._login(request.json)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return _error(401, "M_UNKNOWN_TOKEN")
        if request.path == f"{CLIENT}/account/whoami":
            return Response(200, {"user_id": US, "device_id": self.tokens[token]})
        if (request.method, request.path) == ("POST", "/_matrix/media/v3/upload"):
            uri = f"mxc://{SERVER}/m{next(self._count)}"
            self.media[uri] = request.body
            return Response(200, {"content_uri": uri})
        found = re.fullmatch(rf"{CLIENT}/rooms/([^/]+)/(.+)", request.path)
        room = self.rooms.get(found[1]) if found else None
        if found is None or room is None or US not in room.members:
            return _error(403, "M_FORBIDDEN")
        match request.method, found[2].split("/"):
            case "GET", ["state", kind]:
                return self._state(kind)
            case "GET", ["joined_members"]:
                names = {
                    user: {"display_name": user[1:].partition(":")[0]} for user in room.members
                }
                return Response(200, {"joined": names})
            case "GET", ["messages"]:
                return self._messages(room, request)
            case "PUT", ["send", "m.room.message", transaction]:
                return self._send(room, transaction, self.tokens[token], request.json)
        return _error(404, "M_UNRECOGNIZED")

    def _login(self, said: dict[str, Any]) -> Response:
        if said.get("password") != self.password:
            return _error(403, "M_FORBIDDEN")
        device = str(said.get("device_id") or f"D{next(self._count)}")
        # "If this corresponds to a known client device, … any previous access token … invalidated."
        self.tokens = {token: known for token, known in self.tokens.items() if known != device}
        token = f"syt_{next(self._count)}"
        self.tokens[token] = device
        return Response(200, {"user_id": US, "access_token": token, "device_id": device})

    def _state(self, kind: str) -> Response:
        if kind == "m.room.join_rules":
            return Response(200, {"join_rule": "invite"})
        if kind == "m.room.history_visibility":
            return Response(200, {"history_visibility": "shared"})
        return _error(404, "M_NOT_FOUND")

    def _messages(self, room: Room, request: Request) -> Response:
        assert request.query.get("dir") == "b"
        wanted = json.loads(request.query.get("filter", "{}"))
        place = int(request.query.get("from", "").removeprefix("t") or len(room.events))
        limit = int(request.query.get("limit", "10"))
        start = max(0, place - limit)
        chunk = [
            event
            for event in reversed(room.events[start:place])
            if event["sender"] in wanted.get("senders", [event["sender"]])
            and event["type"] in wanted.get("types", [event["type"]])
        ]
        answer: dict[str, Any] = {"start": f"t{place}", "chunk": chunk}
        return Response(200, answer | ({"end": f"t{start}"} if start else {}))

    def _send(self, room: Room, transaction: str, device: str, content: dict[str, Any]) -> Response:
        # Transaction ids are those of one device and one endpoint, the room included.
        key = (device, f"{room.id} {transaction}")
        if key not in self._done:
            self._done[key] = self.says(room, US, content)
        return Response(200, {"event_id": self._done[key]})


def _error(status: int, code: str) -> Response:
    return Response(status, {"errcode": code, "error": code.lower()})

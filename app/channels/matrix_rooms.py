"""What a reply depends on in a Matrix room: who is in it, who can read it, and what was said.

Source: Matrix specification v1.15, Client-Server API, "Getting events for a room" (read 2026-11).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from app.channels.contract import Permanent
from app.channels.matrix_events import MESSAGES, ROOM_CHANGES, Room
from app.channels.matrix_session import CLIENT, MatrixSession
from app.channels.platform_http import dig_dict, dig_list, dig_text


class Rooms:
    """The rooms of one account, each asked about once until something in it changes."""

    def __init__(self, session: MatrixSession) -> None:
        self._session = session
        self._known: dict[str, Room] = {}

    def note_changes(self, room_id: str, joined: Any) -> None:
        events = dig_list(joined, "state", "events") + dig_list(joined, "timeline", "events")
        if any(dig_text(event, "type") in ROOM_CHANGES for event in events):
            self._known.pop(room_id, None)

    async def get(self, room_id: str, *, fresh: bool = False) -> Room:
        """Return what is known of a room. Raises Permanent("not_in_room")."""
        if fresh or room_id not in self._known:
            self._known[room_id] = await self._ask_room(room_id)
        return self._known[room_id]

    async def _ask_room(self, room_id: str) -> Room:
        async def state(kind: str) -> dict[str, Any]:
            answer = await self._session.ask("GET", f"{at(room_id)}/state/{kind}")
            return answer.body if answer.fine else {}

        rule, history, encryption = await asyncio.gather(
            state("m.room.join_rules"),
            state("m.room.history_visibility"),
            state("m.room.encryption"),
        )
        try:
            there = await self._session.ask("GET", f"{at(room_id)}/joined_members")
            members = dig_dict(there.body, "joined")
        except Permanent as error:
            if error.code != "answer_too_large":
                raise
            members = {}
        return Room(
            room_id,
            {user: dig_text(who, "display_name") for user, who in members.items()},
            public=rule.get("join_rule") == "public"
            or history.get("history_visibility") == "world_readable",
            encrypted=bool(encryption),
        )

    async def back(
        self, room_id: str, from_: str, *, to: str, pages: int, sender: str = ""
    ) -> AsyncIterator[tuple[list[Any], bool]]:
        """Yield pages of a room, newest first, each with whether it is the last there is.

        A page may be empty and not the last: a filter is applied to what a page holds.
        """
        wanted: dict[str, Any] = {"types": list(MESSAGES)} | (
            {"senders": [sender]} if sender else {}
        )
        for _ in range(pages):
            query = {"dir": "b", "limit": "100", "filter": json.dumps(wanted)}
            query |= {"from": from_} if from_ else {}
            query |= {"to": to} if to else {}
            path = f"{CLIENT}/rooms/{quote(room_id, safe='')}/messages"
            answer = await self._session.ask("GET", path, params=query)
            end = dig_text(answer.body, "end")
            last = not end or end == from_
            yield dig_list(answer.body, "chunk"), last
            if last:
                return
            from_ = end


def at(room_id: str) -> str:
    return f"{CLIENT}/rooms/{quote(room_id, safe='')}"

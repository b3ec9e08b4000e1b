"""What comes in from Matrix: `/sync`, what it left out, files, read receipts and invitations.

Source: Matrix specification v1.15, Client-Server API, "Syncing" and "Content repository" (read
2026-11).
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from app.channels.contract import (
    Batch,
    DeliveryReport,
    Gap,
    Incoming,
    IncomingAttachment,
    Permanent,
    Temporary,
    Unconfirmed,
)
from app.channels.matrix_allowance import Allowance
from app.channels.matrix_events import (
    MESSAGES,
    ROOM_CHANGES,
    File,
    delivery_of,
    file_of,
    named,
    read,
    replaced_by,
)
from app.channels.matrix_rooms import Rooms, at
from app.channels.matrix_session import CLIENT, MatrixSession, MatrixSettings
from app.channels.platform_http import TIMEOUT_S, dig, dig_dict, dig_int, dig_list, dig_text

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 10_000_000
MAX_SYNC_BYTES = 64_000_000
PAGE = 50
MAX_PAGES = 10
"""How far is read back in a room where more was said than one answer holds."""

TOO_SLOW = frozenset({"ReadTimeout", "TimeoutError"})
"""How `platform_http` says that the line was open and nothing came in time."""

POLL_S = 30.0
INVITED_MS = 24 * 3600 * 1000
"""How long an invitation is tried that another server does not complete."""

_FILTER = json.dumps(
    {
        "presence": {"types": []},
        "account_data": {"types": []},
        "room": {
            "account_data": {"types": []},
            "ephemeral": {"types": ["m.receipt"]},
            "state": {"types": list(ROOM_CHANGES), "lazy_load_members": True},
            "timeline": {"types": [*MESSAGES, *ROOM_CHANGES], "limit": PAGE},
        },
    }
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the server's own token leads on, when it was given, and which invitations wait."""

    token: str = ""
    at_ms: int = 0
    invites: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"m1 {self.at_ms} {json.dumps(self.invites)} {self.token}"

    @classmethod
    def read(cls, cursor: str | None) -> Cursor:
        """Return what a cursor says; one that nobody knows is the beginning."""
        form = _CURSOR.fullmatch(cursor or "")
        if form is None:
            return cls()
        try:
            invites = {str(room): int(ms) for room, ms in json.loads(form[2]).items()}
        except (ValueError, TypeError):
            return cls()
        return cls(form[3], int(form[1]), invites)


_CURSOR = re.compile(r"m1 (\d{1,15}) (\{.*\}) (\S+)", re.ASCII)


class Inbox:
    """Reads what happens in the rooms of one account."""

    def __init__(
        self,
        settings: MatrixSettings,
        session: MatrixSession,
        rooms: Rooms,
        now_ms: Callable[[], int],
        max_pages: int,
        allowance: Callable[[], Allowance] = Allowance,
    ) -> None:
        self._settings = settings
        self._session = session
        self._rooms = rooms
        self._now_ms = now_ms
        self._max_pages = max_pages
        self._allowance = allowance
        self._ahead: tuple[str, dict[str, Any]] | None = None
        self._seen = ""
        """The cursor that was given out last, to wait behind."""

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The cursor is the server's token, its time, and who invites us."""
        known, answer = await self._sync(Cursor.read(cursor), 0.0)
        now_ms = self._now_ms()
        left = self._allowance()
        items: list[Incoming | DeliveryReport] = []
        echoes: list[str] = []
        gap_to_ms = 0
        for room_id, joined in dig_dict(answer, "rooms", "join").items():
            self._rooms.note_changes(room_id, joined)
            events, whole = await self._timeline(room_id, joined, known.token)
            if not whole and known.token:
                gap_to_ms = max(gap_to_ms, dig_int(events, 0, "origin_server_ts"))
            echoes += [delivery_of(event) for event in events if self._ours(event)]
            try:
                items += await self._read(room_id, events, now_ms, left)
                items += await self._receipts(room_id, joined)
            except Permanent as error:
                if error.code != "not_in_room":
                    raise
                log.info("a room was left while it was read")
        invites = await self._accept(answer, known, now_ms)
        after = Cursor(dig_text(answer, "next_batch"), now_ms, invites[0])
        gap = Gap(min(known.at_ms, gap_to_ms), gap_to_ms) if gap_to_ms else None
        self._seen = str(after)
        return Batch(tuple(items), self._seen, invites[1], tuple(filter(None, echoes)), gap)

    async def wait(self, timeout_s: float) -> bool:
        """See Waiting. Looks behind what was fetched last, and keeps what comes for `fetch`."""
        end_s = asyncio.get_running_loop().time() + timeout_s
        start = self._seen
        known = Cursor.read(start)
        while known.token:
            left_s = end_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                return bool(known.invites)
            _, answer = await self._sync(known, min(left_s, POLL_S))
            if dig_dict(answer, "rooms", "join") or dig_dict(answer, "rooms", "invite"):
                self._ahead = (start, answer)
                return True
            known = Cursor(dig_text(answer, "next_batch"), known.at_ms, known.invites)
        return True

    async def _sync(self, known: Cursor, wait_s: float) -> tuple[Cursor, dict[str, Any]]:
        """Ask what is new; return it with the place that it follows on."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and not wait_s and ahead[0] == str(known):
            return known, ahead[1]
        query = {"filter": _FILTER, "timeout": str(int(wait_s * 1000)), "set_presence": "offline"}
        since = {"since": known.token} if known.token else {}
        try:
            answer = await self._session.ask(
                "GET",
                f"{CLIENT}/sync",
                params=query | since,
                timeout_s=wait_s + 30.0,
                max_bytes=MAX_SYNC_BYTES,
            )
        except Permanent as error:
            if not since or error.code != "platform_refused":
                raise
            # The server no longer knows this place: begin again, what is known comes once.
            return await self._sync(Cursor(), 0.0)
        if not dig_text(answer.body, "next_batch"):
            raise Temporary("platform_busy", "an answer that is no sync", account_wide=True)
        return known, answer.body

    async def _timeline(self, room_id: str, joined: Any, since: str) -> tuple[list[Any], bool]:
        """Return what was said, oldest first, and whether that is all of it."""
        events = dig_list(joined, "timeline", "events")
        from_ = dig_text(joined, "timeline", "prev_batch")
        if not dig(joined, "timeline", "limited") or not from_:
            return events, True
        earlier: list[Any] = []
        whole = False
        pages = self._rooms.back(room_id, from_, to=since, pages=self._max_pages)
        async for page, last in pages:
            earlier += page
            # At the very beginning the floor is far enough. Later on it is no place to stop: the
            # time of an event is what its sender's server makes of it.
            floor = not since and dig_int(page, -1, "origin_server_ts") < self._settings.since_ms
            whole = last or bool(page and floor)
            if whole:
                break
        return earlier[::-1] + events, whole

    def _ours(self, event: Any) -> bool:
        return dig_text(event, "sender") == self._settings.user

    async def _read(
        self, room_id: str, events: list[Any], now_ms: int, left: Allowance
    ) -> list[Incoming]:
        found = [
            await self._taken(room_id, event, now_ms, left)
            for event in events
            if not self._ours(event)
        ]
        return [item for item in found if item is not None]

    async def _taken(
        self, room_id: str, event: Any, now_ms: int, left: Allowance
    ) -> Incoming | None:
        """Read one event of somebody else, with its file."""
        if dig_text(event, "type") not in MESSAGES:
            return None
        room = await self._rooms.get(room_id)
        item = read(event, room, now_ms)
        if item is None or (item.kind == "new" and item.sent_at_ms < self._settings.since_ms):
            return None
        if item.kind == "edit" and not await self._wrote(room_id, event):
            return None
        file = file_of(event) if item.kind == "new" else None
        return item if file is None else await self._with_file(item, file, left)

    async def _wrote(self, room_id: str, event: Any) -> bool:
        """Say whether whoever edits a message wrote it: servers pass on anybody's edit."""
        path = f"{at(room_id)}/event/{quote(replaced_by(event), safe='')}"
        try:
            original = (await self._session.ask("GET", path)).body
        except Permanent:
            return False
        return bool(dig_text(event, "sender")) and original.get("sender") == event["sender"]

    async def _with_file(self, item: Incoming, file: File, left: Allowance) -> Incoming:
        """Fetch a file through our own server, which alone talks to the one that has it."""
        lost = replace(item, notices=(*item.notices, "attachments_dropped"))
        most_bytes = min(MAX_FILE_BYTES, left.left_bytes)
        left_s = left.left_s
        if file.size_bytes > most_bytes or left_s <= 0:
            return lost
        place = f"{quote(file.server, safe=':')}/{quote(file.media_id, safe='')}"
        try:
            answer = await self._session.ask(
                "GET",
                f"/_matrix/client/v1/media/download/{place}",
                timeout_s=min(TIMEOUT_S, left_s),
                max_bytes=most_bytes,
            )
        except Permanent:
            return lost
        except Temporary as error:
            # Our server is there, the one that has the file is not: that holds up nothing.
            if error.code != "platform_busy" and error.detail not in TOO_SLOW:
                raise
            return lost
        left.take(len(answer.content))
        if not answer.fine:
            return lost
        kept = IncomingAttachment(file.name, file.media_type, answer.content)
        return replace(item, attachments=(kept,))

    async def _receipts(self, room_id: str, joined: Any) -> list[DeliveryReport]:
        """Return what the one other person in a chat has read; of a room nobody can tell."""
        events = [
            event
            for event in dig_list(joined, "ephemeral", "events")
            if dig_text(event, "type") == "m.receipt"
        ]
        if not events or not (await self._rooms.get(room_id)).direct:
            return []
        return [
            DeliveryReport(
                named(room_id, event_id), None, "delivered", "m.read", dig_int(by, user, "ts")
            )
            for event in events
            for event_id, kinds in dig_dict(event, "content").items()
            for by in [dig_dict(kinds, "m.read")]
            for user in by
            if user != self._settings.user
        ]

    async def _accept(self, answer: Any, known: Cursor, now_ms: int) -> tuple[dict[str, int], bool]:
        """Join where we may; return who still waits for us, and whether there is a room more."""
        waiting = {
            room_id: since_ms
            for room_id, since_ms in known.invites.items()
            if now_ms - since_ms < INVITED_MS
        }
        for room_id, invite in dig_dict(answer, "rooms", "invite").items():
            if self._welcome(dig_list(invite, "invite_state", "events")):
                waiting[room_id] = now_ms
        joined = False
        for room_id in list(waiting)[:5]:
            try:
                done = await self._session.ask("POST", f"{at(room_id)}/join", json={})
                joined = joined or done.fine
                del waiting[room_id]
            except Permanent:
                del waiting[room_id]
            except (Temporary, Unconfirmed) as error:
                log.info("an invitation waits: %s", error.code)
        return waiting, joined

    def _welcome(self, events: list[Any]) -> bool:
        """Say whether an invitation is to a room, not a space, and comes from where it may."""
        allowed = self._settings.invite_servers
        if any(dig(event, "content", "type") == "m.space" for event in events):
            return False
        return any(
            dig(event, "content", "membership") == "invite"
            and dig(event, "state_key") == self._settings.user
            and ("*" in allowed or dig_text(event, "sender").partition(":")[2].lower() in allowed)
            for event in events
        )

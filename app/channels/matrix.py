"""Matrix: chats of two and rooms, on whatever server the municipality has its account.

A reply's transaction id is its external id, so the server itself makes nothing of a repeat from the
same device; what was sent also says which delivery it is, so that it is found again whatever
happened to the sign-in. Encrypted rooms are shown as what they are: they cannot be read or
answered here. Source: Matrix specification v1.15, Client-Server API (read 2026-11).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from app.channels.contract import (
    Batch,
    Capabilities,
    ChannelError,
    Outgoing,
    Permanent,
    Receipt,
    Setup,
    SetupField,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.matrix_events import OURS, Room, delivery_of, named, place_of, replaced_by
from app.channels.matrix_rooms import Rooms, at
from app.channels.matrix_session import MatrixSession, MatrixSettings, settings_of
from app.channels.matrix_sync import MAX_FILE_BYTES, MAX_PAGES, Inbox
from app.channels.platform_http import dig_text

MAX_CHARS = 10_000
"""An event has at most 65,536 bytes (specification, "Size limits"); four a character, and room."""

AGAIN_S = 40.0
"""For the look and the second try; with what comes before less than a delivery's lease."""

LOOK_PAGES = 3
"""How many pages of a hundred of our own messages are searched for one that may be there."""

CAPABILITIES = Capabilities(
    max_chars=MAX_CHARS, threads=False, attachments=1, max_attachment_bytes=MAX_FILE_BYTES
)

SETUP = Setup(
    intro=(
        (
            "Maak op jullie Matrix-server een account voor het team. Versleutelde kamers kan Stoep "
            "niet lezen of beantwoorden: zet versleuteling uit waar inwoners jullie schrijven."
        ),
        (
            "Make an account for the team on your Matrix server. Stoep cannot read or answer "
            "encrypted rooms: leave encryption off where residents write to you."
        ),
    ),
    fields=(
        SetupField(
            "url",
            ("Adres van de server", "Address of the server"),
            "url",
            ("Bijvoorbeeld https://matrix.example.nl", "For example https://matrix.example.nl"),
        ),
        SetupField(
            "user",
            ("Account", "Account"),
            help=("Bijvoorbeeld @noordoost:example.nl", "For example @noordoost:example.nl"),
        ),
        SetupField("password", ("Wachtwoord", "Password"), "secret", required=False),
        SetupField(
            "access_token",
            ("Toegangstoken", "Access token"),
            "secret",
            (
                "In plaats van een wachtwoord, als de server alleen tokens kent.",
                "Instead of a password, if the server knows tokens only.",
            ),
            required=False,
        ),
        SetupField(
            "invite_servers",
            ("Uitnodigingen aannemen van", "Accept invitations from"),
            "lines",
            (
                "Eén servernaam per regel; * is iedereen. Leeg: geen enkele uitnodiging.",
                "One server name a line; * is everybody. Empty: no invitation at all.",
            ),
            required=False,
        ),
    ),
)


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> MatrixChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return MatrixChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return the transaction id of a delivery; the event's own id replaces it once it is sent."""
    return delivery_id


class MatrixChannel:
    """Adapter, Source, Waiting and Sender of one account."""

    capabilities = CAPABILITIES

    def __init__(
        self, settings: MatrixSettings, now_ms: Callable[[], int], max_pages: int = MAX_PAGES
    ) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._session = MatrixSession(settings, now_ms)
        self._rooms = Rooms(self._session)
        self._inbox = Inbox(settings, self._session, self._rooms, now_ms, max_pages)

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None:
        """Sign in, and see that it is the account that was meant."""
        if (who := await self._session.who()) != self._settings.user:
            raise SignedOut("token_refused", "the token belongs to another account" if who else "")

    async def known_as(self) -> str:
        """See Known: the user, by whichever address its server is reached."""
        return self._settings.user

    async def close(self) -> None:
        await self._session.close()

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The cursor is the server's own token, with what has to be kept beside it."""
        return await self._inbox.fetch(cursor)

    async def wait(self, timeout_s: float) -> bool:
        """See Waiting. The server answers as soon as something happens."""
        return await self._inbox.wait(timeout_s)

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. A lost answer is looked up, then the same transaction is put once more."""
        if len(reply.text) > MAX_CHARS:
            raise Permanent("too_long", f"{len(reply.text)} of {MAX_CHARS}")
        if len(reply.attachments) > 1:
            raise Permanent("too_many_attachments", str(len(reply.attachments)))
        room = await self._addressed(reply)
        content = await self._content(reply, room)
        path = f"{at(room.id)}/send/m.room.message/{quote(reply.external_id, safe='')}"
        try:
            return await self._put(room.id, path, content, sign_in_again=True)
        except (Unconfirmed, Temporary) as error:
            if error.code == "rate_limited":
                raise
            first = error
        try:
            async with asyncio.timeout(AGAIN_S):
                if (found := await self.find(reply)) is not None:
                    return found
                # Not signed in anew in between: to another device it would be another message.
                return await self._put(room.id, path, content, sign_in_again=False)
        except TimeoutError:
            raise Unconfirmed("answer_lost", "no answer in time") from None
        except ChannelError as second:
            raise _worse(first, second) from None

    async def _put(
        self, room_id: str, path: str, content: dict[str, Any], *, sign_in_again: bool
    ) -> Receipt:
        answer = await self._session.ask(
            "PUT", path, changes=True, sign_in_again=sign_in_again, json=content
        )
        if answer.status == 404:
            raise Permanent("not_in_room", "404")
        event_id = dig_text(answer.body, "event_id")
        if not event_id.startswith("$"):
            raise Unconfirmed("answer_lost", "an answer without an event")
        return Receipt(named(room_id, event_id), "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. Looks back in the room for our own message with this delivery in it."""
        room_id = self._room_id(reply)
        if not room_id:
            return None
        user = self._settings.user
        async for page, _ in self._rooms.back(room_id, "", to="", pages=LOOK_PAGES, sender=user):
            for event in page:
                if event.get("sender") != user or replaced_by(event):
                    continue
                if delivery_of(event) in {reply.delivery_id, reply.external_id}:
                    event_id = dig_text(event, "event_id")
                    return Receipt(named(room_id, event_id), "sent", self._now_ms())
        return None

    def _room_id(self, reply: Outgoing) -> str:
        """Return the room to answer in: the address names it, or the message that is answered."""
        room_id = reply.recipient.partition(" ")[2]
        return room_id or place_of(reply.in_reply_to or "")[0]

    async def _addressed(self, reply: Outgoing) -> Room:
        """Return the room to answer in, as it is now. Raises Permanent when it must not be."""
        room_id = self._room_id(reply)
        if not room_id:
            raise Permanent("no_room", "nothing says in which room to answer")
        room = await self._rooms.get(room_id, fresh=True)
        user, _, in_front_of_others = reply.recipient.partition(" ")
        if room.encrypted:
            raise Permanent("room_encrypted")
        if not in_front_of_others and not room.direct:
            raise Permanent("room_not_private", f"{len(room.members)} members")
        if room.direct and user not in room.members:
            raise Permanent("resident_left")
        return room

    async def _content(self, reply: Outgoing, room: Room) -> dict[str, Any]:
        content: dict[str, Any] = {"msgtype": "m.text", "body": reply.text, OURS: reply.delivery_id}
        content["m.mentions"] = {} if room.direct else {"user_ids": [reply.recipient.split(" ")[0]]}
        room_id, event_id = place_of(reply.in_reply_to or "")
        if room_id == room.id:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": event_id}}
        for file in reply.attachments:
            if len(file.content) > MAX_FILE_BYTES:
                raise Permanent("file_too_large", f"{len(file.content)} bytes")
            # Uploading alone says nothing to anybody, so doing that twice is harmless.
            answer = await self._session.ask(
                "POST",
                "/_matrix/media/v3/upload",
                params={"filename": file.name},
                headers={"Content-Type": file.media_type},
                content=file.content,
            )
            uri = dig_text(answer.body, "content_uri")
            if not uri.startswith("mxc://"):
                # A portal's page, or a server without uploads: what is posted now has no picture.
                raise Temporary("platform_busy", f"{answer.status}, no file", account_wide=True)
            content |= {
                "msgtype": "m.image" if file.media_type.startswith("image/") else "m.file",
                "filename": file.name,
                "body": reply.caption(MAX_CHARS) or file.name,
                "url": uri,
                "info": {"mimetype": file.media_type, "size": len(file.content)},
            }
        return content


def _worse(first: ChannelError, second: ChannelError) -> ChannelError:
    """Return what is true after two tries: once it may be out, no later failure undoes that."""
    return first if isinstance(first, Unconfirmed) else second

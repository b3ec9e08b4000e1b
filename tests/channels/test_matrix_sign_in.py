"""One sign-in for all that is asked at the same moment."""

import json

from app.channels.contract import Outgoing
from app.channels.matrix import build
from app.ids import uuid7
from tests.peers.api_server import ApiServer
from tests.peers.homeserver import CLIENT, SERVER, US, Homeserver

NOW_MS = 1_793_620_000_000
FATMA = f"@fatma:{SERVER}"


async def test_questions_side_by_side_do_not_end_each_others_tokens() -> None:
    peer = Homeserver(lambda: NOW_MS)
    room = peer.room(FATMA)
    event = peer.says(room, FATMA, "Wanneer wordt de lantaarn gemaakt?")
    async with ApiServer(peer.answer) as server:
        channel = build(
            {"url": server.url, "user": US},
            json.dumps({"password": peer.password}),
            lambda: NOW_MS,
        )
        number = uuid7()
        for text in ("Donderdag.", "Toch vrijdag."):
            reply = Outgoing(
                delivery_id=number, external_id=uuid7(), recipient=FATMA, subject="", text=text,
                created_at_ms=NOW_MS, in_reply_to=f"{room.id}/{event}",
            )  # fmt: skip
            assert (await channel.send(reply)).state == "sent"
            # A server that forgot us is signed in to once more, not once for each question.
            peer.sign_out()
        await channel.close()
    logins = [asked for asked in server.asked if asked.path == f"{CLIENT}/login"]
    assert len(logins) == 2
    assert [one["content"]["body"] for one in room.events[1:]] == ["Donderdag.", "Toch vrijdag."]

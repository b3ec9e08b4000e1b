"""Photos come up in pieces over a bad network, and go only to who may see the conversation."""

import asyncio

import httpx
import pytest
from sqlmodel import Session, select

from app.accounts.policy import Principal
from app.ids import uuid7
from app.inbox.attachments import PIECE_BYTES
from app.inbox.leftovers import Leftovers
from app.inbox.models import Attachment, AttachmentData
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import PADDEPOEL, op
from tests.support.visitor import ORIGIN, photo


class Phone:
    """A colleague's phone, signed in; sends a photo in pieces."""

    def __init__(self, neighbourhood: Neighbourhood, who: Principal) -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(neighbourhood.app),
            base_url=ORIGIN,
            headers={"Sec-Fetch-Site": "same-origin"},
            cookies=neighbourhood.signs_in(who),
        )

    async def put(
        self,
        blob: str,
        content: bytes,
        offset: int,
        piece: bytes | None = None,
        query: dict[str, str | int] | None = None,
    ) -> httpx.Response:
        """Send the piece of `content` at `offset`; `query` replaces what would be said of it."""
        if piece is None:
            piece = content[offset : offset + PIECE_BYTES]
        params: dict[str, str | int] = {"offset": offset, "size": len(content)}
        params |= {"type": "image/jpeg"} | (query or {})
        return await self.http.put(f"/api/v1/uploads/{blob}", params=params, content=piece)

    async def uploads(self, content: bytes) -> str:
        """Send a whole photo; return its id."""
        blob, have = uuid7(), 0
        while have < len(content):
            answer = await self.put(blob, content, have)
            assert answer.status_code == 200, answer.text
            have = answer.json()["have"]
        return blob

    async def downloads(self, attachment: str, query: str = "") -> httpx.Response:
        """Fetch a photo."""
        return await self.http.get(f"/api/v1/attachments/{attachment}{query}")


@pytest.fixture
def anna(neighbourhood: Neighbourhood) -> Phone:
    """Anna's phone; she works in Paddepoel."""
    return Phone(neighbourhood, neighbourhood.town.anna)


@pytest.fixture
def chaima(neighbourhood: Neighbourhood) -> Phone:
    """Chaima's phone; she works elsewhere."""
    return Phone(neighbourhood, neighbourhood.town.chaima)


LARGE = photo() + bytes(3 * PIECE_BYTES)


async def test_a_photo_in_pieces_becomes_one_clean_photo(anna: Phone) -> None:
    blob = await anna.uploads(LARGE)
    full = await anna.downloads(blob)
    thumb = await anna.downloads(blob, "?size=thumb")
    assert full.status_code == thumb.status_code == 200
    assert full.headers["Content-Type"] == "image/jpeg"
    assert full.headers["Cache-Control"] == "no-store"
    assert full.headers["API-Version"]
    assert len(thumb.content) < len(full.content) < len(LARGE)


async def test_no_pieces_are_left_when_a_photo_is_complete(
    neighbourhood: Neighbourhood, anna: Phone
) -> None:
    await anna.uploads(LARGE)
    parts = neighbourhood.town.db.read_now(
        lambda session: sorted(session.exec(select(AttachmentData.part)).all())
    )
    assert parts == ["full", "thumb"]


async def test_after_a_lost_answer_the_phone_hears_where_to_go_on(anna: Phone) -> None:
    blob = uuid7()
    assert (await anna.put(blob, LARGE, 0)).json() == {"have": PIECE_BYTES}
    again = await anna.put(blob, LARGE, 0)
    assert again.status_code == 409
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.json()["have"] == PIECE_BYTES
    ahead = await anna.put(blob, LARGE, 2 * PIECE_BYTES)
    assert (ahead.status_code, ahead.json()["have"]) == (409, PIECE_BYTES)
    assert (await anna.put(blob, LARGE, PIECE_BYTES)).json() == {"have": 2 * PIECE_BYTES}


async def test_the_last_piece_sent_again_tells_that_all_is_there(anna: Phone) -> None:
    content = photo()
    blob = await anna.uploads(content)
    again = await anna.put(blob, content, 0)
    assert (again.status_code, again.json()["have"]) == (409, len(content))


async def test_the_same_piece_twice_at_once_counts_once(anna: Phone) -> None:
    for content in (LARGE, photo()):
        blob = uuid7()
        answers = await asyncio.gather(*(anna.put(blob, content, 0) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert {answer.json()["have"] for answer in answers} == {min(PIECE_BYTES, len(content))}


async def test_a_first_piece_that_never_came_is_asked_for(anna: Phone) -> None:
    answer = await anna.put(uuid7(), LARGE, PIECE_BYTES)
    assert (answer.status_code, answer.json()["have"]) == (409, 0)


async def test_an_upload_belongs_to_who_began_it(
    neighbourhood: Neighbourhood, anna: Phone, chaima: Phone
) -> None:
    blob = uuid7()
    await anna.put(blob, LARGE, 0)
    assert (await chaima.put(blob, LARGE, PIECE_BYTES)).status_code == 404
    done = await anna.uploads(photo())
    assert (await chaima.downloads(done)).status_code == 404
    bram = Phone(neighbourhood, neighbourhood.town.bram)
    assert (await bram.downloads(done)).status_code == 404


async def test_once_sent_a_photo_is_seen_by_who_sees_the_conversation(
    neighbourhood: Neighbourhood, anna: Phone, chaima: Phone
) -> None:
    blob = await anna.uploads(photo())
    conversation = neighbourhood.town.resident_writes(area=PADDEPOEL)
    note = op("note", conversation, text="Kijk", attachments=[blob])
    (result,) = neighbourhood.town.does(neighbourhood.town.anna, note)
    assert result["outcome"] == "applied"
    bram = Phone(neighbourhood, neighbourhood.town.bram)
    assert (await bram.downloads(blob)).status_code == 200
    assert (await chaima.downloads(blob)).status_code == 404
    assert (await anna.put(blob, photo(), 0)).status_code == 409


async def test_a_photo_that_is_not_complete_is_not_there_yet(anna: Phone) -> None:
    blob = uuid7()
    await anna.put(blob, LARGE, 0)
    assert (await anna.downloads(blob)).status_code == 404


async def test_what_is_no_photo_is_refused_and_forgotten(
    neighbourhood: Neighbourhood, anna: Phone
) -> None:
    page = b"<script>alert(1)</script>" * 9000
    blob = uuid7()
    answer = None
    for offset in range(0, len(page), PIECE_BYTES):
        answer = await anna.put(blob, page, offset)
    assert answer is not None
    assert (answer.status_code, answer.json()["code"]) == (415, "not_a_photo")
    left = neighbourhood.town.db.read_now(lambda session: session.exec(select(Attachment)).all())
    assert not left
    assert (await anna.put(blob, page, PIECE_BYTES)).json()["have"] == 0


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"size": 0}, 400),
        ({"size": -1}, 400),
        ({"size": 10_000_001}, 413),
        ({"size": 2**63}, 400),
        ({"offset": -1}, 400),
        ({"offset": "NaN"}, 400),
        ({"size": 10}, 400),
        ({"type": "image/svg+xml"}, 400),
        ({"type": "text/html"}, 400),
    ],
)
async def test_a_piece_that_does_not_fit_changes_nothing(
    neighbourhood: Neighbourhood, anna: Phone, query: dict[str, str | int], status: int
) -> None:
    answer = await anna.put(uuid7(), LARGE, 0, query=query)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    left = neighbourhood.town.db.read_now(lambda session: session.exec(select(Attachment)).all())
    assert not left


@pytest.mark.parametrize("blob", ["x", "..%2f..%2fkey", "A" * 36, "%00"])
async def test_an_upload_needs_an_id_of_the_right_form(anna: Phone, blob: str) -> None:
    assert (await anna.put(blob, LARGE, 0)).status_code in {400, 404}
    assert (await anna.downloads(blob)).status_code == 404


async def test_a_piece_is_neither_empty_nor_too_large(anna: Phone) -> None:
    assert (await anna.put(uuid7(), LARGE, 0, b"")).status_code == 400
    assert (await anna.put(uuid7(), LARGE, 0, bytes(PIECE_BYTES + 1))).status_code == 413


async def test_an_upload_keeps_the_size_it_began_with(anna: Phone) -> None:
    blob = uuid7()
    await anna.put(blob, LARGE, 0)
    answer = await anna.put(blob, LARGE, PIECE_BYTES, query={"size": len(LARGE) + 5})
    assert answer.status_code == 400


async def test_who_is_signed_out_keeps_her_photo(neighbourhood: Neighbourhood) -> None:
    stranger = Phone(neighbourhood, neighbourhood.town.anna)
    stranger.http.cookies.clear()
    answer = await stranger.put(uuid7(), LARGE, 0)
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/signed-out"


async def test_another_file_is_only_ever_a_download(
    neighbourhood: Neighbourhood, anna: Phone
) -> None:
    conversation = neighbourhood.town.resident_writes(area=PADDEPOEL)
    message = neighbourhood.town.timeline(conversation)[0]

    def keep(session: Session) -> str:
        found = Attachment(
            id=uuid7(),
            message_id=message.id,
            media_type="text/html",
            name='brief "1"\r\n.html',
            size_bytes=8,
            have_bytes=8,
            created_at_ms=1,
        )
        session.add(found)
        session.flush()
        row = AttachmentData(attachment_id=found.id, part="full", content=b"<script>")
        session.add(row)
        return found.id

    answer = await anna.downloads(neighbourhood.town.db.write_now(keep))
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "\r" not in answer.headers["Content-Disposition"]


async def test_an_upload_that_no_message_took_goes_after_a_month(
    neighbourhood: Neighbourhood, anna: Phone
) -> None:
    town, clock = neighbourhood.town, neighbourhood.clock
    lamp = town.resident_writes(area=PADDEPOEL)
    used, offered, left, half = [await anna.uploads(photo()) for _ in range(3)] + [uuid7()]
    await anna.put(half, LARGE, 0)
    town.now_ms = clock.now_ms()
    note = op("note", lamp, text="Zie foto.", attachments=[used])
    assert town.does(town.anna, note)[0]["outcome"] == "applied"
    leftovers = Leftovers(town.db, clock)

    clock.forward(s=29 * 86_400)
    assert await leftovers.once() == 0
    # The reply with this photo is still held: her phone asks whether the photo is still there.
    again = await anna.put(offered, photo(), 0)
    assert (again.status_code, again.json()["have"]) == (409, len(photo()))

    clock.forward(s=2 * 86_400)
    assert await leftovers.once() == 2
    anna = Phone(neighbourhood, town.anna)  # a month is longer than a session
    there = [(await anna.downloads(blob)).status_code for blob in (used, offered, left, half)]
    assert there == [200, 200, 404, 404]
    bytes_of = select(AttachmentData.attachment_id)
    kept = town.db.read_now(lambda session: set(session.exec(bytes_of)))
    assert kept == {used, offered}
    # One that is gone can be sent anew, under its own id.
    assert (await anna.put(left, photo(), 0)).status_code == 200

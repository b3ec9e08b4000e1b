"""What a photo shows, as its writer typed it, goes where people who cannot see it find it."""

from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlmodel import Session

from app.channels.contract import Outgoing, OutgoingAttachment, Receipt
from app.channels.email_compose import compose
from app.channels.email_settings import MailSettings
from app.db import Database
from app.delivery.worker import Worker
from app.ids import uuid7
from app.inbox.models import Attachment, AttachmentData
from app.sync import entities
from tests.channels.mails import reply_to
from tests.delivery.test_worker import Post
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import NOON_MS, PADDEPOEL, Town, build, op

LAMP = "Een kapotte lamp voor nummer 12"


@pytest.fixture
def town(database: Database) -> Town:
    return build(database)


def photo(town: Town) -> str:
    """Let Anna's phone send a photo up; return its id."""

    def keep(session: Session) -> str:
        found = Attachment(
            id=uuid7(), uploader_id=town.anna.person_id, media_type="image/jpeg", name="foto.jpg",
            size_bytes=3, have_bytes=3, width=1, height=1, created_at_ms=NOON_MS,
        )  # fmt: skip
        session.add(found)
        session.flush()
        for part in ("full", "thumb"):
            session.add(AttachmentData(attachment_id=found.id, part=part, content=b"jpg"))
        return found.id

    return town.db.write_now(keep)


def shown(town: Town, message_id: str) -> list[dict[str, Any]]:
    """Return the photos of a message as every phone gets them."""
    (row,) = town.db.read_now(lambda session: entities.messages(session, [message_id]))
    photos: list[dict[str, Any]] = row["state"]["attachments"]
    return photos


def test_it_is_kept_with_the_photo_and_shown_to_every_colleague(town: Town) -> None:
    lamp = town.resident_writes()
    one, two, elsewhere = photo(town), photo(town), uuid7()
    said = {one: f"  {LAMP} ", two: "", elsewhere: "van niets"}
    reply = op("reply", lamp, 1, text="Gezien.", attachments=[one, two], alts=said)
    (result,) = town.does(town.anna, reply)
    assert result["outcome"] == "applied"
    assert {row["id"]: row.get("alt") for row in shown(town, reply.op_id)} == {one: LAMP, two: None}


def test_a_note_may_have_one_and_an_older_phone_sends_none(town: Town) -> None:
    lamp = town.resident_writes()
    one, two = photo(town), photo(town)
    note = op("note", lamp, text="Kijk", attachments=[one], alts={one: LAMP})
    older = op("reply", lamp, 1, text="Gezien.", attachments=[two])
    assert [one["outcome"] for one in town.does(town.anna, note, older)] == ["applied"] * 2
    assert [row["alt"] for row in shown(town, note.op_id)] == [LAMP]
    assert ["alt" in row for row in shown(town, older.op_id)] == [False]


def test_a_contact_note_may_have_one(town: Town) -> None:
    one = photo(town)
    heard = op(
        "contact", uuid7(), via="street", text="De lamp is stuk.", area=PADDEPOEL,
        attachments=[one], alts={one: LAMP},
    )  # fmt: skip
    (result,) = town.does(town.anna, heard)
    assert result["outcome"] == "applied"
    assert [row["alt"] for row in shown(town, heard.op_id)] == [LAMP]


@pytest.mark.parametrize(
    "alts",
    [
        ["x"],
        "x",
        {"../x": "x"},
        {"01890a5d-ac96-774b-bcce-b302099a8057": 3},
        {"01890a5d-ac96-774b-bcce-b302099a8057": "x" * 1001},
        {"01890a5d-ac96-774b-bcce-b302099a8057": "nul \0"},
        {f"01890a5d-ac96-774b-bcce-b302099a80{n}": "x" for n in range(10, 21)},
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(town: Town, alts: object) -> None:
    lamp = town.resident_writes()
    (result,) = town.does(town.anna, op("reply", lamp, 1, text="Gezien.", alts=alts))
    assert result["outcome"] == "rejected"
    assert result["reason"] in {"bad_payload", "too_long"}
    assert len(town.timeline(lamp)) == 1


async def test_it_goes_along_with_the_delivery(neighbourhood: Neighbourhood) -> None:
    class Given(Post):
        def __init__(self) -> None:
            super().__init__()
            self.replies: list[Outgoing] = []

        async def send(self, reply: Outgoing) -> Receipt:
            self.replies.append(reply)
            return await super().send(reply)

    town, given = neighbourhood.town, Given()
    page = await neighbourhood.asks()
    conversation = neighbourhood.of_page(page)
    one = photo(town)
    reply = op("reply", conversation.id, 1, text="Kijk", attachments=[one], alts={one: LAMP})
    (result,) = town.does(town.anna, reply)
    assert result["outcome"] == "applied", result
    await Worker(town.db, neighbourhood.clock, lambda _account: given).once()
    assert [[file.alt for file in each.attachments] for each in given.replies] == [[LAMP]]
    assert f'alt="{LAMP}"' in (await neighbourhood.resident.get(page)).text


async def test_on_her_page_no_words_can_break_out(neighbourhood: Neighbourhood) -> None:
    town = neighbourhood.town
    page = await neighbourhood.asks()
    one = photo(town)
    words = '"><script>x</script>'
    conversation = neighbourhood.of_page(page)
    town.does(
        town.anna,
        op("reply", conversation.id, 1, text="Kijk", attachments=[one], alts={one: words}),
    )
    await neighbourhood.delivers()
    told = (await neighbourhood.resident.get(page)).text
    assert "&gt;&lt;script&gt;x&lt;/script&gt;" in told
    assert "<script>x" not in told


@pytest.mark.parametrize(
    ("name", "alt", "file_name"),
    [
        ("IMG_2041.jpg", "Een kapotte lamp", "Een kapotte lamp.jpg"),
        ("foto.png", 'Wat? "Één" lamp: 3/4\r\nBcc: x', "Wat_ _Één_ lamp_ 3_4 Bcc_ x.png"),
        ("foto.jpg", "Een lange zin. " * 60, f"{('Een lange zin. ' * 60)[:80].strip(' .')}.jpg"),
        ("foto.jpg", " . ", "foto.jpg"),
        ("zonder", "Een lamp", "Een lamp"),
        ("../../etc/x", "", ".._.._etc_x"),
    ],
)
def test_in_a_mail_it_is_the_name_of_the_file_and_its_description(
    name: str, alt: str, file_name: str
) -> None:
    settings = MailSettings("team@stad.example", "mail.stad.example", "mail.stad.example")
    file = OutgoingAttachment(name, "image/jpeg", b"x", alt)
    reply = reply_to(None, lambda _: "<a@stad.example>", "fatma@x.example", attachments=(file,))
    raw = compose(reply, settings)
    assert raw == compose(reply, settings)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    mail = message_from_bytes(raw, policy=policy.default)
    (part,) = mail.iter_attachments()
    assert part.get_filename() == file_name
    assert (part["Content-Description"] or "").split() == alt.split()
    assert mail["Bcc"] is None
    assert part["Bcc"] is None


@pytest.mark.parametrize(
    ("text", "alts", "caption"),
    [
        ("Kijk", ("Een lamp",), "Kijk\n\n[Een lamp]"),
        ("Kijk", ("",), "Kijk"),
        ("Kijk", (), "Kijk"),
        ("", ("Een lamp",), "[Een lamp]"),
        ("k" * 30, ("l" * 6,), "k" * 30 + "\n\n[llllll]"),
        ("k" * 30, ("l" * 7,), "k" * 30),
    ],
)
def test_in_a_caption_it_stands_in_brackets_where_there_is_room(
    text: str, alts: tuple[str, ...], caption: str
) -> None:
    files = tuple(OutgoingAttachment("f.jpg", "image/jpeg", b"x", alt) for alt in alts)
    reply = reply_to(None, lambda name: name, "x", text=text, attachments=files)
    assert reply.caption(40) == caption

"""What the bridge makes of what is public, of edits and deletions, and of a window for answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import Session, select

from app.channels import intake
from app.channels.contract import Incoming, IncomingAttachment
from app.channels.models import Account
from app.db import Database
from app.delivery.models import Delivery
from app.inbox.by_resident import erase
from app.inbox.models import AttachmentData, Conversation, MessageVersion, RawOriginal
from app.sync import entities
from tests.channels.square import opened
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import NOON_MS, PADDEPOEL, Town, build, op
from tests.support.visitor import photo

HOUR_MS = 3_600_000


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """A town with an account on the square."""
    with opened():
        town = build(database)

        def work(session: Session) -> None:
            session.add(
                Account(id="plein", kind="square", name="p", team_id="noord", area=PADDEPOEL)
            )

        town.db.write_now(work)
        yield town


def comes(town: Town, text: str = "De lamp is stuk.", /, **said: Any) -> str:
    """Let the square bring something of Jantje's first message; return its conversation."""
    given: dict[str, Any] = {
        "external_id": "p1",
        "address": "jantje",
        "sender_name": "Jantje",
        "text": text,
        "sent_at_ms": town.now_ms,
        "raw": text.encode(),
    }
    item = Incoming(**(given | said))
    prepared = intake.prepare(item, max_bytes=100_000)
    found = town.db.write_now(
        lambda session: intake.take(
            session, session.get_one(Account, "plein"), prepared, now_ms=town.now_ms
        )
    )
    return found or ""


def shown(town: Town, conversation: str) -> list[dict[str, Any]]:
    """Return what the phone knows of a conversation's entries, in order."""
    ids = [entry.id for entry in town.timeline(conversation)]
    rows = town.db.read_now(lambda session: entities.messages(session, ids))
    return sorted((row["state"] for row in rows), key=lambda state: int(state["position"]))


def head(town: Town, conversation: str) -> dict[str, Any]:
    (row,) = town.db.read_now(lambda session: entities.conversations(session, [conversation]))
    found: dict[str, Any] = row["state"]
    return found


def versions(town: Town) -> list[MessageVersion]:
    return town.db.read_now(lambda session: list(session.exec(select(MessageVersion))))


def deliveries(town: Town) -> list[tuple[str, str | None]]:
    query = select(Delivery.state, Delivery.error).order_by(Delivery.id)
    return town.db.read_now(lambda session: [tuple(one) for one in session.exec(query)])


def test_the_phone_knows_who_can_read_the_question_and_where_it_stands(town: Town) -> None:
    conversation = comes(town, public=True, link="https://plein.example/p1")
    (message,) = shown(town, conversation)
    assert (message["public"], message["link"]) == (True, "https://plein.example/p1")
    assert head(town, conversation)["public"] is True
    comes(town, "Onder ons:", external_id="p2", public=False, in_reply_to=("p1",))
    assert head(town, conversation)["public"] is False


@pytest.mark.parametrize(
    "link", ["http://plein.example", "javascript:alert(1)", "https://" + "x" * 2000]
)
def test_a_link_that_leads_elsewhere_is_no_link(town: Town, link: str) -> None:
    (message,) = shown(town, comes(town, link=link))
    assert "link" not in message


def test_an_edit_is_shown_as_one_and_what_it_said_before_is_kept(town: Town) -> None:
    conversation = comes(town)
    town.now_ms += HOUR_MS
    assert comes(town, "De lamp brandt weer.", kind="edit") == conversation
    message, event = shown(town, conversation)
    assert message["text"] == "De lamp brandt weer."
    assert message["changed_ms"] == NOON_MS + HOUR_MS
    assert event["event"] == {"what": "edited", "from": None, "to": message["id"]}
    assert head(town, conversation)["preview"] == "De lamp brandt weer."
    (version,) = versions(town)
    assert (version.text, version.raw) == ("De lamp is stuk.", b"De lamp is stuk.")
    raw = town.db.read_now(lambda session: session.exec(select(RawOriginal.content)).one())
    assert raw == b"De lamp brandt weer."


def test_an_edit_that_changes_nothing_or_comes_twice_says_nothing(town: Town) -> None:
    conversation = comes(town)
    assert comes(town, kind="edit") == ""
    comes(town, "Anders.", kind="edit")
    assert comes(town, "Anders.", kind="edit") == ""
    assert len(shown(town, conversation)) == 2
    assert comes(town, "Onbekend.", kind="edit", external_id="p9") == ""


def test_a_message_taken_away_says_so_and_stays_in_the_archive(town: Town) -> None:
    conversation = comes(town)
    comes(town, "", kind="delete")
    message, event = shown(town, conversation)
    assert (message["text"], message["deleted_ms"], message["erased"]) == ("", NOON_MS, False)
    assert event["event"]["what"] == "deleted"
    assert head(town, conversation)["preview"] == ""
    assert [one.text for one in versions(town)] == ["De lamp is stuk."]
    assert comes(town, "Toch weer.", kind="edit") == ""
    assert comes(town, "", kind="delete") == ""


async def test_the_photos_of_a_message_taken_away_are_out_of_reach_and_kept_for_the_archive(
    neighbourhood: Neighbourhood,
) -> None:
    town = neighbourhood.town

    def add(session: Session) -> None:
        session.add(Account(id="plein", kind="square", name="p", team_id="noord", area=PADDEPOEL))

    town.db.write_now(add)
    lamp = IncomingAttachment("lamp.jpg", "image/jpeg", photo(50, 50))
    conversation = comes(town, attachments=(lamp,))
    (message,) = shown(town, conversation)
    (kept,) = message["attachments"]
    phone = neighbourhood.visitor().http
    phone.cookies.update(neighbourhood.signs_in(town.anna))
    parts = [f"/api/v1/attachments/{kept['id']}{query}" for query in ("", "?size=thumb")]
    assert [(await phone.get(part)).status_code for part in parts] == [200, 200]
    comes(town, "", kind="delete")
    assert [(await phone.get(part)).status_code for part in parts] == [404, 404]
    assert shown(town, conversation)[0]["attachments"] == []
    bytes_there = town.db.read_now(lambda session: session.exec(select(AttachmentData.part)).all())
    assert sorted(bytes_there) == ["full", "thumb"]


def test_what_a_resident_has_erased_is_erased_in_every_version(town: Town) -> None:
    conversation = comes(town, link="https://plein.example/p1")
    comes(town, "Anders.", kind="edit")
    town.db.write_now(
        lambda session: erase(session, session.get_one(Conversation, conversation), now_ms=NOON_MS)
    )
    assert versions(town) == []
    assert "link" not in shown(town, conversation)[0]


@pytest.mark.parametrize(("kind", "text"), [("edit", "Het is een ander adres."), ("delete", "")])
def test_a_reply_written_before_the_question_changed_is_held_for_a_look(
    town: Town, kind: str, text: str
) -> None:
    conversation = comes(town)
    comes(town, text, kind=kind)
    reply = op("reply", conversation, 1, text="Wij komen morgen.")
    (result,) = town.does(town.anna, reply)
    assert (result["outcome"], result["reason"]) == ("held", "resident_changed")
    assert deliveries(town) == []
    (result,) = town.does(town.anna, op("reply", conversation, 2, text="Wij komen morgen."))
    assert result["outcome"] == "applied"


def test_a_reply_that_still_waits_for_the_channel_is_stopped_and_may_go_after_a_look(
    town: Town,
) -> None:
    conversation = comes(town)
    reply = op("reply", conversation, 1, text="Wij komen morgen.")
    town.does(town.anna, reply)
    comes(town, "Het is al gemaakt.", kind="edit")
    assert deliveries(town) == [("failed", "question_changed")]
    retry = op("resolve", conversation, 3, message=reply.op_id, outcome="retry")
    (result,) = town.does(town.anna, retry)
    assert result["outcome"] == "applied"
    assert deliveries(town) == [("queued", None)]


def test_a_reply_that_may_be_out_is_left_to_the_look_at_the_channel(town: Town) -> None:
    conversation = comes(town)
    town.does(town.anna, op("reply", conversation, 1, text="Wij komen morgen."))

    def tried(session: Session) -> None:
        delivery = session.exec(select(Delivery)).one()
        delivery.state, delivery.tried = "sending", True

    town.db.write_now(tried)
    comes(town, "Het is al gemaakt.", kind="edit")
    assert deliveries(town) == [("sending", None)]


def test_an_edit_that_tells_of_danger_makes_the_conversation_urgent(town: Town) -> None:
    conversation = comes(town)
    assert not head(town, conversation)["urgent"]
    comes(town, "De lamp is stuk en er is brand!", kind="edit")
    assert head(town, conversation)["urgent"]


def test_after_the_window_an_answer_is_refused_and_within_it_it_is_tried_no_longer(
    town: Town,
) -> None:
    conversation = comes(town)
    until_ms = NOON_MS + 24 * HOUR_MS
    assert head(town, conversation)["answer_by_ms"] == until_ms
    town.now_ms = until_ms - 1
    (result,) = town.does(town.anna, op("reply", conversation, 1, text="Net op tijd."))
    assert result["outcome"] == "applied"
    expires = town.db.read_now(lambda session: session.exec(select(Delivery.expires_at_ms)).one())
    assert expires == until_ms
    town.now_ms = until_ms
    (result,) = town.does(town.anna, op("reply", conversation, 2, text="Te laat."))
    assert (result["outcome"], result["reason"]) == ("rejected", "window")
    comes(town, "Nog een vraag.", external_id="p2", in_reply_to=("p1",))
    assert head(town, conversation)["answer_by_ms"] == until_ms + 24 * HOUR_MS

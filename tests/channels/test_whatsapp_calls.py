"""WhatsApp's calls at the app's own address: taken in once, with photos and proof of sending."""

import io
import json
from collections.abc import AsyncIterator

import pytest
from PIL import Image
from sqlmodel import Session, select

from app.channels.contract import InboundRequest
from app.channels.models import Account
from app.db import touch
from app.delivery.models import Delivery
from app.inbox.models import Attachment, Conversation, Message
from app.secrets import seal
from app.sync import entities
from tests.peers.whatsapp import (
    APP_SECRET,
    NUMBER_ID,
    TOKEN,
    VERIFY_TOKEN,
    Taken,
    WhatsApp,
)
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import PADDEPOEL, op

FATMA = "31612345678"


@pytest.fixture
async def platform(neighbourhood: Neighbourhood) -> AsyncIterator[WhatsApp]:
    """The platform, with a number of the northern team's."""
    async with WhatsApp() as platform:

        def work(session: Session) -> None:
            secrets = {
                "access_token": TOKEN,
                "app_secret": APP_SECRET,
                "verify_token": VERIFY_TOKEN,
            }
            secret = seal(neighbourhood.app.state.settings, json.dumps(secrets))
            api_url = f"{platform.server.url}/v23.0"
            config = {"phone_number_id": NUMBER_ID, "api_url": api_url}
            session.add(
                Account(id="wa", kind="whatsapp", name="06", team_id="noord", area=PADDEPOEL,
                        config=config, secret=secret)
            )  # fmt: skip

        neighbourhood.town.db.write_now(work)
        yield platform


async def calls(neighbourhood: Neighbourhood, call: InboundRequest) -> int:
    """Let the platform call; return the status that it gets."""
    http = neighbourhood.visitor(peer="192.0.2.81").http
    http.headers.pop("Sec-Fetch-Site", None)
    answer = await http.post("/hooks/wa", content=call.body, headers=dict(call.headers))
    return answer.status_code


def messages(neighbourhood: Neighbourhood) -> list[Message]:
    query = select(Message).where(Message.account_id == "wa")
    return neighbourhood.town.db.read_now(lambda session: list(session.exec(query)))


async def test_a_chat_is_one_conversation_however_often_the_platform_calls(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    first, second = platform.writes(FATMA, "Dag"), platform.writes(FATMA, "De lamp is stuk")
    for call in (first, second, first):
        assert await calls(neighbourhood, call) == 200
    found = sorted(messages(neighbourhood), key=lambda message: message.position)
    assert [message.text for message in found] == ["Dag", "De lamp is stuk"]
    assert len({message.conversation_id for message in found}) == 1


async def test_a_photo_is_there_or_the_platform_calls_again(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "JPEG")
    platform.media["m1"] = out.getvalue()
    image = {"id": "m1", "mime_type": "image/jpeg", "caption": "Hier"}
    call = platform.writes(FATMA, {"type": "image", "image": image})
    platform.tokens.clear()
    assert await calls(neighbourhood, call) == 503
    assert messages(neighbourhood) == []
    platform.tokens.add(TOKEN)
    assert await calls(neighbourhood, call) == 200
    (message,) = messages(neighbourhood)
    kept = neighbourhood.town.db.read_now(
        lambda session: session.exec(
            select(Attachment.media_type).where(Attachment.message_id == message.id)
        ).all()
    )
    assert (message.text, kept) == ("Hier", ["image/jpeg"])


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (["sent"], "sent"),
        (["delivered"], "delivered"),
        (["sent", "read", "delivered", "sent"], "delivered"),
        (["failed"], "failed"),
    ],
)
async def test_a_status_settles_a_reply_whose_answer_was_lost(
    neighbourhood: Neighbourhood, platform: WhatsApp, statuses: list[str], state: str
) -> None:
    await calls(neighbourhood, platform.writes(FATMA, "Dag"))
    (question,) = messages(neighbourhood)
    town = neighbourhood.town
    (result,) = town.does(town.anna, op("reply", question.conversation_id, 1, text="Morgen."))
    assert result["outcome"] == "applied"

    def uncertain(session: Session) -> str:
        delivery = session.exec(select(Delivery)).one()
        delivery.state, delivery.tried = "uncertain", True
        return delivery.external_id

    # As when nothing of the answer arrived: only the delivery's own id is known here.
    message = Taken("wamid.onbekend", FATMA, {}, town.db.write_now(uncertain))
    for status in statuses:
        assert await calls(neighbourhood, platform.tells(message, status)) == 200
    assert town.db.read_now(lambda session: session.exec(select(Delivery.state)).one()) == state


async def test_the_platform_is_answered_when_it_asks_whose_address_this_is(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    http = neighbourhood.visitor(peer="192.0.2.82").http
    right = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "115"}
    answer = await http.get("/hooks/wa", params=right)
    assert (answer.status_code, answer.text) == (200, "115")
    wrong = await http.get("/hooks/wa", params=right | {"hub.verify_token": "x"})
    assert wrong.status_code == 403


async def test_the_window_of_a_chat_begins_with_what_the_resident_wrote_last(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    await calls(neighbourhood, platform.writes(FATMA, "Dag"))
    conversation = neighbourhood.town.db.read_now(
        lambda session: session.exec(
            select(Conversation).where(Conversation.account_id == "wa")
        ).one()
    )
    assert conversation.answer_by_ms == (platform.now_s + 24 * 3600) * 1000


async def test_after_the_window_only_an_approved_text_is_taken(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    approved = "Wij hebben een antwoord. Stuur een bericht terug om het te ontvangen."

    def approves(session: Session) -> None:
        account = session.get_one(Account, "wa")
        account.config = {**account.config, "templates": [f"klaar | nl | {approved}"]}

    town = neighbourhood.town
    town.db.write_now(approves)
    await calls(neighbourhood, platform.writes(FATMA, "Dag"))
    (question,) = messages(neighbourhood)

    def longer_ago(session: Session) -> None:
        found = session.get_one(Conversation, question.conversation_id)
        found.answer_by_ms = 1

    town.db.write_now(longer_ago)
    for text, outcome in (("Morgen.", "rejected"), (approved, "applied")):
        (result,) = town.does(town.anna, op("reply", question.conversation_id, 1, text=text))
        assert (text, result["outcome"]) == (text, outcome)
    delivery = town.db.read_now(lambda session: session.exec(select(Delivery)).one())
    assert delivery.expires_at_ms > 1


READY = "klaar | nl | Beste {{naam}}, er is een antwoord over {{onderwerp}}. Schrijf terug."


async def late_question(neighbourhood: Neighbourhood, platform: WhatsApp) -> str:
    """Let Fatma have written longer than a day ago; return the conversation."""
    await calls(neighbourhood, platform.writes(FATMA, "Dag"))
    (question,) = messages(neighbourhood)

    def work(session: Session) -> None:
        session.get_one(Conversation, question.conversation_id).answer_by_ms = 1
        account = session.get_one(Account, "wa")
        account.config = {**account.config, "templates": [READY]}
        touch(session, "account", "wa")

    neighbourhood.town.db.write_now(work)
    platform.now_s += 2 * 24 * 3600
    return question.conversation_id


def test_what_is_approved_lies_on_every_phone(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    def rows(session: Session) -> dict[str, object]:
        (row,) = entities.REFERENCES["account"](session, ["wa"])
        return dict(row["state"])

    read = neighbourhood.town.db.read_now
    assert "approved" not in read(rows)
    neighbourhood.town.db.write_now(
        lambda session: setattr(
            session.get_one(Account, "wa"), "config", {"templates": [READY, "kaal | nl | Dag."]}
        )
    )
    assert read(rows)["approved"] == [
        {"name": "klaar", "language": "nl", "text": READY.split("|")[2].strip()},
        {"name": "kaal", "language": "nl", "text": "Dag."},
    ]


async def test_after_the_window_an_approved_text_goes_out_as_its_writer_filled_it_in(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    conversation = await late_question(neighbourhood, platform)
    town = neighbourhood.town
    named = {
        "name": "klaar",
        "language": "nl",
        "values": {"naam": "Fatma", "onderwerp": "de lamp {{naam}}"},
    }
    text = "Beste Fatma, er is een antwoord over de lamp {{naam}}. Schrijf terug."
    reply = op("reply", conversation, 1, text=text, approved=named)
    (result,) = town.does(town.anna, reply)
    assert result["outcome"] == "applied", result
    (again,) = town.does(town.anna, reply)
    assert (again["outcome"], again["duplicate"]) == ("applied", True)

    platform.templates.add(("klaar", "nl"))
    platform.bodies["klaar"] = READY

    def forgets(session: Session) -> None:
        # What was accepted goes as it was accepted, whatever the settings say by then.
        account = session.get_one(Account, "wa")
        account.config = {**account.config, "templates": []}

    town.db.write_now(forgets)
    await neighbourhood.delivers()
    (taken,) = platform.taken
    assert taken.content["template"]["components"] == [
        {
            "type": "body",
            "parameters": [
                {"type": "text", "text": "Fatma", "parameter_name": "naam"},
                {"type": "text", "text": "de lamp {{naam}}", "parameter_name": "onderwerp"},
            ],
        }
    ]
    delivery = town.db.read_now(lambda session: session.exec(select(Delivery)).one())
    assert delivery.state == "sent"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"approved": {"name": "weg", "language": "nl", "values": {}}}, "approved_gone"),
        ({"approved": {"name": "klaar", "language": "en"}}, "approved_gone"),
        ({"approved": {"name": "klaar", "language": "nl", "values": {}}}, "approved_gone"),
        ({"text": "Heel wat anders."}, "approved_gone"),
        ({"approved": {"name": "klaar", "language": "nl",
                       "values": {"naam": "Fat\nma", "onderwerp": "de lamp"}}}, "approved_values"),
        ({"approved": {"name": "klaar", "language": "nl",
                       "values": {"naam": " ", "onderwerp": "de lamp"}}}, "approved_values"),
        ({"approved": {"name": "klaar", "language": "nl",
                       "values": {"naam": 1, "onderwerp": "de lamp"}}}, "bad_payload"),
        ({"approved": "klaar"}, "bad_payload"),
        ({"approved": None}, "window"),
    ],
)  # fmt: skip
async def test_what_was_not_approved_in_these_words_is_refused(
    neighbourhood: Neighbourhood, platform: WhatsApp, change: dict[str, object], reason: str
) -> None:
    conversation = await late_question(neighbourhood, platform)
    values = {"naam": "Fatma", "onderwerp": "de lamp"}
    said = {
        "text": "Beste Fatma, er is een antwoord over de lamp. Schrijf terug.",
        "approved": {"name": "klaar", "language": "nl", "values": values},
    }
    town = neighbourhood.town
    (result,) = town.does(town.anna, op("reply", conversation, 1, **(said | change)))
    assert (result["outcome"], result["reason"]) == ("rejected", reason)
    assert town.db.read_now(lambda session: session.exec(select(Delivery)).all()) == []


async def test_a_call_that_is_older_than_meta_repeats_says_nothing(
    neighbourhood: Neighbourhood, platform: WhatsApp
) -> None:
    week_s = 7 * 24 * 3600
    for number, age_s in enumerate((week_s, week_s + 2 * 24 * 3600)):
        old = str(platform.now_s - age_s)
        assert await calls(neighbourhood, platform.writes(FATMA, f"{number}", timestamp=old)) == 200
    query = select(Message.text).where(Message.account_id == "wa", Message.direction == "in")
    found = neighbourhood.town.db.read_now(lambda session: list(session.exec(query)))
    assert found == ["0"]

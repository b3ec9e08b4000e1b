"""What the bridge inwards makes of a message: where it belongs, who sent it, what is missing."""

import io

import pytest
from PIL import Image
from sqlmodel import Session, col, select

from app.channels import intake
from app.channels.contract import Incoming, IncomingAttachment
from app.channels.models import Account
from app.db import Database, touch
from app.delivery.models import Delivery
from app.inbox import service as inbox
from app.inbox.by_resident import erase
from app.inbox.models import Conversation, Message
from app.sync import entities
from tests.support.at_once import at_once
from tests.support.town import NOON_MS, PADDEPOEL, Town, build, op

JANTJE = "jantje@voorbeeld.example"
MAX_BYTES = 1_000_000


@pytest.fixture
def town(database: Database) -> Town:
    """A town whose northern team has a mailbox."""
    town = build(database)

    def work(session: Session) -> None:
        session.add(Account(id="mail-noord", kind="email", name="noord@x.nl", team_id="noord"))
        touch(session, "account", "mail-noord")

    town.db.write_now(work)
    return town


def takes(town: Town, item: Incoming) -> str | None:
    """Let the mailbox bring one message; return its conversation, None when it was known."""
    prepared = intake.prepare(item, max_bytes=MAX_BYTES)
    return town.db.write_now(
        lambda session: intake.take(
            session, session.get_one(Account, "mail-noord"), prepared, now_ms=NOON_MS
        )
    )


def mail(name: str, **given: object) -> Incoming:
    """Return a mail from Jantje."""
    said = {"address": JANTJE, "sender_name": "Jantje", "text": "Dank u.", "sent_at_ms": NOON_MS}
    return Incoming(external_id=f"<{name}@voorbeeld.example>", **(said | given))  # type: ignore[arg-type]


def states(town: Town, conversation: str) -> list[dict[str, object]]:
    """Return a conversation's messages as a phone knows them, in order."""

    def read(session: Session) -> list[dict[str, object]]:
        ids = session.exec(select(Message.id).where(Message.conversation_id == conversation)).all()
        found: list[dict[str, object]] = [
            row["state"] for row in entities.messages(session, list(ids))
        ]
        return sorted(found, key=lambda state: int(str(state["position"])))

    return town.db.read_now(read)


def notice_of_a_web_answer(town: Town) -> tuple[str, str]:
    """Let Jantje ask on the form and Anna answer; return the conversation and the notice's name."""

    def ask(session: Session) -> str:
        resident = inbox.resident_at(
            session, "email", JANTJE, name="Jantje", kind="resident", now_ms=NOON_MS
        )
        session.flush()
        conversation = inbox.start(
            session, resident, conversation_id="01890a5d-ac96-774b-bcce-b302099a8057",
            account_id="web-noord", subject="", area=PADDEPOEL, address=JANTJE, why_not=None,
            now_ms=NOON_MS,
        )  # fmt: skip
        town._receive(session, conversation, "De lamp is stuk.")
        return conversation.id

    conversation = town.db.write_now(ask)
    (result,) = town.does(town.anna, op("reply", conversation, 1, text="Morgen gemaakt."))
    assert result["outcome"] == "applied"
    notice = town.db.read_now(
        lambda session: session.exec(select(Delivery).where(col(Delivery.notice))).one()
    )
    return conversation, notice.external_id


def test_who_answers_the_notice_goes_on_in_the_conversation_of_the_form(town: Town) -> None:
    conversation, notice = notice_of_a_web_answer(town)
    assert takes(town, mail("antwoord", in_reply_to=(notice,))) == conversation
    assert [state["text"] for state in states(town, conversation)][-1] == "Dank u."


def test_the_same_answer_fetched_twice_stands_there_once(town: Town) -> None:
    conversation, notice = notice_of_a_web_answer(town)
    takes(town, mail("antwoord", in_reply_to=(notice,)))
    assert takes(town, mail("antwoord", in_reply_to=(notice,))) is None
    assert len(states(town, conversation)) == 3


def test_an_answer_to_that_answer_threads_as_well(town: Town) -> None:
    conversation, notice = notice_of_a_web_answer(town)
    takes(town, mail("antwoord", in_reply_to=(notice,)))
    second = mail("tweede", in_reply_to=("<antwoord@voorbeeld.example>",))
    assert takes(town, second) == conversation


def test_somebody_else_is_shown_and_the_resident_herself_is_not(town: Town) -> None:
    conversation = takes(town, mail("eerste"))
    assert conversation is not None
    answers = ("<eerste@voorbeeld.example>",)
    takes(town, mail("zus", address="zus@voorbeeld.example", in_reply_to=answers))
    own, hers = states(town, conversation)
    assert "from" not in own
    assert hers["from"] == "zus@voorbeeld.example"


def test_what_is_missing_is_said_and_a_whole_message_says_nothing(town: Town) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(picture, "JPEG")
    good = IncomingAttachment("lamp.jpg", "image/jpeg", picture.getvalue())
    bad = IncomingAttachment("plan.pdf", "application/pdf", bytes(MAX_BYTES + 1))
    conversation = takes(town, mail("half", notices=("text_cut",), attachments=(good, bad)))
    assert conversation is not None
    takes(town, mail("heel", attachments=(good,), in_reply_to=("<half@voorbeeld.example>",)))
    half, whole = states(town, conversation)
    assert half["notices"] == ["text_cut", "attachments_dropped"]
    assert "notices" not in whole


def test_erasing_forgets_who_else_wrote(town: Town) -> None:
    conversation = takes(town, mail("eerste"))
    assert conversation is not None
    answers = ("<eerste@voorbeeld.example>",)
    takes(town, mail("zus", address="zus@voorbeeld.example", in_reply_to=answers))
    town.db.write_now(
        lambda session: erase(session, session.get_one(Conversation, conversation), now_ms=NOON_MS)
    )
    assert not any("from" in state for state in states(town, conversation))


def chats(town: Town, name: str, now_ms: int = NOON_MS, **given: object) -> str:
    """Let a chat bring one message; return its conversation."""

    def work(session: Session) -> str:
        if session.get(Account, "chat-noord") is None:
            session.add(Account(id="chat-noord", kind="matrix", name="@noord", team_id="noord"))
            touch(session, "account", "chat-noord")
            session.flush()
        prepared = intake.prepare(mail(name, **given), max_bytes=MAX_BYTES)
        account = session.get_one(Account, "chat-noord")
        taken = intake.take(session, account, prepared, now_ms=now_ms)
        assert taken is not None
        return taken

    return town.db.write_now(work)


def closes(town: Town, conversation: str) -> None:
    def work(session: Session) -> None:
        session.get_one(Conversation, conversation).status = "closed"

    town.db.write_now(work)


def test_in_a_chat_one_message_goes_on_with_the_last(town: Town) -> None:
    first = chats(town, "een")
    assert chats(town, "twee") == first
    assert chats(town, "drie", address="henk@voorbeeld.example") != first
    assert takes(town, mail("vier")) not in {first, None}
    closes(town, first)
    assert chats(town, "dank u", now_ms=NOON_MS + intake.CHAT_GOES_ON_MS - 1) == first


def test_two_first_messages_at_once_begin_one_conversation(postgres_url: str) -> None:
    db = Database(postgres_url)
    town = build(db)
    first = chats(town, "heel lang geleden")
    closes(town, first)
    later_ms = NOON_MS + intake.CHAT_GOES_ON_MS

    def take(session: Session, name: str) -> str | None:
        prepared = intake.prepare(mail(name), max_bytes=MAX_BYTES)
        account = session.get_one(Account, "chat-noord")
        return intake.take(session, account, prepared, now_ms=later_ms)

    one, two = at_once(
        db, lambda session: take(session, "een"), lambda session: take(session, "twee")
    )
    db.close()
    assert one == two != first


def test_a_chat_that_was_closed_long_ago_begins_anew(town: Town) -> None:
    first = chats(town, "een")
    closes(town, first)
    later = chats(town, "twee", now_ms=NOON_MS + intake.CHAT_GOES_ON_MS)
    assert later != first
    # Also when the old one was erased, whatever its status says.
    town.db.write_now(
        lambda session: erase(session, session.get_one(Conversation, later), now_ms=NOON_MS)
    )
    assert chats(town, "drie", now_ms=NOON_MS + intake.CHAT_GOES_ON_MS) not in {first, later}


@pytest.mark.parametrize("bad", ["\0", "\ud83d"])
def test_what_no_database_keeps_is_replaced_and_the_rest_comes_in(town: Town, bad: str) -> None:
    conversation = takes(
        town,
        mail(
            f"een{bad}",
            text=f"De lamp{bad} is stuk.",
            subject=f"Lamp{bad}",
            sender_name=f"Jan{bad}tje",
            address=f"jantje{bad}@voorbeeld.example",
            quoted=f"Dank{bad}",
            in_reply_to=(f"<twee{bad}@voorbeeld.example>",),
            link=f"https://voorbeeld.example/{bad}",
        ),
    )
    assert conversation is not None
    (state,) = states(town, conversation)
    assert str(state["text"]).replace("?", "") == "De lamp is stuk."


def test_a_name_and_a_subject_stand_on_one_line_and_turn_nothing_around(town: Town) -> None:
    conversation = takes(
        town,
        mail(
            "<naam@voorbeeld.example>",
            sender_name="\u202eseirV\u2066\n\x07ed naJ" + "x" * 100_000,
            subject="Lamp\r\n\u202dstuk" + "y" * 100_000,
            in_reply_to=tuple(f"<{n}@voorbeeld.example>" for n in range(10_000)),
        ),
    )
    assert conversation is not None
    (state,) = states(town, conversation)
    found = town.db.read_now(lambda session: session.get_one(Conversation, conversation))
    assert str(state["name"]).startswith("seirV ed naJx")
    assert found.subject.startswith("Lamp stuky")
    assert (len(str(state["name"])), len(found.subject)) == (200, 300)

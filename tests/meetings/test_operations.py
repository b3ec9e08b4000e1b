"""What tablets do at a meeting: judged once, followed as conversations, seen by who may."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.policy import Principal
from app.channels.models import Account
from app.ids import uuid7
from tests.meetings.evening import HOUR_MS, Evening
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL

MAIL = "mevrouw@voorbeeld.example"


def rows(evening: Evening, who: Principal, kind: str) -> list[dict[str, Any]]:
    """Return what the feed shows a person of one kind."""
    found = evening.town.db.read_now(
        lambda session: session.execute(text("SELECT key, scope, kind, body FROM change")).all()
    )
    return [json.loads(row.body) for row in found if row.kind == kind and row.scope in who.scopes]


def test_a_question_is_also_a_conversation_that_can_be_answered(evening: Evening) -> None:
    asked = evening.ask(
        name="Mevrouw De Boer", email=MAIL, keep=True, answer_by="email", topic="verkeer", agenda=0
    )
    assert asked["outcome"] == "applied"
    conversation = evening.conversation(asked["question"])
    assert (conversation.address, conversation.why_not) == (MAIL, None)
    assert conversation.area == PADDEPOEL
    assert conversation.topics == ["verkeer"]
    (entry,) = evening.town.timeline(conversation.id)
    assert (entry.id, entry.text) == (asked["question"], "Wanneer komt de drempel?")
    assert entry.sender_name == "Mevrouw De Boer"


def test_without_consent_nobody_is_kept(evening: Evening) -> None:
    asked = evening.ask(name="Mevrouw De Boer", email=MAIL, phone="0612345678", answer_by="email")
    stored = evening.question(asked["question"])
    assert (stored.name, stored.contact, stored.answer_by) == ("", "", "none")
    conversation = evening.conversation(asked["question"])
    assert conversation.address is None
    (entry,) = evening.town.timeline(conversation.id)
    assert entry.sender_name is None
    assert entry.event is not None
    assert entry.event["to"] == {"phone": "", "consent": False}


def test_an_address_that_may_be_kept_is_kept_however_she_wants_her_answer(evening: Evening) -> None:
    asked = evening.ask(name="De Boer", email=MAIL, keep=True, minutes=True)
    stored = evening.question(asked["question"])
    assert (stored.contact, stored.answer_by, stored.minutes) == (MAIL, "none", True)


def test_a_question_sent_twice_is_one(evening: Evening) -> None:
    first = evening.ask()
    again = evening.do(
        "question",
        about=first["conversation"],
        op_id=first["question"],
        meeting=evening.id,
        text="Wanneer komt de drempel?",
        asked_at_ms=evening.town.now_ms,
    )
    assert again["duplicate"] is True
    assert len(evening.questions()) == 1


def test_tablets_that_come_back_late_are_merged_in_the_order_asked(evening: Evening) -> None:
    town = evening.town
    late = evening.ask("Derde", asked_at_ms=NOON_MS + 3_000)
    early = evening.ask("Eerste", town.bram, asked_at_ms=NOON_MS + 1_000)
    ids = sorted(uuid7(NOON_MS + 5_000) for _ in range(2))
    for one in reversed(ids):
        evening.ask("Samen", town.bram, asked_at_ms=NOON_MS + 2_000, op_id=one)
    assert [one.id for one in evening.questions()] == [early["question"], *ids, late["question"]]


def test_a_tablet_whose_clock_is_years_out_is_not_corrected(evening: Evening) -> None:
    asked = evening.ask(asked_at_ms=NOON_MS - 3650 * 24 * HOUR_MS)
    assert evening.question(asked["question"]).asked_at_ms == NOON_MS - 3650 * 24 * HOUR_MS


def test_who_does_not_see_the_area_does_not_know_the_meeting(evening: Evening) -> None:
    chaima = evening.town.chaima
    assert evening.ask(who=chaima)["reason"] == "unknown_meeting"
    assert evening.state("closed", chaima)["reason"] == "unknown_meeting"
    assert evening.plan(chaima)["reason"] == "unknown_meeting"
    asked = evening.ask(name="Jan", keep=True)
    assert evening.fate(asked["question"], "later", who=chaima)["reason"] == "unknown_meeting"
    for kind in ("meeting", "meetingq"):
        assert rows(evening, chaima, kind) == []
        assert len(rows(evening, evening.town.bram, kind)) == 1


def test_a_meeting_is_made_in_an_area_of_hers_and_stays_there(evening: Evening) -> None:
    other = Evening(evening.town)
    assert other.plan(area=HELPMAN)["reason"] == "not_allowed"
    assert evening.plan(title="Anders")["outcome"] == "applied"
    assert evening.meeting().title == "Anders"
    assert evening.plan(area=HELPMAN)["outcome"] == "rejected"
    assert evening.meeting().area == PADDEPOEL


@pytest.mark.parametrize(
    ("fate", "said", "status"),
    [
        ("answered", "In maart.", "closed"),
        ("later", "", "open"),
        ("handed", "Team Verkeer", "open"),
        ("dropped", "Hoort bij de provincie.", "open"),
    ],
)
def test_every_fate_is_told_in_the_conversation_too(
    evening: Evening, fate: str, said: str, status: str
) -> None:
    asked = evening.ask()
    assert evening.fate(asked["question"], fate, said)["outcome"] == "applied"
    stored = evening.question(asked["question"])
    assert (stored.fate, stored.fate_text) == (fate, said)
    assert evening.conversation(asked["question"]).status == status
    note = next(
        entry for entry in evening.town.timeline(asked["conversation"]) if entry.direction == "note"
    )
    assert said in note.text
    (shown,) = rows(evening, evening.town.anna, "meetingq")
    assert (shown["fate"], shown["fate_text"]) == (fate, said)


@pytest.mark.parametrize("fate", ["answered", "handed", "dropped"])
def test_a_fate_without_its_words_is_refused(evening: Evening, fate: str) -> None:
    asked = evening.ask()
    assert evening.fate(asked["question"], fate, "  ")["reason"] == "words_needed"
    assert evening.question(asked["question"]).fate == "open"


def test_nobody_decides_over_a_colleague_who_was_first(evening: Evening) -> None:
    bram = evening.town.bram
    asked = evening.ask()
    evening.fate(asked["question"], "answered", "In maart.", bram)
    mine = evening.fate(asked["question"], "dropped", "Geen tijd.", based_on=0)
    assert (mine["outcome"], mine["reason"]) == ("held", "colleague_decided")
    assert "In maart." in mine["changed"][0]["text"]
    assert evening.question(asked["question"]).fate == "answered"
    seen = evening.question(asked["question"]).fate_position
    assert evening.fate(asked["question"], "dropped", "Toch niet.", based_on=seen)["outcome"] == (
        "applied"
    )


def test_hidden_needs_a_reason(evening: Evening) -> None:
    asked = evening.ask(on_board=False)
    assert evening.question(asked["question"]).moderation == "waiting"
    assert evening.moderate(asked["question"], "hidden")["reason"] == "reason_needed"
    assert evening.moderate(asked["question"], "hidden", "Dubbel")["outcome"] == "applied"
    stored = evening.question(asked["question"])
    assert (stored.moderation, stored.moderation_reason) == ("hidden", "Dubbel")


def test_a_fate_names_the_conversation_that_it_changes(evening: Evening) -> None:
    asked, other = evening.ask(), evening.town.resident_writes()
    result = evening.do(
        "fate", about=other, based_on=0, question=asked["question"], fate="later", text=""
    )
    assert result["outcome"] == "rejected"
    assert evening.question(asked["question"]).fate == "open"


def test_who_is_there_and_how_many(evening: Evening) -> None:
    evening.do("attend", meeting=evening.id, organisation="Wijkraad", email=MAIL, minutes=True)
    evening.do("headcount", meeting=evening.id, heads=83)
    assert evening.do("attend", meeting=evening.id)["outcome"] == "rejected"
    (shown,) = rows(evening, evening.town.anna, "meeting")
    assert shown["headcount"] == 83
    assert [one["organisation"] for one in shown["attendees"]] == ["Wijkraad"]


def test_an_agenda_item_that_is_not_there_is_left_out(evening: Evening) -> None:
    asked = evening.ask(agenda=9)
    assert asked["outcome"] == "applied"
    assert evening.question(asked["question"]).agenda_item is None


def test_urgent_in_the_hall_is_urgent_in_the_inbox(evening: Evening) -> None:
    asked = evening.ask("Er staat een kind op het dak", urgent=True)
    assert evening.conversation(asked["question"]).urgent is True


def mailbox(evening: Evening) -> None:
    """Give the team of Paddepoel a mailbox."""
    account = Account(id="email-noord", kind="email", name="post", team_id="noord")
    evening.town.db.write_now(lambda session: session.add(account))


def said_in(evening: Evening, conversation: str) -> list[tuple[str, str]]:
    """Return what was written there after the question."""
    timeline = evening.town.timeline(conversation)
    return [(one.direction, one.text) for one in timeline if one.direction in {"out", "note"}]


def answer(evening: Evening, asked: dict[str, Any], who: Principal | None = None) -> dict[str, Any]:
    """Answer in the hall, and by mail too."""
    return evening.do(
        "fate",
        who,
        about=asked["conversation"],
        based_on=evening.question(asked["question"]).fate_position,
        question=asked["question"],
        fate="answered",
        text="In maart.",
        mail=True,
    )


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"email": MAIL, "answer_by": "email"},
        {"email": MAIL, "keep": True},
        {"phone": "0612345678", "keep": True, "answer_by": "phone"},
    ],
)
def test_an_answer_is_mailed_only_with_consent_and_as_she_wishes(
    evening: Evening, known: dict[str, Any]
) -> None:
    mailbox(evening)
    asked = evening.ask(**known)
    assert answer(evening, asked)["outcome"] == "applied"
    ((direction, text),) = said_in(evening, asked["conversation"])
    assert direction == "note"
    assert "In maart." in text


def test_an_answer_that_cannot_be_mailed_stays_in_the_inbox(evening: Evening) -> None:
    asked = evening.ask(email=MAIL, keep=True, answer_by="email")
    assert answer(evening, asked)["outcome"] == "applied"
    assert evening.question(asked["question"]).fate == "answered"
    assert evening.conversation(asked["question"]).status == "open"


def test_what_a_colleague_wrote_her_is_not_followed_by_a_mail_from_the_hall(
    evening: Evening,
) -> None:
    mailbox(evening)
    asked = evening.ask(email=MAIL, keep=True, answer_by="email")
    position = evening.conversation(asked["question"]).position
    replied = evening.do(
        "reply", evening.town.bram, about=asked["conversation"], based_on=position, text="In mei."
    )
    assert replied["outcome"] == "applied"
    assert answer(evening, asked)["outcome"] == "applied"
    assert [way for way, _ in said_in(evening, asked["conversation"])] == ["out", "note"]


def test_an_answer_sent_twice_by_a_tablet_is_one_mail(evening: Evening) -> None:
    mailbox(evening)
    asked = evening.ask(email=MAIL, keep=True, answer_by="email")
    op_id, about = uuid7(), asked["conversation"]
    said = {"question": asked["question"], "fate": "answered", "text": "In maart.", "mail": True}
    for _ in range(2):
        evening.do("fate", about=about, based_on=0, op_id=op_id, **said)
    assert [way for way, _ in said_in(evening, about)] == ["out"]


def test_a_typo_is_put_right_on_the_board_and_the_first_wording_is_kept(evening: Evening) -> None:
    asked = evening.ask("Wanner komt de drempl?", agenda=0)
    seen = evening.meeting().public_seq
    about, question = asked["conversation"], asked["question"]
    said = {"question": question, "text": " Wanneer komt de drempel? ", "agenda": 1}
    assert evening.do("reword", evening.town.bram, about=about, **said)["outcome"] == "applied"
    stored = evening.question(question)
    assert (stored.text, stored.agenda_item) == ("Wanneer komt de drempel?", 1)
    assert stored.public_seq == evening.meeting().public_seq > seen
    first, *_, note = evening.town.timeline(about)
    assert first.text == "Wanner komt de drempl?"
    assert "Wanneer komt de drempel?" in note.text
    (shown,) = rows(evening, evening.town.anna, "meetingq")
    assert (shown["text"], shown["agenda"]) == ("Wanneer komt de drempel?", 1)
    # Nobody is kept from deciding by it.
    assert evening.fate(question, "later", based_on=0)["outcome"] == "applied"


@pytest.mark.parametrize("wrong", [{"text": "  "}, {"text": ""}, {"text": "x", "agenda": 99}])
def test_what_puts_nothing_right_is_refused(evening: Evening, wrong: dict[str, Any]) -> None:
    asked = evening.ask()
    said = {"question": asked["question"]} | wrong
    assert evening.do("reword", about=asked["conversation"], **said)["outcome"] == "rejected"
    chaima = evening.town.chaima
    fine = {"question": asked["question"], "text": "Iets anders"}
    result = evening.do("reword", chaima, about=asked["conversation"], **fine)
    assert result["outcome"] == "rejected"
    assert evening.question(asked["question"]).text == "Wanneer komt de drempel?"

"""A verdict reaches the conversation and the phone, a person has the last word, it is counted."""

import re
from typing import Any

import pytest
from sqlmodel import Session, col, select

from app.accounts.models import Person
from app.accounts.policy import Principal
from app.channels import intake
from app.channels.contract import Incoming
from app.channels.models import Account
from app.db import Database
from app.ids import uuid7
from app.inbox.models import Conversation
from app.sync import entities
from app.triage import drafts, service, silence
from app.triage.models import TriageVerdict
from app.triage.shapes import Body
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import PADDEPOEL, Town, op

HOUR_MS = 3_600_000


def mails(town: Town, text: str, subject: str = "", **more: Any) -> str:
    """Let a mail come in to the team's mailbox; return its conversation."""

    def take(session: Session) -> str:
        account = session.get(Account, "email-noord")
        if account is None:
            account = Account(id="email-noord", kind="email", name="Post", team_id="noord",
                              area=PADDEPOEL)  # fmt: skip
            session.add(account)
            session.flush()
        item = Incoming(
            external_id=uuid7(), address="jantje@voorbeeld.example", sender_name="Jantje",
            subject=subject, text=text, sent_at_ms=town.now_ms, raw=b"", **more,
        )  # fmt: skip
        found = intake.take(session, account, intake.Prepared(item, ()), now_ms=town.now_ms)
        assert found is not None
        return found

    return town.db.write_now(take)


def verdicts(town: Town) -> list[TriageVerdict]:
    query = select(TriageVerdict).order_by(col(TriageVerdict.at_ms), col(TriageVerdict.id))
    return town.db.read_now(lambda session: list(session.exec(query)))


def counts(town: Town) -> dict[str, dict[str, int]]:
    return town.db.read_now(lambda session: drafts.counts(session, now_ms=town.now_ms))


def rules_say(town: Town, **changed: Any) -> None:
    """Make rules live that differ from the default in one rule; `id` names it."""
    body = Body.model_validate(drafts.DEFAULT_BODY).model_dump(mode="json")
    for rule in body["rules"]:
        if rule["id"] == changed["id"]:
            rule.update(changed)

    def live(session: Session) -> None:
        version = service.live(session).version
        drafts.store(session, Body.model_validate(body), version=version, revision=0,
                     by=town.anna.person_id, now_ms=town.now_ms)  # fmt: skip
        drafts.go_live(session, version=version, revision=1, by=town.anna.person_id,
                       now_ms=town.now_ms)  # fmt: skip

    town.db.write_now(live)


def test_a_verdict_is_on_the_conversation_and_reaches_the_phone(town: Town) -> None:
    conversation_id = mails(town, "Er hangt een gaslucht in de gang.")
    conversation = town.conversation(conversation_id)
    assert (conversation.urgent, conversation.urgent_reason) == (True, "gaslucht")
    (head,) = town.db.read_now(lambda session: entities.conversations(session, [conversation_id]))
    assert head["state"]["verdict"] == {
        "rule": "danger",
        "why": {"code": "word", "word": "gaslucht"},
        "urgent": True,
        "by": None,
        "at_ms": town.now_ms,
    }
    assert (f"c:{conversation_id}") in dict(town.sees(town.anna))


def test_why_it_is_not_urgent_is_told_when_a_word_was_denied(town: Town) -> None:
    conversation = town.conversation(mails(town, "Het is niet dringend, maar de heg is te hoog."))
    assert not conversation.urgent
    assert conversation.verdict is not None
    assert conversation.verdict["why"] == {"code": "denied", "word": "dringend", "by": "niet"}


def test_a_machine_is_never_urgent_and_most_messages_leave_no_trace(town: Town) -> None:
    assert not town.conversation(mails(town, "SPOED gaslek", automatic=True)).urgent
    assert town.conversation(mails(town, "De heg is te hoog.")).verdict is None
    assert verdicts(town) == []


def test_what_a_colleague_takes_away_is_counted_against_the_rule(town: Town) -> None:
    conversation_id = mails(town, "Is dit gevaarlijk? Een losse tegel.")
    assert counts(town) == {"danger": {"urgent": 1, "corrected": 0, "missed": 0}}
    town.does(town.anna, op("urgent", conversation_id, urgent=False))
    conversation = town.conversation(conversation_id)
    assert not conversation.urgent
    assert conversation.verdict is not None
    assert conversation.verdict["by"] == town.anna.person_id
    assert conversation.verdict["urgent"] is True
    assert counts(town) == {"danger": {"urgent": 1, "corrected": 1, "missed": 0}}


def test_taking_a_correction_back_is_no_correction_any_more(town: Town) -> None:
    conversation_id = mails(town, "Er is brand")
    town.does(town.anna, op("urgent", conversation_id, urgent=False))
    town.does(town.bram, op("urgent", conversation_id, urgent=True, reason="brand"))
    conversation = town.conversation(conversation_id)
    assert conversation.verdict is not None
    assert conversation.verdict["by"] is None
    assert counts(town)["danger"]["corrected"] == 0


def test_what_no_rule_found_is_counted_as_missed(town: Town) -> None:
    conversation_id = mails(town, "Er ligt een losse stroomkabel op de stoep.")
    town.does(town.anna, op("urgent", conversation_id, urgent=True, reason="stroom"))
    assert counts(town) == {"": {"urgent": 0, "corrected": 0, "missed": 1}}
    conversation = town.conversation(conversation_id)
    assert conversation.verdict is not None
    assert conversation.verdict["why"] == {"code": "nothing"}
    town.does(town.anna, op("urgent", conversation_id, urgent=False))
    assert counts(town)[""]["missed"] == 0
    assert town.conversation(conversation_id).verdict is None


def test_an_operation_that_comes_twice_counts_once(town: Town) -> None:
    conversation_id = mails(town, "Er is brand")
    again = op("urgent", conversation_id, urgent=False)
    town.does(town.anna, again)
    town.does(town.anna, again)
    assert counts(town)["danger"] == {"urgent": 1, "corrected": 1, "missed": 0}


def test_a_new_message_is_judged_anew_after_a_correction(town: Town) -> None:
    conversation_id = mails(town, "Er is brand")
    first = town.timeline(conversation_id)[0]
    town.does(town.anna, op("urgent", conversation_id, urgent=False))
    town.now_ms += 1000
    mails(town, "Nu is er echt brand!", in_reply_to=(first.external_id,))
    assert town.conversation(conversation_id).urgent
    assert counts(town)["danger"] == {"urgent": 2, "corrected": 1, "missed": 0}


def test_four_messages_in_an_hour_are_urgent_and_an_answer_begins_the_count_anew(
    town: Town,
) -> None:
    conversation_id = mails(town, "Hallo")
    first = town.timeline(conversation_id)[0]

    def again() -> Conversation:
        town.now_ms += 60_000
        mails(town, "Hallo?", in_reply_to=(first.external_id,))
        return town.conversation(conversation_id)

    assert not again().urgent
    assert not again().urgent
    based_on = town.conversation(conversation_id).position
    (result,) = town.does(town.anna, op("reply", conversation_id, based_on, text="Ik kom."))
    assert result["outcome"] == "applied"
    assert not any(again().urgent for _ in range(3))
    urgent = again()
    assert urgent.urgent
    assert urgent.verdict is not None
    assert urgent.verdict["why"] == {"code": "repeated", "times": 4, "minutes": 60}


def test_a_contact_note_is_judged_too_and_a_tick_of_its_writer_is_hers(town: Town) -> None:
    def notes(**said: Any) -> Conversation:
        conversation_id = uuid7()
        fields = {"via": "phone", "area": PADDEPOEL} | said
        (result,) = town.does(town.anna, op("contact", conversation_id, **fields))
        assert result["outcome"] == "applied"
        return town.conversation(conversation_id)

    heard = notes(text="Mevrouw ruikt gaslucht")
    assert heard.urgent
    assert heard.verdict is not None
    assert heard.verdict["rule"] == "danger"
    ticked = notes(text="Bel terug", urgent=True)
    assert ticked.verdict is not None
    assert ticked.verdict["by"] == town.anna.person_id
    assert ticked.verdict["why"] == {"code": "person"}
    assert not notes(text="Gaslucht, is al geregeld", answered=True).urgent


async def test_a_resident_may_tick_that_it_is_dangerous_to_wait(
    neighbourhood: Neighbourhood,
) -> None:
    form = await neighbourhood.resident.get(f"/w/{PADDEPOEL}")
    assert re.search(r"Dit is dringend", form.text)
    assert "Bij gevaar: bel 112." in form.text
    await neighbourhood.asks(question="Kunt u snel komen?", urgent="1")
    (conversation,) = neighbourhood.conversations()
    assert conversation.verdict is not None
    assert conversation.verdict["why"] == {"code": "ticked"}
    await neighbourhood.asks(question="De heg is te hoog.")
    assert sum(one.urgent for one in neighbourhood.conversations()) == 1


async def test_erasing_forgets_what_was_found_in_her_words(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.asks(question="Er is brand")
    assert len(verdicts(neighbourhood.town)) == 1
    await neighbourhood.resident.http.post(f"{page}/deletion")
    (conversation,) = neighbourhood.conversations()
    assert conversation.erased_at_ms is not None
    assert conversation.verdict is None
    assert verdicts(neighbourhood.town) == []


# No reaction within the response target


def sweep(town: Town) -> int:
    return town.db.write_now(lambda session: silence.mark(session, now_ms=town.now_ms))


@pytest.fixture
def strict(town: Town) -> Town:
    """A town that promises a reaction within an hour, at any time of day."""
    rules_say(town, id="no_reaction", on=True, minutes=60, open_hours=False)
    return town


def test_a_silence_longer_than_the_target_becomes_urgent_once(strict: Town) -> None:
    conversation_id = strict.resident_writes("De heg is te hoog.")
    strict.now_ms += HOUR_MS - 1
    assert sweep(strict) == 0
    strict.now_ms += 1
    assert sweep(strict) == 1
    conversation = strict.conversation(conversation_id)
    assert conversation.urgent
    assert conversation.verdict is not None
    assert conversation.verdict["why"] == {
        "code": "no_reaction",
        "minutes": 60,
        "open_hours": False,
    }
    assert sweep(strict) == 0
    assert counts(strict)["no_reaction"]["urgent"] == 1


def test_an_answer_a_close_or_a_wait_for_the_resident_ends_the_silence(strict: Town) -> None:
    answered, closed, parked = (strict.resident_writes("Heg") for _ in range(3))
    strict.does(strict.anna, op("reply", answered, 1, text="Ik kom."))
    strict.does(strict.anna, op("status", closed, 1, status="closed"))
    strict.does(strict.anna, op("status", parked, 1, status="waiting"))
    strict.now_ms += 2 * HOUR_MS
    assert sweep(strict) == 0


def test_after_a_correction_only_a_new_message_makes_it_urgent_again(strict: Town) -> None:
    conversation_id = strict.resident_writes("De heg is te hoog.")
    strict.now_ms += HOUR_MS
    assert sweep(strict) == 1
    strict.does(strict.anna, op("urgent", conversation_id, urgent=False))
    strict.now_ms += 5 * HOUR_MS
    assert sweep(strict) == 0
    strict.resident_adds(conversation_id)
    assert sweep(strict) == 1


def test_a_late_correction_of_another_rule_is_not_undone_by_the_silence(strict: Town) -> None:
    conversation_id = mails(strict, "Is dit gevaarlijk?")
    strict.now_ms += 2 * HOUR_MS
    assert sweep(strict) == 0
    strict.does(strict.anna, op("urgent", conversation_id, urgent=False))
    assert sweep(strict) == 0


def test_an_early_correction_does_not_hide_a_later_silence(strict: Town) -> None:
    conversation_id = mails(strict, "Is dit gevaarlijk?")
    strict.does(strict.anna, op("urgent", conversation_id, urgent=False))
    strict.now_ms += 2 * HOUR_MS
    assert sweep(strict) == 1
    assert counts(strict)["danger"]["corrected"] == 1


def test_a_target_that_counts_opening_hours_waits_for_the_morning(town: Town) -> None:
    rules_say(town, id="no_reaction", on=True, minutes=60, open_hours=True)
    town.now_ms = 1_793_635_200_000  # Monday 2 November 2026, 17:00 in Groningen
    town.resident_writes("De heg is te hoog.")
    town.now_ms += 16 * HOUR_MS  # Tuesday 09:00
    assert sweep(town) == 0
    town.now_ms += HOUR_MS
    assert sweep(town) == 1


def test_the_target_is_off_until_a_municipality_sets_it(town: Town) -> None:
    town.resident_writes("De heg is te hoog.")
    town.now_ms += 1000 * HOUR_MS
    assert sweep(town) == 0


def test_a_channel_or_sender_that_the_rule_does_not_name_may_wait(town: Town) -> None:
    rules_say(
        town, id="no_reaction", on=True, minutes=60, open_hours=False,
        channels=["email"], senders=["resident"],
    )  # fmt: skip
    town.resident_writes("Over het web")
    by_mail = mails(town, "Per mail")
    town.now_ms += 2 * HOUR_MS
    assert sweep(town) == 1
    assert town.conversation(by_mail).urgent


async def test_the_sweep_marks_a_backlog_whole_and_writes_nothing_when_there_is_none(
    strict: Town, clock: Any
) -> None:
    for _ in range(silence.BATCH + 3):
        strict.resident_writes("Heg")
    clock.forward(ms=strict.now_ms + 2 * HOUR_MS - clock.now_ms())
    worker = silence.Sweep(strict.db, clock)
    before = strict.sees(strict.anna)
    assert await worker.once() == silence.BATCH + 3
    after = strict.sees(strict.anna)
    assert after != before
    assert await worker.once() == 0
    assert strict.sees(strict.anna) == after


def webcare(town: Town, who: Principal) -> None:
    def promote(session: Session) -> None:
        session.get_one(Person, who.person_id).role = "webcare"

    town.db.write_now(promote)


def test_rules_that_went_live_hold_for_the_next_message(town: Town) -> None:
    webcare(town, town.anna)
    rules_say(town, id="danger", words=["ratten"])
    assert town.conversation(mails(town, "Er zijn ratten!")).urgent
    assert not town.conversation(mails(town, "Er is brand")).urgent


def test_a_ruleset_is_read_from_the_database_once(town: Town) -> None:
    rules_say(town, id="danger", words=["ratten"])
    db: Database = town.db
    first = db.read_now(service.live)
    assert db.read_now(service.live) is first
    rules_say(town, id="danger", words=["muizen"])
    assert db.read_now(service.live).version == 2


def edits(town: Town, conversation_id: str, text: str) -> None:
    """Let the first message of a conversation be edited at its channel."""

    def work(session: Session) -> None:
        account = session.get_one(Account, "email-noord")
        (message,) = [one for one in town.timeline(conversation_id) if one.direction == "in"]
        item = Incoming(
            external_id=str(message.external_id), kind="edit", address="jantje@voorbeeld.example",
            sender_name="Jantje", text=text, sent_at_ms=town.now_ms, raw=b"",
        )  # fmt: skip
        intake.take(session, account, intake.Prepared(item, ()), now_ms=town.now_ms)

    town.db.write_now(work)


def test_what_an_edit_makes_urgent_is_urgent_with_its_reason(town: Town) -> None:
    mail = mails(town, "Het ruikt hier vreemd.")
    assert not town.conversation(mail).urgent
    edits(town, mail, "Het ruikt hier naar gas, er is brand!")
    found = town.conversation(mail)
    assert (found.urgent, found.verdict is not None) == (True, True)


def test_an_edit_brings_back_no_urgency_that_a_colleague_took_away(town: Town) -> None:
    mail = mails(town, "Er is brand!")
    position = town.conversation(mail).position
    town.does(town.anna, op("urgent", mail, based_on=position, urgent=False))
    edits(town, mail, "Er is brand! (excuses voor de tikfout)")
    assert not town.conversation(mail).urgent


def test_an_edit_makes_nothing_calm_and_a_deletion_nothing_urgent(town: Town) -> None:
    mail = mails(town, "Er is brand!")
    edits(town, mail, "Laat maar.")
    assert town.conversation(mail).urgent


def test_a_closed_conversation_is_open_again_when_an_edit_makes_it_urgent(town: Town) -> None:
    mail = mails(town, "Dank u wel.")
    position = town.conversation(mail).position
    town.does(town.anna, op("status", mail, based_on=position, status="closed"))
    edits(town, mail, "Dank u wel, maar nu is er brand!")
    found = town.conversation(mail)
    assert (found.status, found.urgent) == ("reopened", True)

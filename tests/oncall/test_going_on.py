"""After somebody took it the resident writes again: she hears of it, and nobody else needs to."""

from sqlmodel import Session, select

from app.accounts.policy import Principal
from app.channels import changed
from app.channels.contract import Incoming
from app.channels.models import Account
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.push.models import Push
from app.triage import service as triage
from tests.oncall.duty import HOUR_MS, Duty
from tests.oncall.test_alerts import head
from tests.support.town import op

CALM, URGENT = "Dank u wel.", "Het wordt erger, er is nu ook brand!"


def writes_again(duty: Duty, conversation_id: str, text: str) -> None:
    """Let the resident write in her conversation, and the rules judge it."""

    def work(session: Session) -> None:
        conversation = session.get_one(Conversation, conversation_id)
        entry = inbox.Entry(
            id=uuid7(),
            direction="in",
            text=text,
            external_id=uuid7(),
            written_at_ms=duty.now_ms(),
            accepted_at_ms=duty.now_ms(),
        )
        inbox.receive(session, conversation, entry)
        heard = triage.Heard(entry.id, "web", text)
        triage.consider(session, conversation, heard, now_ms=duty.now_ms())

    duty.db.write_now(work)


def edits(duty: Duty, conversation_id: str, text: str) -> None:
    """Let the resident edit, at her channel, the first thing that she wrote."""

    def work(session: Session) -> None:
        query = select(Message).where(Message.conversation_id == conversation_id)
        known = session.exec(query.where(Message.direction == "in")).first()
        assert known is not None
        conversation = session.get_one(Conversation, conversation_id)
        account = session.get_one(Account, conversation.account_id)
        edit = Incoming(
            external_id=known.external_id or "",
            address="",
            sender_name="",
            text=text,
            sent_at_ms=duty.now_ms(),
            kind="edit",
        )
        changed.follow(session, account, known, edit, now_ms=duty.now_ms())

    duty.db.write_now(work)


async def taken(duty: Duty, who: Principal) -> str:
    """Let this one be on call, be woken, take it, and look at it."""
    duty.on_call(who)
    duty.phone(who)
    conversation = duty.urgent()
    await duty.works()
    duty.does(who, "acknowledge", conversation)
    reads(duty, who, conversation)
    duty.shows()
    return conversation


def reads(duty: Duty, who: Principal, conversation: str) -> None:
    """Let somebody read a conversation to its end."""
    position = duty.town.conversation(conversation).position
    duty.town.does(who, op("read", conversation, position=position))


async def test_who_took_it_is_told_of_a_new_message_and_nobody_is_woken(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    duty.on_call(bram)
    duty.phone(bram)
    writes_again(duty, conversation, CALM)
    await duty.works()
    assert (duty.pushed("news"), duty.pushed()) == (["anna"], ["anna"])
    assert duty.done(conversation)[-1] == ("told", "anna")
    seen = head(duty, bram, conversation)["alert"]
    assert (seen["state"], seen["by"], seen["next"]) == ("acknowledged", anna.person_id, None)
    await duty.works(minutes=60)
    assert duty.pushed() == ["anna"]


async def test_what_she_has_not_looked_at_yet_is_told_once(duty: Duty) -> None:
    conversation = await taken(duty, duty.town.anna)
    for _ in range(3):
        # Not more of them in an hour: many messages at once are urgent by the rules.
        writes_again(duty, conversation, CALM)
        await duty.works(minutes=40)
    assert duty.pushed("news") == ["anna"]
    reads(duty, duty.town.anna, conversation)
    writes_again(duty, conversation, CALM)
    await duty.works()
    assert duty.pushed("news") == ["anna", "anna"]


async def test_what_she_read_before_it_could_be_told_is_not_told(duty: Duty) -> None:
    conversation = await taken(duty, duty.town.anna)
    writes_again(duty, conversation, CALM)
    reads(duty, duty.town.anna, conversation)
    await duty.works()
    assert duty.pushed("news") == []


async def test_what_she_did_not_know_when_she_took_it_is_told(duty: Duty) -> None:
    anna = duty.town.anna
    duty.on_call(anna)
    duty.phone(anna)
    conversation = duty.urgent()
    known = duty.town.conversation(conversation).position
    writes_again(duty, conversation, CALM)
    await duty.works()
    # A tap on the notification of a phone that was offline meanwhile.
    duty.town.does(anna, op("acknowledge", conversation, based_on=known))
    await duty.works()
    assert (duty.pushed(), duty.pushed("news")) == (["anna"], ["anna"])
    assert duty.alert(conversation).state == "acknowledged"


async def test_when_she_is_away_by_then_it_is_written_down_that_she_was_not_told(
    duty: Duty,
) -> None:
    conversation = await taken(duty, duty.town.anna)
    duty.away(duty.town.anna)
    writes_again(duty, conversation, CALM)
    await duty.works()
    assert duty.pushed("news") == []
    (*_, last) = duty.steps(conversation)
    assert (last.kind, last.detail, last.person_id) == ("skipped", "away", duty.town.anna.person_id)


async def test_urgent_again_wakes_who_took_it_and_only_then_the_others(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    # By now somebody else is on call: she still has it in hand.
    duty.on_call(bram, from_ms=-60_000)
    duty.phone(bram)
    writes_again(duty, conversation, URGENT)
    await duty.works()
    assert duty.pushed() == ["anna", "anna"]
    assert duty.alert(conversation).state == "open"
    await duty.works(minutes=4)
    assert duty.pushed() == ["anna", "anna"]
    await duty.works(minutes=1)
    assert duty.pushed() == ["anna", "anna", "bram"]
    assert duty.done(conversation)[-3:] == [
        ("reopened", "anna"),
        ("woken", "anna"),
        ("woken", "bram"),
    ]


async def test_she_acknowledges_again_and_nobody_else_is_woken(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    duty.on_call(bram, from_ms=-60_000)
    duty.phone(bram)
    writes_again(duty, conversation, URGENT)
    await duty.works()
    duty.does(anna, "acknowledge", conversation)
    await duty.works(minutes=60)
    assert duty.pushed() == ["anna", "anna"]
    assert duty.alert(conversation).state == "acknowledged"
    assert len(duty.alerts()) == 1


async def test_an_edit_that_tells_of_danger_wakes_who_took_it_and_then_the_others(
    duty: Duty,
) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    duty.on_call(bram, from_ms=-60_000)
    duty.phone(bram)
    edits(duty, conversation, URGENT)
    await duty.works()
    assert (duty.pushed(), duty.alert(conversation).state) == (["anna", "anna"], "open")
    # She has seen it now, edit and all: nobody else is woken, and it does not open again.
    duty.does(anna, "acknowledge", conversation)
    await duty.works(minutes=60)
    assert (duty.pushed(), duty.alert(conversation).state) == (["anna", "anna"], "acknowledged")


async def test_an_edit_that_tells_nothing_new_of_danger_wakes_nobody(duty: Duty) -> None:
    anna = duty.town.anna
    conversation = await taken(duty, anna)
    edits(duty, conversation, URGENT)
    await duty.works()
    duty.does(anna, "acknowledge", conversation)
    edits(duty, conversation, f"{URGENT} Lantaarn 12.")
    await duty.works(minutes=60)
    assert duty.pushed() == ["anna", "anna"]


async def test_taken_from_a_phone_that_did_not_know_the_edit_it_opens_again(duty: Duty) -> None:
    anna = duty.town.anna
    duty.on_call(anna)
    duty.phone(anna)
    conversation = duty.urgent()
    known = duty.town.conversation(conversation).position
    await duty.works()
    edits(duty, conversation, URGENT)
    duty.town.does(anna, op("acknowledge", conversation, based_on=known))
    await duty.works()
    assert (duty.pushed(), duty.alert(conversation).state) == (["anna", "anna"], "open")


async def test_an_edit_after_an_answer_is_a_new_alert(duty: Duty) -> None:
    anna = duty.town.anna
    conversation = await taken(duty, anna)
    duty.does(anna, "reply", conversation, text="Ik kom eraan.")
    edits(duty, conversation, URGENT)
    await duty.works()
    assert (duty.pushed(), len(duty.alerts())) == (["anna", "anna"], 2)


async def test_many_urgent_messages_wake_her_once_until_she_reacts(duty: Duty) -> None:
    conversation = await taken(duty, duty.town.anna)
    for _ in range(4):
        writes_again(duty, conversation, URGENT)
        await duty.works(minutes=1)
    assert duty.pushed() == ["anna", "anna"]


async def test_when_her_phone_is_silent_by_then_the_next_is_woken_at_once(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    duty.on_call(anna)
    duty.phone(anna, state="silent")
    conversation = duty.urgent()
    duty.does(anna, "acknowledge", conversation)
    duty.on_call(bram, from_ms=-60_000)
    duty.phone(bram)
    writes_again(duty, conversation, URGENT)
    await duty.works()
    assert duty.pushed() == ["bram"]
    assert ("skipped", "anna") in duty.done(conversation)


async def test_given_to_a_colleague_it_is_the_colleagues_to_hear(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    duty.phone(bram)
    duty.does(anna, "assign", conversation, person=bram.person_id)
    await duty.works(minutes=1)
    writes_again(duty, conversation, URGENT)
    await duty.works()
    assert duty.pushed() == ["anna", "bram"]


async def test_a_day_later_it_is_for_who_is_on_call_then(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    duty.clock.forward(ms=24 * HOUR_MS)
    duty.on_call(bram)
    duty.phone(bram)
    writes_again(duty, conversation, URGENT)
    await duty.works()
    assert duty.pushed() == ["anna", "bram"]


async def test_after_an_answer_too_the_one_who_gave_it_is_the_first(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    conversation = await taken(duty, anna)
    duty.does(anna, "reply", conversation, text="Ik kom eraan.")
    duty.on_call(bram, from_ms=-60_000)
    duty.phone(bram)
    writes_again(duty, conversation, URGENT)
    await duty.works()
    assert (duty.pushed(), len(duty.alerts())) == (["anna", "anna"], 2)
    await duty.works(minutes=5)
    assert duty.pushed() == ["anna", "anna", "bram"]


async def test_an_answer_takes_the_news_off_her_other_phones(duty: Duty) -> None:
    anna = duty.town.anna
    conversation = await taken(duty, anna)
    writes_again(duty, conversation, CALM)
    await duty.works()
    sent = select(Push).where(Push.kind == "news")

    def shown(session: Session) -> None:
        session.exec(sent).one().state = "shown"

    duty.db.write_now(shown)
    duty.does(duty.town.bram, "reply", conversation, text="Ik ben er al.")
    await duty.works()
    assert duty.pushed("closed")[-1] == "anna"


async def test_two_workers_tell_and_reopen_once(duty: Duty) -> None:
    conversation = await taken(duty, duty.town.anna)
    first = duty.worker
    duty.restart()
    for text in (CALM, URGENT):
        writes_again(duty, conversation, text)
        assert await first.once() + await duty.worker.once() == 1
    assert (duty.pushed("news"), duty.pushed()) == (["anna"], ["anna", "anna"])

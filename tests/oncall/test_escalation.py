"""Acknowledged or escalated: one person after another, each step with its clock."""

import asyncio
from typing import Any

import pytest
from sqlmodel import Session, col, delete, select

from app.accounts.models import Membership, Person, TeamArea
from app.clock import SetClock
from app.oncall import service
from app.oncall.models import QuietHours
from app.oncall.outside import NotSent, Unknown
from app.push.models import Push
from tests.oncall.duty import HOUR_MS, MINUTE_MS, Duty
from tests.oncall.test_alerts import head
from tests.support.town import PADDEPOEL

LADDER: dict[str, Any] = {
    "email": "piket@voorbeeld.example",
    "sms": "+31612345678",
    "contact_centre_email": "14050@voorbeeld.example",
}


def minutes(duty: Duty, conversation: str) -> list[int]:
    """Return the clock of each step, in minutes since the alert opened."""
    opened = duty.alert(conversation).opened_at_ms
    return [(step.at_ms - opened) // MINUTE_MS for step in duty.steps(conversation)]


async def test_one_after_another_until_every_rung_was_used(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    for who in (anna, bram):
        duty.phone(who)
    duty.on_call(anna)
    duty.agree(lead=bram, **LADDER)
    conversation = duty.urgent()
    for _ in range(8):
        await duty.works(minutes=0)
        await duty.works(minutes=5)
    assert duty.done(conversation) == [
        ("woken", "anna"),
        ("lead", "bram"),
        ("email", "no_reaction"),
        ("sms", "no_reaction"),
        ("contact_centre", "no_reaction"),
        ("nobody", "exhausted"),
    ]
    assert minutes(duty, conversation) == [0, 5, 10, 15, 20, 25]
    assert duty.pushed() == ["anna", "bram"]
    assert [letter.recipient for letter in duty.mail.sent] == [
        LADDER["email"],
        LADDER["contact_centre_email"],
    ]
    assert [letter.recipient for letter in duty.sms.sent] == [LADDER["sms"]]
    outcomes = [step.outcome for step in duty.steps(conversation)]
    assert outcomes == [None, None, "sent", "sent", "sent", None]


async def test_what_leaves_says_where_and_why_and_nothing_of_the_resident(duty: Duty) -> None:
    duty.agree(**LADDER)
    conversation = duty.urgent(text="Mijn buurman Kees heeft een gaslek")
    for _ in range(4):
        await duty.works(minutes=5)
    for letter in (*duty.mail.sent, *duty.sms.sent):
        said = letter.subject + letter.text
        assert "Paddepoel" in said
        assert f"https://stoep.voorbeeld.example/c/{conversation}" in said
        assert not [word for word in ("Kees", "gas", "Jantje") if word in said]


async def test_an_acknowledgement_stops_it(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.phone(duty.town.bram)
    duty.on_call(duty.town.anna)
    duty.agree(lead=duty.town.bram, **LADDER)
    conversation = duty.urgent()
    await duty.works()
    await duty.works(minutes=4)
    duty.does(duty.town.anna, "acknowledge", conversation)
    await duty.works(minutes=60)
    assert duty.done(conversation) == [("woken", "anna"), ("acknowledged", "anna")]
    assert duty.pushed() == ["anna"]
    assert duty.mail.sent == []


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("status", {"status": "closed"}),
        ("reply", {"text": "Ik kom eraan."}),
        ("urgent", {"urgent": False}),
    ],
)
async def test_closed_answered_or_calm_stops_it(
    duty: Duty, kind: str, payload: dict[str, object]
) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    duty.agree(**LADDER)
    conversation = duty.urgent()
    await duty.works()
    duty.shows()
    duty.does(duty.town.bram, kind, conversation, **payload)
    await duty.works(minutes=60)
    assert [kind for kind, _ in duty.done(conversation)] == ["woken", "closed"]
    assert duty.pushed("closed") == ["anna"]
    assert duty.mail.sent == []


async def test_the_head_says_who_was_woken_and_who_is_next_and_when(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.phone(duty.town.bram)
    duty.on_call(duty.town.anna)
    duty.agree(lead=duty.town.bram)
    conversation = duty.urgent()
    opened = duty.now_ms()
    await duty.works()
    seen = head(duty, duty.town.anna, conversation)["alert"]
    assert seen["woken"] == [{"person": duty.town.anna.person_id, "at_ms": opened}]
    assert seen["next"] == {
        "kind": "lead",
        "person": duty.town.bram.person_id,
        "at_ms": opened + 5 * MINUTE_MS,
    }


@pytest.mark.parametrize("push_words", [False, True])
async def test_a_push_holds_the_residents_words_only_when_the_municipality_wants_it(
    duty: Duty, push_words: bool
) -> None:
    duty.settings.push_words = push_words
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    duty.urgent(text="Kees ruikt gas")
    await duty.works()
    (payload,) = duty.db.read_now(lambda session: session.exec(select(Push.payload)).all())
    words = dict(payload)
    assert words.pop("name", None) == ("Jantje" if push_words else None)
    assert words.pop("text", None) == ("Kees ruikt gas" if push_words else None)
    assert words == {
        "area": "Paddepoel",
        "reason": "herkend door de regels voor spoed",
        "badge": 1,
    }


async def test_a_shift_for_the_area_goes_before_one_for_the_team(duty: Duty) -> None:
    for who in (duty.town.anna, duty.town.bram):
        duty.phone(who)
    duty.on_call(duty.town.bram)
    duty.on_call(duty.town.anna, area="WK001410")
    conversation = duty.urgent()
    await duty.works()
    await duty.works(minutes=5)
    assert duty.done(conversation) == [("woken", "anna"), ("woken", "bram")]


async def test_of_two_teams_that_answer_for_an_area_the_one_it_came_in_by_goes_first(
    duty: Duty,
) -> None:
    def share(session: Session) -> None:
        session.add(TeamArea(team_id="zuid", area=PADDEPOEL))

    duty.db.write_now(share)
    for who in (duty.town.anna, duty.town.chaima):
        duty.phone(who)
    duty.on_call(duty.town.anna)
    duty.on_call(duty.town.chaima, team="zuid", area=PADDEPOEL)
    conversation = duty.urgent()
    await duty.works()
    await duty.works(minutes=5)
    assert duty.done(conversation) == [("woken", "anna"), ("woken", "chaima")]


async def test_who_cannot_be_woken_is_passed_over_at_once_with_the_reason(duty: Duty) -> None:
    duty.phone(duty.town.anna, state="silent")
    duty.phone(duty.town.bram)
    duty.on_call(duty.town.anna)
    duty.agree(lead=duty.town.bram)
    conversation = duty.urgent()
    await duty.works()
    assert duty.done(conversation) == [("skipped", "anna"), ("lead", "bram")]
    assert duty.steps(conversation)[0].detail == "unreachable"
    assert duty.pushed() == ["bram"]


async def test_who_is_away_is_passed_over(duty: Duty) -> None:
    for who in (duty.town.anna, duty.town.bram):
        duty.phone(who)
        duty.on_call(who, area="WK001410" if who is duty.town.anna else None)
    duty.away(duty.town.anna)
    conversation = duty.urgent()
    await duty.works()
    assert duty.done(conversation) == [("skipped", "anna"), ("woken", "bram")]
    assert duty.steps(conversation)[0].detail == "away"


async def test_who_may_not_see_the_area_is_never_woken(duty: Duty) -> None:
    duty.phone(duty.town.chaima)
    duty.on_call(duty.town.chaima)
    conversation = duty.urgent()
    await duty.works()
    assert ("skipped", "chaima") in duty.done(conversation)
    assert duty.pushed() == []


async def test_who_works_here_no_longer_is_passed_over(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)

    def leave(session: Session) -> None:
        session.get_one(Person, duty.town.anna.person_id).active = False

    duty.db.write_now(leave)
    conversation = duty.urgent()
    await duty.works()
    assert duty.done(conversation) == [("skipped", "anna"), ("nobody", "exhausted")]
    assert duty.steps(conversation)[0].detail == "inactive"


async def test_put_on_call_while_nobody_was_left_she_is_woken_at_once(duty: Duty) -> None:
    duty.phone(duty.town.bram)
    conversation = duty.urgent()
    await duty.works()
    assert duty.done(conversation) == [("nobody", "no_rota"), ("nobody", "exhausted")]
    now_ms = duty.now_ms()

    def plan(session: Session) -> None:
        service.plan_shifts(
            session,
            duty.town.anna,
            team_id="noord",
            area=None,
            person_id=duty.town.bram.person_id,
            span=service.Span(now_ms, now_ms + HOUR_MS),
            now_ms=now_ms,
        )

    duty.db.write_now(plan)
    await duty.works()
    assert duty.done(conversation)[-1] == ("woken", "bram")


async def test_a_hand_over_in_the_middle_counts_from_the_next_step(duty: Duty) -> None:
    for who in (duty.town.anna, duty.town.bram):
        duty.phone(who)
    duty.on_call(duty.town.anna, to_ms=2 * MINUTE_MS)
    duty.on_call(duty.town.bram, from_ms=2 * MINUTE_MS)
    conversation = duty.urgent()
    await duty.works()
    await duty.works(minutes=5)
    assert duty.done(conversation) == [("woken", "anna"), ("woken", "bram")]


async def test_when_nobody_is_left_the_next_shift_is_woken_when_it_begins(duty: Duty) -> None:
    for who in (duty.town.anna, duty.town.bram):
        duty.phone(who)
    duty.on_call(duty.town.anna)
    duty.on_call(duty.town.bram, from_ms=HOUR_MS)
    conversation = duty.urgent()
    await duty.works()
    await duty.works(minutes=5)
    assert duty.done(conversation)[-1] == ("nobody", "exhausted")
    await duty.works(minutes=54)
    assert duty.pushed() == ["anna"]
    await duty.works(minutes=1)
    assert duty.done(conversation)[-1] == ("woken", "bram")


async def test_without_a_rota_the_assignee_is_woken_and_it_is_said(duty: Duty) -> None:
    duty.phone(duty.town.bram)
    conversation = duty.town.resident_writes()
    duty.does(duty.town.anna, "assign", conversation, person=duty.town.bram.person_id)
    duty.becomes_urgent(conversation)
    await duty.works()
    assert duty.done(conversation) == [("nobody", "no_rota"), ("woken", "bram")]


async def test_quiet_hours_hold_for_the_assignee_and_not_for_who_is_on_call(
    duty: Duty, clock: SetClock
) -> None:
    for who in (duty.town.anna, duty.town.bram):
        duty.phone(who)
        quiet = QuietHours(
            person_id=who.person_id, weekdays=list(range(7)), from_minute=0, to_minute=0
        )
        duty.db.write_now(lambda session, quiet=quiet: session.add(quiet))
    duty.on_call(duty.town.anna)
    conversation = duty.town.resident_writes()
    duty.does(duty.town.anna, "assign", conversation, person=duty.town.bram.person_id)
    duty.becomes_urgent(conversation)
    await duty.works()
    await duty.works(minutes=5)
    assert duty.done(conversation)[:2] == [("woken", "anna"), ("skipped", "bram")]
    assert duty.steps(conversation)[1].detail == "quiet"


async def test_put_off_she_is_woken_again_and_the_others_by_their_own_clock(duty: Duty) -> None:
    for who in (duty.town.anna, duty.town.bram):
        duty.phone(who)
    duty.on_call(duty.town.anna)
    duty.agree(lead=duty.town.bram)
    conversation = duty.urgent()
    await duty.works()
    duty.does(duty.town.anna, "snooze", conversation, minutes=15)
    for _ in range(15):
        await duty.works(minutes=1)
    assert duty.done(conversation) == [
        ("woken", "anna"),
        ("snoozed", "anna"),
        ("lead", "bram"),
        ("nobody", "exhausted"),
        ("woken", "anna"),
    ]
    assert minutes(duty, conversation) == [0, 0, 5, 10, 15]
    assert head(duty, duty.town.anna, conversation)["alert"]["snoozed"] == []


async def test_put_off_and_gone_from_the_team_she_is_not_woken_again(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    conversation = duty.urgent()
    await duty.works()
    duty.does(duty.town.anna, "snooze", conversation, minutes=15)

    def leave(session: Session) -> None:
        session.exec(
            delete(Membership).where(col(Membership.person_id) == duty.town.anna.person_id)
        )

    duty.town.db.write_now(leave)
    await duty.works(minutes=20)
    assert duty.pushed() == ["anna"]
    assert ("skipped", "anna") in duty.done(conversation)


async def test_put_off_and_meanwhile_out_of_the_team_she_is_not_woken_again(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    conversation = duty.urgent()
    await duty.works()
    duty.does(duty.town.anna, "snooze", conversation, minutes=15)

    def leave(session: Session) -> None:
        session.delete(session.get_one(Membership, (duty.town.anna.person_id, "noord")))

    duty.db.write_now(leave)
    await duty.works(minutes=15)
    assert duty.done(conversation)[-1] == ("skipped", "anna")
    assert duty.steps(conversation)[-1].detail == "no_access"
    assert duty.pushed() == ["anna"]


async def test_put_off_and_taken_by_a_colleague_she_sleeps_on(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    conversation = duty.urgent()
    await duty.works()
    duty.does(duty.town.anna, "snooze", conversation, minutes=15)
    duty.does(duty.town.bram, "acknowledge", conversation)
    await duty.works(minutes=20)
    assert duty.pushed() == ["anna"]


async def test_who_marked_it_herself_is_not_woken_by_it(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.agree(lead=duty.town.anna, email=LADDER["email"])
    conversation = duty.town.resident_writes()
    duty.does(duty.town.anna, "urgent", conversation, urgent=True, reason="gas")
    await duty.works()
    assert duty.done(conversation) == [
        ("nobody", "no_rota"),
        ("skipped", "anna"),
        ("email", "no_reaction"),
    ]
    assert duty.pushed() == []


async def test_a_mail_that_was_refused_lets_the_next_step_come_at_once(duty: Duty) -> None:
    duty.agree(**LADDER)
    duty.mail.trouble = NotSent("refused")
    conversation = duty.urgent()
    await duty.works()
    steps = duty.steps(conversation)
    assert [(step.kind, step.outcome) for step in steps] == [
        ("nobody", None),
        ("email", "failed"),
        ("sms", "sent"),
    ]


async def test_without_a_mailbox_or_gateway_it_goes_on_at_once_and_says_so(duty: Duty) -> None:
    duty.mail.there = duty.sms.there = False
    duty.agree(**LADDER)
    conversation = duty.urgent()
    await duty.works()
    assert [(step.kind, step.outcome) for step in duty.steps(conversation)] == [
        ("nobody", None),
        ("email", "failed"),
        ("sms", "failed"),
        ("contact_centre", "failed"),
        ("nobody", None),
    ]


async def test_a_mail_server_that_asks_to_come_back_gets_one_mail(duty: Duty) -> None:
    duty.agree(email=LADDER["email"])
    duty.mail.trouble = NotSent("busy", retry_after_s=60)
    conversation = duty.urgent()
    await duty.works()
    assert duty.mail.sent == []
    await duty.works(minutes=1)
    await duty.works(minutes=1)
    assert len(duty.mail.sent) == 1
    assert duty.steps(conversation)[1].outcome == "sent"


async def test_a_mail_not_sent_yet_is_taken_back_when_somebody_has_seen_it(duty: Duty) -> None:
    duty.agree(email=LADDER["email"])
    duty.mail.trouble = NotSent("busy", retry_after_s=60)
    conversation = duty.urgent()
    await duty.works()
    duty.does(duty.town.anna, "acknowledge", conversation)
    await duty.works(minutes=10)
    assert duty.mail.sent == []
    assert duty.steps(conversation)[1].outcome == "cancelled"


@pytest.mark.parametrize("takes_it", [True, False])
async def test_a_mail_whose_answer_was_lost_is_looked_for_and_never_repeated(
    duty: Duty, takes_it: bool
) -> None:
    duty.agree(email=LADDER["email"])
    duty.mail.trouble, duty.mail.takes_it = Unknown("answer_lost"), takes_it
    conversation = duty.urgent()
    for _ in range(40):
        await duty.works(minutes=1)
    assert len(duty.mail.sent) == takes_it
    assert duty.steps(conversation)[1].outcome == ("sent" if takes_it else "uncertain")


async def test_an_sms_whose_answer_was_lost_is_uncertain_and_the_next_step_comes(
    duty: Duty,
) -> None:
    duty.agree(sms=LADDER["sms"], contact_centre_email=LADDER["contact_centre_email"])
    duty.sms.trouble = Unknown("answer_lost")
    conversation = duty.urgent()
    for _ in range(12):
        await duty.works(minutes=1)
    assert [(step.kind, step.outcome) for step in duty.steps(conversation)] == [
        ("nobody", None),
        ("sms", "uncertain"),
        ("contact_centre", "sent"),
        ("nobody", None),
    ]
    assert len(duty.sms.sent) == 1


async def test_two_workers_take_each_step_once(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.phone(duty.town.bram)
    duty.on_call(duty.town.anna)
    duty.agree(lead=duty.town.bram, **LADDER)
    conversations = [duty.urgent() for _ in range(8)]
    workers = []
    for _ in range(4):
        duty.restart()
        workers.append((duty.worker, duty.postman))
    for _ in range(6):
        for _ in range(3):
            await asyncio.gather(*(one.once() for pair in workers for one in pair))
        duty.clock.forward(ms=5 * MINUTE_MS)
    for conversation in conversations:
        assert [kind for kind, _ in duty.done(conversation)] == [
            "woken",
            "lead",
            "email",
            "sms",
            "contact_centre",
            "nobody",
        ]
    assert len(duty.pushed()) == 16
    assert len({letter.external_id for letter in duty.mail.sent}) == len(duty.mail.sent) == 16
    assert len(duty.sms.sent) == 8


async def test_an_acknowledgement_that_races_a_step_wins_or_comes_after_it(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.phone(duty.town.bram)
    duty.on_call(duty.town.anna)
    duty.agree(lead=duty.town.bram)
    conversations = [duty.urgent() for _ in range(8)]
    await duty.works()
    duty.clock.forward(ms=5 * MINUTE_MS)
    await asyncio.gather(
        *(
            asyncio.to_thread(duty.does, duty.town.anna, "acknowledge", conversation)
            for conversation in conversations
        ),
        *(duty.worker.once() for _ in range(3)),
    )
    await duty.works(minutes=30)
    for conversation in conversations:
        kinds = [kind for kind, _ in duty.done(conversation)]
        assert kinds in (["woken", "acknowledged"], ["woken", "lead", "acknowledged"])
        assert duty.alert(conversation).state == "acknowledged"

"""Whoever is on call and cannot be woken is told, and her lead too: once a shift."""

from sqlmodel import Session, select

from app.accounts.models import Person
from app.accounts.policy import Principal
from app.channels.alert_mail import AlertMail
from app.channels.models import Account
from app.oncall.models import Shift
from app.push.models import PushSubscription
from tests.oncall.duty import HOUR_MS, Duty


def told(duty: Duty) -> list[str]:
    """Return to whom a mail left, by the first part of the address."""
    return sorted(letter.recipient.partition("@")[0] for letter in duty.mail.sent)


async def hours_pass(duty: Duty, hours: int) -> None:
    """Let the workers look round for so many hours."""
    for _ in range(hours * 4):
        await duty.works(minutes=15)


async def test_she_and_her_lead_are_told_once_a_shift(duty: Duty) -> None:
    anna, bram = duty.town.anna, duty.town.bram
    duty.phone(bram)
    duty.agree(lead=bram)
    duty.on_call(anna, from_ms=HOUR_MS, to_ms=9 * HOUR_MS)
    await duty.works(minutes=59)
    assert (told(duty), duty.pushed("warning")) == ([], [])
    await duty.works(minutes=1)
    assert (told(duty), duty.pushed("warning")) == (["anna"], ["bram"])
    await hours_pass(duty, 7)
    assert (told(duty), duty.pushed("warning")) == (["anna"], ["bram"])
    (mail,) = duty.mail.sent
    assert "Noord" in mail.text
    assert "https://stoep.voorbeeld.example/phone" in mail.text


async def test_a_lead_who_cannot_be_woken_either_gets_a_mail(duty: Duty) -> None:
    duty.agree(lead=duty.town.bram)
    duty.on_call(duty.town.anna)
    await duty.works()
    assert told(duty) == ["anna", "bram"]


async def test_a_phone_that_falls_silent_in_the_shift_is_noticed(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    await hours_pass(duty, 1)
    assert told(duty) == []
    silence(duty, duty.town.anna)
    await duty.works(minutes=1)
    assert told(duty) == ["anna"]


def silence(duty: Duty, who: Principal) -> None:
    """Let somebody's phone show nothing any more."""

    def fall_silent(session: Session) -> None:
        query = select(PushSubscription).where(PushSubscription.person_id == who.person_id)
        for phone in session.exec(query):
            phone.state = "silent"

    duty.db.write_now(fall_silent)


async def test_who_can_be_woken_is_away_or_left_is_told_nothing(duty: Duty) -> None:
    anna, bram, chaima = duty.town.anna, duty.town.bram, duty.town.chaima
    duty.phone(anna)
    for who, team in ((anna, "noord"), (bram, "noord"), (chaima, "zuid")):
        duty.on_call(who, team=team)
    duty.away(bram, to_ms=9 * HOUR_MS)

    def leave(session: Session) -> None:
        session.get_one(Person, chaima.person_id).active = False

    duty.db.write_now(leave)
    await hours_pass(duty, 1)
    assert told(duty) == []


async def test_two_workers_tell_her_once(duty: Duty) -> None:
    duty.on_call(duty.town.anna)
    first = duty.worker
    duty.restart()
    await first.once()
    await duty.works()
    await first.once()
    await duty.works(minutes=1)
    assert told(duty) == ["anna"]


async def test_without_a_mailbox_the_shift_still_counts_as_told(duty: Duty) -> None:
    duty.mail.there = False
    duty.on_call(duty.town.anna)
    await duty.works()
    (shift,) = duty.db.read_now(lambda session: session.exec(select(Shift)).all())
    assert shift.warned_at_ms == duty.now_ms()


def test_the_teams_mailbox_that_can_sign_in_goes_first(duty: Duty) -> None:
    """Which mailbox a letter leaves by, and its name, are fixed when its step is recorded."""
    for number, health in enumerate(("signed_out", "working")):
        account = Account(
            id=f"email-{number}",
            kind="email",
            name="post",
            team_id="noord",
            health=health,
            config={"address": f"post{number}@noord.example"},
        )
        duty.db.write_now(lambda session, account=account: session.add(account))
    mail = AlertMail(duty.db, lambda _account: None)
    name = duty.db.read_now(lambda session: mail.name(session, "noord", "01a0"))
    assert name is not None
    assert (name.account_id, name.external_id) == ("email-1", "<stoep.01a0@noord.example>")
    assert duty.db.read_now(lambda session: mail.name(session, "zuid", "01a0")) is None

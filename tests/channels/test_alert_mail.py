"""An escalation by mail, through a real mailbox: one mail, or the truth about it."""

import json
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session

from app.channels import registry
from app.channels.alert_mail import AlertMail
from app.channels.contract import Adapter
from app.channels.models import Account
from app.clock import SetClock
from app.db import Database
from app.oncall.outside import Letter, NotSent
from tests.oncall.duty import Duty, on_duty
from tests.peers.mail import PASSWORD, MailServers
from tests.peers.mail import until as wait_until
from tests.peers.smtp_proxy import Failure, SmtpProxy


class Dies(BaseException):
    """The process is gone."""


class DiesAfterSending(AlertMail):
    """Sends, and is gone before that was written down."""

    async def send(self, letter: Letter) -> None:
        """See Way."""
        await super().send(letter)
        raise Dies


def open_adapter(clock: SetClock, account: Account) -> Adapter | None:
    """Open the team's mailbox as the application does."""
    return registry.adapter_of(account, json.dumps({"password": PASSWORD}), clock.now_ms)


@pytest.fixture
def duty(database: Database, clock: SetClock, tmp_path: Path) -> Duty:
    """A town in which nobody is on call; the contact centre is the only rung."""
    return on_duty(database, clock, tmp_path / "data")


def escalates_to(
    duty: Duty, servers: MailServers, team: str, contact_centre: str, **changes: object
) -> str:
    """Let something urgent come in, with this address as the last resort."""
    account = Account(
        id="email-noord",
        kind="email",
        name="Stadsdeel Noord",
        team_id="noord",
        config=servers.account(team, **changes),
    )
    duty.db.write_now(lambda session: session.add(account))
    duty.agree(contact_centre_email=contact_centre)
    duty.restart({"email": AlertMail(duty.db, partial(open_adapter, duty.clock))})
    return duty.urgent(text="Kees ruikt gas")


async def test_the_contact_centre_reads_where_and_since_when(
    duty: Duty, mail_servers: MailServers, team: str, resident: str
) -> None:
    conversation = escalates_to(duty, mail_servers, team, resident)
    await duty.works()
    (mail,) = mail_servers.wait_for_mail(resident)
    assert mail["Subject"] == "Spoed in Paddepoel: nog niemand heeft gereageerd"
    assert f"https://stoep.voorbeeld.example/c/{conversation}" in mail.get_content()
    assert "Kees" not in mail.as_string()
    step = duty.steps(conversation)[-1]
    assert (step.kind, step.outcome) == ("contact_centre", "sent")


async def test_when_the_answer_is_lost_the_copy_tells_and_nothing_is_repeated(
    duty: Duty, mail_servers: MailServers, team: str, resident: str
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, "cut_answer") as line:
        conversation = escalates_to(duty, mail_servers, team, resident, smtp_port=line.port)
        await duty.works()
        assert line.struck == 1
        assert duty.steps(conversation)[1].outcome == "uncertain"
        line.failure = "none"
        mail_servers.wait_for_mail(resident)
        mail_servers.wait_for_mail(team)
        await duty.works(minutes=2)
    wait_until(mail_servers.quiet)
    assert duty.steps(conversation)[1].outcome == "sent"
    assert len(mail_servers.mails(resident)) == 1


@pytest.mark.parametrize("failure", ["swallow_dot"])
async def test_when_it_never_arrived_nobody_can_tell_and_it_is_said(
    duty: Duty, mail_servers: MailServers, team: str, resident: str, failure: Failure
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, failure) as line:
        conversation = escalates_to(duty, mail_servers, team, resident, smtp_port=line.port)
        await duty.works()
        assert line.struck == 1
        line.failure = "none"
        await duty.works(minutes=5)
    wait_until(mail_servers.quiet)
    steps = duty.steps(conversation)
    assert (steps[1].kind, steps[1].outcome) == ("contact_centre", "uncertain")
    assert steps[-1].detail == "exhausted"
    assert mail_servers.mails(resident) == []


async def test_a_server_that_is_down_gets_the_mail_when_it_is_back(
    duty: Duty, mail_servers: MailServers, team: str, resident: str
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, "refuse") as line:
        conversation = escalates_to(duty, mail_servers, team, resident, smtp_port=line.port)
        await duty.works()
        assert line.struck == 1
        assert duty.steps(conversation)[1].outcome is None
        line.failure = "none"
        await duty.works(minutes=3)
        mail_servers.wait_for_mail(resident)
    assert duty.steps(conversation)[1].outcome == "sent"


async def test_a_process_that_dies_after_sending_sends_no_second_mail(
    duty: Duty, mail_servers: MailServers, team: str, resident: str
) -> None:
    conversation = escalates_to(duty, mail_servers, team, resident)
    opener = partial(open_adapter, duty.clock)
    duty.restart({"email": DiesAfterSending(duty.db, opener)})
    with pytest.raises(Dies):
        await duty.works()
    mail_servers.wait_for_mail(resident)
    mail_servers.wait_for_mail(team)
    duty.restart({"email": AlertMail(duty.db, opener)})
    await duty.works(minutes=3)
    wait_until(mail_servers.quiet)
    assert duty.steps(conversation)[1].outcome == "sent"
    assert len(mail_servers.mails(resident)) == 1


async def test_a_mailbox_that_is_no_more_sends_nothing(duty: Duty) -> None:
    letter = Letter("01a0", "gone", "<stoep.01a0@voorbeeld.example>", "a@b.nl", "", "", 0)
    with pytest.raises(NotSent) as gone:
        await AlertMail(duty.db, partial(open_adapter, duty.clock)).send(letter)
    assert (gone.value.code, gone.value.retry_after_s) == ("no_way", None)


async def test_a_password_that_is_refused_is_tried_again_later(
    duty: Duty, mail_servers: MailServers, team: str, resident: str
) -> None:
    conversation = escalates_to(duty, mail_servers, team, resident)

    def wrong(account: Account) -> Adapter | None:
        return registry.adapter_of(account, json.dumps({"password": "x"}), duty.clock.now_ms)

    duty.restart({"email": AlertMail(duty.db, wrong)})
    await duty.works()
    assert duty.steps(conversation)[1].outcome is None

    def right(session: Session) -> None:
        session.get_one(Account, "email-noord").health = "working"

    duty.db.write_now(right)
    duty.restart({"email": AlertMail(duty.db, partial(open_adapter, duty.clock))})
    await duty.works(minutes=2)
    mail_servers.wait_for_mail(resident)
    assert duty.steps(conversation)[1].outcome == "sent"

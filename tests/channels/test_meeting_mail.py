"""What a resident reads at home after a meeting, through a real mailbox: each thing once."""

import json
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from typing import Any

import pytest

from app.channels import registry
from app.channels.models import Account
from app.delivery.attempts import LOOK_AGAIN_MS
from app.delivery.worker import Worker
from tests.meetings.evening import Evening
from tests.peers.mail import PASSWORD, MailServers
from tests.peers.mail import until as wait_until
from tests.peers.smtp_proxy import SmtpProxy
from tests.support.neighbourhood import Neighbourhood
from tests.sync.phone import sign_in


@pytest.fixture
def hall(neighbourhood: Neighbourhood) -> Evening:
    """A meeting that is open, in a town whose application runs."""
    made = Evening(neighbourhood.town)
    made.plan()
    made.state("open")
    return made


def opens(
    neighbourhood: Neighbourhood, servers: MailServers, team: str, **changes: object
) -> Callable[[], Awaitable[None]]:
    """Give the team its mailbox; return what delivers all that is due."""
    mailbox = Account(
        id="email-noord",
        kind="email",
        name="Stadsdeel Noord",
        team_id="noord",
        config=servers.account(team, **changes),
    )
    neighbourhood.town.db.write_now(lambda session: session.add(mailbox))
    secret = json.dumps({"password": PASSWORD})
    worker = Worker(
        neighbourhood.town.db,
        neighbourhood.clock,
        lambda account: registry.adapter_of(account, secret, neighbourhood.clock.now_ms),
    )

    async def deliver() -> None:
        while await worker.once():
            pass

    return deliver


async def gives_out(neighbourhood: Neighbourhood, hall: Evening) -> None:
    """Let Anna give the minutes out."""
    async with sign_in(neighbourhood.app, neighbourhood.town.anna) as anna:
        answer = await anna.post(f"/api/v1/meetings/{hall.id}/minutes")
    assert answer.status_code == 200, answer.text


def answers(hall: Evening, asked: dict[str, Any], text: str) -> dict[str, Any]:
    """Let Anna answer in the hall, and mail it."""
    known = hall.question(asked["question"])
    return hall.do(
        "fate",
        about=known.conversation_id,
        based_on=known.fate_position,
        question=known.id,
        fate="answered",
        text=text,
        mail=True,
    )


def body(mail: EmailMessage) -> str:
    """Return what the mail says."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_who_asked_for_the_minutes_gets_one_mail_in_the_languages_of_the_evening(
    neighbourhood: Neighbourhood, hall: Evening, mail_servers: MailServers, team: str, resident: str
) -> None:
    other = mail_servers.mailbox()
    for text in ("Wanneer komt de drempel?", "En de bank?"):
        hall.ask(text, name="De Boer", email=resident, keep=True, minutes=True)
    hall.ask("Zonder toestemming", email=other, minutes=True)
    hall.state("closed")
    async with SmtpProxy(mail_servers.smtp_port, "cut_answer") as line:
        deliver = opens(neighbourhood, mail_servers, team, smtp_port=line.port)
        await gives_out(neighbourhood, hall)
        await deliver()
        assert line.struck == 1
        line.failure = "none"
        (mail,) = mail_servers.wait_for_mail(resident)
        await gives_out(neighbourhood, hall)
        neighbourhood.clock.forward(ms=2 * LOOK_AGAIN_MS[0])
        await deliver()
    wait_until(mail_servers.quiet)
    assert len(mail_servers.mails(resident)) == 1
    assert mail_servers.mails(other) == []
    link = f"/m/{hall.meeting().code}/minutes"
    dutch, english = body(mail).split("\n---\n")
    assert "Beste bewoner" in dutch
    assert link in dutch
    assert "Dear resident" in english
    assert link in english
    assert (await neighbourhood.resident.get(link)).status_code == 200


async def test_an_answer_in_the_hall_reaches_her_at_home_once(
    neighbourhood: Neighbourhood, hall: Evening, mail_servers: MailServers, team: str, resident: str
) -> None:
    deliver = opens(neighbourhood, mail_servers, team)
    asked = hall.ask(name="De Boer", email=resident, keep=True, answer_by="email")
    assert answers(hall, asked, "In maart.")["outcome"] == "applied"
    assert hall.conversation(asked["question"]).status == "closed"
    await deliver()
    (mail,) = mail_servers.wait_for_mail(resident)
    assert "Wanneer komt de drempel?" in body(mail)
    assert "In maart." in body(mail)
    # Put otherwise later: the hall reads it, and a person decides whether she is written again.
    assert answers(hall, asked, "In april.")["outcome"] == "applied"
    await deliver()
    wait_until(mail_servers.quiet)
    assert len(mail_servers.mails(resident)) == 1
    assert hall.question(asked["question"]).fate_text == "In april."
    notes = [e.text for e in hall.town.timeline(asked["conversation"]) if e.direction == "note"]
    assert "niet per e-mail verstuurd" in notes[-1]


async def test_minutes_that_went_first_do_not_keep_her_answer_back(
    neighbourhood: Neighbourhood, hall: Evening, mail_servers: MailServers, team: str, resident: str
) -> None:
    deliver = opens(neighbourhood, mail_servers, team)
    asked = hall.ask(email=resident, keep=True, answer_by="email", minutes=True)
    await gives_out(neighbourhood, hall)
    answers(hall, asked, "In maart.")
    await deliver()
    told = "".join(body(mail) for mail in mail_servers.wait_for_mail(resident, 2))
    assert "/minutes" in told
    assert "In maart." in told

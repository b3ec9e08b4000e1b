"""What `stoep check` says of escalations, without sending one."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from sqlmodel import Session

from app.channels.models import Account
from app.oncall import check
from tests.oncall.duty import Duty


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as open_:
        yield open_


async def said(duty: Duty, **settings: object) -> list[tuple[bool, str]]:
    there = {"database_url": duty.db.url}
    changed = duty.settings.model_copy(update=there | settings)
    return await asyncio.to_thread(check.check, changed)


async def test_nothing_agreed_is_nothing_to_say(duty: Duty) -> None:
    assert await said(duty) == []


async def test_a_gateway_is_reached_and_sent_nothing(duty: Duty, listener: socket.socket) -> None:
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    (line,) = await said(duty, sms_url=f"http://{host}/messages", sms_token="x")
    assert line == (True, f"SMS gateway {host} can be reached")
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        assert connection.recv(100) == b""


async def test_a_gateway_that_is_not_there_is_told(duty: Duty) -> None:
    (line,) = await said(duty, sms_url="http://127.0.0.1:9/messages")
    assert line == (False, "SMS gateway 127.0.0.1:9: unreachable")


async def test_a_team_that_counts_on_what_is_not_there_is_named(duty: Duty) -> None:
    duty.agree(sms="+31612345678", email="piket@voorbeeld.example")
    assert await said(duty) == [
        (False, "team Noord escalates by SMS, but STOEP_SMS_URL is empty"),
        (False, "team Noord escalates by mail, but no team has a mailbox"),
    ]


async def test_with_a_mailbox_a_mail_can_leave(duty: Duty) -> None:
    duty.agree(email="piket@voorbeeld.example")

    def add(session: Session) -> None:
        session.add(Account(id="mail", kind="email", name="noord@x.nl", team_id="noord"))

    duty.db.write_now(add)
    assert await said(duty) == []

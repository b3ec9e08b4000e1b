"""One mail or a question to a person, never two: SMTP over a line that fails at every moment."""

import pytest

from app.channels.contract import OutgoingAttachment, Permanent, Temporary, Unconfirmed
from tests.channels.conftest import OpenChannel
from tests.channels.mails import question, reply_to, until
from tests.peers.mail import MailServers
from tests.peers.mail import until as wait_until
from tests.peers.smtp_proxy import Failure, SmtpProxy


@pytest.mark.parametrize(
    ("failure", "size_bytes"),
    # Larger than what the buffers of a connection hold, so that the cut falls in the mail.
    [("refuse", 10), ("cut_in_data", 9_000_000)],
)
async def test_before_the_last_dot_nothing_was_sent_and_a_retry_sends_one(
    mail_servers: MailServers,
    open_channel: OpenChannel,
    team: str,
    resident: str,
    failure: Failure,
    size_bytes: int,
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, failure) as line:
        channel = open_channel(smtp_port=line.port)
        files = (OutgoingAttachment("film.bin", "video/mp4", bytes(size_bytes)),)
        reply = reply_to(None, channel.new_external_id, resident, attachments=files)
        with pytest.raises(Temporary):
            await channel.send(reply)
        assert line.struck == 1
        wait_until(mail_servers.quiet)
        assert mail_servers.raw_mails(resident) == []
        assert mail_servers.raw_mails(team) == []
        assert await channel.find(reply) is None

        line.failure = "none"
        await channel.send(reply)
    (raw,) = _wait_raw(mail_servers, resident, 1)
    assert f"Message-ID: {reply.external_id}\r\n".encode() in raw


@pytest.mark.parametrize("failure", ["cut_answer", "hold_answer"])
async def test_when_the_answer_is_lost_the_copy_proves_that_it_was_sent(
    mail_servers: MailServers, open_channel: OpenChannel, resident: str, failure: Failure
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, failure) as line:
        channel = open_channel(smtp_port=line.port, answer_timeout_s=0.5)
        reply = reply_to(None, channel.new_external_id, resident)
        with pytest.raises(Unconfirmed) as lost:
            await channel.send(reply)
        assert lost.value.code == "answer_lost"
        assert line.struck == 1
        assert line.took_it.is_set()
        receipt = await until(lambda: channel.find(reply))
    assert receipt is not None
    assert (receipt.external_id, receipt.state) == (reply.external_id, "sent")
    wait_until(mail_servers.quiet)
    assert len(mail_servers.mails(resident)) == 1


async def test_when_the_dot_is_lost_nobody_knows_and_the_copy_is_not_there(
    mail_servers: MailServers, open_channel: OpenChannel, resident: str
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, "swallow_dot") as line:
        channel = open_channel(smtp_port=line.port)
        reply = reply_to(None, channel.new_external_id, resident)
        with pytest.raises(Unconfirmed):
            await channel.send(reply)
        assert line.struck == 1
        wait_until(mail_servers.quiet)
        assert await channel.find(reply) is None
    assert mail_servers.mails(resident) == []


async def test_a_mail_that_only_resembles_the_copy_proves_nothing(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str
) -> None:
    channel = open_channel()
    reply = reply_to(None, channel.new_external_id, resident)
    mail = question(resident, team, X_Stoep_Delivery=f"{reply.delivery_id}-niet")
    mail_servers.send(mail, sender=resident, to=team)
    mail_servers.wait_for_mail(team)
    assert await channel.find(reply) is None


async def test_an_answer_that_is_late_but_comes_is_an_answer(
    mail_servers: MailServers, open_channel: OpenChannel, resident: str
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, "late_answer") as line:
        channel = open_channel(smtp_port=line.port, timeout_s=5.0, answer_timeout_s=5.0)
        reply = reply_to(None, channel.new_external_id, resident)
        assert (await channel.send(reply)).state == "sent"
        assert line.struck == 1
    assert len(mail_servers.wait_for_mail(resident)) == 1


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b"451 4.3.0 later please\r\n", Temporary, "mail_server_busy"),
        (b"421 4.3.2 closing\r\n", Temporary, "mail_server_busy"),
        (b"554 5.7.1 spam\r\n", Permanent, "message_refused"),
        (b"552 5.3.4 too big\r\n", Permanent, "too_large"),
        (b"nonsense\r\n", Unconfirmed, "answer_lost"),
        (b"250-half of an ans", Unconfirmed, "answer_lost"),
        (b"", Unconfirmed, "answer_lost"),
    ],
)
async def test_what_the_server_says_after_the_dot_decides(
    mail_servers: MailServers,
    open_channel: OpenChannel,
    resident: str,
    answer: bytes,
    error: type[Exception],
    code: str,
) -> None:
    async with SmtpProxy(mail_servers.smtp_port, "answer", answer) as line:
        channel = open_channel(smtp_port=line.port)
        reply = reply_to(None, channel.new_external_id, resident)
        with pytest.raises(error) as refused:
            await channel.send(reply)
        assert getattr(refused.value, "code", None) == code
        assert line.struck == 1


async def test_a_retry_is_the_same_mail_byte_for_byte(
    mail_servers: MailServers, open_channel: OpenChannel, resident: str
) -> None:
    channel = open_channel()
    files = (OutgoingAttachment("foto.jpg", "image/jpeg", b"\xff\xd8 een foto"),)
    reply = reply_to(None, channel.new_external_id, resident, attachments=files)
    await channel.send(reply)
    await channel.send(reply)
    first, second = (mail for mail in _wait_raw(mail_servers, resident, 2))
    assert _own_part(first) == _own_part(second)


def _wait_raw(servers: MailServers, address: str, count: int) -> list[bytes]:
    return wait_until(lambda: raws if len(raws := servers.raw_mails(address)) >= count else [])


def _own_part(raw: bytes) -> bytes:
    return raw[raw.index(b"Message-ID:") :]

"""E-mail against Postfix and Dovecot."""

import asyncio
import logging
from contextlib import suppress
from email.message import EmailMessage

import pytest

from app.channels.contract import (
    Incoming,
    OutgoingAttachment,
    Permanent,
    SignedOut,
    Temporary,
)
from app.channels.email import EmailChannel
from tests.channels.conftest import OpenChannel
from tests.channels.mails import fetch_all, incoming, question, reply_to, reports, until
from tests.peers.imap_proxy import ImapProxy
from tests.peers.mail import DOMAIN, FINAL_DOMAIN, PASSWORD, MailServers
from tests.peers.mail import until as wait_until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


def body_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_a_question_and_its_answer_thread_in_both_directions(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    asked = question(resident, team)
    mail_servers.send(asked, sender=resident, to=team)
    (item,) = await incoming(channel)
    assert (item.address, item.sender_name) == (resident, "Fatma Yıldız")
    assert item.subject == "Lantaarn stuk"
    assert item.text == "Wanneer wordt de lantaarn gemaakt?"
    assert item.external_id == asked["Message-ID"]
    assert not item.automatic

    reply = reply_to(item, channel.new_external_id, resident)
    assert (await channel.send(reply)).state == "sent"

    (answer,) = mail_servers.wait_for_mail(resident)
    assert answer["Message-ID"] == reply.external_id
    assert answer["In-Reply-To"] == asked["Message-ID"]
    assert answer["References"] == asked["Message-ID"]
    assert answer["Subject"] == "Re: Lantaarn stuk"
    assert answer["From"] == f"Stadsdeel Noord <{team}>"
    assert answer["Reply-To"].addresses[0].addr_spec == team.replace("@", f"+{reply.token}@")
    assert body_of(answer).strip() == reply.text
    assert answer["Auto-Submitted"] is None

    again = question(
        resident,
        str(answer["Reply-To"].addresses[0].addr_spec),
        "Dank!\n\nOp ma 3 nov 2025 om 10:14 schreef Stadsdeel Noord <x@y.nl>:\n> Donderdag komt er",
        In_Reply_To=reply.external_id,
        References=f"{asked['Message-ID']} {reply.external_id}",
    )
    mail_servers.send(again, sender=resident, to=team.replace("@", f"+{reply.token}@"))
    _, second = await incoming(channel, 2)
    assert second.in_reply_to == (reply.external_id, item.external_id)
    assert second.token == reply.token
    assert second.text == "Dank!"
    assert second.quoted is not None
    assert "Donderdag" in second.quoted


async def test_the_token_threads_an_answer_that_lost_its_references(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    plus = team.replace("@", "+0123456789abcdef@")
    # Even when the header names the plain address, the envelope that Dovecot notes has the token.
    mail_servers.send(question(resident, team), sender=resident, to=plus)
    (item,) = await incoming(channel)
    assert item.token == "0123456789abcdef"
    assert item.in_reply_to == ()


async def test_attachments_arrive_whole_in_both_directions(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    asked = question(resident, team)
    asked.add_attachment(PNG, maintype="image", subtype="png", filename="stoeptegel één.png")
    mail_servers.send(asked, sender=resident, to=team)
    (item,) = await incoming(channel)
    (photo,) = item.attachments
    assert (photo.name, photo.media_type) == ("stoeptegel één.png", "image/png")
    assert photo.content == PNG

    files = (
        OutgoingAttachment("plattegrond.png", "image/png", PNG),
        OutgoingAttachment(
            "brief naar buurt.txt", "text/plain", "Beste buurt\r\n".encode("cp1252")
        ),
    )
    await channel.send(reply_to(item, channel.new_external_id, resident, attachments=files))
    (answer,) = mail_servers.wait_for_mail(resident)
    received = list(answer.iter_attachments())
    assert [part.get_filename() for part in received] == [file.name for file in files]
    assert [part.get_payload(decode=True) for part in received] == [f.content for f in files]
    assert [part["Content-Description"] for part in received] == [None, None]


async def test_html_alone_becomes_text_that_is_safe_to_show(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    mail = question(resident, team)
    mail.set_content(
        "<style>p{}</style><p>De <b>heg</b> is te hoog &amp; scheef.</p><script>alert(1)</script>"
        "<div>Op 3 nov 2025 schreef Noord &lt;n@x.nl&gt;:<blockquote>Welke heg?</blockquote></div>",
        subtype="html",
    )
    mail_servers.send(mail, sender=resident, to=team)
    (item,) = await incoming(channel)
    assert item.text == "De heg is te hoog & scheef."
    assert item.quoted is not None
    assert "> Welke heg?" in item.quoted
    assert "alert" not in item.text + item.quoted


async def test_a_dot_alone_on_a_line_and_long_lines_survive(
    mail_servers: MailServers, channel: EmailChannel, resident: str
) -> None:
    text = "Eerst dit\n.\n..\n.verder\nFrom nu af\n" + "lang " * 500 + "\nĳ, €, 🙂"
    await channel.send(reply_to(None, channel.new_external_id, resident, text=text))
    (answer,) = mail_servers.wait_for_mail(resident)
    assert body_of(answer).rstrip("\n") == text


async def test_a_long_message_id_and_a_long_thread_stay_as_they_are(
    mail_servers: MailServers, channel: EmailChannel, resident: str
) -> None:
    long_ones = tuple(f"<{'A' * 90}{number}@outlook.example>" for number in range(60))
    reply = reply_to(
        None,
        channel.new_external_id,
        resident,
        in_reply_to=long_ones[-1],
        references=long_ones,
    )
    await channel.send(reply)
    wait_until(lambda: mail_servers.raw_mails(resident))
    raw = mail_servers.raw_mails(resident)[0].decode("ascii")
    head = raw.partition("\r\n\r\n")[0]
    assert f"\r\nIn-Reply-To: {long_ones[-1]}\r\n" in head
    assert "=?utf-8?" not in head
    assert long_ones[0] in head
    assert all(len(line) < 998 for line in head.split("\r\n"))


@pytest.mark.parametrize("field", ["subject", "from_name"])
async def test_no_text_can_become_a_header(
    mail_servers: MailServers, channel: EmailChannel, resident: str, team: str, field: str
) -> None:
    evil = f"Hallo\r\nBcc: {team}\r\n\r\nextra"
    await channel.send(reply_to(None, channel.new_external_id, resident, **{field: evil}))
    (answer,) = mail_servers.wait_for_mail(resident)
    assert answer["Bcc"] is None
    assert "Bcc: " in str(answer["Subject"] if field == "subject" else answer["From"])


@pytest.mark.parametrize(
    "recipient", ["geen adres", "a@b\r\nRCPT TO:<c@d>", "", "a@", "<a@b.nl>", "a@b.nl, c@d.nl"]
)
async def test_an_address_that_is_none_is_refused_before_anything_is_sent(
    channel: EmailChannel, recipient: str
) -> None:
    with pytest.raises(Permanent) as refused:
        await channel.send(reply_to(None, channel.new_external_id, recipient))
    assert refused.value.code == "bad_address"


async def test_a_reply_that_is_too_long_is_refused_and_not_split(
    mail_servers: MailServers, channel: EmailChannel, resident: str
) -> None:
    text = "x" * (channel.capabilities.max_chars + 1)
    with pytest.raises(Permanent) as refused:
        await channel.send(reply_to(None, channel.new_external_id, resident, text=text))
    assert refused.value.code == "too_long"
    assert mail_servers.mails(resident) == []


async def test_a_reply_larger_than_the_server_takes_is_refused_with_that_reason(
    mail_servers: MailServers, channel: EmailChannel, resident: str
) -> None:
    files = (OutgoingAttachment("groot.bin", "application/octet-stream", bytes(14_900_000)),)
    with pytest.raises(Permanent) as refused:
        await channel.send(reply_to(None, channel.new_external_id, resident, attachments=files))
    assert refused.value.code == "too_large"
    assert mail_servers.mails(resident) == []


async def test_our_own_copy_is_an_echo_and_never_a_question(
    mail_servers: MailServers, channel: EmailChannel, resident: str
) -> None:
    reply = reply_to(None, channel.new_external_id, resident)
    await channel.send(reply)

    async def echoed() -> bool:
        return reply.external_id in (await fetch_all(channel)).echoes

    await until(echoed)
    batch = await fetch_all(channel)
    assert [item for item in batch.items if isinstance(item, Incoming)] == []
    assert await channel.find(reply) is not None


async def test_copies_and_reports_are_moved_when_a_folder_was_named_for_them(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str
) -> None:
    channel = open_channel(sent_folder="Verzonden door Stoep")
    reply = reply_to(None, channel.new_external_id, resident)
    await channel.send(reply)
    mail_servers.send(question(resident, team), sender=resident, to=team)

    async def filed() -> bool:
        await fetch_all(channel)
        moved = mail_servers.mails(team, '"Verzonden door Stoep"')
        return reply.external_id in [mail["Message-ID"] for mail in moved]

    await until(filed)
    await incoming(channel)
    left = [mail["Message-ID"] for mail in mail_servers.mails(team)]
    assert reply.external_id not in left
    assert await channel.find(reply) is not None


async def test_delivery_is_told_when_the_server_tells_it(
    open_channel: OpenChannel,
) -> None:
    channel = open_channel(delivery_reports=True)
    reply = reply_to(None, channel.new_external_id, f"fatma@{FINAL_DOMAIN}")
    await channel.send(reply)
    (report,) = await reports(channel, "delivered")
    assert report.external_id == reply.external_id
    assert report.token == reply.token


async def test_a_report_that_says_only_that_it_was_passed_on_proves_no_delivery(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str
) -> None:
    channel = open_channel(delivery_reports=True)
    await channel.send(reply_to(None, channel.new_external_id, resident))
    # Our own copy, and the report: "relayed", as Postfix says of everything it hands to LMTP.
    mails = mail_servers.wait_for_mail(team, 2)
    (report,) = (mail for mail in mails if mail.get_content_type() == "multipart/report")
    assert b"Action: relayed" in report.as_bytes()
    assert (await fetch_all(channel)).items == ()


async def test_a_bounce_finds_the_reply_that_came_back(channel: EmailChannel) -> None:
    reply = reply_to(None, channel.new_external_id, f"bestaat-niet@{DOMAIN}")
    await channel.send(reply)
    (report,) = await reports(channel, "failed")
    assert report.external_id == reply.external_id
    assert report.token == reply.token
    assert report.code == "no_such_address"
    assert "5.1.1" in report.detail
    assert b"multipart/report" in report.raw


async def test_a_bounce_of_our_own_copy_fails_no_reply(
    mail_servers: MailServers, open_channel: OpenChannel, resident: str
) -> None:
    channel = open_channel()
    nobody = open_channel(address=f"team-zonder-bus@{DOMAIN}", smtp_auth=False)
    reply = reply_to(None, nobody.new_external_id, resident)
    await nobody.send(reply)
    assert len(mail_servers.wait_for_mail(resident)) == 1
    wait_until(mail_servers.quiet)
    assert (await fetch_all(channel)).items == ()


async def test_after_a_new_uidvalidity_all_is_read_again_under_the_same_names(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str
) -> None:
    channel = open_channel()
    for number in range(3):
        mail_servers.send(question(resident, team, f"Vraag {number}"), sender=resident, to=team)
    before = await incoming(channel, 3)
    cursor = (await fetch_all(channel)).cursor
    assert (await channel.fetch(cursor)).items == ()

    mail_servers.renumber(team)
    mail_servers.send(question(resident, team, "Vraag 3"), sender=resident, to=team)
    mail_servers.wait_for_mail(team, 4)
    with suppress(Temporary):
        # The server may drop who was connected while it happened.
        await channel.fetch(cursor)
    after = await fetch_all(channel, cursor)
    assert after.cursor is not None
    assert cursor is not None
    assert after.cursor.partition(":")[0] != cursor.partition(":")[0]
    names = [item.external_id for item in after.items if isinstance(item, Incoming)]
    assert set(names) > {item.external_id for item in before}
    assert len(names) == len(set(names)) == 4


async def test_older_mail_than_the_account_is_left_alone(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str
) -> None:
    with mail_servers.imap(team) as client:
        old = question(resident, team, "Van vroeger").as_bytes()
        client.append("INBOX", "", '"01-Jan-2020 12:00:00 +0000"', old)
    mail_servers.send(question(resident, team, "Van nu"), sender=resident, to=team)
    (item,) = await incoming(open_channel(since_ms=1_700_000_000_000))
    assert item.text == "Van nu"


async def test_more_mail_than_one_batch_comes_in_order_and_once(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    with mail_servers.imap(team) as client:
        for number in range(120):
            client.append("INBOX", "", "", question(resident, team, f"{number}").as_bytes())
    first = await channel.fetch(None)
    assert first.more
    assert len(first.items) < 120
    batch = await fetch_all(channel)
    assert [item.text for item in batch.items if isinstance(item, Incoming)] == [
        str(number) for number in range(120)
    ]


async def test_a_mail_too_large_to_take_is_shown_by_its_beginning(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str
) -> None:
    mail = question(resident, team, "Zie de film.")
    mail.add_attachment(bytes(600_000), maintype="video", subtype="mp4", filename="film.mp4")
    mail_servers.send(mail, sender=resident, to=team)
    (item,) = await incoming(open_channel(max_message_bytes=400_000))
    assert item.text == "Zie de film."
    assert item.attachments == ()
    assert "too_large" in item.notices


async def test_a_mail_of_a_robot_is_marked(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    away = question(resident, team, "Ik ben met vakantie.", Auto_Submitted="auto-replied")
    mail_servers.send(away, sender=resident, to=team)
    (item,) = await incoming(channel)
    assert item.automatic
    assert item.text == "Ik ben met vakantie."


async def test_a_mail_with_a_null_return_path_is_a_robots(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    mail_servers.send(question(resident, team), sender="", to=team)
    (item,) = await incoming(channel)
    assert item.automatic


async def test_new_mail_ends_a_wait(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    await channel.fetch(None)
    waiting = asyncio.create_task(channel.wait(60))
    mail_servers.send(question(resident, team), sender=resident, to=team)
    async with asyncio.timeout(10):
        assert await waiting
    assert len(await incoming(channel)) == 1


async def test_mail_that_came_before_the_wait_ends_it_at_once(
    mail_servers: MailServers, channel: EmailChannel, team: str, resident: str
) -> None:
    await channel.fetch(None)
    mail_servers.send(question(resident, team), sender=resident, to=team)
    mail_servers.wait_for_mail(team)
    async with asyncio.timeout(10):
        assert await channel.wait(60)


@pytest.mark.parametrize("news_first", [True, False])
async def test_mail_in_the_very_moment_the_wait_begins_ends_it(
    mail_servers: MailServers,
    open_channel: OpenChannel,
    team: str,
    resident: str,
    news_first: bool,
) -> None:
    async with ImapProxy(mail_servers.imap_port, news_first=news_first) as line:
        channel = open_channel(imap_port=line.port)
        await channel.fetch(None)
        waiting = asyncio.create_task(channel.wait(60))
        async with asyncio.timeout(10):
            await line.idles.wait()
            mail_servers.send(question(resident, team), sender=resident, to=team)
            assert await waiting
        assert line.struck == 1


async def test_a_wait_without_mail_ends_in_time(channel: EmailChannel) -> None:
    await channel.fetch(None)
    assert await channel.wait(0.2) is False


async def test_closing_ends_a_wait(channel: EmailChannel) -> None:
    await channel.fetch(None)
    waiting = asyncio.create_task(channel.wait(600))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await channel.close()
        await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.done()


async def test_a_wrong_password_is_said_at_once(open_channel: OpenChannel) -> None:
    channel = open_channel(password="verkeerd")
    for attempt in (channel.fetch(None), channel.check()):
        with pytest.raises(SignedOut) as refused:
            await attempt
        assert refused.value.code == "password_refused"
        assert "verkeerd" not in str(refused.value)


@pytest.mark.parametrize("password", ["verkeerd", "geheimpje-€"])
async def test_a_password_that_only_smtp_refuses_is_said_too(
    open_channel: OpenChannel, resident: str, password: str
) -> None:
    channel = open_channel(password=password)
    with pytest.raises(SignedOut) as refused:
        await channel.send(reply_to(None, channel.new_external_id, resident))
    assert refused.value.code == "password_refused"


@pytest.mark.parametrize(
    ("code", "error", "sentence"),
    [
        ("refused", Permanent, "recipient_refused"),
        ("later", Temporary, "mail_server_busy"),
    ],
)
async def test_a_recipient_that_the_server_does_not_take_is_told_apart(
    mail_servers: MailServers,
    channel: EmailChannel,
    team: str,
    code: str,
    error: type[Permanent | Temporary],
    sentence: str,
) -> None:
    with pytest.raises(error) as refused:
        await channel.send(reply_to(None, channel.new_external_id, f"{code}@{DOMAIN}"))
    assert refused.value.code == sentence
    assert not refused.value.account_wide
    wait_until(mail_servers.quiet)
    assert mail_servers.mails(team) == []


async def test_a_folder_that_is_not_there_is_said(open_channel: OpenChannel) -> None:
    with pytest.raises(Permanent) as refused:
        await open_channel(folder="Bestaat niet").fetch(None)
    assert refused.value.code == "no_such_folder"


@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_encrypted_lines_work_and_unknown_certificates_do_not(
    mail_servers: MailServers, open_channel: OpenChannel, team: str, resident: str, mode: str
) -> None:
    port = mail_servers.imaps_port if mode == "tls" else mail_servers.imap_port
    secure = {"imap_tls": mode, "imap_port": port, "smtp_tls": "starttls"}
    trusted = open_channel(**secure, ca_file=str(mail_servers.ca_file))
    await trusted.check()
    reply = reply_to(None, trusted.new_external_id, resident)
    await trusted.send(reply)
    assert len(mail_servers.wait_for_mail(resident)) == 1

    stranger = open_channel(**secure)
    with pytest.raises(Temporary) as refused:
        await stranger.fetch(None)
    assert refused.value.code == "certificate_wrong"
    with pytest.raises(Temporary) as refused:
        await stranger.send(reply)
    assert refused.value.code == "certificate_wrong"


async def test_nothing_that_a_resident_wrote_and_no_password_is_logged(
    mail_servers: MailServers,
    open_channel: OpenChannel,
    team: str,
    resident: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = open_channel()
    mail_servers.send(question(resident, team, "geheim verhaal"), sender=resident, to=team)
    (item,) = await incoming(channel)
    await channel.send(reply_to(item, channel.new_external_id, resident))
    await fetch_all(channel)
    with pytest.raises(SignedOut):
        await open_channel(password="fout-wachtwoord").check()
    for secret in ("geheim verhaal", resident, PASSWORD, "fout-wachtwoord", "Lantaarn"):
        assert secret not in caplog.text

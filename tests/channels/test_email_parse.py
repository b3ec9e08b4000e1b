"""Mails as they really come: wrong charsets, odd trees, bounces, robots, nonsense."""

import base64
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.channels.contract import DeliveryReport, Incoming
from app.channels.email_parse import Echo, Mailbox, Nothing, parse
from app.text.flowed import unflow

NOORD = Mailbox("noord@gemeente.example")
NOW_MS = 1_793_610_000_000
DELIVERY = "01a20a0e-acab-7aef-aa77-b9f227f1bc1f"
OURS = f"<stoep.{DELIVERY}@gemeente.example>"


def read(raw: bytes | str) -> Incoming:
    content = raw if isinstance(raw, bytes) else raw.encode()
    parsed = parse(content.replace(b"\n", b"\r\n"), NOORD, NOW_MS)
    assert isinstance(parsed, Incoming)
    return parsed


def mail(headers: str = "", body: bytes | str = "Hallo") -> bytes:
    content = body if isinstance(body, bytes) else body.encode()
    first = "From: Fatma <Fatma@Example.NL>\nTo: noord@gemeente.example\n"
    return (first + headers + "\n").encode() + content


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-8", "één €".encode()),
        ("iso-8859-1", "één €".encode("cp1252")),
        ("ISO-8859-15", "één €".encode("iso-8859-15")),
        ("us-ascii", "één €".encode()),
        ("iso-8859-1", "één €".encode()),
        ("x-bestaat-niet", "één €".encode()),
        ("utf-16", "één €".encode("utf-16")),
        ("rot13", "één €".encode()),
        ("", "één €".encode("cp1252")),
    ],
)
def test_text_is_read_though_its_charset_is_wrong_or_unknown(charset: str, body: bytes) -> None:
    declared = f"Content-Type: text/plain; charset={charset}\n" if charset else ""
    transfer = "Content-Transfer-Encoding: base64\n"
    item = read(mail(declared + transfer, base64.encodebytes(body)))
    assert item.text == "één €"


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        ("Subject: =?utf-8?q?Stoep_kapot_=E2=80=93_n=C3=BA?=", "Stoep kapot – nú"),
        ("Subject: =?iso-8859-1?B?6ek=?= =?utf-8?B?w6k=?=", "ééé"),
        ("Subject: =?bestaat-niet?q?h=C3=A9?=", "hé"),
        ("Subject: =?utf-8?b?kapot?=", "=?utf-8?b?kapot?="),
        ("Subject: rauw één", "rauw één"),
        ("Subject: een\n twee", "een twee"),
        ("Subject: a\u202eb\x00c", "a bc"),
    ],
)
def test_a_subject_becomes_one_clean_line(header: str, subject: str) -> None:
    assert read(mail(header + "\n")).subject == subject


def test_the_address_is_in_the_form_that_compares_equal() -> None:
    assert read(mail()).address == "fatma@example.nl"


def test_a_form_that_mails_for_somebody_is_answered_at_her_own_address() -> None:
    assert read(mail("Reply-To: Bram <bram@example.nl>\n")).address == "bram@example.nl"


@pytest.mark.parametrize("own", ["noord@gemeente.example", "noord+abc@gemeente.example"])
def test_a_reply_to_that_leads_back_to_us_is_passed_over(own: str) -> None:
    assert read(mail(f"Reply-To: {own}\n")).address == "fatma@example.nl"


@pytest.mark.parametrize(
    "date",
    [
        "",
        "Date: gisteren",
        "Date: Mon, 99 Foo 2025 99:99:99 +0000",
        "Date: Thu, 01 Jan 1970 00:00:00 +0000",
        "Date: Fri, 31 Dec 9999 23:59:59 +0000",
        "Date: Mon, 3 Nov 2097 10:14:00 +0100",
        "Date: Mon, 3 Nov 2025 10:14:00 +999999999",
    ],
)
def test_an_impossible_date_is_now(date: str) -> None:
    assert read(mail(f"{date}\n" if date else "")).sent_at_ms == NOW_MS


def test_a_date_is_kept() -> None:
    item = read(mail("Date: Mon, 3 Nov 2025 10:14:00 +0100\n"))
    assert item.sent_at_ms == 1_762_161_240_000


def test_a_mail_without_a_message_id_keeps_one_name_whichever_way_it_came() -> None:
    one = read(b"Received: by a; Mon\n" + mail())
    two = read(b"Received: by b; Tue\n with more\nDelivered-To: x\n" + mail())
    other = read(mail(body="Iets anders"))
    assert one.external_id == two.external_id != other.external_id


def test_a_stranger_cannot_take_the_name_of_a_reply() -> None:
    assert read(mail(f"Message-ID: {OURS}\n")).external_id != OURS


def test_our_own_copy_is_an_echo_also_when_a_service_gave_it_another_id() -> None:
    raw = (
        f"From: Noord <noord@gemeente.example>\nX-Stoep-Delivery: {DELIVERY}\n"
        "Message-ID: <0102@eu-west-1.amazonses.example>\n\nDonderdag"
    )
    assert parse(raw.encode(), NOORD, NOW_MS) == Echo(OURS)


def test_a_reply_of_another_team_is_a_question_to_this_one() -> None:
    raw = (
        f"From: Zuid <zuid@gemeente.example>\nMessage-ID: {OURS}\nX-Stoep-Delivery: {DELIVERY}\n"
        "\nIs dit voor jullie?"
    )
    assert read(raw).text == "Is dit voor jullie?"


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner=x",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "Return-Path: <>",
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "List-Id: <buurt.example.nl>",
        "X-Autoreply: yes",
    ],
)
def test_a_robot_is_known_by_its_headers(headers: str) -> None:
    assert read(mail(f"{headers}\n")).automatic


@pytest.mark.parametrize(
    "address",
    [
        *("noreply@x.nl", "no-reply@x.nl", "donotreply@x.nl", "do-not-reply@x.nl"),
        *("nieuwsbrief-noreply@x.nl", "niet-beantwoorden@x.nl", "MAILER-DAEMON@x.nl"),
        *("postmaster@x.nl", "bounces+123@x.nl"),
    ],
)
def test_a_robot_is_known_by_its_address(address: str) -> None:
    assert read(f"From: {address}\nSubject: Nieuws\n\nHallo").automatic


@pytest.mark.parametrize("headers", ["Auto-Submitted: no", "Precedence: normal", ""])
def test_a_person_is_no_robot(headers: str) -> None:
    assert not read(mail(f"{headers}\n" if headers else "")).automatic


def test_a_tree_of_parts_gives_text_once_and_files_apart() -> None:
    message = EmailMessage()
    message["From"] = "fatma@example.nl"
    message.set_content("De tekst.\n")
    message.add_alternative('<p>De <b>tekst</b>.</p><img src="cid:heg">', subtype="html")
    related = list(message.iter_parts())[1]
    assert isinstance(related, EmailMessage)
    related.add_related(
        b"GIF89a", "image", "gif", cid="<heg>", filename="heg.gif", disposition="inline"
    )
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="../brief.pdf")
    inner = EmailMessage()
    inner["Subject"] = "binnen"
    inner.set_content("Het doorgestuurde")
    message.add_attachment(inner)
    item = parse(message.as_bytes(), NOORD, NOW_MS)
    assert isinstance(item, Incoming)
    assert item.text == "De tekst."
    assert [(file.name, file.inline) for file in item.attachments] == [
        ("heg.gif", True),
        ("_brief.pdf", False),
        ("bericht.eml", False),
    ]
    assert b"Het doorgestuurde" in item.attachments[2].content


def test_an_empty_plain_part_gives_way_to_the_html() -> None:
    message = EmailMessage()
    message.set_content("\n \n")
    message.add_alternative("<p>Hier staat het</p>", subtype="html")
    item = parse(message.as_bytes(), NOORD, NOW_MS)
    assert isinstance(item, Incoming)
    assert item.text == "Hier staat het"


def test_outlooks_envelope_is_kept_as_a_file_and_named() -> None:
    message = EmailMessage()
    message.set_content("Zie bijlage")
    message.add_attachment(b"\x78\x9f\x3e\x22", "application", "ms-tnef", filename="winmail.dat")
    item = parse(message.as_bytes(), NOORD, NOW_MS)
    assert isinstance(item, Incoming)
    assert [file.name for file in item.attachments] == ["winmail.dat"]
    assert item.notices == ("winmail",)


def test_flowed_lines_are_joined() -> None:
    headers = "Content-Type: text/plain; charset=utf-8; format=flowed\n"
    item = read(mail(headers, "Dit is een lange \nregel.\n\nNieuw.\n-- \nFatma"))
    assert item.text == "Dit is een lange regel.\n\nNieuw."
    assert unflow("een \ntwee", delete_space=True) == "eentwee"
    assert unflow("> een \n> twee\ndrie", delete_space=False) == "> een twee\ndrie"


REPORT = """From: {sender}
To: noord+a1b2c3d4e5f60718@gemeente.example
Return-Path: <>
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: text/plain

It did not work.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
{envelope}
Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} no

--B
{original}
--B--
"""


def report(**changes: str) -> object:
    values = {
        "sender": "MAILER-DAEMON@mail.example",
        "envelope": "Arrival-Date: Mon, 3 Nov 2025 10:14:00 +0100\n",
        "recipient": "fatma@example.nl",
        "action": "failed",
        "status": "5.1.1",
        "original": f"Content-Type: message/rfc822\n\nMessage-ID: {OURS}\nSubject: x\n\nDonderdag",
    }
    return parse(REPORT.format(**(values | changes)).encode(), NOORD, NOW_MS)


@pytest.mark.parametrize(
    ("changes", "state", "external_id", "code"),
    [
        ({}, "failed", OURS, "no_such_address"),
        ({"status": "5.2.2"}, "failed", OURS, "mailbox_full"),
        ({"status": "5.7.26"}, "failed", OURS, "refused_by_receiver"),
        ({"status": "5.0.0"}, "failed", OURS, "came_back"),
        ({"action": "delayed", "status": "4.4.1"}, "delayed", OURS, "delivery_delayed"),
        ({"action": "delivered", "status": "2.0.0"}, "delivered", OURS, ""),
        (
            {"original": f"Content-Type: text/rfc822-headers\n\nX-Stoep-Delivery: {DELIVERY}\n"},
            "failed",
            OURS,
            "no_such_address",
        ),
        (
            {"original": "", "envelope": f"Original-Envelope-Id: {DELIVERY}\n"},
            "failed",
            OURS,
            "no_such_address",
        ),
        ({"original": ""}, "failed", None, "no_such_address"),
    ],
)
def test_a_standard_report_finds_its_reply(
    changes: dict[str, str], state: str, external_id: str | None, code: str
) -> None:
    found = report(**changes)
    assert isinstance(found, DeliveryReport)
    assert (found.state, found.external_id, found.code) == (state, external_id, code)
    assert found.token == "a1b2c3d4e5f60718"


@pytest.mark.parametrize(
    "changes", [{"recipient": "noord@gemeente.example"}, {"action": "relayed", "status": "2.0.0"}]
)
def test_a_report_of_no_use_is_nothing(changes: dict[str, str]) -> None:
    assert report(**changes) == Nothing()


NOT_STANDARD = {
    "qmail": (
        "From: MAILER-DAEMON@mail.example\nReturn-Path: <>\nSubject: failure notice\n\n"
        "Hi. This is the qmail-send program. I'm afraid I wasn't able to deliver your message.\n"
        "<fatma@example.nl>:\n550 5.1.1 no such user\n\n--- Below this line is a copy.\n\n"
        f"Message-ID: {OURS}\nSubject: x\n\nDonderdag"
    ),
    "exim": (
        "From: Mail Delivery System <Mailer-Daemon@mail.example>\nReturn-Path: <>\n"
        "Subject: Mail delivery failed: returning message to sender\n\n"
        f"fatma@example.nl\n  550 5.1.1 unknown\n\nMessage-ID: {OURS}\n"
    ),
    "dutch": (
        "From: postmaster@mail.example\nReturn-Path: <>\nSubject: Onbestelbaar: Uw vraag\n\n"
        f"Uw bericht kon niet worden afgeleverd. 550 5.1.1\n\nX-Stoep-Delivery: {DELIVERY}\n"
    ),
}


@pytest.mark.parametrize("raw", NOT_STANDARD.values(), ids=NOT_STANDARD)
def test_a_bounce_that_keeps_to_no_standard_finds_its_reply(raw: str) -> None:
    found = parse(raw.encode(), NOORD, NOW_MS)
    assert isinstance(found, DeliveryReport)
    assert (found.state, found.external_id, found.code) == ("failed", OURS, "no_such_address")


def test_an_out_of_office_answer_is_no_bounce() -> None:
    raw = (
        "From: fatma@example.nl\nReturn-Path: <>\nAuto-Submitted: auto-replied\n"
        f"Subject: Afwezig\nIn-Reply-To: {OURS}\n\nIk ben er niet."
    )
    item = read(raw)
    assert item.automatic
    assert item.in_reply_to == (OURS,)


@pytest.mark.parametrize(
    ("raw", "notice"),
    [
        (
            "Content-Type: multipart/mixed; boundary=x\n\n"
            + "--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 5_000,
            "too_complex",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n"
            + "--x\nContent-Type: text/plain\n\nhallo\n" * 3_000,
            "parts_dropped",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n"
            + "--x\nContent-Type: image/gif\n\nGIF\n" * 100,
            "attachments_dropped",
        ),
        ("Content-Type: text/plain\n\n" + "lang verhaal " * 20_000, "text_cut"),
    ],
    ids=["nested", "many parts", "many files", "long"],
)
def test_what_goes_beyond_bounds_is_named_and_quick(raw: str, notice: str) -> None:
    began = time.process_time()
    item = read(mail() + b"\n" if raw == "" else "From: fatma@example.nl\n" + raw)
    assert notice in item.notices
    assert time.process_time() - began < 3


HEADERS = st.sampled_from(
    [
        *("From", "To", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "Reply-To"),
        *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Return-Path"),
        *("Auto-Submitted", "X-Stoep-Delivery", "Content-ID"),
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("multipart/mixed; boundary=b", "multipart/report; boundary=b", "multipart/mixed"),
            *("multipart/alternative; boundary=b", "message/delivery-status", "message/rfc822"),
            *("text/html; charset=utf-16", "text/plain; charset*=%", "base64", "x-uuencode"),
            *("quoted-printable", "attachment; filename*=utf-8''%ff%00", "=?utf-8?b?////?=", "<>"),
            *("noord+x@gemeente.example", OURS, '"', "a@b, (", "inline; filename*0*=x"),
        ]
    ).map(str.encode),
    st.binary(max_size=60),
)
LINES = st.one_of(
    st.tuples(HEADERS.map(str.encode), VALUES).map(b": ".join),
    st.sampled_from([b"", b"--b", b"--b--", b"Action: failed", b"Status: 5.1.1", b"> x", b"\x00"]),
    st.binary(max_size=60),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(LINES, max_size=30).map(b"\r\n".join))
def test_no_mail_can_make_the_reader_fail(raw: bytes) -> None:
    parsed = parse(raw, NOORD, NOW_MS)
    if isinstance(parsed, Incoming):
        assert parsed.notices != ("unreadable",), "the fallback hides a fault of ours"
        assert parsed.raw == raw
        assert parsed.sent_at_ms <= NOW_MS
        assert "\n" not in parsed.subject + parsed.sender_name + parsed.address


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=2_000))
def test_any_bytes_at_all_are_a_mail_of_some_kind(raw: bytes) -> None:
    assert parse(raw, NOORD, NOW_MS) is not None

"""WhatsApp Cloud against a platform written from Meta's documentation."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.channels.contract import (
    Challenging,
    ChannelError,
    Completing,
    DeliveryReport,
    InboundRequest,
    Incoming,
    Outgoing,
    OutgoingAttachment,
    Permanent,
    Receiver,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.whatsapp import MAX_CHARS, WhatsAppChannel, build, settings_of
from app.text.approved import Form
from tests.channels.mails import reply_to
from tests.peers.whatsapp import (
    APP_SECRET,
    NUMBER_ID,
    TOKEN,
    VERIFY_TOKEN,
    Taken,
    WhatsApp,
    signed,
)
from tests.support.proxy import FaultProxy, always, calm

FATMA, USER_ID = "31612345678", "NL.13491208655302741918"
SECRET = {"access_token": TOKEN, "app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN}
OPENS = "Wij hebben een antwoord voor u. Stuur een bericht terug om het te ontvangen."


@pytest.fixture
async def platform() -> AsyncIterator[WhatsApp]:
    """The platform, on which Fatma wrote a moment ago."""
    async with WhatsApp() as platform:
        platform.residents[FATMA] = platform.now_s
        yield platform


@pytest.fixture
async def line(platform: WhatsApp) -> AsyncIterator[FaultProxy]:
    """The line between us and the platform."""
    async with FaultProxy(platform.server.port) as line:
        yield line


@pytest.fixture
async def channel(platform: WhatsApp, line: FaultProxy) -> AsyncIterator[WhatsAppChannel]:
    """The number of the team."""
    channel = opened(platform, line.port)
    yield channel
    await channel.close()


def opened(platform: WhatsApp, port: int, **changes: Any) -> WhatsAppChannel:
    config = {
        "phone_number_id": NUMBER_ID,
        "api_url": f"http://127.0.0.1:{port}/v23.0",
        "templates": [f"antwoord_klaar | nl | {OPENS}"],
    }
    return build(config, json.dumps(SECRET | changes), lambda: platform.now_s * 1000)


def answer(channel: WhatsAppChannel, **changes: object) -> Outgoing:
    return reply_to(None, channel.new_external_id, f"+{FATMA}", **changes)


def only(channel: WhatsAppChannel, call: InboundRequest) -> Incoming:
    (item,) = channel.parse(call)
    assert isinstance(item, Incoming)
    return item


# -- signatures and the challenge ------------------------------------------------------


def test_it_plays_its_parts_in_the_contract(channel: WhatsAppChannel) -> None:
    assert isinstance(channel, Receiver)
    assert isinstance(channel, Challenging)
    assert isinstance(channel, Completing)


def test_a_call_counts_only_with_a_signature_over_its_very_bytes(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    call = platform.writes(FATMA, "Hallo")
    assert len(channel.parse(call)) == 1
    header = call.headers["x-hub-signature-256"]
    for wrong in (
        replace(call, body=call.body + b" "),
        replace(call, headers={}),
        replace(call, headers={"x-hub-signature-256": ""}),
        replace(call, headers={"x-hub-signature-256": header.removeprefix("sha256=")}),
        replace(call, headers={"x-hub-signature-256": header.upper()}),
        replace(call, headers={"x-hub-signature-256": "sha256=é"}),
        replace(call, headers={"x-hub-signature": header}),
        signed(call.body, "een ander geheim"),
    ):
        with pytest.raises(Permanent) as refused:
            channel.parse(wrong)
        assert refused.value.code == "bad_signature"


def test_the_challenge_is_answered_to_whoever_knows_the_verify_token(
    channel: WhatsAppChannel,
) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    right = query | {"hub.verify_token": VERIFY_TOKEN}
    assert channel.challenge(InboundRequest("GET", {}, b"", right)) == "1158201444"
    for wrong in (
        query,
        query | {"hub.verify_token": "geraden"},
        query | {"hub.verify_token": "é\ud800"},
        right | {"hub.mode": "unsubscribe"},
        right | {"hub.challenge": ""},
    ):
        assert channel.challenge(InboundRequest("GET", {}, b"", wrong)) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["entry", "changes", "value", "field", "messages", "statuses", "contacts", "metadata",
             "id", "type", "from", "text", "body", "edit", "image", "status", "errors", "code"]
        ),
        inner, max_size=5,
    )
), max_leaves=30))  # fmt: skip
def test_whatever_is_signed_is_read_or_left_but_never_breaks(said: Any) -> None:
    config = {"phone_number_id": NUMBER_ID}
    channel = build(config, json.dumps(SECRET), lambda: 1_793_610_000_000)
    assert isinstance(channel.parse(signed(json.dumps(said).encode())), list)
    value = {"metadata": {"phone_number_id": NUMBER_ID}, "messages": [said], "statuses": [said]}
    entry = {"changes": [{"field": "messages", "value": value | {"contacts": said}}]}
    channel.parse(signed(json.dumps({"entry": [entry, said]}).encode()))


@pytest.mark.parametrize("body", [b"", b"nee", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(channel: WhatsAppChannel, body: bytes) -> None:
    with pytest.raises(Permanent) as refused:
        channel.parse(signed(body))
    assert refused.value.code == "bad_request"


# -- what comes in -------------------------------------------------------------------


def test_a_text_comes_in_and_its_repeat_has_the_same_name(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    call = platform.writes(FATMA, "De lantaarn is stuk", context={"id": "wamid.eerder"})
    item = only(channel, call)
    assert (item.text, item.sender_name, item.address) == (
        "De lantaarn is stuk",
        "Fatma Yıldız",
        f"+{FATMA}",
    )
    assert item.external_id.startswith("wamid.")
    assert item.in_reply_to == ("wamid.eerder",)
    assert item.sent_at_ms == platform.now_s * 1000
    assert (item.public, item.kind) == (False, "new")
    assert only(channel, call) == item


def test_who_shows_no_number_is_known_by_her_user_id(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    assert only(channel, platform.writes("", "Hallo", user_id=USER_ID)).address == USER_ID
    both = only(channel, platform.writes(FATMA, "Hallo", user_id=USER_ID))
    assert both.address == f"+{FATMA}"


@pytest.mark.parametrize(
    ("content", "text", "notices"),
    [
        (
            {
                "type": "location",
                "location": {"latitude": 53.2, "longitude": 6.5, "name": "Speeltuin"},
            },
            "Speeltuin\n53.2, 6.5",
            (),
        ),
        ({"type": "button", "button": {"text": "Ja", "payload": "ja-1"}}, "Ja", ()),
        (
            {
                "type": "interactive",
                "interactive": {
                    "type": "list_reply",
                    "list_reply": {"id": "1", "title": "Afval"},
                },
            },
            "Afval",
            (),
        ),
        ({"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}}, "👍", ()),
        (
            {
                "type": "contacts",
                "contacts": [{"name": {"formatted_name": "Henk"}, "phones": [{"phone": "+316"}]}],
            },
            "Henk +316",
            (),
        ),
        ({"type": "unsupported", "errors": [{"code": 131051}]}, "", ("unsupported",)),
        ({"type": "order", "order": {}}, "", ("unsupported",)),
        ({"type": "text", "text": {"body": "a\x00b\ud800"}}, "ab?", ()),
    ],
)
def test_each_kind_is_shown_as_far_as_it_can_be(
    platform: WhatsApp,
    channel: WhatsAppChannel,
    content: dict[str, Any],
    text: str,
    notices: tuple[str, ...],
) -> None:
    item = only(channel, platform.writes(FATMA, content))
    assert (item.text, item.notices) == (text, notices)


def test_what_nobody_wrote_is_passed_over(platform: WhatsApp, channel: WhatsAppChannel) -> None:
    gone = {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": ""}}
    assert channel.parse(platform.writes(FATMA, gone)) == []
    assert channel.parse(platform.writes(FATMA, {"type": "system", "system": {}})) == []
    assert channel.parse(platform.writes(FATMA, "In een groep", group_id="g1")) == []
    other = {"messages": [{"id": "wamid.1", "from": FATMA, "type": "text"}]}
    assert channel.parse(platform.call(other, number_id="999")) == []


def test_edits_and_deletions_name_the_message_that_they_change(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    new = {"type": "text", "text": {"body": "Lantaarn 21"}}
    edit = {"type": "edit", "edit": {"original_message_id": "wamid.1", "message": new}}
    item = only(channel, platform.writes(FATMA, edit))
    assert (item.kind, item.external_id, item.text) == ("edit", "wamid.1", "Lantaarn 21")
    revoke = {"type": "revoke", "revoke": {"original_message_id": "wamid.1"}}
    item = only(channel, platform.writes(FATMA, revoke))
    assert (item.kind, item.external_id, item.text) == ("delete", "wamid.1", "")
    assert item.notices == ()


async def test_a_photo_is_fetched_with_our_token(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    platform.media["m1"] = b"\xff\xd8 een foto"
    image = {"id": "m1", "mime_type": "image/jpeg; x=y", "caption": "Hier"}
    items = channel.parse(platform.writes(FATMA, {"type": "image", "image": image}))
    (item,) = await channel.complete(items)
    assert isinstance(item, Incoming)
    (file,) = item.attachments
    assert (item.text, file.media_type, file.content) == (
        "Hier",
        "image/jpeg",
        b"\xff\xd8 een foto",
    )


async def test_our_token_goes_to_no_stranger(platform: WhatsApp, channel: WhatsAppChannel) -> None:
    platform.media["m1"] = b"x"
    document = {"type": "document", "document": {"id": "m1", "filename": "brief.pdf"}}
    before = 0
    async with WhatsApp() as stranger:
        for url in (
            f"{stranger.server.url}/v23.0/file/m1",
            "https://facebook.com.example/x",
            "https://evilfbsbx.com/x",
            "",
        ):
            platform.media_elsewhere = url or " "
            items = channel.parse(platform.writes(FATMA, document))
            (item,) = await channel.complete(items)
            assert isinstance(item, Incoming)
            assert (item.attachments, item.notices) == ((), ("attachments_dropped",))
        assert stranger.server.asked[before:] == []


async def test_a_photo_that_cannot_be_fetched_now_is_called_for_again(
    platform: WhatsApp, channel: WhatsAppChannel, line: FaultProxy
) -> None:
    platform.media["m1"] = b"x"
    call = platform.writes(FATMA, {"type": "image", "image": {"id": "m1"}})
    line.weather = always("503")
    with pytest.raises(Temporary):
        await channel.complete(channel.parse(call))
    line.weather = calm
    del platform.media["m1"]
    (item,) = await channel.complete(channel.parse(call))
    assert isinstance(item, Incoming)
    assert item.notices == ("attachments_dropped",)
    platform.tokens.clear()
    with pytest.raises(SignedOut):
        await channel.complete(channel.parse(call))


@pytest.mark.parametrize(
    ("status", "state"), [("sent", "sent"), ("delivered", "delivered"), ("read", "delivered")]
)
def test_a_status_names_the_message_and_the_delivery(
    platform: WhatsApp, channel: WhatsAppChannel, status: str, state: str
) -> None:
    reports = channel.parse(platform.tells(Taken("wamid.1", FATMA, {}, "d1"), status))
    assert [(r.external_id, r.state) for r in reports if isinstance(r, DeliveryReport)] == [
        ("wamid.1", state),
        ("d1", state),
    ]
    assert channel.parse(platform.tells(Taken("wamid.1", FATMA, {}, ""), "deleted")) == []


# -- what goes out -------------------------------------------------------------------


async def test_a_reply_goes_out_once_and_is_named_by_the_platform(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    question = only(channel, platform.writes(FATMA, "Hallo"))
    reply = reply_to(question, channel.new_external_id, question.address)
    receipt = await channel.send(reply)
    (sent,) = platform.taken
    assert (receipt.external_id, receipt.state) == (sent.wamid, "sent")
    assert (sent.text, sent.to, sent.delivery) == (reply.text, FATMA, reply.delivery_id)
    assert sent.content["context"] == {"message_id": question.external_id}


async def test_a_user_id_is_answered_too(platform: WhatsApp, channel: WhatsAppChannel) -> None:
    item = only(channel, platform.writes("", "Hallo", user_id=USER_ID))
    await channel.send(reply_to(item, channel.new_external_id, item.address))
    (sent,) = platform.taken
    assert sent.content["recipient"] == USER_ID
    assert "to" not in sent.content


async def test_a_photo_goes_with_its_text(platform: WhatsApp, channel: WhatsAppChannel) -> None:
    photo = OutgoingAttachment("plan.jpg", "image/jpeg", b"\xff\xd8 plan", "Een kaart")
    await channel.send(answer(channel, attachments=(photo,)))
    pdf = OutgoingAttachment("brief.pdf", "application/pdf", b"%PDF")
    await channel.send(answer(channel, attachments=(pdf,), text=""))
    first, second = platform.taken
    assert first.content["image"]["caption"].startswith("Donderdag")
    assert first.content["image"]["caption"].endswith("\n\n[Een kaart]")
    assert b"\xff\xd8 plan" in platform.media[first.content["image"]["id"]]
    assert second.content["document"]["filename"] == "brief.pdf"
    for wrong, code in (
        ({"attachments": (photo, photo)}, "too_many_attachments"),
        ({"attachments": (photo,), "text": "x" * 1025}, "caption_too_long"),
        ({"text": "x" * (MAX_CHARS + 1)}, "too_long"),
    ):
        with pytest.raises(Permanent) as refused:
            await channel.send(answer(channel, **wrong))
        assert refused.value.code == code


async def test_after_a_day_only_an_approved_template_arrives(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    platform.now_s += 24 * 3600
    platform.templates.add(("antwoord_klaar", "nl"))
    late = answer(channel)
    receipt = await channel.send(late)
    assert platform.taken == []
    (failed, of_delivery) = channel.parse(platform.calls.pop())
    assert isinstance(failed, DeliveryReport)
    assert (failed.external_id, failed.state) == (receipt.external_id, "failed")
    assert failed.code == "window_closed"
    assert isinstance(of_delivery, DeliveryReport)
    assert of_delivery.external_id == late.delivery_id
    form = Form("antwoord_klaar", "nl")
    await channel.send(answer(channel, text=OPENS, form=form))
    assert [sent.text for sent in platform.taken] == ["[antwoord_klaar]"]


async def test_a_template_that_is_not_approved_is_refused(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    form = Form("antwoord_klaar", "nl")
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(channel, text=OPENS, form=form))
    assert refused.value.code == "template_refused"
    assert platform.taken == []


async def test_who_is_not_on_whatsapp_is_said_later(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    platform.residents.clear()
    await channel.send(answer(channel))
    report = channel.parse(platform.calls.pop())[0]
    assert isinstance(report, DeliveryReport)
    assert (report.state, report.code) == ("failed", "undeliverable_there")


# -- once and not twice -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    ["lost", "cut_response", "error_after", "cut_request", "refuse", "error", "503", "portal"],
)
async def test_when_the_answer_is_lost_nobody_knows_until_a_status_tells(
    platform: WhatsApp, channel: WhatsAppChannel, line: FaultProxy, fault: str
) -> None:
    line.weather = always(fault)
    reply = answer(channel)
    with pytest.raises(Unconfirmed) as lost:
        await channel.send(reply)
    assert lost.value.code == "answer_lost"
    assert line.did[fault] == 1
    line.weather = calm
    assert await channel.find(reply) is None
    arrived = fault in {"lost", "cut_response", "error_after"}
    assert len(platform.taken) == arrived
    for sent in platform.taken:
        proof = channel.parse(platform.tells(sent, "sent"))
        assert reply.external_id in [r.external_id for r in proof]


@pytest.mark.parametrize("fault", ["delay", "slow"])
async def test_an_answer_that_is_late_is_an_answer(
    platform: WhatsApp, channel: WhatsAppChannel, line: FaultProxy, fault: str
) -> None:
    line.weather = always(fault)
    await channel.send(answer(channel))
    assert line.did[fault] == 1
    assert len(platform.taken) == 1


async def test_a_platform_that_is_not_there_has_taken_nothing(platform: WhatsApp) -> None:
    channel = opened(platform, 9)
    with pytest.raises(Temporary) as gone:
        await channel.send(answer(channel))
    assert gone.value.code == "platform_unreachable"
    await channel.close()


async def test_too_many_requests_says_when_to_come_back(
    platform: WhatsApp, channel: WhatsAppChannel, line: FaultProxy
) -> None:
    line.weather = always("429")
    with pytest.raises(Temporary) as limited:
        await channel.send(answer(channel))
    assert (limited.value.retry_after_s, limited.value.account_wide) == (7.0, True)


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (401, 0, SignedOut, "token_refused"),
        (401, 190, SignedOut, "token_refused"),
        (403, 10, SignedOut, "token_refused"),
        (403, 200, SignedOut, "token_refused"),
        (403, 368, SignedOut, "account_blocked"),
        (403, 131031, SignedOut, "account_blocked"),
        (400, 131047, Permanent, "window_closed"),
        (400, 131026, Permanent, "undeliverable_there"),
        (400, 100, Permanent, "platform_refused"),
        (429, 130429, Temporary, "rate_limited"),
        (400, 80007, Temporary, "rate_limited"),
        (400, 131056, Temporary, "rate_limited"),
        (503, 2, Temporary, "platform_busy"),
        (500, 131000, Unconfirmed, "answer_lost"),
        (400, 1, Unconfirmed, "answer_lost"),
    ],
)
async def test_each_refusal_is_what_it_is(
    platform: WhatsApp,
    channel: WhatsAppChannel,
    status: int,
    code: int,
    error: type[ChannelError],
    says: str,
) -> None:
    platform.error = (status, code)
    with pytest.raises(error) as refused:
        await channel.send(answer(channel))
    assert refused.value.code == says
    assert platform.taken == []


async def test_a_limit_for_one_resident_is_not_the_accounts(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    platform.error = (400, 131056)
    with pytest.raises(Temporary) as limited:
        await channel.send(answer(channel))
    assert not limited.value.account_wide


async def test_a_token_that_ends_is_said_and_nothing_was_sent(
    platform: WhatsApp, channel: WhatsAppChannel
) -> None:
    await channel.check()
    platform.tokens.clear()
    for ask in (channel.check(), channel.send(answer(channel))):
        with pytest.raises(SignedOut):
            await ask
    assert platform.taken == []


async def test_a_question_that_was_taken_back_meanwhile_is_answered_once(
    platform: WhatsApp, channel: WhatsAppChannel, line: FaultProxy
) -> None:
    item = only(channel, platform.writes(FATMA, "Laat maar"))
    revoke = {"type": "revoke", "revoke": {"original_message_id": item.external_id}}
    assert only(channel, platform.writes(FATMA, revoke)).kind == "delete"
    await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert len(platform.taken) == 1


# -- settings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone_number_id": "+31612345678"},
        {"phone_number_id": "12/34"},
        {"api_url": "http://graph.facebook.com"},
        {"templates": "antwoord"},
        {"templates": ["antwoord | nl"]},
        {"templates": ["Antwoord klaar | nl | Hallo"]},
        {"templates": ["antwoord | nl | Beste {{2}}"]},
        {"templates": ["antwoord | nl | Beste {{1}} en {{naam}}"]},
        {"templates": ["antwoord | nl | Beste {{Naam}}"]},
        {"templates": ["antwoord | nl | Beste {{naam}"]},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object]) -> None:
    config = {"phone_number_id": NUMBER_ID}
    settings_of(config, json.dumps(SECRET))
    with pytest.raises(Permanent) as refused:
        settings_of(config | wrong, json.dumps(SECRET))
    assert refused.value.code == "bad_config"


@pytest.mark.parametrize("name", sorted(SECRET))
def test_every_secret_is_needed_and_none_is_shown(name: str) -> None:
    config = {"phone_number_id": NUMBER_ID}
    assert SECRET[name] not in repr(settings_of(config, json.dumps(SECRET)))
    with pytest.raises(Permanent):
        settings_of(config, json.dumps(SECRET | {name: ""}))

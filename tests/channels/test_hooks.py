"""Webhooks: believed for their signature alone, taken in once, by the way of what is fetched."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from app.channels.hooks import BAD
from app.channels.models import Account
from app.delivery.models import Delivery
from app.inbox.models import Conversation, Message
from app.secrets import seal
from tests.channels.square import TOKEN, Square, opened, sign
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import PADDEPOEL, op


@pytest.fixture
def square() -> Iterator[Square]:
    with opened() as square:
        yield square


@pytest.fixture
def noord(neighbourhood: Neighbourhood, square: Square) -> Neighbourhood:
    """The neighbourhood with an account on the square, in Paddepoel."""

    def work(session: Session) -> None:
        secret = seal(neighbourhood.app.state.settings, json.dumps({"token": TOKEN}))
        session.add(
            Account(id="plein", kind="square", name="Plein", team_id="noord", area=PADDEPOEL,
                    secret=secret, health="down")
        )  # fmt: skip

    neighbourhood.town.db.write_now(work)
    return neighbourhood


async def calls(
    noord: Neighbourhood, said: Any, *, signature: str | None = None, **headers: str
) -> httpx.Response:
    """Let the square call; the body is signed rightly unless told otherwise."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    signed = sign(body) if signature is None else signature
    caller = noord.visitor(peer="192.0.2.80").http
    caller.headers.pop("Sec-Fetch-Site", None)
    return await caller.post("/hooks/plein", content=body, headers={"X-Square": signed} | headers)


def shout(text: str = "De lamp is stuk.", **more: Any) -> dict[str, Any]:
    return {"id": "p1", "by": "jantje", "text": text, "at_ms": 1} | more


def messages(noord: Neighbourhood) -> list[Message]:
    query = select(Message).where(Message.account_id == "plein")
    return noord.town.db.read_now(lambda session: list(session.exec(query)))


async def test_a_signed_call_becomes_a_conversation_once(noord: Neighbourhood) -> None:
    for _ in range(2):
        answer = await calls(noord, [shout(), shout("Nog iets.", id="p2", by="mies")])
        assert (answer.status_code, answer.content) == (200, b"")
    assert sorted(one.text for one in messages(noord)) == ["De lamp is stuk.", "Nog iets."]
    account = noord.town.db.read_now(lambda session: session.get_one(Account, "plein"))
    assert account.health == "working"


async def test_a_call_that_was_kept_and_is_sent_once_more_brings_no_old_wording_back(
    noord: Neighbourhood,
) -> None:
    first = [shout("Wie komt?", kind="edit", at_ms=2)]
    await calls(noord, [shout()])
    await calls(noord, first)
    await calls(noord, [shout("Laat maar.", kind="edit", at_ms=3)])
    assert (await calls(noord, first)).status_code == 200
    assert [one.text for one in messages(noord) if one.direction == "in"] == ["Laat maar."]


async def test_a_call_that_brings_something_wrong_half_way_changes_nothing(
    noord: Neighbourhood,
) -> None:
    answer = await calls(noord, [shout(), {"id": "p2"}])
    assert answer.status_code == 400
    assert messages(noord) == []


@pytest.mark.parametrize("signature", ["", "00", "x" * 4000, sign(b"[]", "another")])
async def test_a_wrong_signature_is_refused_and_changes_nothing(
    noord: Neighbourhood, signature: str
) -> None:
    answer = await calls(noord, [shout()], signature=signature)
    assert answer.status_code == 403
    assert messages(noord) == []


async def test_the_signature_is_over_the_bytes_as_they_came(noord: Neighbourhood) -> None:
    body = json.dumps([shout()], indent=3).encode() + b"\n\n"
    assert (await calls(noord, body)).status_code == 200
    body = json.dumps([shout(id="p2")]).encode()
    assert (await calls(noord, body + b" ", signature=sign(body))).status_code == 403


async def test_a_page_of_another_site_is_no_matter_where_no_session_counts(
    noord: Neighbourhood,
) -> None:
    answer = await calls(noord, [shout()], Origin="https://platform.example")
    assert answer.status_code == 200


async def test_a_call_that_is_too_large_is_not_read(noord: Neighbourhood) -> None:
    answer = await calls(noord, b"[" + b" " * (3 * 1024 * 1024) + b"]")
    assert answer.status_code == 413


@pytest.mark.parametrize("account", ["web-noord", "niemand", "contact-noord"])
async def test_an_account_that_is_not_called_is_not_there(
    noord: Neighbourhood, account: str
) -> None:
    http = noord.resident.http
    assert (await http.post(f"/hooks/{account}", content=b"[]")).status_code == 404
    assert (await http.get(f"/hooks/{account}?challenge=x")).status_code == 404


async def test_who_calls_what_is_not_there_leaves_nothing_behind(noord: Neighbourhood) -> None:
    def counted(session: Session) -> int:
        found: int = session.execute(text("SELECT count(*) FROM rate_count")).scalar_one()
        return found

    http = noord.resident.http
    before = noord.town.db.read_now(counted)
    for number in range(3):
        assert (await http.post(f"/hooks/nobody-{number}", content=b"[]")).status_code == 404
        assert (await http.get(f"/hooks/nobody-{number}?challenge=x")).status_code == 404
    assert noord.town.db.read_now(counted) == before
    await calls(noord, [shout()])
    # How often it calls, and what it called.
    assert noord.town.db.read_now(counted) == before + 2


async def test_an_account_that_is_off_takes_no_call(noord: Neighbourhood) -> None:
    def off(session: Session) -> None:
        session.get_one(Account, "plein").enabled = False

    noord.town.db.write_now(off)
    assert (await calls(noord, [shout()])).status_code == 404
    assert messages(noord) == []


async def test_the_platform_may_ask_whether_the_address_is_ours(noord: Neighbourhood) -> None:
    http = noord.resident.http
    right = await http.get(f"/hooks/plein?token={TOKEN}&challenge=<b>1234</b>")
    assert (right.status_code, right.text) == (200, "<b>1234</b>")
    assert right.headers["content-type"].startswith("text/plain")
    assert right.headers["x-content-type-options"] == "nosniff"
    wrong = await http.get("/hooks/plein?token=x&challenge=1234")
    assert wrong.status_code == 403
    assert "1234" not in wrong.text


async def test_who_guesses_at_signatures_is_soon_let_no_further(noord: Neighbourhood) -> None:
    answers = [await calls(noord, [shout()], signature="00") for _ in range(BAD + 1)]
    assert [answer.status_code for answer in answers] == [403] * BAD + [429]


async def test_a_later_word_on_a_reply_of_ours_is_taken_by_the_same_door(
    noord: Neighbourhood,
) -> None:
    await calls(noord, [shout(at_ms=noord.clock.now_ms())])
    (conversation,) = noord.conversations()
    (result,) = noord.town.does(noord.town.anna, op("reply", conversation.id, 1, text="Morgen."))
    assert result["outcome"] == "applied"

    def sent(session: Session) -> str:
        delivery = session.exec(select(Delivery)).one()
        delivery.state = "sent"
        return delivery.external_id

    external_id = noord.town.db.write_now(sent)
    await calls(noord, [{"id": external_id, "state": "delivered", "at_ms": 1}])
    state = noord.town.db.read_now(lambda session: session.exec(select(Delivery.state)).one())
    assert state == "delivered"
    assert noord.town.db.read_now(lambda s: s.get_one(Conversation, conversation.id)).position == 2

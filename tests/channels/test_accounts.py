"""Accounts over the API: added when the platform lets us in, tested, switched off, ended."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import Session, select

from app.accounts.models import Person
from app.accounts.policy import Principal
from app.channels import accounts, intake, sign_in
from app.channels.accounts import Tried
from app.channels.contract import Incoming, Temporary
from app.channels.models import Account, ChannelSignIn
from app.config import Settings
from app.db import Database
from app.errors import Conflict
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.residents.models import Pair
from app.secrets import seal, unseal
from tests.channels.square import TOKEN, Square, opened
from tests.peers.mail import PASSWORD, MailServers
from tests.support.at_once import at_once
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL, build, op

API = "/api/v1/channels"
SERVER = "https://plein.example"


class Keeper:
    """Somebody at the accounts, signed in on a device of her own."""

    def __init__(self, neighbourhood: Neighbourhood, who: Principal, role: str) -> None:
        def promote(session: Session) -> None:
            session.get_one(Person, who.person_id).role = role

        self.neighbourhood = neighbourhood
        neighbourhood.town.db.write_now(promote)
        self.cookies = neighbourhood.signs_in(who)

    async def asks(self, method: str, path: str = "", body: Any = None) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return await self.neighbourhood.resident.http.request(
            method, API + path, json=body, headers={"Cookie": cookies}
        )

    async def adds(self, kind: str = "square", /, **values: Any) -> httpx.Response:
        values = {"server": SERVER, "token": TOKEN} | values
        said = {"kind": kind, "name": "Het plein", "team": "noord", "area": PADDEPOEL}
        return await self.asks("POST", "", said | {"values": values})

    def accounts(self, kind: str = "square") -> list[Account]:
        query = select(Account).where(Account.kind == kind)
        return self.neighbourhood.town.db.read_now(lambda session: list(session.exec(query)))


@pytest.fixture
def square() -> Iterator[Square]:
    with opened() as square:
        yield square


@pytest.fixture
def esther(neighbourhood: Neighbourhood) -> Keeper:
    return Keeper(neighbourhood, neighbourhood.town.bram, "manager")


@pytest.mark.parametrize("role", ["coordinator", "webcare", "coach", "archivist"])
async def test_who_keeps_no_accounts_sees_and_changes_nothing(
    neighbourhood: Neighbourhood, square: Square, role: str
) -> None:
    anna = Keeper(neighbourhood, neighbourhood.town.anna, role)
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/kinds", None),
        ("PUT", "/web-noord/enabled", {"enabled": False}),
        ("DELETE", "/web-noord", None),
        ("POST", "/web-noord/checks", None),
        ("POST", "/web-noord/tests", None),
        ("GET", "/web-noord/residents", None),
    ):
        assert (await anna.asks(method, path, body)).status_code == 403
    assert (await anna.adds()).status_code == 403
    assert (await neighbourhood.resident.get(f"{API}/kinds")).status_code == 401
    assert anna.accounts() == []


async def test_the_kinds_tell_what_they_ask_for(esther: Keeper, square: Square) -> None:
    kinds = {one["kind"]: one for one in (await esther.asks("GET", "/kinds")).json()}
    assert "web" not in kinds
    assert kinds["square"]["title"] == ["Plein", "Square"]
    token = next(one for one in kinds["square"]["fields"] if one["name"] == "token")
    assert (token["kind"], token["required"]) == ("secret", True)
    assert kinds["square_page"]["sign_in"]


async def test_an_account_is_kept_when_the_platform_lets_us_in_and_its_secret_is_sealed(
    esther: Keeper, square: Square
) -> None:
    answer = await esther.adds(words="ratten\nstoep")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["values"] == {"server": SERVER, "words": ["ratten", "stoep"]}
    assert told["hook_url"] == f"http://localhost:8000/hooks/{told['id']}"
    (account,) = esther.accounts()
    assert TOKEN not in account.secret + str(account.config)
    settings = esther.neighbourhood.app.state.settings
    assert TOKEN in unseal(settings, account.secret)
    listed = await esther.asks("GET")
    assert TOKEN not in answer.text + listed.text
    assert account.secret not in answer.text + listed.text
    assert listed.json()[0]["id"] == account.id
    anna = esther.neighbourhood.town.anna
    assert (f"account:{account.id}") in [key for key, _ in esther.neighbourhood.town.sees(anna)]


@pytest.mark.parametrize(
    ("values", "reason", "said"),
    [
        ({"token": "a-bad-token"}, "password_refused", "weigert de aanmelding"),
        ({"token": ""}, None, "Vul ‘Sleutel’ in."),
        ({"server": "plein"}, None, "https://"),
    ],
)
async def test_what_is_wrong_is_one_sentence_and_nothing_is_half_made(
    esther: Keeper, square: Square, values: dict[str, str], reason: str | None, said: str
) -> None:
    answer = await esther.adds(**values)
    assert answer.status_code == (409 if reason else 400)
    assert said in answer.json()["detail"]
    assert answer.json().get("reason") == reason
    assert "a-bad-token" not in answer.text
    assert esther.accounts() == []


async def test_a_platform_that_does_not_answer_is_no_account(
    esther: Keeper, square: Square
) -> None:
    square.trouble = Temporary("no_answer")
    answer = await esther.adds()
    assert (answer.status_code, answer.json()["reason"]) == (409, "no_answer")
    assert esther.accounts() == []


def test_the_same_account_added_by_two_at_once_is_one(
    postgres_url: str, square: Square, tmp_path: Path
) -> None:
    db = Database(postgres_url)
    build(db)
    settings = Settings(data_dir=tmp_path)

    def add(session: Session) -> str:
        values = {"server": SERVER}
        one = accounts.Candidate("square", "Het plein", "noord", PADDEPOEL, values, TOKEN)
        try:
            return accounts.add(session, settings, one, now_ms=NOON_MS).id
        except Conflict as error:
            return str(error.extra["reason"])

    first, second = at_once(db, add, add)
    db.close()
    assert (first != "known", second) == (True, "known")


async def test_the_same_account_is_not_added_twice(esther: Keeper, square: Square) -> None:
    first = (await esther.adds()).json()
    answer = await esther.adds()
    assert (answer.status_code, answer.json()["reason"]) == (409, "known")
    assert answer.json()["account"] == first["id"]
    assert len(esther.accounts()) == 1


async def test_an_account_is_not_changed_into_one_that_is_there_already(
    esther: Keeper, square: Square
) -> None:
    first = (await esther.adds()).json()
    second = (await esther.adds(server="https://markt.example")).json()
    said = {"name": "Het plein", "team": "noord", "area": PADDEPOEL}
    same = said | {"values": {"server": SERVER, "token": TOKEN}}
    answer = await esther.asks("PUT", f"/{second['id']}", same)
    assert (answer.status_code, answer.json()["reason"]) == (409, "known")
    assert {one.config["server"] for one in esther.accounts()} == {SERVER, "https://markt.example"}
    # Itself it may stay, under another name.
    answer = await esther.asks("PUT", f"/{first['id']}", same | {"name": "Nieuw"})
    assert (answer.status_code, answer.json()["name"]) == (200, "Nieuw")


@pytest.mark.parametrize("where", [{"team": "oost"}, {"area": "WK999999"}])
async def test_a_place_that_is_not_there_is_said(
    esther: Keeper, square: Square, where: dict[str, str]
) -> None:
    said = {"kind": "square", "name": "x", "team": "noord", "values": {}} | where
    said["values"] = {"server": SERVER, "token": TOKEN}
    assert (await esther.asks("POST", "", said)).status_code == 404
    assert esther.accounts() == []


async def test_other_values_are_tried_before_they_take_the_place_of_the_old(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    changed = {"name": "Plein Noord", "team": "zuid", "values": {"token": "a-bad-token"}}
    refused = await esther.asks("PUT", f"/{account_id}", changed)
    assert refused.status_code == 409
    (account,) = esther.accounts()
    assert (account.name, account.team_id) == ("Het plein", "noord")
    changed["values"] = {"who": "us"}
    kept = (await esther.asks("PUT", f"/{account_id}", changed)).json()
    assert (kept["name"], kept["team"], kept["values"]["who"]) == ("Plein Noord", "zuid", "us")
    (account,) = esther.accounts()
    assert TOKEN in unseal(esther.neighbourhood.app.state.settings, account.secret)
    assert account.config["since_ms"] == esther.neighbourhood.clock.now_ms()


async def test_an_account_that_is_off_stays_off_when_its_name_is_changed(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    await esther.asks("PUT", f"/{account_id}/enabled", {"enabled": False})
    changed = {"name": "Plein Noord", "team": "noord", "values": {}}
    kept = (await esther.asks("PUT", f"/{account_id}", changed)).json()
    assert (kept["name"], kept["enabled"]) == ("Plein Noord", False)


async def test_a_check_says_in_words_whether_the_platform_lets_us_in(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    assert (await esther.asks("POST", f"/{account_id}/checks")).json()["fine"]
    square.trouble = Temporary("no_answer")
    told = (await esther.asks("POST", f"/{account_id}/checks")).json()
    assert (told["fine"], told["code"]) == (False, "no_answer")
    assert told["words"][0].startswith("Het kanaal antwoordt niet")


async def test_an_account_that_is_off_is_off_on_every_phone(esther: Keeper, square: Square) -> None:
    account_id = (await esther.adds()).json()["id"]
    told = (await esther.asks("PUT", f"/{account_id}/enabled", {"enabled": False})).json()
    assert (told["enabled"], esther.accounts()[0].enabled) == (False, False)
    test = await esther.asks("POST", f"/{account_id}/tests")
    assert (test.status_code, test.json()["reason"]) == (409, "off")
    await esther.asks("PUT", f"/{account_id}/enabled", {"enabled": True})
    assert esther.accounts()[0].enabled


async def test_an_account_that_ended_forgets_its_secret_and_keeps_its_history(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    town = esther.neighbourhood.town
    conversation = town.resident_writes("Hoort u mij nog?", account=account_id)
    told = (await esther.asks("DELETE", f"/{account_id}")).json()
    assert told["ended_ms"] == esther.neighbourhood.clock.now_ms()
    (account,) = esther.accounts()
    assert (account.enabled, account.secret) == (False, "")
    (result,) = town.does(town.anna, op("reply", conversation, 1, text="Ja."))
    assert (result["outcome"], result["detail"]) == ("rejected", "channel_off")
    assert [one.text for one in town.timeline(conversation)] == ["Hoort u mij nog?"]
    on = await esther.asks("PUT", f"/{account_id}/enabled", {"enabled": True})
    assert (on.status_code, on.json()["reason"]) == (409, "ended")
    again = (await esther.adds()).json()
    assert (again["id"], again["enabled"], again["ended_ms"]) == (account_id, True, None)


async def test_what_every_team_has_cannot_be_ended(esther: Keeper) -> None:
    answer = await esther.asks("DELETE", "/web-noord")
    assert (answer.status_code, answer.json()["reason"]) == (409, "standing")


async def test_who_could_be_reached_only_there_is_told_from_who_has_another_address(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    town = esther.neighbourhood.town
    esther.neighbourhood.opens_mailbox()

    def two_residents(session: Session) -> None:
        for name, mail in (("=Jantje", "jantje@voorbeeld.example"), ("Mies", "")):
            resident = inbox.resident_at(
                session, "square", name.lower(), name=name, kind="resident", now_ms=1
            )
            if mail:
                inbox.add_address(session, resident, "email", mail)
            inbox.start(
                session, resident, conversation_id=f"c-{name[-4:]}", account_id=account_id,
                subject="", area=PADDEPOEL, address=name.lower(), why_not=None, now_ms=1,
            )  # fmt: skip

    town.db.write_now(two_residents)
    found = (await esther.asks("GET", f"/{account_id}/residents")).json()
    assert found["unreachable"] == 1
    other = {one["name"]: one["other"] for one in found["residents"]}
    assert other == {
        "=Jantje": [{"channel": "email", "address": "jantje@voorbeeld.example"}],
        "Mies": [],
    }
    table = await esther.asks("GET", f"/{account_id}/residents.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "'=Jantje" in table.text
    assert "email: jantje@voorbeeld.example" in table.text
    chaima = Keeper(esther.neighbourhood, town.chaima, "manager")
    assert (await chaima.asks("GET", f"/{account_id}/residents")).json()["residents"] == []


async def test_who_is_one_with_somebody_elsewhere_is_reached_there(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    town = esther.neighbourhood.town
    esther.neighbourhood.opens_mailbox()

    def two_who_are_one(session: Session) -> None:
        here = inbox.resident_at(session, "square", "mies", name="Mies", kind="resident", now_ms=1)
        there = inbox.resident_at(
            session, "web", "mies@voorbeeld.example", name="Mies", kind="resident", now_ms=1
        )
        session.flush()
        for name, resident, account in (("c1", here, account_id), ("c2", there, "web-noord")):
            inbox.start(
                session, resident, conversation_id=name, account_id=account, subject="",
                area=PADDEPOEL, address="mies", why_not=None, now_ms=1,
            )  # fmt: skip
        a, b = sorted((here.id, there.id))
        session.add(Pair(id="p", a_id=a, b_id=b, verdict="same", found_at_ms=1))

    town.db.write_now(two_who_are_one)
    (mies,) = (await esther.asks("GET", f"/{account_id}/residents")).json()["residents"]
    assert mies["other"] == [{"channel": "email", "address": "mies@voorbeeld.example"}]

    def moves_away(session: Session) -> None:
        session.get_one(Conversation, "c2").area = HELPMAN

    town.db.write_now(moves_away)
    (mies,) = (await esther.asks("GET", f"/{account_id}/residents")).json()["residents"]
    assert mies["other"] == []


async def test_a_code_from_outside_is_seen_when_it_comes_in_and_only_once(
    esther: Keeper, square: Square
) -> None:
    account_id = (await esther.adds()).json()["id"]
    made = (await esther.asks("POST", f"/{account_id}/tests")).json()
    assert made["seen_ms"] is None

    def comes_in(text: str, external_id: str) -> None:
        item = Incoming(external_id, "jantje", "Jantje", text, esther.neighbourhood.clock.now_ms())
        prepared = intake.prepare(item, max_bytes=1000)
        esther.neighbourhood.town.db.write_now(
            lambda session: intake.take(
                session, session.get_one(Account, account_id), prepared,
                now_ms=esther.neighbourhood.clock.now_ms(),
            )
        )  # fmt: skip

    comes_in("stoep-AAAAAA is niet de code", "1")
    (test,) = (await esther.asks("GET", f"/{account_id}/tests")).json()
    assert test["seen_ms"] is None
    esther.neighbourhood.clock.forward(s=60)
    comes_in(f"Hallo! {made['code'].lower()}. Groet", "2")
    (test,) = (await esther.asks("GET", f"/{account_id}/tests")).json()
    assert test["seen_ms"] == esther.neighbourhood.clock.now_ms()
    assert test["conversation"]


async def test_a_page_of_the_platform_connects_an_account_once_and_only_for_who_began(
    esther: Keeper, square: Square
) -> None:
    neighbourhood = esther.neighbourhood
    new = {"kind": "square_page", "name": "Plein", "team": "noord", "values": {"server": SERVER}}
    began = await esther.asks("POST", "/sign-ins", new)
    assert began.status_code == 201, began.text
    page = began.json()["page"]
    assert page.startswith("https://square.example/consent?to=http://localhost:8000/channels/")
    state = page.rpartition("state=")[2]
    kept = neighbourhood.town.db.read_now(lambda s: s.exec(select(ChannelSignIn)).one())
    assert state not in str(kept)
    dirk = Keeper(neighbourhood, neighbourhood.town.anna, "admin")
    elsewhere = Keeper(neighbourhood, neighbourhood.town.bram, "manager")
    for other in (dirk, elsewhere):
        answer = await other.asks("POST", "/consents", {"state": state, "code": "yes"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "consent_over")
    done = await esther.asks("POST", "/consents", {"state": state, "code": "yes"})
    assert done.status_code == 201, done.text
    # Who lost the answer hears it again, whatever she says this time; nobody else does.
    again = await esther.asks("POST", "/consents", {"state": state, "code": "no"})
    assert (again.status_code, again.json()) == (201, done.json())
    for other in (dirk, elsewhere):
        answer = await other.asks("POST", "/consents", {"state": state, "code": "yes"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "consent_over")
    assert len(esther.accounts("square_page")) == 1
    assert TOKEN not in neighbourhood.town.db.read_now(
        lambda s: str(s.exec(select(ChannelSignIn)).one())
    )


PAGE = {"kind": "square_page", "name": "Plein", "team": "noord", "values": {"server": SERVER}}


async def begins(esther: Keeper, **more: Any) -> str:
    """Begin to sign in on the platform's page; return the state that it gives back."""
    began = await esther.asks("POST", "/sign-ins", PAGE | more)
    assert began.status_code == 201, began.text
    return str(began.json()["page"].rpartition("state=")[2])


async def test_while_it_is_finished_whoever_asks_again_waits_and_hears_the_same(
    esther: Keeper, square: Square
) -> None:
    said = {"state": await begins(esther), "code": "yes"}
    square.answers = asyncio.Event()
    first = asyncio.create_task(esther.asks("POST", "/consents", said))
    await square.asked.wait()
    waits = await esther.asks("POST", "/consents", said)
    assert (waits.status_code, waits.json()) == (202, {"pending": True})
    assert esther.accounts("square_page") == []
    square.answers.set()
    done = await first
    again = await esther.asks("POST", "/consents", said)
    assert (done.status_code, again.status_code) == (201, 201)
    assert again.json() == done.json()
    assert len(esther.accounts("square_page")) == 1


async def test_what_took_too_long_is_over_and_keeps_nothing_when_it_comes_after_all(
    esther: Keeper, square: Square
) -> None:
    said = {"state": await begins(esther), "code": "yes"}
    square.answers = asyncio.Event()
    first = asyncio.create_task(esther.asks("POST", "/consents", said))
    await square.asked.wait()
    esther.neighbourhood.clock.forward(s=sign_in.BUSY_MS // 1000 + 1)
    over = await esther.asks("POST", "/consents", said)
    assert (over.status_code, over.json()["reason"]) == (400, "consent_over")
    square.answers.set()
    late = await first
    assert (late.status_code, late.json()["reason"]) == (400, "consent_over")
    assert esther.accounts("square_page") == []


async def test_a_refusal_is_told_again_too(esther: Keeper, square: Square) -> None:
    said = {"state": await begins(esther), "code": "no"}
    first = await esther.asks("POST", "/consents", said)
    again = await esther.asks("POST", "/consents", said | {"code": "yes"})
    assert (first.status_code, first.json()["reason"]) == (409, "sign_in_refused")
    assert (again.status_code, again.json()) == (409, first.json())
    square.trouble = Temporary("no_answer")
    said = {"state": await begins(esther), "code": "yes"}
    first = await esther.asks("POST", "/consents", said)
    square.trouble = None
    again = await esther.asks("POST", "/consents", said)
    assert (first.json()["reason"], again.json()["reason"]) == ("no_answer", "no_answer")
    assert esther.accounts("square_page") == []


async def test_what_cannot_be_kept_is_over(esther: Keeper, square: Square) -> None:
    said = {"state": await begins(esther), "code": "yes"}

    def ends(session: Session) -> None:
        for begun in session.exec(select(ChannelSignIn)):
            kept = json.loads(unseal(esther.neighbourhood.app.state.settings, begun.sealed))
            kept["candidate"]["team_id"] = "weg"
            begun.sealed = seal(esther.neighbourhood.app.state.settings, json.dumps(kept))

    esther.neighbourhood.town.db.write_now(ends)
    assert (await esther.asks("POST", "/consents", said)).status_code == 404
    again = await esther.asks("POST", "/consents", said)
    assert (again.status_code, again.json()["reason"]) == (400, "consent_over")
    assert esther.accounts("square_page") == []


async def test_what_the_operator_allowed_stays_whatever_is_changed_in_the_app(
    esther: Keeper, square: Square
) -> None:
    allowed = {"private_hosts": ["10.0.0.8:443"], "room": "!a:plein"}

    def allows(session: Session, kind: str) -> str:
        account = session.exec(select(Account).where(Account.kind == kind)).one()
        account.config = account.config | allowed
        return account.id

    def kept(kind: str) -> dict[str, Any]:
        (account,) = esther.accounts(kind)
        return {name: account.config.get(name) for name in allowed}

    write = esther.neighbourhood.town.db.write_now
    await esther.adds()
    account_id = write(lambda session: allows(session, "square"))
    changed = {"name": "Nieuw", "team": "noord", "values": {"server": SERVER, "who": "us"}}
    told = await esther.asks("PUT", f"/{account_id}", changed)
    assert "private_hosts" not in told.text
    assert kept("square") == allowed
    # Ended and added again it is tried as it was allowed to reach its platform.
    await esther.asks("DELETE", f"/{account_id}")
    assert (await esther.adds()).json()["id"] == account_id
    assert kept("square") == {"private_hosts": ["10.0.0.8:443"], "room": None}
    # Signed in again on the platform's page.
    await esther.asks("POST", "/consents", {"state": await begins(esther), "code": "yes"})
    page_id = write(lambda session: allows(session, "square_page"))
    state = await begins(esther, account=page_id)
    done = await esther.asks("POST", "/consents", {"state": state, "code": "yes"})
    assert done.json()["id"] == page_id
    assert kept("square_page") == allowed


async def test_a_mailbox_that_signs_in_with_a_token_is_asked_for_no_password(
    esther: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lets_in(*_: object) -> Tried:
        return Tried(None)

    monkeypatch.setattr(accounts, "try_out", lets_in)
    settings = esther.neighbourhood.app.state.settings
    config = {
        "address": "noord@gemeente.example", "imap_host": "imap.example",
        "smtp_host": "smtp.example", "auth": "xoauth2",
        "oauth": {"token_url": "https://login.example", "client_id": "c", "scope": "s"},
    }  # fmt: skip

    def work(session: Session) -> None:
        secret = seal(settings, json.dumps({"refresh_token": "r"}))
        session.add(Account(id="post", kind="email", name="Post", team_id="noord", config=config,
                            secret=secret))  # fmt: skip

    esther.neighbourhood.town.db.write_now(work)
    (told,) = [one for one in (await esther.asks("GET")).json() if one["id"] == "post"]
    assert told["not_asked"] == ["password"]
    changed = {
        "name": "Post Noord",
        "team": "noord",
        "values": {"folder": "Vragen", "password": ""},
    }
    answer = await esther.asks("PUT", "/post", changed)
    assert answer.status_code == 200, answer.text
    (account,) = esther.accounts("email")
    assert account.config == config | {"folder": "Vragen"}
    assert json.loads(unseal(settings, account.secret)) == {"refresh_token": "r"}
    changed["values"] = {"password": "geheim"}
    refused = await esther.asks("PUT", "/post", changed)
    assert refused.status_code == 400
    assert "hoort niet bij hoe dit account zich aanmeldt" in refused.json()["detail"]


async def test_a_consent_that_was_refused_or_came_too_late_keeps_nothing(
    esther: Keeper, square: Square
) -> None:
    new = {"kind": "square_page", "name": "Plein", "team": "noord", "values": {"server": SERVER}}
    for code, wait_s, status in (("no", 1, 409), ("yes", 3600, 400)):
        page = (await esther.asks("POST", "/sign-ins", new)).json()["page"]
        esther.neighbourhood.clock.forward(s=wait_s)
        answer = await esther.asks(
            "POST", "/consents", {"state": page.rpartition("state=")[2], "code": code}
        )
        assert answer.status_code == status
    assert esther.accounts("square_page") == []


async def test_two_accounts_at_one_server_stay_two_and_one_is_signed_in_again(
    esther: Keeper, square: Square
) -> None:
    new = {"kind": "square_page", "name": "Plein", "team": "noord", "values": {"server": SERVER}}

    async def signs_in(**more: str) -> Any:
        page = (await esther.asks("POST", "/sign-ins", new | more)).json()["page"]
        said = {"state": page.rpartition("state=")[2], "code": "yes"}
        return (await esther.asks("POST", "/consents", said)).json()

    first = await signs_in()
    again = await signs_in(account=first["id"])
    assert again["id"] == first["id"]
    other = await esther.asks("POST", "/sign-ins", new | {"account": "web-noord"})
    assert (other.status_code, other.json()["reason"]) == (409, "other_kind")


async def signs_in(esther: Keeper, **more: str) -> httpx.Response:
    new = {"kind": "square_page", "name": "Plein", "team": "noord", "values": {"server": SERVER}}
    esther.neighbourhood.clock.forward(s=1)
    page = (await esther.asks("POST", "/sign-ins", new | more)).json()["page"]
    said = {"state": page.rpartition("state=")[2], "code": "yes"}
    return await esther.asks("POST", "/consents", said)


async def test_who_signs_in_twice_with_the_same_account_is_told_and_nothing_is_kept(
    esther: Keeper, square: Square
) -> None:
    square.name = "@noord"
    first = await signs_in(esther)
    assert first.status_code == 201
    secret = esther.accounts("square_page")[0].secret
    again = await signs_in(esther, team="zuid", name="Nog eens")
    assert (again.status_code, again.json()["reason"]) == (409, "known")
    assert again.json()["account"] == first.json()["id"]
    (kept,) = esther.accounts("square_page")
    assert (kept.secret, kept.name, kept.team_id) == (secret, "Plein", "noord")
    square.name = "@zuid"
    assert (await signs_in(esther)).status_code == 201
    assert len(esther.accounts("square_page")) == 2


async def test_an_account_is_signed_in_again_as_itself_only(esther: Keeper, square: Square) -> None:
    square.name = "@noord"
    first = (await signs_in(esther)).json()
    secret = esther.accounts("square_page")[0].secret
    assert (await signs_in(esther, account=first["id"])).status_code == 201
    assert esther.accounts("square_page")[0].secret != secret
    square.name = "@zuid"
    other = await signs_in(esther, account=first["id"])
    assert (other.status_code, other.json()["reason"]) == (409, "other_account")


async def test_an_account_that_ended_goes_on_when_it_is_signed_in_to_again(
    esther: Keeper, square: Square
) -> None:
    square.name = "@noord"
    first = (await signs_in(esther)).json()
    await esther.asks("DELETE", f"/{first['id']}")
    assert (await signs_in(esther)).json()["id"] == first["id"]


async def test_the_same_account_by_another_address_or_token_is_noticed(
    esther: Keeper, square: Square
) -> None:
    square.name = "@noord"
    assert (await esther.adds()).status_code == 201
    again = await esther.adds(server="https://www.plein.example")
    assert (again.status_code, again.json()["reason"]) == (409, "known")
    square.name = "@zuid"
    other = await esther.adds(server="https://www.plein.example")
    assert other.status_code == 201
    square.name = "@noord"
    values = {"server": "https://m.plein.example", "token": TOKEN}
    changed = {"name": "Zuid", "team": "noord", "values": values}
    into = await esther.asks("PUT", f"/{other.json()['id']}", changed)
    assert (into.status_code, into.json()["reason"]) == (409, "known")
    assert len(esther.accounts()) == 2


async def test_a_mailbox_is_added_in_the_app_on_real_servers(
    esther: Keeper, mail_servers: MailServers, team: str
) -> None:
    values = {
        "address": team, "password": "verkeerd", "imap_host": "127.0.0.1",
        "imap_port": mail_servers.imap_port, "imap_tls": "none", "smtp_host": "127.0.0.1",
        "smtp_port": str(mail_servers.smtp_port), "smtp_tls": "none",
    }  # fmt: skip
    new = {"kind": "email", "name": "Post Noord", "team": "noord", "values": values}
    refused = await esther.asks("POST", "", new)
    assert (refused.status_code, refused.json()["reason"]) == (409, "password_refused")
    assert esther.accounts("email") == []
    values["password"] = PASSWORD
    answer = await esther.asks("POST", "", new)
    assert answer.status_code == 201, answer.text
    assert PASSWORD not in answer.text
    (account,) = esther.accounts("email")
    assert (await esther.asks("POST", f"/{account.id}/checks")).json()["fine"]

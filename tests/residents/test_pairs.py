"""Pairs: suggested to who sees both, joined and undone, never by themselves, never across a wall.

Each test runs on SQLite and on PostgreSQL.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session, select

from app.accounts.policy import Principal
from app.channels import intake, web_service
from app.channels.contract import Incoming
from app.channels.models import Account
from app.db import touch
from app.delivery.models import Delivery
from app.ids import new_secret, uuid7
from app.inbox.models import Conversation, Resident, ResidentAddress
from app.residents.models import Clue, Pair
from app.sync import feed, payloads, replica
from app.sync.models import Change, Operation
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL, Town, op

JAN = "jan@voorbeeld.example"
NUMBER = "31612345678"
CHAT = f"+{NUMBER}"
"""As WhatsApp's adapter gives it."""


class Square:
    """The town with a mailbox and a WhatsApp number in each area, and the few verbs of a test."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.dewi = Principal(
            town.bram.person_id, "phone-dewi", "Dewi", "coordinator", "nl",
            frozenset({PADDEPOEL, HELPMAN, "team:noord", "team:zuid"}),
        )  # fmt: skip
        """Somebody of both teams."""

        def work(session: Session) -> None:
            for team, area in (("noord", PADDEPOEL), ("zuid", HELPMAN)):
                for kind in ("email", "whatsapp", "mastodon"):
                    name = f"{kind}-{team}"
                    session.add(Account(id=name, kind=kind, name=name, team_id=team, area=area))
                    touch(session, "account", name)

        town.db.write_now(work)

    def takes(self, account: str, address: str, text: str = "Hallo", **said: Any) -> str:
        """Let somebody write to an account; return the conversation."""
        item = Incoming(
            external_id=said.pop("external_id", uuid7()),
            address=address,
            sender_name=said.pop("name", ""),
            text=text,
            sent_at_ms=self.town.now_ms,
            **said,
        )
        prepared = intake.prepare(item, max_bytes=1000)

        def store(session: Session) -> str:
            found = session.get_one(Account, account)
            return str(intake.take(session, found, prepared, now_ms=self.town.now_ms))

        return self.town.db.write_now(store)

    def asks(self, text: str = "De lamp is stuk.", area: str = PADDEPOEL, **typed: Any) -> str:
        """Let somebody fill in the form; return the conversation."""
        form = web_service.Form(
            area, "", "web-noord" if area == PADDEPOEL else "web-zuid", mails=False
        )
        form_id, self.secret = uuid7(), new_secret()
        question = web_service.Question(text, **typed)
        self.town.db.write_now(
            lambda session: web_service.submit(
                session, form, question, [], form_id=form_id, message=uuid7(),
                secret=self.secret, now_ms=self.town.now_ms,
            )
        )  # fmt: skip
        return form_id

    def notes(self, who: Principal, area: str = PADDEPOEL, **said: Any) -> str:
        """Write a contact note; return the conversation."""
        conversation = uuid7()
        said = {"via": "phone", "text": "Belde over de stoep.", "area": area} | said
        (result,) = self.town.does(who, op("contact", conversation, None, **said))
        assert result["outcome"] == "applied", result
        return conversation

    def knows(self, who: Principal) -> list[dict[str, Any]]:
        """Return the pairs on somebody's phone, as it reads the feed from the start."""
        kept: dict[str, dict[str, Any]] = {}
        rows = self.town.db.read_now(lambda session: feed.pull(session, who.scopes, 0, 100_000))
        for row in rows:
            if row.key.startswith("same:"):
                state = json.loads(row.body)
                kept[state["id"]] = state
        return [state for state in kept.values() if not state.get("gone")]

    def fills(self, who: Principal) -> list[dict[str, Any]]:
        """Return the pairs that a new phone is given."""
        body = self.town.db.read_now(lambda session: replica.personal(session, who))
        rows = [line.split("\t") for line in body.decode().splitlines()[1:]]
        states = [json.loads(row[3]) for row in rows if row[1].startswith("same:")]
        return [state for state in states if not state.get("gone")]

    def says(
        self, who: Principal, conversation: str, verdict: str, *, was: str = "open", **given: Any
    ) -> str:
        """Say something of the only pair there is; return the outcome or the reason."""
        asked = self.judges(conversation, verdict, was=was, **given)
        (result,) = self.town.does(who, asked)
        return str(result.get("reason") or result["outcome"])

    def judges(
        self, conversation: str, verdict: str, *, was: str = "open", **given: Any
    ) -> payloads.Op:
        pair = given.pop("pair", None) or self.pairs()[0].id
        among = given.pop("among", [])
        return op("same", conversation, 1, pair=pair, verdict=verdict, was=was, among=among)

    def pairs(self) -> list[Pair]:
        return list(self.town.db.read_now(lambda session: session.exec(select(Pair)).all()))

    def owners(self) -> tuple[Any, ...]:
        """Return whose every conversation and every address is."""
        conversations = select(Conversation.id, Conversation.resident_id, Conversation.address)
        addresses = select(
            ResidentAddress.resident_id, ResidentAddress.channel, ResidentAddress.address
        )
        return self.town.db.read_now(
            lambda session: (
                sorted(session.exec(conversations).all(), key=str),
                sorted(session.exec(addresses).all(), key=str),
                sorted(session.exec(select(Resident.id, Resident.name)).all()),
            )
        )

    def resident(self, conversation: str) -> str:
        return self.town.conversation(conversation).resident_id


@pytest.fixture
def square(town: Town) -> Square:
    return Square(town)


def test_the_address_of_a_form_and_of_a_mail_suggest_one_resident(square: Square) -> None:
    form = square.asks(email=JAN, name="Jan")
    mail = square.takes("email-noord", JAN, "Nogmaals over de lamp.")
    assert square.resident(form) != square.resident(mail)
    (pair,) = square.knows(square.town.anna)
    assert (pair["verdict"], pair["why"], pair["value"]) == ("open", "email", JAN)
    assert {pair["a"], pair["b"]} == {square.resident(form), square.resident(mail)}
    assert {pair["a_c"], pair["b_c"]} == {form, mail}
    assert square.fills(square.town.anna)[0]["id"] == pair["id"]


@pytest.mark.parametrize("first", ["whatsapp", "note"])
def test_her_number_in_a_note_and_in_whatsapp_suggest_one(square: Square, first: str) -> None:
    writes: list[Callable[[], str]] = [
        lambda: square.takes("whatsapp-noord", CHAT, name="Jan V"),
        lambda: square.notes(square.town.anna, phone="06 - 12 34 56 78", name="mevrouw Jansen"),
    ]
    for write in writes if first == "whatsapp" else reversed(writes):
        write()
    (pair,) = square.knows(square.town.anna)
    assert (pair["why"], pair["value"]) == ("phone", NUMBER)


def test_the_handle_that_she_types_suggests_one(square: Square) -> None:
    square.takes("mastodon-noord", "jan@mastodon.example", public=True)
    square.asks("Ik schreef al als @Jan@mastodon.example, maar zonder antwoord.")
    (pair,) = square.knows(square.town.anna)
    assert (pair["why"], pair["value"]) == ("handle", "@jan@mastodon.example")


def test_a_full_name_is_a_hint_within_one_area_only(square: Square) -> None:
    square.asks(name="Jan de Vries")
    square.takes("whatsapp-zuid", "+31698765432", name="Jan de Vries")
    assert square.knows(square.dewi) == []
    square.takes("whatsapp-noord", CHAT, name="Jan De Vries")
    assert [pair["why"] for pair in square.knows(square.dewi)] == ["name"]


def test_what_many_share_suggests_nothing(square: Square) -> None:
    for _ in range(6):
        square.asks("Bel onze huismeester: 06-12345678")
    square.takes("whatsapp-noord", CHAT)
    assert square.pairs() == []


def test_who_does_not_see_both_is_told_of_nothing(square: Square) -> None:
    form = square.asks(email=JAN)
    mail = square.takes("email-zuid", JAN)
    assert [pair["why"] for pair in square.knows(square.dewi)] == ["email"]
    for who in (square.town.anna, square.town.chaima):
        assert square.knows(who) == []
        assert square.fills(who) == []
    # She guesses its name: it does not exist for her, whatever she says of it.
    assert square.says(square.town.anna, form, "same") == "pair_gone"
    assert square.says(square.town.anna, mail, "same") == "unknown_conversation"
    assert square.says(square.dewi, form, "same") == "applied"
    for who in (square.town.anna, square.town.chaima):
        assert square.knows(who) == []
    assert square.says(square.town.anna, form, "open", was="same") == "pair_gone"
    assert [pair.verdict for pair in square.pairs()] == ["same"]


def test_a_reason_from_elsewhere_is_told_to_nobody_here(square: Square) -> None:
    # The number stands only in her question in Helpman; Anna sees another one of hers.
    square.takes("email-zuid", JAN, "Bel me op 06-12345678")
    here = square.takes("email-noord", JAN, "Een andere vraag")
    square.takes("whatsapp-noord", CHAT)
    assert len(square.pairs()) == 1
    assert square.knows(square.town.anna) == []
    assert [pair["value"] for pair in square.knows(square.dewi)] == [NUMBER]
    assert square.says(square.town.anna, here, "same") == "pair_gone"
    # Once a colleague said that they are one, all that Anna sees of both belongs together.
    assert square.says(square.dewi, here, "same") == "applied"
    assert [(p["verdict"], p["why"], p["value"]) for p in square.knows(square.town.anna)] == [
        ("same", "", "")
    ]


def test_a_conversation_that_moves_takes_its_pair_along(square: Square) -> None:
    form = square.asks(email=JAN)
    mail = square.takes("email-noord", JAN)
    before = len(square.knows(square.town.anna))
    square.town.does(square.dewi, op("area", mail, 1, area=HELPMAN))
    assert (before, square.knows(square.town.anna)) == (1, [])
    (still,) = square.knows(square.dewi)
    assert sorted(still["in"]) == sorted([PADDEPOEL, HELPMAN])
    square.town.does(square.dewi, op("area", form, 1, area=HELPMAN))
    assert len(square.knows(square.town.chaima)) == 1
    square.town.does(square.dewi, op("area", mail, 2, area=PADDEPOEL))
    square.town.does(square.dewi, op("area", form, 2, area=PADDEPOEL))
    assert len(square.knows(square.town.anna)) == 1
    assert square.knows(square.town.chaima) == []


def test_joining_moves_nothing_and_undoing_leaves_nothing(square: Square) -> None:
    form = square.asks(email=JAN, name="Jan")
    mail = square.takes("email-noord", JAN, name="J. de Vries")
    before = square.owners()
    assert square.says(square.town.anna, form, "same") == "applied"
    (pair,) = square.knows(square.town.anna)
    assert (pair["verdict"], pair["by"]) == ("same", square.town.anna.person_id)
    assert square.owners() == before
    # She goes on writing in both places, and begins anew in one.
    square.takes("email-noord", JAN, "Nog iets", external_id="later")
    square.town.resident_adds(form)
    after = square.owners()
    assert square.says(square.town.anna, mail, "open", was="same") == "applied"
    assert square.owners() == after
    assert [pair["verdict"] for pair in square.knows(square.town.anna)] == ["open"]
    begun = [row for row in after[0] if row not in before[0]]
    assert [row[1] for row in begun] == [square.resident(mail)]
    assert after[1:] == before[1:]


def test_a_suggestion_that_was_refused_stays_away(square: Square) -> None:
    form = square.asks(email=JAN)
    square.takes("email-noord", JAN)
    assert square.says(square.town.anna, form, "different") == "applied"
    square.takes("email-noord", JAN, "Weer een vraag")
    square.asks(email=JAN)
    assert [pair["verdict"] for pair in square.knows(square.town.anna)] == ["different"]


def test_saying_it_twice_is_saying_it_once(square: Square) -> None:
    form = square.asks(email=JAN)
    square.takes("email-noord", JAN)
    asked = square.judges(form, "same")
    (first,) = square.town.does(square.town.anna, asked)
    (again,) = square.town.does(square.town.anna, asked)
    assert (first["outcome"], again["outcome"], again["duplicate"]) == ("applied", "applied", True)
    # A colleague says the same at the same time; neither is bothered.
    assert square.says(square.town.bram, form, "same") == "applied"
    ledger = square.town.db.read_now(lambda session: session.exec(select(Operation)).all())
    assert len(ledger) == 2
    assert square.knows(square.town.anna)[0]["by"] == square.town.anna.person_id


def test_what_a_colleague_said_meanwhile_is_not_overruled_unseen(square: Square) -> None:
    form = square.asks(email=JAN)
    square.takes("email-noord", JAN)
    assert square.says(square.town.bram, form, "different") == "applied"
    assert square.says(square.town.anna, form, "same") == "pair_decided"
    # Now she sees it, and may say otherwise.
    assert square.says(square.town.anna, form, "same", was="different") == "applied"
    assert square.says(square.town.bram, form, "open", was="different") == "pair_decided"
    assert [pair.verdict for pair in square.pairs()] == ["same"]


def three(square: Square) -> tuple[str, str, str, dict[frozenset[str], str]]:
    """A form, a mail and a WhatsApp chat of one; return them and the pairs by whom they join."""
    form = square.asks("Bel 06-12345678", email=JAN)
    mail = square.takes("email-noord", JAN, "Bel 06-12345678")
    chat = square.takes("whatsapp-noord", CHAT)
    names = {square.resident(one): name for one, name in ((form, "f"), (mail, "m"), (chat, "c"))}
    pairs = {frozenset({names[p.a_id], names[p.b_id]}): p.id for p in square.pairs()}
    assert len(pairs) == 3
    return form, mail, chat, pairs


def test_one_who_was_joined_elsewhere_meanwhile_is_looked_at_first(square: Square) -> None:
    form, mail, chat, pairs = three(square)
    mine, theirs = pairs[frozenset("fm")], pairs[frozenset("mc")]
    assert square.says(square.town.bram, chat, "same", pair=theirs) == "applied"
    among = [square.resident(form), square.resident(mail)]
    assert square.says(square.town.anna, form, "same", pair=mine, among=among) == (
        "residents_changed"
    )
    seen = [*among, square.resident(chat)]
    assert square.says(square.town.anna, form, "same", pair=mine, among=seen) == "applied"
    # Taking that back parts the form from the other two, who stay one.
    assert square.says(square.town.anna, form, "open", was="same", pair=mine) == "applied"
    verdicts = {pair["id"]: pair["verdict"] for pair in square.knows(square.town.anna)}
    assert (verdicts[mine], verdicts[theirs]) == ("open", "same")


def test_two_whom_a_colleague_kept_apart_are_not_joined_by_a_third(square: Square) -> None:
    form, mail, chat, pairs = three(square)
    everybody = [square.resident(one) for one in (form, mail, chat)]
    apart, one, other = (pairs[frozenset(names)] for names in ("fc", "fm", "mc"))
    assert square.says(square.town.bram, form, "different", pair=apart) == "applied"
    assert square.says(square.town.anna, form, "same", pair=one, among=everybody) == "applied"
    assert square.says(square.town.anna, chat, "same", pair=other, among=everybody) == (
        "pair_contradicts"
    )


def test_two_who_join_at_once_never_make_three_unseen(square: Square) -> None:
    form, mail, chat, pairs = three(square)
    results: list[dict[str, object]] = []

    def say(conversation: str, names: str, among: list[str], who: Principal) -> None:
        ids = [square.resident(one) for one in among]
        asked = square.judges(conversation, "same", pair=pairs[frozenset(names)], among=ids)
        results.extend(square.town.does(who, asked))

    both = [
        threading.Thread(target=say, args=(form, "fm", [form, mail], square.town.anna)),
        threading.Thread(target=say, args=(chat, "mc", [mail, chat], square.town.bram)),
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    said = sorted(str(result.get("reason") or result["outcome"]) for result in results)
    assert said == ["applied", "residents_changed"]


def test_two_messages_at_once_make_one_pair(square: Square) -> None:
    square.asks("Bel 06-12345678", email=JAN)
    both = [
        threading.Thread(target=square.takes, args=("email-noord", JAN, f"Vraag {n}"))
        for n in range(4)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(square.pairs()) == 1
    assert len(square.knows(square.town.anna)) == 1


def test_an_answer_goes_where_it_was_asked_whoever_is_joined(square: Square) -> None:
    form = square.asks(email=JAN)
    chat = square.takes("whatsapp-noord", CHAT, f"Ik ben {JAN}")
    assert square.says(square.town.anna, form, "same") == "applied"
    square.town.does(square.town.anna, op("reply", chat, 1, text="Wij komen donderdag."))
    sent = square.town.db.read_now(lambda session: session.exec(select(Delivery)).all())
    assert [(one.account_id, one.recipient) for one in sent] == [("whatsapp-noord", CHAT)]


def test_who_is_joined_and_writes_anew_is_known_there_too(square: Square) -> None:
    form = square.asks(email=JAN)
    mail = square.takes("email-noord", JAN)
    square.says(square.town.anna, form, "same")
    later = square.takes("email-zuid", JAN, "Nu over Helpman")
    assert square.resident(later) == square.resident(mail)
    assert square.knows(square.town.chaima) == []
    places = {tuple(sorted(pair["in"])) for pair in square.fills(square.dewi)}
    assert places == {(PADDEPOEL, PADDEPOEL), (HELPMAN, PADDEPOEL)}


def erase(square: Square) -> None:
    square.town.db.write_now(
        lambda session: web_service.erase(session, square.secret, now_ms=NOON_MS)
    )


def test_her_data_goes_with_all_that_told_of_her(square: Square) -> None:
    mail = square.takes("email-noord", JAN, name="Jan de Vries")
    square.asks("Bel 06-12345678", email=JAN, name="Jan de Vries")
    square.says(square.town.anna, mail, "same")
    erase(square)
    assert square.knows(square.town.anna) == []
    assert square.pairs() == []

    def left(session: Session) -> str:
        rows = session.exec(select(Change).where(Change.kind == "same")).all()
        clues = session.exec(select(Clue).where(Clue.conversation_id != mail)).all()
        return " ".join([*(row.body for row in rows), *(clue.value for clue in clues)])

    assert "12345678" not in square.town.db.read_now(left)
    assert JAN not in square.town.db.read_now(left)
    # The other conversation is somebody's own: nobody asked to erase that.
    assert square.town.conversation(mail).erased_at_ms is None
    assert square.says(square.town.anna, mail, "open", was="same", pair=uuid7()) == "pair_gone"


def test_who_has_more_than_one_conversation_stays_joined_when_one_is_erased(
    square: Square,
) -> None:
    first = square.asks(email=JAN)
    mail = square.takes("email-noord", JAN)
    square.says(square.town.anna, mail, "same")
    square.asks(email=JAN)
    erase(square)
    (pair,) = square.knows(square.town.anna)
    assert pair["verdict"] == "same"
    assert first in {pair["a_c"], pair["b_c"]}


def test_what_is_said_offline_of_somebody_erased_meanwhile_is_refused(square: Square) -> None:
    mail = square.takes("email-noord", JAN)
    form = square.asks(email=JAN)
    asked, other = square.judges(mail, "same"), square.judges(form, "same")
    erase(square)
    reasons = [result.get("reason") for result in square.town.does(square.town.anna, asked, other)]
    assert reasons == ["pair_gone", "erased"]


def test_words_taken_back_take_the_suggestion_along_unless_she_said_them_twice(
    square: Square,
) -> None:
    square.asks(email=JAN)

    def toots(external_id: str, text: str, **more: Any) -> None:
        square.takes(
            "mastodon-noord", "jan@m.example", text, external_id=external_id,
            in_reply_to=("first",), **more,
        )  # fmt: skip

    toots("first", f"Mail me: {JAN}")
    toots("second", f"Of nee, bel. Of toch maar {JAN}")
    toots("first", "Mail me niet.", kind="edit")
    assert len(square.knows(square.town.anna)) == 1
    toots("second", "", kind="delete")
    assert square.knows(square.town.anna) == []


def test_who_may_not_work_here_decides_nothing(square: Square) -> None:
    form = square.asks(email=JAN)
    square.takes("email-noord", JAN)
    anna = square.town.anna
    for role in ("coach", "archivist", "manager", "assistant"):
        who = Principal(anna.person_id, "phone", "X", role, "nl", anna.areas)
        assert square.says(who, form, "same") == "not_allowed"
    assert [pair.verdict for pair in square.pairs()] == ["open"]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"pair": "x", "verdict": "same", "was": "open"},
        {"pair": uuid7(), "verdict": "merged", "was": "open"},
        {"pair": uuid7(), "verdict": "same", "was": "open", "among": ["x"]},
        {"pair": uuid7(), "verdict": "same", "was": "open", "among": [uuid7()] * 201},
    ],
)
def test_nonsense_changes_nothing(square: Square, payload: dict[str, Any]) -> None:
    form = square.asks(email=JAN)
    (result,) = square.town.does(square.town.anna, op("same", form, 1, **payload))
    assert (result["outcome"], result["reason"]) == ("rejected", "bad_payload")


def test_somebody_elses_pair_is_not_judged_from_here(square: Square) -> None:
    square.asks(email=JAN)
    square.takes("email-noord", JAN)
    stranger = square.town.resident_writes()
    assert square.says(square.town.anna, stranger, "same") == "pair_gone"

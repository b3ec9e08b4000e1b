"""What is copied by hand from a group that Stoep cannot reach, and answered there by hand."""

import pytest
from sqlmodel import select

from app.accounts.policy import Principal
from app.delivery.models import Delivery
from app.ids import uuid7
from app.sync import payloads
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL, Town, op


def copied(conversation: str, **given: object) -> payloads.Op:
    said: dict[str, object] = {
        "via": "group",
        "source": "whatsapp",
        "group": "Onze straat",
        "text": "Weet iemand wanneer de containers komen?",
        "area": PADDEPOEL,
        "happened_at_ms": NOON_MS - 60_000,
    }
    return op("contact", conversation, None, **(said | given))


def outcome(town: Town, *ops: payloads.Op, who: Principal | None = None) -> list[object]:
    return [
        result.get("reason") or result["outcome"] for result in town.does(who or town.anna, *ops)
    ]


def test_what_was_copied_says_where_it_stood_when_and_who_copied_it(town: Town) -> None:
    street = uuid7()
    assert outcome(town, copied(street)) == ["applied"]
    begun = town.conversation(street)
    assert (begun.subject, begun.why_not, begun.address) == ("Onze straat", "by_hand", None)
    (message,) = town.timeline(street)
    assert message.author_id == town.anna.person_id
    assert message.written_at_ms == NOON_MS - 60_000
    assert message.event is not None
    assert message.event["from"] == "group"
    assert message.event["to"]["source"] == "whatsapp"


def test_nothing_can_be_sent_there_and_nothing_pretends_to_be(town: Town) -> None:
    street = uuid7()
    outcome(town, copied(street))
    assert outcome(town, op("reply", street, 1, text="Morgen.")) == ["no_address"]
    answer = op("note", street, 1, text="Morgen komen ze.", by_hand_at_ms=NOON_MS - 5_000)
    assert outcome(town, answer) == ["applied"]
    _, said = town.timeline(street)
    assert (said.direction, said.text) == ("out", "Morgen komen ze.")
    assert (said.written_at_ms, said.accepted_at_ms) == (NOON_MS - 5_000, NOON_MS)
    assert said.event == {"what": "by_hand", "from": None, "to": None}
    assert town.db.read_now(lambda session: session.exec(select(Delivery)).all()) == []
    after = town.conversation(street)
    assert (after.status, after.waiting_since_ms) == ("open", None)


def test_a_note_stays_a_note(town: Town) -> None:
    street = uuid7()
    outcome(town, copied(street), op("note", street, 1, text="Bellen met de dienst."))
    assert [entry.direction for entry in town.timeline(street)] == ["in", "note"]
    assert town.conversation(street).waiting_since_ms is not None


def test_where_stoep_answers_itself_nothing_is_answered_by_hand(town: Town) -> None:
    asked = town.resident_writes()
    assert outcome(town, op("note", asked, 1, text="Gedaan.", by_hand_at_ms=NOON_MS)) == [
        "bad_payload"
    ]
    assert len(town.timeline(asked)) == 1


def test_who_may_not_answer_may_not_answer_by_hand_either(town: Town) -> None:
    street = uuid7()
    outcome(town, copied(street))
    anna = town.anna
    coach = Principal(anna.person_id, "x", "Anna", "coach", "nl", anna.areas)
    answer = op("note", street, 1, text="Gedaan.", by_hand_at_ms=NOON_MS)
    assert outcome(town, answer, who=coach) == ["not_allowed"]


@pytest.mark.parametrize(
    "wrong",
    [{"source": None}, {"source": "hyves"}, {"via": "fax"}, {"group": "x" * 201}, {"group": "\0"}],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_begun(
    town: Town, wrong: dict[str, object]
) -> None:
    (reason,) = outcome(town, copied(uuid7(), **wrong))
    assert reason in {"bad_payload", "too_long"}


def test_a_group_elsewhere_is_not_hers_to_write_down(town: Town) -> None:
    assert outcome(town, copied(uuid7(), area=HELPMAN)) == ["not_allowed"]


def test_answered_twice_by_a_repeated_request_stands_there_once(town: Town) -> None:
    street = uuid7()
    outcome(town, copied(street))
    answer = op("note", street, 1, text="Morgen.", by_hand_at_ms=NOON_MS)
    assert outcome(town, answer, answer) == ["applied", "applied"]
    assert [entry.direction for entry in town.timeline(street)] == ["in", "out"]

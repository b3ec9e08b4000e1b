"""What the phones did is judged once, in order, by rights and by what happened meanwhile."""

import json
import threading
from typing import Any

import pytest
from sqlmodel import Session, select

from app.accounts.policy import Principal
from app.channels.models import Account
from app.delivery.models import Delivery
from app.inbox.models import Attachment, Conversation, Message
from app.sync import entities, operations
from app.sync.models import Change, Operation
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL, Town, op


def outcomes(results: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(result["outcome"], result.get("reason")) for result in results]


def test_a_reply_becomes_a_message_and_a_delivery_at_once(town: Town) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    (result,) = town.does(town.anna, reply)
    assert result["outcome"] == "applied"
    assert [(m.direction, m.text) for m in town.timeline(lamp)][1] == ("out", "Wij komen kijken.")
    deliveries = town.db.read_now(lambda session: session.exec(select(Delivery)).all())
    assert [(d.message_id, d.state) for d in deliveries] == [(reply.op_id, "queued")]
    assert town.conversation(lamp).status == "open"
    assert town.conversation(lamp).waiting_since_ms is None


def test_the_feed_says_of_a_batch_what_reading_it_back_says(town: Town) -> None:
    lamp = town.resident_writes()
    photo = Attachment(
        id=op("x", None).op_id,
        uploader_id=town.anna.person_id,
        media_type="image/jpeg",
        size_bytes=3,
        have_bytes=3,
        width=1,
        height=1,
        created_at_ms=NOON_MS,
    )
    town.db.write_now(lambda session: session.add(photo))
    town.does(
        town.anna,
        op("reply", lamp, 1, text="Wij komen kijken."),
        op("note", lamp, text="Met een foto", attachments=[photo.id]),
    )
    town.does(
        town.anna,
        op("contact", op("x", None).op_id, via="phone", text="Belde.", area=PADDEPOEL),
    )
    town.does(town.anna, op("urgent", lamp, urgent=True, reason="Water"))

    def published_and_stored(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
        rows = session.exec(select(Change).where(Change.kind == "message")).all()
        published = {row.key: json.loads(row.body) | {"s": None} for row in rows}
        ids = [key.removeprefix("m:") for key in published]
        read = entities.messages(session, ids)
        return published, {row["key"]: row["state"] | {"s": None} for row in read}

    published, stored = town.db.read_now(published_and_stored)
    assert len(published) == 5
    assert sum(bool(body["attachments"]) for body in published.values()) == 1
    assert published == stored


def test_the_same_operation_twice_has_one_effect_and_one_answer(town: Town) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    (first,) = town.does(town.anna, reply)
    (second,) = town.does(town.anna, reply)
    assert second == first | {"duplicate": True}
    assert len(town.timeline(lamp)) == 2


def test_twice_in_one_batch_counts_once(town: Town) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    first, second = town.does(town.anna, reply, reply)
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert len(town.timeline(lamp)) == 2


def test_twins_on_two_connections_have_one_effect(town: Town) -> None:
    lamp = town.resident_writes()
    for _ in range(5):
        reply = op("reply", lamp, town.conversation(lamp).position, text="Wij komen kijken.")
        note = op("contact", op("x", None).op_id, via="phone", text="Belde.", area=PADDEPOEL)
        start = threading.Barrier(4)

        def send(reply: object = reply, note: object = note) -> None:
            start.wait()  # noqa: B023
            town.does(town.anna, reply, note)  # type: ignore[arg-type]

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert town.db.read_now(lambda s, i=reply.op_id: s.get(Message, i)) is not None
        assert town.db.read_now(lambda s, i=note.op_id: s.get(Message, i)) is not None
    assert len(town.timeline(lamp)) == 6
    ledger = town.db.read_now(lambda session: session.exec(select(Operation)).all())
    assert len(ledger) == 10


def test_an_id_used_for_something_else_is_refused_and_changes_nothing(town: Town) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    town.does(town.anna, reply)
    other = reply.model_copy(update={"payload": {"text": "Iets anders"}})
    assert outcomes(town.does(town.anna, other)) == [("rejected", "id_reused")]
    assert outcomes(town.does(town.bram, reply)) == [("rejected", "id_reused")]
    assert len(town.timeline(lamp)) == 2


def test_one_bad_operation_blocks_no_other(town: Town) -> None:
    lamp = town.resident_writes()
    results = town.does(
        town.anna,
        op("reply", lamp, 1, text=""),
        op("dance", lamp),
        op("note", lamp, text="Even gebeld."),
        op("reply", lamp, 99, text="Vooruit gekeken"),
        op("topics", lamp, add=["verlichting"]),
    )
    assert outcomes(results) == [
        ("rejected", "bad_payload"),
        ("rejected", "bad_payload"),
        ("applied", None),
        ("rejected", "bad_payload"),
        ("applied", None),
    ]
    assert town.conversation(lamp).topics == ["verlichting"]


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        ("colleague replies", "colleague_replied"),
        ("resident adds", "resident_added"),
        ("colleague closes", "closed"),
        ("colleague hands off", "handed_off"),
    ],
)
def test_a_reply_is_held_over_what_its_writer_had_not_seen(
    town: Town, meanwhile: str, reason: str
) -> None:
    lamp = town.resident_writes()
    if meanwhile == "resident adds":
        town.resident_adds(lamp)
    else:
        theirs = {
            "colleague replies": op("reply", lamp, 1, text="Is al geregeld."),
            "colleague closes": op("status", lamp, 1, status="closed"),
            "colleague hands off": op("assign", lamp, 1, person=town.bram.person_id),
        }[meanwhile]
        assert outcomes(town.does(town.bram, theirs)) == [("applied", None)]
    held = op("reply", lamp, 1, text="Wij komen kijken.")
    (result,) = town.does(town.anna, held)
    assert (result["outcome"], result["reason"]) == ("held", reason)
    assert [m["position"] for m in result["changed"]] == [2]  # type: ignore[attr-defined]
    assert len(town.timeline(lamp)) == 2
    # She has looked now: the same words under a new id and a new view go out.
    anyway = op("reply", lamp, 2, text="Wij komen kijken.")
    assert outcomes(town.does(town.anna, anyway)) == [("applied", None)]
    # The held one stays held for ever, however often the phone repeats it.
    assert town.does(town.anna, held)[0]["outcome"] == "held"


def test_a_colleagues_note_and_topics_hold_nobody_up(town: Town) -> None:
    lamp = town.resident_writes()
    town.does(
        town.bram, op("note", lamp, text="Let op: oude kabel."), op("topics", lamp, add=["x"])
    )
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    assert outcomes(town.does(town.anna, reply)) == [("applied", None)]


def test_her_own_queue_never_holds_itself_up(town: Town) -> None:
    lamp = town.resident_writes()
    batch = [
        op("assign", lamp, 1, person=town.anna.person_id),
        op("reply", lamp, 1, text="Een."),
        op("reply", lamp, 1, text="Twee."),
        op("status", lamp, 1, status="closed"),
    ]
    assert {o for o, _ in outcomes(town.does(town.anna, *batch))} == {"applied"}
    assert [m.text for m in town.timeline(lamp) if m.direction == "out"] == ["Een.", "Twee."]


def test_what_may_have_been_sent_can_still_be_changed_once(town: Town) -> None:
    lamp = town.resident_writes()
    first = op("reply", lamp, 1, text="Wij komen morgn.")
    better = op("reply", lamp, 1, text="Wij komen morgen.", supersedes=[first.op_id])
    assert outcomes(town.does(town.anna, better)) == [("applied", None)]
    # The first one was on its way all the while, and arrives now.
    assert outcomes(town.does(town.anna, first)) == [("rejected", "withdrawn")]
    assert [m.text for m in town.timeline(lamp)[1:]] == ["Wij komen morgen."]
    assert town.does(town.anna, better)[0]["duplicate"] is True


def test_a_change_that_comes_too_late_is_held_and_shows_what_was_sent(town: Town) -> None:
    lamp = town.resident_writes()
    first = op("reply", lamp, 1, text="Wij komen morgn.")
    town.does(town.anna, first)
    better = op("reply", lamp, 1, text="Wij komen morgen.", supersedes=[first.op_id])
    (result,) = town.does(town.anna, better)
    assert (result["outcome"], result["reason"]) == ("held", "already_sent")
    assert [m["text"] for m in result["changed"]] == ["Wij komen morgn."]  # type: ignore[attr-defined]
    assert len(town.timeline(lamp)) == 2


def test_withdrawing_stops_what_has_not_arrived_and_owns_up_when_it_has(town: Town) -> None:
    lamp = town.resident_writes()
    early, late = op("note", lamp, text="Een"), op("note", lamp, text="Twee")
    town.does(town.anna, late)
    results = town.does(
        town.anna,
        op("withdraw", lamp, op_ids=[early.op_id]),
        early,
        op("withdraw", lamp, op_ids=[late.op_id]),
    )
    assert outcomes(results) == [
        ("applied", None),
        ("rejected", "withdrawn"),
        ("rejected", "already_sent"),
    ]
    assert [m.text for m in town.timeline(lamp)[1:]] == ["Twee"]


def test_what_she_may_not_see_does_not_exist_for_her(town: Town) -> None:
    elsewhere = town.resident_writes(area=HELPMAN, account="web-zuid")
    nowhere = op("note", op("x", None).op_id, text="Bestaat niet")
    results = town.does(town.anna, op("note", elsewhere, text="Dag"), nowhere)
    assert outcomes(results) == [("rejected", "unknown_conversation")] * 2
    first, second = results
    assert first.keys() == second.keys()
    assert first.get("detail") == second.get("detail")


@pytest.mark.parametrize("role", ["coach", "archivist", "manager", "admin"])
def test_only_who_may_reply_replies(town: Town, role: str) -> None:
    lamp = town.resident_writes()
    anna = town.anna
    who = Principal(anna.person_id, "d", "Anna", role, "nl", anna.areas)
    assert outcomes(town.does(who, op("reply", lamp, 1, text="Dag"))) == [
        ("rejected", "not_allowed")
    ]


def test_a_phone_whose_clock_is_a_year_off_is_heard_all_the_same(town: Town) -> None:
    lamp = town.resident_writes()
    year_ms = 365 * 86_400_000
    for written_at_ms in (NOON_MS + year_ms, 0, -(1 << 53), 1 << 53):
        late = op("note", lamp, text="Gezien.").model_copy(update={"written_at_ms": written_at_ms})
        assert outcomes(town.does(town.anna, late)) == [("applied", None)]
    assert {m.written_at_ms for m in town.timeline(lamp)[1:]} == {NOON_MS}
    honest = op("note", lamp, text="Gisteren").model_copy(
        update={"written_at_ms": NOON_MS - 86_400_000}
    )
    town.does(town.anna, honest)
    assert town.timeline(lamp)[-1].written_at_ms == NOON_MS - 86_400_000


def test_a_contact_note_begins_a_conversation_that_waits(town: Town) -> None:
    street = op("x", None).op_id
    contact = op(
        "contact", street, via="street", name="Mevrouw Bos", text="Losse tegel.", area=PADDEPOEL
    )
    reply = op("note", street, text="Foto gemaakt.")
    assert outcomes(town.does(town.anna, contact, reply)) == [("applied", None)] * 2
    stored = town.conversation(street)
    assert (stored.position, stored.in_position, stored.why_not) == (2, 1, "no_address")
    assert outcomes(town.does(town.anna, op("reply", street, 2, text="Dag"))) == [
        ("rejected", "no_address")
    ]


def test_a_contact_note_with_mail_is_answered_from_the_teams_mailbox(town: Town) -> None:
    config = {"address": "noord@stoep.example", "imap_host": "h", "smtp_host": "h"}
    mailbox = Account(id="mail", kind="email", name="Noord", team_id="noord", config=config)
    town.db.write_now(lambda session: session.add(mailbox))
    desk = op("x", None).op_id
    town.does(
        town.anna,
        op(
            "contact",
            desk,
            via="desk",
            email="Bos@Voorbeeld.example",
            text="Paspoort?",
            area=PADDEPOEL,
        ),
        op("reply", desk, 1, text="Neem een foto mee."),
    )
    (delivery,) = town.db.read_now(lambda session: session.exec(select(Delivery)).all())
    assert (delivery.account_id, delivery.recipient) == ("mail", "bos@voorbeeld.example")
    assert "@stoep.example" in delivery.external_id


def test_a_contact_note_stays_inside_her_areas(town: Town) -> None:
    contact = op("contact", op("x", None).op_id, via="phone", text="Dag", area=HELPMAN)
    assert outcomes(town.does(town.anna, contact)) == [("rejected", "not_allowed")]


def test_nobody_is_given_what_she_cannot_see(town: Town) -> None:
    lamp = town.resident_writes()
    assign = op("assign", lamp, 1, person=town.chaima.person_id)
    assert outcomes(town.does(town.anna, assign)) == [("rejected", "not_allowed")]


def test_read_marks_only_move_forward(town: Town) -> None:
    lamp = town.resident_writes()
    town.resident_adds(lamp)
    town.does(town.anna, op("read", lamp, position=2), op("read", lamp, position=1))
    mark = [key for key, _ in town.sees(town.anna) if key.startswith("r:")]
    assert mark == [f"r:{lamp}:{town.anna.person_id}"]
    assert not [key for key, _ in town.sees(town.bram) if key.startswith("r:")]


def test_numbers_are_given_once_without_gaps(town: Town) -> None:
    ids = [town.resident_writes() for _ in range(4)]
    assert [town.conversation(one).number for one in ids] == [1, 2, 3, 4]


def test_a_failed_batch_leaves_no_trace(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")

    def work(session: Session) -> None:
        operations.apply(session, town.anna, [reply], now_ms=NOON_MS)
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        town.db.write_now(work)
    assert len(town.timeline(lamp)) == 1
    assert town.db.read_now(lambda session: session.get(Operation, reply.op_id)) is None
    assert town.does(town.anna, reply)[0]["outcome"] == "applied"


def test_an_uncertain_reply_waits_for_a_persons_verdict(town: Town) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    town.does(town.anna, reply)
    again = op("resolve", lamp, message=reply.op_id, outcome="retry")
    assert outcomes(town.does(town.anna, again)) == [("rejected", "bad_payload")]

    def lose(session: Session) -> None:
        delivery = session.exec(select(Delivery)).one()
        delivery.state = "uncertain"

    town.db.write_now(lose)
    verdict = op("resolve", lamp, message=reply.op_id, outcome="sent")
    assert outcomes(town.does(town.anna, verdict)) == [("applied", None)]
    state = town.db.read_now(lambda session: session.exec(select(Delivery.state)).one())
    assert state == "sent"


def failed_at_x(session: Session) -> None:
    delivery = session.exec(select(Delivery)).one()
    delivery.state, delivery.error = "failed", "not_invited"


def test_what_was_posted_by_hand_stands_there_with_who_and_when_and_is_never_sent(
    town: Town,
) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    town.does(town.anna, reply)
    town.db.write_now(failed_at_x)
    before = max(seq for _, seq in town.sees(town.bram))
    at_ms = NOON_MS - 60_000
    verdict = op(
        "resolve", lamp, message=reply.op_id, outcome="by_hand", by_hand_at_ms=at_ms
    )  # fmt: skip
    bram_too = op("resolve", lamp, message=reply.op_id, outcome="by_hand")
    retry = op("resolve", lamp, message=reply.op_id, outcome="retry")
    assert outcomes(town.does(town.anna, verdict)) == [("applied", None)]
    assert outcomes(town.does(town.bram, bram_too)) == [("applied", None)]
    assert outcomes(town.does(town.anna, retry)) == [("rejected", "bad_payload")]
    said = town.timeline(lamp)[-1]
    assert said.event == {"what": "by_hand", "from": town.anna.person_id, "to": at_ms}
    delivery = town.db.read_now(lambda session: session.exec(select(Delivery)).one())
    assert (delivery.state, delivery.error) == ("cancelled", "not_invited")
    assert f"m:{reply.op_id}" in [key for key, _ in town.sees(town.bram, before)]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("queued", "applied"),
        ("sending", "rejected"),
        ("sent", "rejected"),
        ("uncertain", "rejected"),
    ],
)
def test_what_a_colleague_had_sent_again_is_not_also_by_hand(
    town: Town, state: str, outcome: str
) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    town.does(town.anna, reply)

    def meanwhile(session: Session) -> None:
        session.exec(select(Delivery)).one().state = state

    town.db.write_now(meanwhile)
    verdict = op("resolve", lamp, message=reply.op_id, outcome="by_hand")
    (result,) = town.does(town.anna, verdict)
    assert result["outcome"] == outcome
    assert result.get("reason") == (None if outcome == "applied" else "on_its_way")
    assert (town.timeline(lamp)[-1].event is None) == (outcome == "rejected")


def test_moving_to_another_area_takes_it_from_one_phone_to_another(town: Town) -> None:
    lamp = town.resident_writes()
    before = max(seq for _, seq in town.sees(town.anna))
    assert outcomes(town.does(town.anna, op("area", lamp, area=HELPMAN))) == [("applied", None)]
    anna_hears = [key for key, _ in town.sees(town.anna, before)]
    assert anna_hears == [f"x:{lamp}:{PADDEPOEL}"]
    chaima_hears = [key for key, _ in town.sees(town.chaima, before)]
    assert chaima_hears[-1] == f"c:{lamp}"
    assert len([key for key in chaima_hears if key.startswith("m:")]) == 2
    assert town.db.read_now(lambda s: s.get_one(Conversation, lamp)).area == HELPMAN


def test_having_read_nothing_twice_in_one_batch_is_no_error(town: Town) -> None:
    lamp = town.resident_writes()
    nothing = [op("read", lamp, position=0), op("read", lamp, position=0)]
    assert outcomes(town.does(town.anna, *nothing)) == [("applied", None)] * 2

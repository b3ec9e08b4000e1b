"""An alert: it opens with the urgency, and ends when somebody has seen to it."""

import json
from typing import Any

from app.accounts.policy import Principal
from app.sync import feed
from tests.oncall.duty import Duty
from tests.support.town import op


def head(duty: Duty, who: Principal, conversation_id: str) -> dict[str, Any]:
    """Return a conversation's head as the feed has it for this person."""
    rows = duty.db.read_now(lambda session: feed.pull(session, who.scopes, 0, 10_000))
    (body,) = [row.body for row in rows if row.key == f"c:{conversation_id}"]
    found: dict[str, Any] = json.loads(body)
    return found


def test_an_alert_opens_in_the_transaction_that_makes_it_urgent(duty: Duty) -> None:
    conversation = duty.urgent()
    alert = duty.alert(conversation)
    assert (alert.state, alert.reason) == ("open", "words")
    assert alert.next_step_at_ms == duty.now_ms()
    seen = head(duty, duty.town.anna, conversation)["alert"]
    assert (seen["state"], seen["since_ms"], seen["woken"]) == ("open", duty.now_ms(), [])


def test_what_is_not_urgent_has_no_alert(duty: Duty) -> None:
    conversation = duty.town.resident_writes()
    assert duty.alerts() == []
    assert head(duty, duty.town.anna, conversation)["alert"] is None


def test_urgent_twice_is_one_alert(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.anna, "urgent", conversation, urgent=True, reason="nog erger")
    duty.town.resident_adds(conversation)
    assert len(duty.alerts()) == 1


def test_who_acknowledges_stops_it_and_becomes_the_assignee(duty: Duty) -> None:
    conversation = duty.urgent()
    assert "detail" not in duty.does(duty.town.anna, "acknowledge", conversation)
    alert = duty.alert(conversation)
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", duty.town.anna.person_id)
    assert alert.next_step_at_ms is None
    assert duty.town.conversation(conversation).assignee_id == duty.town.anna.person_id
    last = duty.town.timeline(conversation)[-1]
    assert last.event == {
        "what": "acknowledged",
        "from": None,
        "to": duty.town.anna.person_id,
    }
    assert duty.done(conversation) == [("acknowledged", "anna")]


def test_the_second_to_acknowledge_is_told_who_was_first(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.anna, "acknowledge", conversation)
    before = duty.town.conversation(conversation).position
    result = duty.does(duty.town.bram, "acknowledge", conversation)
    assert result["outcome"] == "applied"
    assert result["detail"] == f"already:{duty.town.anna.person_id}"
    assert duty.town.conversation(conversation).assignee_id == duty.town.anna.person_id
    assert duty.town.conversation(conversation).position == before


def test_a_repeated_acknowledgement_is_the_first_one(duty: Duty) -> None:
    conversation = duty.urgent()
    operation = op("acknowledge", conversation, based_on=1)
    (first,) = duty.town.does(duty.town.anna, operation)
    (again,) = duty.town.does(duty.town.anna, operation)
    assert again == first | {"duplicate": True}
    assert len(duty.steps(conversation)) == 1


def test_nobody_acknowledges_what_she_may_not_see(duty: Duty) -> None:
    conversation = duty.urgent()
    result = duty.does(duty.town.chaima, "acknowledge", conversation)
    assert (result["outcome"], result["reason"]) == ("rejected", "unknown_conversation")
    assert duty.alert(conversation).state == "open"


def test_an_answer_ends_it_and_only_new_words_of_the_resident_begin_another(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.anna, "reply", conversation, text="Ik kom eraan.")
    assert (duty.alert(conversation).state, duty.alert(conversation).closed_reason) == (
        "closed",
        "answered",
    )
    assert head(duty, duty.town.anna, conversation)["alert"] is None
    duty.does(duty.town.bram, "note", conversation, text="Goed zo.")
    assert len(duty.alerts()) == 1
    duty.town.resident_adds(conversation, "Het wordt erger!")
    assert sorted(alert.state for alert in duty.alerts()) == ["closed", "open"]


def test_closing_the_conversation_ends_it(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.anna, "status", conversation, status="closed")
    assert duty.alert(conversation).closed_reason == "closed"


def test_urgent_no_longer_ends_it_and_urgent_again_begins_another(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.anna, "urgent", conversation, urgent=False)
    assert duty.alert(conversation).closed_reason == "calm"
    duty.becomes_urgent(conversation)
    assert duty.alert(conversation).state == "open"


def test_who_takes_it_has_seen_it(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.bram, "assign", conversation, person=duty.town.bram.person_id)
    assert duty.alert(conversation).acknowledged_by == duty.town.bram.person_id


def test_giving_it_to_a_colleague_is_no_acknowledgement(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.bram, "assign", conversation, person=duty.town.anna.person_id)
    assert duty.alert(conversation).state == "open"


def test_who_is_on_call_and_marks_it_herself_knows(duty: Duty) -> None:
    duty.on_call(duty.town.anna)
    conversation = duty.town.resident_writes()
    duty.does(duty.town.anna, "urgent", conversation, urgent=True, reason="gas")
    alert = duty.alert(conversation)
    assert (alert.state, alert.reason) == ("acknowledged", "colleague")
    assert alert.acknowledged_by == duty.town.anna.person_id


def test_marked_by_somebody_who_is_not_on_call_it_is_still_to_be_seen(duty: Duty) -> None:
    duty.on_call(duty.town.anna)
    conversation = duty.town.resident_writes()
    duty.does(duty.town.bram, "urgent", conversation, urgent=True, reason="gas")
    assert duty.alert(conversation).state == "open"


def test_put_off_it_stays_open_and_says_until_when(duty: Duty) -> None:
    conversation = duty.urgent()
    duty.does(duty.town.anna, "snooze", conversation, minutes=15)
    seen = head(duty, duty.town.bram, conversation)["alert"]
    assert seen["state"] == "open"
    assert seen["snoozed"] == [
        {"person": duty.town.anna.person_id, "until_ms": duty.now_ms() + 15 * 60_000}
    ]
    assert duty.done(conversation) == [("snoozed", "anna")]


def test_nothing_to_put_off_or_to_acknowledge_changes_nothing(duty: Duty) -> None:
    conversation = duty.town.resident_writes()
    for kind in ("acknowledge", "snooze"):
        result = duty.does(duty.town.anna, kind, conversation)
        assert (result["outcome"], result["detail"]) == ("applied", "no_alert")
    assert duty.town.conversation(conversation).assignee_id is None


def test_urgent_and_acknowledged_in_one_batch(duty: Duty) -> None:
    conversation = duty.town.resident_writes()
    duty.town.does(
        duty.town.anna,
        op("urgent", conversation, based_on=1, urgent=True, reason="gas"),
        op("acknowledge", conversation, based_on=1),
    )
    assert duty.alert(conversation).acknowledged_by == duty.town.anna.person_id

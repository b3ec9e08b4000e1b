"""A promise is in its owner's inbox, and comes back before its date."""

from typing import Any

import pytest

from app.clock import SetClock
from app.ids import uuid7
from app.meetings.policy import DAY_MS, remind_at_ms
from app.meetings.reminders import Reminders
from tests.meetings.evening import Evening

WEEK_MS = 7 * DAY_MS


def promise(evening: Evening, about: str | None, **said: Any) -> dict[str, Any]:
    """Let Anna promise something for Bram."""
    given: dict[str, Any] = {
        "meeting": evening.id,
        "text": "De bank komt terug.",
        "owner": evening.town.bram.person_id,
        "due_at_ms": evening.town.now_ms + WEEK_MS,
    }
    return evening.do("promise", about=about or uuid7(), **(given | said))


def test_a_promise_about_a_question_goes_to_its_owner(evening: Evening) -> None:
    asked = evening.ask()
    evening.fate(asked["question"], "answered", "Volgende week.")
    result = promise(evening, asked["conversation"], question=asked["question"])
    assert result["outcome"] == "applied"
    conversation = evening.conversation(asked["question"])
    assert conversation.assignee_id == evening.town.bram.person_id
    assert conversation.status == "open"
    notes = [e.text for e in evening.town.timeline(conversation.id) if e.direction == "note"]
    assert "De bank komt terug." in notes[-1]


def test_a_promise_about_no_question_is_a_conversation_of_its_own(evening: Evening) -> None:
    assert promise(evening, None)["outcome"] == "applied"
    (made,) = evening.promises()
    assert made.conversation_id is not None
    conversation = evening.town.conversation(made.conversation_id)
    assert conversation.assignee_id == evening.town.bram.person_id


async def test_it_comes_back_once_before_its_date(evening: Evening) -> None:
    clock = SetClock(evening.town.now_ms)
    reminders = Reminders(evening.town.db, clock)
    promise(evening, None)
    (made,) = evening.promises()
    assert made.conversation_id is not None
    evening.do("status", about=made.conversation_id, based_on=2, status="closed")
    assert await reminders.once() == 0

    clock.forward(ms=WEEK_MS - 2 * DAY_MS)
    assert await reminders.once() == 1
    assert await Reminders(evening.town.db, clock).once() == 0
    conversation = evening.town.conversation(made.conversation_id)
    assert conversation.status == "reopened"
    assert conversation.assignee_id == evening.town.bram.person_id
    assert conversation.preview.startswith("Herinnering:")


async def test_what_was_kept_needs_no_reminder(evening: Evening) -> None:
    clock = SetClock(evening.town.now_ms)
    made = promise(evening, None)
    (stored,) = evening.promises()
    kept = evening.do(
        "promise_kept", about=stored.conversation_id, promise=made["op_id"], kept=True
    )
    assert kept["outcome"] == "applied"
    clock.forward(ms=WEEK_MS)
    assert await Reminders(evening.town.db, clock).once() == 0


def test_a_promise_needs_a_colleague(evening: Evening) -> None:
    assert promise(evening, None, owner=uuid7())["outcome"] == "rejected"
    assert evening.promises() == []


@pytest.mark.parametrize(
    ("due_in_ms", "after_ms"), [(WEEK_MS, WEEK_MS - 2 * DAY_MS), (DAY_MS, DAY_MS // 2), (0, None)]
)
def test_when_it_comes_back(due_in_ms: int, after_ms: int | None) -> None:
    found = remind_at_ms(1_000, 1_000 + due_in_ms)
    assert found == (None if after_ms is None else 1_000 + after_ms)


async def test_a_meeting_of_long_ago_is_filed_with_all_of_it(evening: Evening) -> None:
    asked = evening.ask()
    clock = SetClock(evening.town.now_ms + 91 * DAY_MS)
    await Reminders(evening.town.db, clock).once()
    assert evening.meeting().filed_at_ms == clock.now_ms()
    seen = [key for key, _ in evening.town.sees(evening.town.anna)]
    assert f"meetingq:{asked['question']}" not in seen
    assert f"c:{asked['conversation']}" in seen

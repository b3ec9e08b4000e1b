"""A server that dies at every moment of an escalation: no step is lost, none is taken twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from app.oncall.outside import Letter
from tests.oncall.duty import MINUTE_MS, Duty, Post

LADDER: dict[str, Any] = {
    "email": "piket@voorbeeld.example",
    "sms": "+31612345678",
    "contact_centre_email": "14050@voorbeeld.example",
}
RECIPIENT = {
    "email": LADDER["email"],
    "sms": LADDER["sms"],
    "contact_centre": LADDER["contact_centre_email"],
}
STEPS = [
    ("woken", 0),
    ("lead", 5),
    ("email", 10),
    ("sms", 15),
    ("contact_centre", 20),
    ("nobody", 25),
]


class Dies(BaseException):
    """The process is gone: nothing that catches errors may see it."""


@dataclass
class Fate:
    """Decides at which moment the process dies, and counts the moments there are."""

    at: int | None = None
    moments: int = 0
    names: list[str] = field(default_factory=list)
    armed: bool = False

    def moment(self, name: str) -> None:
        """Live through one moment, or die."""
        if not self.armed:
            return
        self.moments += 1
        self.names.append(name)
        if self.moments == self.at:
            self.armed = False
            raise Dies(name)

    @contextmanager
    def living(self, at: int | None) -> Iterator[None]:
        """Count moments from here on; die at the given one."""
        self.at, self.moments, self.names, self.armed = at, 0, [], True
        yield
        self.armed = False


class Line(Post):
    """A way out over which the process may die before and after a letter leaves."""

    def __init__(self, post: Post, fate: Fate) -> None:
        super().__init__(findable=post.findable, sent=post.sent)
        self.fate = fate

    async def send(self, letter: Letter) -> None:
        """See Way."""
        self.fate.moment("before the letter")
        await super().send(letter)
        self.fate.moment("after the letter")

    async def find(self, letter: Letter) -> bool | None:
        """See Way."""
        self.fate.moment("before looking")
        return await super().find(letter)


def watched(duty: Duty) -> Fate:
    """Let every commit and every letter be a moment at which the process may die."""
    fate = Fate()

    def before(_session: Session) -> None:
        fate.moment("before a commit")

    duty.db.before_commit.append(before)
    duty.db.after_commit.append(lambda _news: fate.moment("after a commit"))
    duty.mail, duty.sms = Line(duty.mail, fate), Line(duty.sms, fate)
    duty.restart()
    return fate


async def lives(duty: Duty) -> None:
    """Let the workers work; when the process dies another one is started."""
    while True:
        try:
            await duty.works()
        except Dies:
            duty.restart()
        else:
            return


async def escalates(duty: Duty, fate: Fate, at: int | None) -> str:
    """Let one alert run through its whole ladder, dying once; return its conversation's id."""
    conversation = duty.urgent()
    with fate.living(at):
        for _ in range(7):
            await lives(duty)
            duty.clock.forward(ms=5 * MINUTE_MS)
    return conversation


async def test_a_process_that_dies_at_any_moment_takes_each_step_once(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.phone(duty.town.bram)
    duty.on_call(duty.town.anna, to_ms=100 * 24 * 3600 * 1000)
    duty.agree(lead=duty.town.bram, **LADDER)
    fate = watched(duty)
    await escalates(duty, fate, None)
    names, moments = fate.names, fate.moments
    # Six steps; for each of three letters a lease, the sending and the writing down.
    assert names.count("before a commit") == names.count("after a commit") == 6 + 3 + 3
    assert names.count("before the letter") == names.count("after the letter") == 3

    for at in range(1, moments + 1):
        duty.mail.sent.clear()
        duty.sms.sent.clear()
        pushed = len(duty.pushed())
        conversation = await escalates(duty, fate, at)
        said = f"died at moment {at}, {names[at - 1]}"
        alert = duty.alert(conversation)
        steps = duty.steps(conversation)
        taken = [(step.kind, (step.at_ms - alert.opened_at_ms) // MINUTE_MS) for step in steps]
        assert taken == STEPS, said
        assert duty.pushed()[pushed:] == ["anna", "bram"], said
        sent = [letter.external_id for letter in (*duty.mail.sent, *duty.sms.sent)]
        assert len(sent) == len(set(sent)), said
        for step in steps:
            if step.kind not in RECIPIENT:
                continue
            # Dead between the mark and the sending it never left, and nobody can know: uncertain.
            post = duty.sms if step.kind == "sms" else duty.mail
            left = any(letter.recipient == RECIPIENT[step.kind] for letter in post.sent)
            assert step.outcome in ({"sent", "uncertain"} if left else {"uncertain"}), said
        assert len(sent) >= 2, said


async def test_dying_twice_in_a_row_wakes_nobody_twice(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    fate = watched(duty)
    conversation = duty.urgent()
    for _ in range(3):
        with fate.living(1):
            await lives(duty)
    await lives(duty)
    assert duty.done(conversation) == [("woken", "anna")]
    assert duty.pushed() == ["anna"]


async def test_an_alert_survives_a_process_that_dies_while_it_opens(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    fate = watched(duty)
    conversation = duty.town.resident_writes()
    with fate.living(1):
        try:
            duty.becomes_urgent(conversation)
        except Dies:
            assert fate.names == ["before a commit"]
    # Neither urgent nor an alert: the message is fetched again, and judged again.
    assert duty.alerts() == []
    assert not duty.town.conversation(conversation).urgent
    with fate.living(2):
        try:
            duty.becomes_urgent(conversation)
        except Dies:
            assert fate.names[-1] == "after a commit"
    await lives(duty)
    assert duty.done(conversation) == [("woken", "anna")]


async def test_put_off_and_then_dead_she_is_woken_once_when_she_asked(duty: Duty) -> None:
    duty.phone(duty.town.anna)
    duty.on_call(duty.town.anna)
    fate = watched(duty)
    conversation = duty.urgent()
    await lives(duty)
    duty.does(duty.town.anna, "snooze", conversation, minutes=15)
    duty.clock.forward(ms=15 * MINUTE_MS)
    for at in (1, 2):
        with fate.living(at):
            await lives(duty)
    await lives(duty)
    assert duty.pushed() == ["anna", "anna"]
    assert [step.detail for step in duty.steps(conversation) if step.kind == "woken"] == [
        "on_call",
        "snoozed",
    ]

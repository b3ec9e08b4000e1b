"""A residents' meeting in the town of `tests/support/town.py`: the few verbs that tests need."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.policy import Principal
from app.ids import uuid7
from app.inbox.models import Conversation
from app.meetings.models import Meeting, MeetingPromise, MeetingQuestion
from app.sync import payloads
from tests.support.town import NOON_MS, PADDEPOEL, Town

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass
class Evening:
    """One meeting, planned by Anna in Paddepoel."""

    town: Town
    id: str = field(default_factory=uuid7)

    def do(
        self,
        kind: str,
        who: Principal | None = None,
        *,
        about: str | None = None,
        based_on: int | None = None,
        op_id: str | None = None,
        written_at_ms: int | None = None,
        **payload: Any,
    ) -> dict[str, Any]:
        """Carry out one operation; return its result with the id it had."""
        made = payloads.Op(
            op_id=op_id or uuid7(),
            kind=kind,
            conversation_id=about or self.id,
            based_on=based_on,
            payload=payload,
            written_at_ms=written_at_ms or self.town.now_ms,
        )
        (result,) = self.town.does(who or self.town.anna, made)
        return result

    def plan(self, who: Principal | None = None, **known: Any) -> dict[str, Any]:
        """Plan it, or change what is known."""
        said: dict[str, Any] = {
            "title": "Bewonersavond Paddepoel",
            "area": PADDEPOEL,
            "place": "Buurthuis",
            "starts_at_ms": NOON_MS,
            "agenda": ["Verkeer", "Groen"],
            "hosts": [self.town.anna.person_id],
            "languages": ["nl", "en"],
        }
        return self.do("meeting", who, meeting=self.id, **(said | known))

    def state(self, state: str, who: Principal | None = None) -> dict[str, Any]:
        """Open it, or close it."""
        return self.do("meeting_state", who, meeting=self.id, state=state)

    def ask(
        self, text: str = "Wanneer komt de drempel?", who: Principal | None = None, **said: Any
    ) -> dict[str, Any]:
        """Let a tablet catch a question; the result has `question` and `conversation`."""
        conversation, op_id = uuid7(), said.pop("op_id", None) or uuid7()
        said = {"asked_at_ms": self.town.now_ms} | said
        result = self.do(
            "question", who, about=conversation, op_id=op_id, meeting=self.id, text=text, **said
        )
        return result | {"question": op_id, "conversation": conversation}

    def fate(
        self,
        question: str,
        fate: str,
        text: str = "",
        who: Principal | None = None,
        *,
        based_on: int | None = None,
    ) -> dict[str, Any]:
        """Decide what becomes of a question."""
        asked = self.question(question)
        seen = asked.fate_position if based_on is None else based_on
        return self.do(
            "fate",
            who,
            about=asked.conversation_id,
            based_on=seen,
            question=question,
            fate=fate,
            text=text,
        )

    def moderate(
        self, question: str, state: str, reason: str = "", who: Principal | None = None
    ) -> dict[str, Any]:
        """Let a question through, or hide it."""
        about = self.question(question).conversation_id
        return self.do("moderate", who, about=about, question=question, state=state, reason=reason)

    def meeting(self) -> Meeting:
        """Return it as it is stored."""
        return self.town.db.read_now(lambda session: session.get_one(Meeting, self.id))

    def question(self, question: str) -> MeetingQuestion:
        """Return a question as it is stored."""
        return self.town.db.read_now(lambda session: session.get_one(MeetingQuestion, question))

    def questions(self) -> list[MeetingQuestion]:
        """Return all of them in the order in which they were asked."""

        def look(session: Session) -> list[MeetingQuestion]:
            query = select(MeetingQuestion).where(MeetingQuestion.meeting_id == self.id)
            order = (col(MeetingQuestion.asked_at_ms), col(MeetingQuestion.id))
            return list(session.exec(query.order_by(*order)))

        return self.town.db.read_now(look)

    def promises(self) -> list[MeetingPromise]:
        """Return what was promised."""
        query = select(MeetingPromise).where(MeetingPromise.meeting_id == self.id)
        return self.town.db.read_now(lambda session: list(session.exec(query)))

    def conversation(self, question: str) -> Conversation:
        """Return the conversation that follows a question."""
        found = self.question(question).conversation_id
        assert found is not None
        return self.town.conversation(found)

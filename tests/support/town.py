"""A small town to test in: two areas, two teams, three colleagues, one web form."""

from dataclasses import dataclass

from sqlmodel import Session, select

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.accounts.policy import Principal, areas_of
from app.channels.models import Account
from app.db import Database, touch
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.inbox.service import link_attachments
from app.sync import feed, operations, payloads

PADDEPOEL = "WK001410"
HELPMAN = "WK001406"
NOON_MS = 1_793_620_000_000


@dataclass
class Town:
    """A migrated database with people in it, and the few verbs that tests need."""

    db: Database
    anna: Principal
    bram: Principal
    chaima: Principal
    now_ms: int = NOON_MS

    def resident_writes(
        self,
        text: str = "De lantaarnpaal knippert.",
        *,
        area: str = PADDEPOEL,
        account: str = "web-noord",
    ) -> str:
        """Begin a conversation; return its id."""

        def work(session: Session) -> str:
            resident = inbox.new_resident(
                session, name="Jantje", kind="resident", now_ms=self.now_ms
            )
            session.flush()
            conversation_id = uuid7()
            conversation = inbox.start(
                session,
                resident,
                conversation_id=conversation_id,
                account_id=account,
                subject="",
                area=area,
                address=conversation_id,
                why_not=None,
                now_ms=self.now_ms,
            )
            self._receive(session, conversation, text)
            return conversation_id

        return self.db.write_now(work)

    def resident_adds(self, conversation_id: str, text: str = "En nu is hij uit.") -> None:
        """Let the resident write again."""
        self.db.write_now(
            lambda session: self._receive(
                session, session.get_one(Conversation, conversation_id), text
            )
        )

    def _receive(self, session: Session, conversation: Conversation, text: str) -> None:
        entry = inbox.Entry(
            id=uuid7(),
            direction="in",
            sender_name="Jantje",
            text=text,
            external_id=uuid7(),
            written_at_ms=self.now_ms,
            accepted_at_ms=self.now_ms,
        )
        inbox.receive(session, conversation, entry)

    def does(self, who: Principal, *ops: payloads.Op) -> list[dict[str, object]]:
        """Carry out a batch; return its results."""
        return self.db.write_now(
            lambda session: operations.apply(session, who, ops, now_ms=self.now_ms)
        )

    def conversation(self, conversation_id: str) -> Conversation:
        """Return a conversation as it is stored now."""
        return self.db.read_now(lambda session: session.get_one(Conversation, conversation_id))

    def timeline(self, conversation_id: str) -> list[Message]:
        """Return a conversation's entries in order."""
        query = select(Message).where(Message.conversation_id == conversation_id)
        return self.db.read_now(
            lambda session: sorted(session.exec(query).all(), key=lambda entry: entry.position)
        )

    def sees(self, who: Principal, after: int = 0, limit: int = 100_000) -> list[tuple[str, int]]:
        """Return (key, seq) of what the feed shows a person."""
        rows = self.db.read_now(lambda session: feed.pull(session, who.scopes, after, limit))
        return [(row.key, row.seq) for row in rows]


def op(
    kind: str, conversation_id: str | None, based_on: int | None = None, **payload: object
) -> payloads.Op:
    """Return an operation as a phone would make it."""
    return payloads.Op(
        op_id=uuid7(),
        kind=kind,
        conversation_id=conversation_id,
        based_on=based_on,
        payload=payload,
        written_at_ms=NOON_MS,
    )


def build(db: Database) -> Town:
    """Fill an empty, migrated database."""
    db.before_commit += [link_attachments, feed.publish]

    def work(session: Session) -> dict[str, Principal]:
        for code, name in ((PADDEPOEL, "Paddepoel"), (HELPMAN, "Helpman")):
            session.add(Area(code=code, name=name, kind="WK"))
            touch(session, "area", code)
        people: dict[str, Principal] = {}
        for team, area in (("noord", PADDEPOEL), ("zuid", HELPMAN)):
            session.add(Team(id=team, name=team.title()))
            session.flush()
            session.add(TeamArea(team_id=team, area=area))
            for kind in ("web", "contact"):
                session.add(Account(id=f"{kind}-{team}", kind=kind, name=kind, team_id=team))
                touch(session, "account", f"{kind}-{team}")
            touch(session, "team", team)
        for name, team in (("anna", "noord"), ("bram", "noord"), ("chaima", "zuid")):
            person_id = uuid7()
            session.add(
                Person(
                    id=person_id,
                    name=name.title(),
                    email=f"{name}@voorbeeld.example",
                    role="coordinator",
                    created_at_ms=NOON_MS,
                )
            )
            session.flush()
            session.add(Membership(person_id=person_id, team_id=team))
            touch(session, "person", person_id)
            area = PADDEPOEL if team == "noord" else HELPMAN
            people[name] = Principal(
                person_id, f"phone-{name}", name.title(), "coordinator", "nl",
                areas_of([team], [area]), frozenset([team]),
            )  # fmt: skip
        return people

    people = db.write_now(work)
    return Town(db, people["anna"], people["bram"], people["chaima"])

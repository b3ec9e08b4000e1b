"""The town of `tests/support/town.py` with a rota: the few verbs that these tests need."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select, update

from app.accounts.models import Device, UserSession
from app.accounts.policy import Principal
from app.clock import SetClock
from app.config import Settings
from app.db import Database, touch
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.oncall import alerts, watch
from app.oncall.models import Absence, Alert, AlertStep, EscalationPolicy, Shift
from app.oncall.outside import Letter, Name, Unknown, Ways
from app.oncall.postman import Postman
from app.oncall.steps import Means
from app.oncall.worker import EscalationWorker
from app.push.models import Push, PushSubscription
from tests.support.town import PADDEPOEL, Town, build, op

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass
class Post:
    """Mail or SMS as far as the escalation sees it: what left, and what goes wrong next."""

    findable: bool = True
    there: bool = True
    sent: list[Letter] = field(default_factory=list)
    trouble: Exception | None = None
    takes_it: bool = True

    def name(self, _session: Session, _team_id: str, letter_id: str) -> Name | None:
        """See Way."""
        return Name(f"<{letter_id}@voorbeeld.example>") if self.there else None

    async def send(self, letter: Letter) -> None:
        """See Way."""
        trouble, self.trouble = self.trouble, None
        if trouble is None or (isinstance(trouble, Unknown) and self.takes_it):
            self.sent.append(letter)
        if trouble is not None:
            raise trouble

    async def find(self, letter: Letter) -> bool | None:
        """See Way."""
        if not self.findable:
            return None
        return any(one.external_id == letter.external_id for one in self.sent)


@dataclass
class Duty:
    """A town in which somebody can be on call."""

    town: Town
    clock: SetClock
    settings: Settings
    mail: Post = field(default_factory=Post)
    sms: Post = field(default_factory=lambda: Post(findable=False))

    def __post_init__(self) -> None:
        """Start the two workers."""
        self.restart()

    def restart(self, ways: Ways | None = None) -> None:
        """Start the workers anew, as after a crash."""
        ways = ways or {"email": self.mail, "sms": self.sms}
        self.worker = EscalationWorker(self.db, self.clock, Means(self.settings, ways))
        self.postman = Postman(self.db, self.clock, ways)

    async def works(self, *, minutes: int = 0) -> None:
        """Let time pass, then let the workers do what is due."""
        self.clock.forward(ms=minutes * MINUTE_MS)
        while await self.worker.once() + await self.postman.once():
            pass

    @property
    def db(self) -> Database:
        """The town's database."""
        return self.town.db

    def now_ms(self) -> int:
        """Return what time it is in town."""
        return self.clock.now_ms()

    def on_call(
        self,
        who: Principal,
        *,
        team: str = "noord",
        area: str | None = None,
        from_ms: int = -HOUR_MS,
        to_ms: int = 8 * HOUR_MS,
    ) -> str:
        """Put somebody on the rota, from and until so long from now; return the shift's id."""

        def plan(session: Session) -> str:
            shift = Shift(
                id=uuid7(),
                team_id=team,
                area=area,
                person_id=who.person_id,
                starts_at_ms=self.now_ms() + from_ms,
                ends_at_ms=self.now_ms() + to_ms,
                created_at_ms=self.now_ms(),
                changed_at_ms=self.now_ms(),
            )
            session.add(shift)
            session.flush()
            touch(session, "shift", shift.id)
            return shift.id

        return self.db.write_now(plan)

    def phone(self, who: Principal, state: str = "proven") -> str:
        """Give somebody a phone that can be woken, or that fell silent; return the device's id."""
        now_ms = self.now_ms()

        def keep(session: Session) -> str:
            device_id = uuid7()
            session.add(
                Device(
                    id=device_id,
                    person_id=who.person_id,
                    name="Android",
                    created_at_ms=now_ms,
                    seen_at_ms=now_ms,
                )
            )
            session.flush()
            session.add(
                UserSession(
                    fingerprint=uuid7(),
                    person_id=who.person_id,
                    device_id=device_id,
                    created_at_ms=now_ms,
                    expires_at_ms=now_ms + 30 * 24 * HOUR_MS,
                )
            )
            session.add(
                PushSubscription(
                    id=uuid7(),
                    device_id=device_id,
                    person_id=who.person_id,
                    endpoint=f"https://fcm.googleapis.com/fcm/send/{device_id}",
                    p256dh="",
                    auth="",
                    server_key="",
                    browser="chrome",
                    platform="android",
                    state=state,
                    created_at_ms=now_ms,
                    proven_at_ms=now_ms if state == "proven" else None,
                    next_test_at_ms=now_ms + 24 * HOUR_MS,
                )
            )
            return device_id

        return self.db.write_now(keep)

    def away(self, who: Principal, *, from_ms: int = -HOUR_MS, to_ms: int = HOUR_MS) -> None:
        """Let somebody be away, from and until so long from now."""
        absence = Absence(
            id=uuid7(),
            person_id=who.person_id,
            starts_at_ms=self.now_ms() + from_ms,
            ends_at_ms=self.now_ms() + to_ms,
            created_at_ms=self.now_ms(),
        )
        self.db.write_now(lambda session: session.add(absence))

    def agree(self, team: str = "noord", lead: Principal | None = None, **agreed: Any) -> None:
        """Set what a team does when nobody reacts."""
        lead_id = lead.person_id if lead else None
        policy = EscalationPolicy(team_id=team, lead_id=lead_id, **agreed)
        self.db.write_now(lambda session: session.merge(policy))

    def pushed(self, kind: str = "urgent") -> list[str]:
        """Return whom a push of this kind was queued for, oldest first."""
        query = (
            select(PushSubscription.person_id)
            .join(Push, col(Push.subscription_id) == col(PushSubscription.id))
            .where(Push.kind == kind)
            .order_by(col(Push.due_at_ms), col(Push.id))
        )
        ids = self.db.read_now(lambda session: session.exec(query).all())
        return [self.names.get(one, one) for one in ids]

    def shows(self) -> None:
        """Let every phone show what was pushed to it."""
        shown = update(Push).where(col(Push.kind) == "urgent").values(state="shown")
        self.db.write_now(lambda session: session.exec(shown))

    @property
    def names(self) -> dict[str, str]:
        """First names by id."""
        people = (self.town.anna, self.town.bram, self.town.chaima)
        return {who.person_id: who.name.lower() for who in people}

    def urgent(self, *, area: str = PADDEPOEL, text: str = "Het ruikt hier naar gas!") -> str:
        """Let a resident write something urgent; return the conversation's id."""
        conversation_id = self.town.resident_writes(text, area=area)
        self.becomes_urgent(conversation_id)
        return conversation_id

    def becomes_urgent(self, conversation_id: str) -> None:
        """Let the rules judge a conversation urgent."""

        def judge(session: Session) -> None:
            conversation = session.get_one(Conversation, conversation_id)
            inbox.set_urgent(session, conversation, True, "gas", by=None, now_ms=self.now_ms())

        self.db.write_now(judge)

    def does(self, who: Principal, kind: str, conversation_id: str, **payload: Any) -> Any:
        """Carry out one operation; return its result."""
        self.town.now_ms = self.now_ms()
        position = self.town.conversation(conversation_id).position
        (result,) = self.town.does(who, op(kind, conversation_id, based_on=position, **payload))
        return result

    def alert(self, conversation_id: str) -> Alert:
        """Return the conversation's latest alert."""

        def find(session: Session) -> Alert:
            found = alerts.newest(session, conversation_id)
            assert found is not None, "no alert"
            return found

        return self.db.read_now(find)

    def alerts(self) -> list[Alert]:
        """Return all alerts."""
        return self.db.read_now(lambda session: list(session.exec(select(Alert)).all()))

    def steps(self, conversation_id: str) -> list[AlertStep]:
        """Return what was done about the latest alert, in order."""
        alert_id = self.alert(conversation_id).id
        return self.db.read_now(lambda session: alerts.steps_of(session, alert_id))

    def done(self, conversation_id: str) -> list[tuple[str, str | None]]:
        """Return the steps as (kind, who by her first name or the detail)."""
        return [
            (step.kind, self.names.get(step.person_id or "") or step.detail)
            for step in self.steps(conversation_id)
        ]


def on_duty(database: Database, clock: SetClock, data_dir: Path) -> Duty:
    """Return the town, with alerts watched as the application does."""
    town = build(database)
    town.now_ms = clock.now_ms()
    database.before_commit.insert(1, watch.hook(clock))
    settings = Settings(data_dir=data_dir, base_url="https://stoep.voorbeeld.example")
    return Duty(town, clock, settings)

"""A demonstration municipality: people, areas and conversations to try everything on.

What is said there stands in `demo_words.py`.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.channels.models import Account
from app.clock import SystemClock
from app.config import Settings
from app.db import Database, flush_rows, touch
from app.delivery.models import Delivery
from app.demo_words import (
    DAY_MS,
    HEARD,
    HOUR_MS,
    MINUTE_MS,
    NEWSPAPER,
    PEOPLE,
    TEAMS,
    TEMPLATES,
    THREADS,
    WIJKEN,
    Thread,
)
from app.i18n import ZONE
from app.ids import new_secret, uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, ReplyTemplate
from app.listening.models import Hit
from app.meetings import service as meetings
from app.meetings.models import Meeting
from app.oncall import alerts, watch
from app.oncall.models import Absence, Alert, EscalationPolicy, Shift
from app.sync import feed
from app.triage import service as triage

ROTA = {"noord": ("dirk", "anna", "bram", "dirk"), "zuid": (None, "chaima", None, "chaima")}
"""Who is on call in the weeks from this one on."""

STEP_MINUTES = 15


def load(db: Database, settings: Settings) -> None:
    """Fill an empty database and print where to sign in as whom; a filled one is left alone."""
    if db.read_now(lambda session: session.exec(select(Person)).first()) is None:
        db.write_now(lambda session: _fill(session, SystemClock().now_ms()))
    names = ", ".join(name for _, name, role, _ in PEOPLE if role == "coordinator")
    print(f"Sign in:            {settings.origin}/sign-in  (a tap, as {names} …)")
    print(f"Write as a resident: {settings.origin}/w/{_code('10')}", flush=True)


def _code(number: str) -> str:
    return f"WK0014{number}"


def _fill(session: Session, now_ms: int) -> None:
    people = _people(session, now_ms)
    for title, text, language in TEMPLATES:
        template = ReplyTemplate(id=uuid7(now_ms), title=title, text=text, language=language)
        session.add(template)
        touch(session, "template", template.id)
    for thread in sorted(THREADS, key=lambda thread: -thread.ago_ms):
        _converse(session, thread, people, now_ms)
    inbox.link_attachments(session)
    _heard(session, now_ms)
    _rota(session, people, now_ms)
    _alert(session, people, now_ms)
    _evening(session, people, now_ms)
    feed.publish(session)


def _heard(session: Session, now_ms: int) -> None:
    """Let something be said in the neighbourhood that nobody asked the municipality."""
    paper = Account(
        id="feed-noord",
        kind="feed",
        name=NEWSPAPER,
        team_id="noord",
        # There is no such newspaper to fetch; what it wrote is here already.
        enabled=False,
        config={"url": "https://buurtkrant.example/feed"},
        health_since_ms=now_ms,
    )
    session.add(paper)
    session.flush()
    touch(session, "account", paper.id)
    for area, ago_ms, title, text in HEARD:
        hit = Hit(
            id=uuid7(now_ms - ago_ms),
            scope=_code(area),
            account_id=paper.id,
            external_id=title,
            source=f"account:{paper.id}",
            title=title,
            text=text,
            said_at_ms=now_ms - ago_ms,
            heard_at_ms=now_ms - ago_ms,
        )
        session.add(hit)


def _rota(session: Session, people: dict[str, str], now_ms: int) -> None:
    """Put somebody on call from Monday to Monday, nine o'clock; in Zuid nobody is this week."""
    for team, weeks in ROTA.items():
        for week, who in enumerate(weeks):
            if who is None:
                continue
            shift = Shift(
                id=uuid7(now_ms),
                team_id=team,
                person_id=people[who],
                starts_at_ms=_monday(now_ms, week),
                ends_at_ms=_monday(now_ms, week + 1),
                created_by=people["esther"],
                created_at_ms=now_ms,
                changed_at_ms=now_ms,
            )
            session.add(shift)
            touch(session, "shift", shift.id)
    away = Absence(
        id=uuid7(now_ms),
        person_id=people["bram"],
        starts_at_ms=_monday(now_ms, 3) + 2 * DAY_MS,
        ends_at_ms=_monday(now_ms, 3) + 5 * DAY_MS,
        created_by=people["bram"],
        created_at_ms=now_ms,
    )
    session.add(away)
    touch(session, "absence", away.id)
    session.add(
        EscalationPolicy(
            team_id="noord",
            step_minutes=STEP_MINUTES,
            lead_id=people["esther"],
            contact_centre_email="klantcontact@voorbeeldstad.example",
        )
    )
    session.flush()


def _monday(now_ms: int, weeks: int) -> int:
    """Return nine o'clock of the Monday of this week, or so many weeks later."""
    today = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(ZONE))
    monday = today.date() + timedelta(days=7 * weeks - today.weekday())
    if today.weekday() == 0 and today.hour < 9:
        monday -= timedelta(days=7)
    return int(datetime.combine(monday, time(9), ZoneInfo(ZONE)).timestamp()) * 1000


def _alert(session: Session, people: dict[str, str], now_ms: int) -> None:
    """Let whoever is on call have been woken for what is urgent, and her lead be next."""
    watch.watch(session, now_ms)
    for alert in session.exec(select(Alert).where(Alert.state == "open")).all():
        conversation = session.get_one(Conversation, alert.conversation_id)
        alert.opened_at_ms = conversation.created_at_ms
        alerts.record(
            session,
            alert,
            "woken",
            now_ms=alert.opened_at_ms,
            person_id=people["dirk"],
            detail="on_call",
        )
        alert.next_step_at_ms = max(alert.opened_at_ms + STEP_MINUTES * MINUTE_MS, now_ms)
        alert.next_kind, alert.next_person_id = "lead", people["esther"]
    session.flush()


def _evening(session: Session, people: dict[str, str], now_ms: int) -> None:
    """Plan a residents' meeting for next Thursday, half past seven."""
    today = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(ZONE)).date()
    day = today + timedelta(days=(3 - today.weekday()) % 7 or 7)
    starts = datetime.combine(day, time(19, 30), ZoneInfo(ZONE))
    meeting = Meeting(
        id=uuid7(now_ms),
        area=_code("03"),
        team_id="noord",
        title="Bewonersavond De Hoogte",
        place="Buurthuis aan het plein",
        starts_at_ms=int(starts.timestamp()) * 1000,
        agenda=["De plannen met het plein", "Verkeer en parkeren", "Rondvraag"],
        hosts=[people["anna"], people["bram"]],
        languages=["nl", "en"],
        code=meetings.new_code(),
        created_by=people["anna"],
        created_at_ms=now_ms,
    )
    session.add(meeting)
    session.flush()
    meetings.tell_meeting(session, meeting)


def _people(session: Session, now_ms: int) -> dict[str, str]:
    session.add(Area(code="GM0014", name="Groningen", kind="GM"))
    for number, name in enumerate(WIJKEN):
        code = _code(f"{number:02}")
        session.add(Area(code=code, name=name, kind="WK", parent="GM0014"))
        touch(session, "area", code)
    for team_id, (name, _areas) in TEAMS.items():
        session.add(Team(id=team_id, name=name))
    session.flush()
    for team_id, (_name, areas) in TEAMS.items():
        for area in areas:
            session.add(TeamArea(team_id=team_id, area=_code(area)))
        touch(session, "team", team_id)
        for kind, name in (("web", "Webformulier"), ("contact", "Contactmomenten"), ("email", "")):
            account = Account(
                id=f"{kind}-{team_id}",
                kind=kind,
                name=name or f"{team_id}@voorbeeldstad.example",
                team_id=team_id,
                # The demonstration has no mail server; `stoep channel add` adds a real mailbox.
                enabled=kind != "email",
                config={"address": f"{team_id}@voorbeeldstad.example"} if kind == "email" else {},
                health_since_ms=now_ms,
            )
            session.add(account)
            touch(session, "account", account.id)
    ids: dict[str, str] = {}
    for short, name, role, team_id in PEOPLE:
        person = Person(
            id=uuid7(now_ms),
            name=name,
            email=f"{short}@voorbeeldstad.example",
            role=role,
            created_at_ms=now_ms,
        )
        session.add(person)
        session.flush()
        session.add(Membership(person_id=person.id, team_id=team_id))
        touch(session, "person", person.id)
        ids[short] = person.id
    session.flush()
    return ids


def _converse(session: Session, thread: Thread, people: dict[str, str], now_ms: int) -> None:
    team = next(team for team, (_, areas) in TEAMS.items() if thread.area in areas)
    at_ms = now_ms - thread.ago_ms
    resident = inbox.new_resident(session, name=thread.name, kind=thread.kind, now_ms=at_ms)
    session.flush()
    conversation_id = uuid7(at_ms)
    address = {"web": conversation_id, "email": f"inwoner{thread.area}@voorbeeld.example"}
    conversation = inbox.start(
        session,
        resident,
        conversation_id=conversation_id,
        account_id=f"{thread.channel}-{team}",
        subject=thread.subject,
        area=_code(thread.area),
        address=address.get(thread.channel),
        why_not="no_address" if thread.channel == "contact" else None,
        place=thread.place,
        token=new_secret()[:16],
        now_ms=at_ms,
    )
    step_ms = min(thread.ago_ms // (len(thread.said) + 1), 3 * HOUR_MS)
    for turn, (who, text) in enumerate(thread.said):
        _say(session, conversation, thread, who, text, people, at_ms + turn * step_ms)
    conversation.assignee_id = people[thread.assignee] if thread.assignee else None
    conversation.topics = list(thread.topics)
    conversation.status = thread.status or conversation.status
    if thread.status == "closed":
        conversation.waiting_since_ms = None


def _say(
    session: Session,
    conversation: Conversation,
    thread: Thread,
    who: str,
    text: str,
    people: dict[str, str],
    at_ms: int,
) -> None:
    author = people.get(who.removeprefix("note:"))
    direction = "in" if who == "in" else "note" if who.startswith("note:") else "out"
    if direction == "in" and thread.channel == "contact":
        author = people["anna"]
    entry = inbox.Entry(
        id=uuid7(at_ms),
        direction=direction,
        author_id=author,
        sender_name=thread.name if direction == "in" else None,
        text=text,
        event={"what": "contact", "from": thread.via, "to": None}
        if direction == "in" and thread.channel == "contact"
        else None,
        external_id=None if direction != "in" else uuid7(at_ms),
        written_at_ms=at_ms,
        accepted_at_ms=at_ms,
    )
    if direction == "in":
        inbox.receive(session, conversation, entry)
        heard = triage.Heard(entry.id, thread.channel, text, name=thread.name)
        triage.consider(session, conversation, heard, now_ms=at_ms)
    elif direction == "note":
        inbox.note(session, conversation, entry)
    else:
        inbox.reply(session, conversation, entry)
        _sent(session, conversation, entry, at_ms)


def _sent(session: Session, conversation: Conversation, entry: inbox.Entry, at_ms: int) -> None:
    flush_rows(session)
    session.add(
        Delivery(
            id=uuid7(at_ms),
            message_id=entry.id,
            account_id=conversation.account_id,
            recipient=conversation.address or "",
            state="delivered",
            external_id=entry.id,
            due_at_ms=at_ms,
            expires_at_ms=at_ms,
            sent_at_ms=at_ms + 4_000,
            delivered_at_ms=at_ms + 9 * MINUTE_MS,
        )
    )

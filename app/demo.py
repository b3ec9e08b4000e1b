"""A demonstration municipality: people, areas and conversations to try everything on.

The areas are Groningen's CBS wijken (Kadaster / Centraal Bureau voor de Statistiek, 2025). Every
person and every word is made up.
"""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.channels.models import Account
from app.clock import SystemClock
from app.config import Settings
from app.db import Database, flush_rows, touch
from app.delivery.models import Delivery
from app.i18n import ZONE
from app.ids import new_secret, uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, ReplyTemplate
from app.oncall import alerts, watch
from app.oncall.models import Absence, Alert, EscalationPolicy, Shift
from app.sync import feed
from app.triage import service as triage

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

WIJKEN = (
    "Centrum", "Oud-Zuid", "Oud-West", "Oud-Noord", "Oud-Oost", "Zuidoost", "Midden-Zuid",
    "Zuidwest",
    "Hoogkerk e.o.", "Nieuw-West", "Nieuw-Noord", "Noordoost", "Nieuw-Oost", "Meerdorpen",
    "Meerstad e.o.", "Ten Boer e.o.", "Ten Post e.o.", "Haren-West e.o.", "Haren-Oost e.o.",
    "Glimmen-Onnen-Noordlaren",
)  # fmt: skip

TEAMS = {
    "noord": ("Stadsdeel Noord", ("03", "09", "10", "11")),
    "zuid": ("Stadsdeel Zuid", ("01", "05", "06", "07", "17", "18", "19")),
}

PEOPLE = (
    ("anna", "Anna de Vries", "coordinator", "noord"),
    ("bram", "Bram Hofstra", "coordinator", "noord"),
    ("chaima", "Chaima el Idrissi", "coordinator", "zuid"),
    ("dirk", "Dirk van der Meulen-Oosterhuis tot Nijenrode", "webcare", "noord"),
    ("esther", "Esther Wiersma", "manager", "noord"),
    ("farid", "Farid Yilmaz", "admin", "noord"),
)

TEMPLATES = (
    (
        "Ontvangen",
        "Beste {naam},\n\nBedankt voor uw bericht. Ik zoek het uit en laat u uiterlijk {datum} weten"
        " wat we kunnen doen.\n\nMet vriendelijke groet,\n{mijn_naam}",
        "nl",
    ),
    (
        "Doorgegeven aan Stadsbeheer",
        "Beste {naam},\n\nIk heb het doorgegeven aan Stadsbeheer. Zij komen meestal binnen drie"
        " werkdagen langs. Is het dan nog niet opgelost? Laat het me hier weten.\n\nGroet,\n"
        "{mijn_naam}",
        "nl",
    ),
    (
        "Received",
        "Dear {naam},\n\nThank you for your message. I am looking into it and will let you know by"
        " {datum}.\n\nKind regards,\n{mijn_naam}",
        "en",
    ),
)


ROTA = {"noord": ("dirk", "anna", "bram", "dirk"), "zuid": (None, "chaima", None, "chaima")}
"""Who is on call in the weeks from this one on."""

STEP_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Thread:
    """One made-up conversation: who, where, how long ago, and what was said in turn.

    Each line of `said` is (who, text): `in`, or the short name of a colleague; `note:<name>` for
    an internal note.
    """

    name: str
    area: str
    channel: str
    ago_ms: int
    said: tuple[tuple[str, str], ...]
    subject: str = ""
    status: str | None = None
    assignee: str | None = None
    topics: tuple[str, ...] = ()
    place: str | None = None
    kind: str = "resident"
    via: str = field(default="phone")


THREADS = (
    Thread(
        "Jantje Postma", "10", "web", 12 * MINUTE_MS,
        (("in", "Het ruikt al een uur naar gas bij de flat aan de Eikenlaan, vlak bij de bakker. Ik heb"
                " de beheerder gebeld maar krijg geen gehoor. Wie kan er komen kijken?"),),
        place="Eikenlaan, bij de bakker", topics=("veiligheid",),
    ),
    Thread(
        "Mevrouw A.M. van den Bergh-Koopmans uit de Korrewegwijk, namens de bewonerscommissie"
        " Molukkenstraat en omstreken", "03", "email", 40 * MINUTE_MS,
        (("in", "Goedemiddag,\n\nNamens de bewonerscommissie vraag ik wanneer de speeltuin weer open"
                " gaat. De kinderen staan al drie weken voor een dicht hek en niemand weet waarom.\n\n"
                "Met vriendelijke groet,\nA.M. van den Bergh-Koopmans"),),
        subject="Speeltuin Molukkenstraat nog steeds dicht", topics=("spelen",), kind="organisation",
    ),
    Thread(
        "Sietse", "10", "web", 2 * HOUR_MS,
        (("in", "De lantaarnpaal bij nummer 84 knippert de hele nacht. Mijn dochter slaapt aan die"
                " kant."),
         ("anna", "Dag Sietse, dank je wel. Ik heb het doorgegeven aan de dienst die de verlichting"
                  " onderhoudt; meestal is het binnen drie werkdagen verholpen."),
         ("in", "Fijn, dank voor het snelle antwoord!")),
        place="Zonnelaan 84", assignee="anna", topics=("verlichting",),
    ),
    Thread(
        "Fatima Bouzid", "11", "email", 5 * HOUR_MS,
        (("in", "Hallo, we willen met de straat een buurtbarbecue houden op 12 december in de"
                " gymzaal. Moeten we daar iets voor aanvragen?"),
         ("note:bram", "Gymzaal is van de school, zie mail van vorig jaar. Even met Chaima bellen."),
         ("bram", "Wat een leuk plan! Voor een bijeenkomst binnen hoeft u niets aan te vragen bij de"
                  " gemeente. Wel graag even met de school afspreken; ik stuur u het nummer.")),
        subject="Buurtbarbecue", status="waiting", assignee="bram", topics=("activiteiten",),
    ),
    Thread(
        "Wijkagent Noorderplantsoen", "03", "contact", 7 * HOUR_MS,
        (("in", "Belde over jongeren die 's avonds bij het schuurtje achter de supermarkt hangen."
                " Vraagt of het jongerenwerk donderdag mee kan lopen."),),
        kind="professional", assignee="anna", topics=("jongeren",), via="phone",
    ),
    Thread(
        "Henk Mulder", "09", "web", 1 * DAY_MS,
        (("in", "De afvalcontainer aan de Siersteenlaan zit al vier dagen vol. Mensen zetten de"
                " zakken ernaast en de meeuwen doen de rest."),
         ("dirk", "Goedemorgen meneer Mulder, de container wordt vanmiddag geleegd en we kijken of"
                  " hij vaker aan de beurt moet komen.")),
        status="open", assignee="dirk", topics=("afval",), place="Siersteenlaan",
    ),
    Thread(
        "Noor", "10", "web", 26 * HOUR_MS,
        (("in", "Kan er een bankje komen bij de vijver? Mijn oma (83) wil er graag heen maar moet"
                " onderweg even zitten."),),
        topics=("groen", "ouderen"),
    ),
    Thread(
        "T. Wierda", "11", "email", 30 * HOUR_MS,
        (("in", "Geen haast, maar: de heg bij het fietspad naar Lewenborg is zo hoog dat je het"
                " verkeer niet ziet aankomen."),
         ("anna", "Dank voor de melding, ik geef het door aan het groenonderhoud."),
         ("in", "Top.")),
        subject="Heg bij fietspad", status="closed", assignee="anna", topics=("groen", "verkeer"),
    ),
    Thread(
        "Buurtvereniging De Hoogte", "03", "email", 2 * DAY_MS,
        (("in", "Beste Anna,\n\nVoor de bewonersavond van 3 december zoeken we iemand die iets kan"
                " vertellen over de plannen met het plein. Kun jij?\n\nGroet, Tjeerd"),
         ("anna", "Dag Tjeerd, ik kom graag. Hoe laat beginnen jullie?"),
         ("in", "Inloop 19.15, we beginnen half acht. Koffie staat klaar!")),
        subject="Bewonersavond 3 december", assignee="anna", kind="organisation",
    ),
    Thread(
        "Onbekend", "10", "contact", 2 * DAY_MS + 3 * HOUR_MS,
        (("in", "Mevrouw sprak me aan op de markt: de stoep voor de apotheek ligt los, ze is bijna"
                " gevallen. Wil geen bericht terug."),
         ("note:anna", "Foto gemaakt, gemeld bij Stadsbeheer.")),
        status="closed", assignee="anna", topics=("stoep",), via="street",
    ),
    Thread(
        "Youssef Amrani", "03", "web", 3 * DAY_MS,
        (("in", "Ik wil vrijwilliger worden bij het taalcafé. Bij wie moet ik zijn?"),
         ("bram", "Wat fijn! Loop dinsdag tussen 10 en 12 binnen in het wijkcentrum, of mail Greet.")),
        status="waiting", assignee="bram", topics=("vrijwilligers",),
    ),
    Thread(
        "Corrie", "09", "web", 4 * DAY_MS,
        (("in", "Er wordt veel te hard gereden op de Peizerweg bij de school. Gisteren weer bijna een"
                " ongeluk. Kunnen er drempels komen?"),),
        topics=("verkeer",), place="Peizerweg, bij de school",
    ),
    Thread(
        "Student huis 14", "03", "email", 5 * DAY_MS,
        (("in", "Hi, we organise a small open-air film night for the street. Do we need a permit for"
                " the sound?"),
         ("dirk", "Hi! For amplified sound outdoors you need to notify us two weeks ahead. I will send"
                  " the form."),
         ("in", "Great, thanks!")),
        subject="Film night", status="closed", assignee="dirk", topics=("activiteiten",),
    ),
    Thread(
        "Lammert Bos", "05", "web", 6 * HOUR_MS,
        (("in", "De brug bij de Helperzoom staat al een half uur open en er is niemand te zien."),),
        place="Helperzoom", topics=("verkeer",),
    ),
    Thread(
        "G. Nauta", "06", "email", 28 * HOUR_MS,
        (("in", "Wanneer wordt het plein bij de Coendersweg opnieuw bestraat? In de brief stond"
                " najaar."),
         ("chaima", "De aannemer begint op 7 december. U krijgt een week van tevoren bericht.")),
        subject="Bestrating plein", status="waiting", assignee="chaima", topics=("stoep",),
    ),
)  # fmt: skip


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
    _rota(session, people, now_ms)
    _alert(session, people, now_ms)
    feed.publish(session)


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

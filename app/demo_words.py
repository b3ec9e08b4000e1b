"""The people, areas and conversations of the demonstration municipality.

The areas are Groningen's CBS wijken (Kadaster / Centraal Bureau voor de Statistiek, 2025). Every
person and every word is made up.
"""

from dataclasses import dataclass, field

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

NEWSPAPER = "Buurtkrant Noord"

HEARD = (
    (
        "03", 5 * HOUR_MS, "Kerstmarkt zoekt vrijwilligers",
        "De buurtvereniging zoekt nog tien mensen voor de kerstmarkt op het plein. Wie kan op"
        " zaterdag helpen met opbouwen?",
    ),
    (
        "10", 26 * HOUR_MS, "‘Langs de vijver durf ik ’s avonds niet meer’",
        "Drie lantaarns langs het fietspad bij de vijver doen het al twee weken niet. Bewoners van"
        " de Eikenlaan fietsen liever om. ‘Mijn dochter belt nu elke avond voor ze weggaat.’",
    ),
    (
        "11", 3 * DAY_MS, "Bibliotheek opent ook op zondag",
        "Vanaf januari is de bibliotheek aan de Pleiadenlaan elke zondagmiddag open. Er is koffie"
        " en er zijn spelletjes.",
    ),
)  # fmt: skip
"""What a neighbourhood's newspaper wrote: area, how long ago, title and text."""

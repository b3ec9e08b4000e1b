"""The words of the rota's calendar, and of what escalates: never a resident's."""

from app import i18n

_ALERT_NL = """\
Goedendag,

In {area} wacht sinds {since} een spoedvraag van een inwoner ({reason}). Tot nu toe heeft niemand
laten weten dat hij of zij ermee bezig is.

Open het gesprek en kies 'Ik pak het op':
{link}

Deze mail is automatisch verstuurd door Stoep, {municipality}. Er staat met opzet niets in van wat
de inwoner schreef.
"""
_ALERT_EN = """\
Hello,

In {area} an urgent question of a resident has been waiting since {since} ({reason}). So far nobody
has said that they are dealing with it.

Open the conversation and choose 'I will take it':
{link}

Stoep of {municipality} sent this mail by itself. On purpose it holds nothing of what the resident
wrote.
"""
_UNREACHABLE_NL = """\
Goedendag,

U heeft piket voor {area} tot {until}, maar uw telefoon kan op dit moment niet worden gewekt.

Open Stoep op uw telefoon en zet meldingen aan bij 'Deze telefoon':
{link}

Lukt dat niet? Geef uw piket dan over aan een collega.

Deze mail is automatisch verstuurd door Stoep, {municipality}.
"""
_UNREACHABLE_EN = """\
Hello,

You are on call for {area} until {until}, but your phone cannot be woken at the moment.

Open Stoep on your phone and turn notifications on under 'This phone':
{link}

Does that not work? Then hand your shift over to a colleague.

Stoep of {municipality} sent this mail by itself.
"""
_LEAD_NL = """\
Goedendag,

{colleague} heeft piket voor {area} tot {until}, maar de telefoon kan op dit moment niet worden
gewekt. Komt er een spoedvraag, dan wordt meteen de volgende gewekt.

Het rooster: {link}

Deze mail is automatisch verstuurd door Stoep, {municipality}.
"""
_LEAD_EN = """\
Hello,

{colleague} is on call for {area} until {until}, but the phone cannot be woken at the moment. When
an urgent question comes in, the next one is woken at once.

The rota: {link}

Stoep of {municipality} sent this mail by itself.
"""

REASONS = {
    "words": ("herkend door de regels voor spoed", "recognised by the rules"),
    "word": ("de woorden van het bericht", "the words of the message"),
    "every": ("alles langs deze weg is nu spoed", "everything that comes this way is urgent now"),
    "ticked": ("de inwoner vroeg er zelf om", "the resident asked for it"),
    "repeated": ("meer berichten kort na elkaar", "several messages within a short time"),
    "no_reaction": ("nog geen reactie binnen de termijn", "no reaction within the target"),
    "colleague": ("gemarkeerd door een collega", "marked by a colleague"),
}
"""Why something is urgent, in words that say nothing of what it is about."""

i18n.add({f"oncall.reason_{code}": sentence for code, sentence in REASONS.items()})
i18n.add(
    {
        "oncall.calendar_name": ("Piket {municipality}", "On call {municipality}"),
        "oncall.calendar_event": ("Piket {place}: {name}", "On call {place}: {name}"),
        "oncall.calendar_mine": ("Ik heb piket: {place}", "I am on call: {place}"),
        "oncall.calendar_text": (
            "{name} heeft piket voor {team} tot {until}.",
            "{name} is on call for {team} until {until}.",
        ),
        "oncall.mail_subject": (
            "Spoed in {area}: nog niemand heeft gereageerd",
            "Urgent in {area}: nobody has reacted yet",
        ),
        "oncall.mail_text": (_ALERT_NL, _ALERT_EN),
        "oncall.sms_text": (
            "Spoed in {area} sinds {since}, nog niemand heeft gereageerd. {link}",
            "Urgent in {area} since {since}, nobody has reacted yet. {link}",
        ),
        "oncall.unreachable_title": (
            "Piket in {area}: telefoon niet te wekken",
            "On call in {area}: phone cannot be woken",
        ),
        "oncall.unreachable_body": (
            "{colleague} heeft piket, maar de telefoon kan niet worden gewekt.",
            "{colleague} is on call, but the phone cannot be woken.",
        ),
        "oncall.unreachable_subject": (
            "U heeft piket, maar uw telefoon kan niet worden gewekt",
            "You are on call, but your phone cannot be woken",
        ),
        "oncall.unreachable_text": (_UNREACHABLE_NL, _UNREACHABLE_EN),
        "oncall.unreachable_lead_subject": (
            "{colleague} heeft piket, maar is niet te wekken",
            "{colleague} is on call, but cannot be woken",
        ),
        "oncall.unreachable_lead_text": (_LEAD_NL, _LEAD_EN),
    }
)

"""The words of the pages that the server makes, Dutch first, English second.

The app on the phone has a catalogue of its own. Each feature adds its words with `add`, so that
they lie beside the pages that use them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from string import Formatter
from zoneinfo import ZoneInfo

LANGUAGES = ("nl", "en")
COOKIE = "stoep_language"
ZONE = "Europe/Amsterdam"

_MONTHS = {
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "en": "January February March April May June July August September October November December",
}
_DAYS = {
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}

_texts: dict[str, tuple[str, str]] = {}


def add(texts: Mapping[str, tuple[str, str]]) -> None:
    """Add sentences: key → (Dutch, English), with `{names}` for what is filled in.

    Raises ValueError for a key that was added before with other words.
    """
    for key, pair in texts.items():
        if _texts.setdefault(key, pair) != pair:
            raise ValueError(f"two texts are called {key}")


def say(language: str, key: str, **values: object) -> str:
    """Return a sentence in a language, filled in. Raises KeyError for a key nobody added."""
    sentence = _texts[key][LANGUAGES.index(language)]
    return sentence.format(**values) if values else sentence


def texts() -> Mapping[str, tuple[str, str]]:
    """Return all sentences that were added."""
    return dict(_texts)


def names_in(sentence: str) -> set[str]:
    """Return the `{names}` that a sentence has filled in."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def choose(asked: str | None, remembered: str | None, accepted: str, default: str) -> str:
    """Return the language: the one asked for, else remembered, else the browser's, else ours."""
    for wish in (asked, remembered):
        if wish in LANGUAGES:
            return wish
    ranked = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, weight = part.strip().lower().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, tag.partition("-")[0]))
        except ValueError:
            continue
    return next((tag for q, _, tag in sorted(ranked) if tag in LANGUAGES and q < 0), default)


def moment(language: str, at_ms: int, now_ms: int) -> str:
    """Return an instant as people here say it: "vandaag 14:02", "maandag 23 november, 14:02"."""
    then, now = _local(at_ms), _local(now_ms)
    clock = f"{then:%H:%M}"
    if then.date() == now.date():
        return f"{'vandaag' if language == 'nl' else 'today'} {clock}"
    day = _DAYS[language].split()[then.weekday()]
    month = _MONTHS[language].split()[then.month - 1]
    year = f" {then.year}" if then.year != now.year else ""
    return f"{day} {then.day} {month}{year}, {clock}"


def day(language: str, at_ms: int) -> str:
    """Return the day of an instant with its year: "maandag 23 november 2026"."""
    then = _local(at_ms)
    named, month = _DAYS[language].split()[then.weekday()], _MONTHS[language].split()
    return f"{named} {then.day} {month[then.month - 1]} {then.year}"


def iso(at_ms: int) -> str:
    """Return an instant for a machine: the `datetime` of a `<time>`."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_zone())


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(ZONE)

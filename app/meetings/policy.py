"""What may become of a question, and how a meeting goes: pure."""

STATES = ("planned", "open", "closed")
FATES = ("open", "answered", "later", "handed", "dropped")
NEEDS_WORDS = frozenset({"answered", "handed", "dropped"})
"""What was answered, handed to whom, why not: a fate without its words tells nobody anything."""

MODERATION = ("waiting", "shown", "hidden")
ANSWER_BY = ("none", "email", "phone")

CODE_LETTERS = "23456789BCDFGHJKLMNPQRSTVWXZ"
"""Read from a screen eight metres away and typed: no letter that looks like another, no vowels."""
CODE_LENGTH = 6

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FILED_AFTER_MS = 90 * DAY_MS
HELP_ENDS_MS = 12 * HOUR_MS
"""How long after the beginning an assistant still sees the evening."""
REMIND_BEFORE_MS = 2 * DAY_MS

PHONE_PERIOD_MS = 600_000
PER_PHONE = 5
"""Questions of one phone in ten minutes."""
WAITING_AT_MOST = 300
"""Questions of phones that nobody has looked at; more are refused until somebody has."""


def clean_code(text: str) -> str:
    """Return a code as it is stored, however somebody typed it."""
    return "".join(letter for letter in text.upper() if letter not in " -")


def is_code(text: str) -> bool:
    """Say whether this can be a code."""
    return len(text) == CODE_LENGTH and set(text) <= set(CODE_LETTERS)


def remind_at_ms(made_at_ms: int, due_at_ms: int) -> int | None:
    """Return when an owner is reminded: two days before, or halfway when it is sooner than that."""
    if due_at_ms <= made_at_ms:
        return None
    return max(due_at_ms - REMIND_BEFORE_MS, made_at_ms + (due_at_ms - made_at_ms) // 2)


def helps_until_ms(now_ms: int, starts_at_ms: int) -> int:
    """Return when an invitation for one evening ends; one made late lasts as long all the same."""
    return max(now_ms, starts_at_ms) + HELP_ENDS_MS


def lacks_words(fate: str, text: str) -> bool:
    """Say whether a fate is told without what it must tell."""
    return fate in NEEDS_WORDS and not text.strip()

"""What somebody says herself: without what she quotes, pastes or signs with."""

import re

from app.text.quotes import without_quotes

MAX_CHARS = 20_000

_ANSWERS = re.compile(
    r"\s*(?:re|fw|fwd|aw|wg|antw|antwoord|doorst|doorgestuurd|tr|vs)\s*(?:\[\d+\])?:",
    re.IGNORECASE,
)
"""How a mail program begins the subject of an answer: then its words were somebody's before."""


def own_words(text: str, subject: str = "") -> str:
    """Return the sender's own words of a message, with the subject if that is hers too."""
    said = without_quotes(text[:MAX_CHARS])
    if subject and not _ANSWERS.match(subject[:100]):
        return f"{subject[:1000]}.\n\n{said}"
    return said

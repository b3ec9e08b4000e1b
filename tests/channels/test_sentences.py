"""Every code that a channel can raise or report has words for people."""

import ast
import re
from pathlib import Path

import pytest

from app.channels.email_bounces import CODES
from app.channels.sentences import AT_SETUP, SENTENCES, sentence

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = ROOT / "app" / "channels"
RAISED = {"Temporary", "Permanent", "Unconfirmed", "SignedOut"}


def codes() -> set[str]:
    found: set[str] = set()
    for path in CHANNELS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISED and node.args:
                found |= {
                    text.value
                    for text in ast.walk(node.args[0])
                    if isinstance(text, ast.Constant) and isinstance(text.value, str)
                }
    return found | {code for _, code in CODES} | {"came_back", "delivery_delayed"}


def test_every_code_has_a_sentence_in_both_languages() -> None:
    assert codes() - set(SENTENCES) == set()
    for nl, en in SENTENCES.values():
        assert nl.endswith(".")
        assert en.endswith(".")
        assert nl != en


def test_a_sentence_is_in_the_language_that_was_asked_for() -> None:
    assert sentence("bad_address", "nl") == "Dit e-mailadres klopt niet."
    assert sentence("bad_address", "en") == "This e-mail address is not right."
    assert sentence("iets_nieuws", "en") == "iets_nieuws"


def test_who_types_an_account_in_is_promised_nothing_for_later() -> None:
    assert AT_SETUP.keys() <= SENTENCES.keys()
    said = sentence("mailbox_unreachable", "nl", setup=True)
    assert said == "De mailbox is niet bereikbaar. Kijk de naam van de server en de poort na."
    assert sentence("bad_address", "nl", setup=True) == sentence("bad_address", "nl")
    for both in AT_SETUP.values():
        for said in both:
            assert not re.search(
                r"Stoep|zodra|[Aa]ntwoorden|as soon|[Rr]eplies|administrator", said
            )


@pytest.mark.parametrize(("language", "which"), [("nl", 0), ("en", 1)])
def test_the_phone_says_of_a_failed_reply_what_the_server_says(language: str, which: int) -> None:
    script = (ROOT / "static" / "js" / "i18n" / f"{language}-more.js").read_text()
    said = dict(re.findall(r"^  cause_(\w+):\s+'([^']*)',$", script, flags=re.MULTILINE))
    wanted = {code: both[which].replace("'", "’") for code, both in SENTENCES.items()}
    assert {code: said.get(code) for code in wanted} == wanted

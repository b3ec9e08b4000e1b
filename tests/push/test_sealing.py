"""What we encrypt is what the specifications say: held against a reader of our own and RFC 8291."""

import json
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app.config import Settings
from app.push import payload
from app.push.sealing import seal
from tests.peers.push_reading import Browser, decrypt, pack, point_of, unpack

PUSH_ID = "01a19b7c-a680-7bc7-8418-7be8609d7065"

# RFC 8291, appendix A.
PLAINTEXT = b"When I grow up, I want to be a watermelon"
UA_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
UA_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
MESSAGE = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def the_browser_of_the_rfc() -> Browser:
    number = int.from_bytes(unpack(UA_PRIVATE))
    return Browser(ec.derive_private_key(number, ec.SECP256R1()), unpack(AUTH))


def test_our_reader_reads_the_example_of_rfc_8291() -> None:
    browser = the_browser_of_the_rfc()
    assert pack(point_of(browser.private)) == UA_PUBLIC
    assert decrypt(unpack(MESSAGE), browser.private, browser.auth) == PLAINTEXT


@pytest.mark.parametrize(
    ("place", "why"), [(3, "tag"), (19, "one record"), (20, "key id"), (-1, "tag")]
)
def test_our_reader_refuses_what_was_changed_on_the_way(place: int, why: str) -> None:
    browser = the_browser_of_the_rfc()
    message = bytearray(unpack(MESSAGE))
    message[place] ^= 1
    if place == 19:
        message[16:20] = (20).to_bytes(4)
    with pytest.raises(ValueError, match=why):
        decrypt(bytes(message), browser.private, browser.auth)


@pytest.mark.parametrize("length", [1, 100, payload.MAX_BYTES])
def test_what_we_seal_is_read_by_its_browser_alone(length: int) -> None:
    browser, other = Browser(), Browser()
    sealed = seal(b"x" * length, browser.keys["p256dh"], browser.keys["auth"])
    assert len(sealed) <= 4096
    assert decrypt(sealed, browser.private, browser.auth) == b"x" * length
    with pytest.raises(ValueError, match="tag"):
        decrypt(sealed, other.private, browser.auth)
    with pytest.raises(ValueError, match="tag"):
        decrypt(sealed, browser.private, other.auth)


def test_salt_and_key_pair_are_new_for_every_message() -> None:
    keys = Browser().keys
    one, two = (seal(b"Spoed", keys["p256dh"], keys["auth"]) for _ in range(2))
    assert one[:16] != two[:16]
    assert one[21:86] != two[21:86]


def composed(
    settings: Settings, words: dict[str, object], kind: str = "urgent", language: str = "nl"
) -> bytes:
    return payload.Composer(settings).compose(
        push_id=PUSH_ID,
        kind=kind,
        conversation_id=PUSH_ID,
        words=json.dumps(words),
        language=language,
    )


@pytest.fixture
def talkative(tmp_path: object) -> Settings:
    return Settings(data_dir=f"{tmp_path}", push_words=True)


@pytest.mark.parametrize("character", ["x", "é", "😀", "\x01", '"'])
def test_words_that_are_too_long_are_cut_and_never_refused(
    talkative: Settings, character: str
) -> None:
    content = composed(talkative, {"area": "Paddepoel", "text": "a" + character * 5000 + "z"})
    assert len(content) <= payload.MAX_BYTES
    assert json.loads(content)["notification"]["body"].startswith("a" + character)


def test_a_body_gives_way_to_the_title_by_no_more_than_it_must(talkative: Settings) -> None:
    bodies = []
    for length in range(1300, 1600, 7):
        words: dict[str, object] = {"area": "é" * length, "text": "é" * 400}
        content = composed(talkative, words)
        assert len(content) <= payload.MAX_BYTES
        bodies.append(len(json.loads(content)["notification"].get("body", "")))
    assert bodies[0] == payload.MAX_BODY_CHARS
    assert bodies == sorted(bodies, reverse=True)
    assert len(set(bodies)) > 10


def test_what_fits_in_no_way_is_an_error_of_its_own(talkative: Settings) -> None:
    with pytest.raises(payload.TooLong):
        composed(talkative, {"area": "x" * 5000})


@pytest.mark.parametrize(
    ("kind", "language", "words", "title"),
    [
        ("urgent", "nl", {"area": "Paddepoel"}, "Spoed in Paddepoel"),
        ("urgent", "en", {"area": "Paddepoel"}, "Urgent in Paddepoel"),
        ("urgent", "nl", {}, "Spoed"),
        ("urgent", "nl", {"title": "no.such.text"}, "Spoed"),
        ("closed", "nl", {"area": "Paddepoel"}, "Spoed in Paddepoel is opgepakt"),
        ("closed", "en", {}, "Urgent question taken up"),
        ("test", "nl", {}, "Proefmelding"),
        ("warning", "en", {}, "Stoep: have a look"),
        ("unheard-of", "nl", {}, "Stoep"),
    ],
)
def test_a_notification_always_has_a_title(
    talkative: Settings, kind: str, language: str, words: dict[str, object], title: str
) -> None:
    said = json.loads(composed(talkative, words, kind, language))["notification"]
    assert (said["title"], said["lang"]) == (title, language)
    assert said.get("silent", False) == (kind in {"test", "closed"})


def test_the_number_on_the_icon_travels_in_both_places(talkative: Settings) -> None:
    said = json.loads(composed(talkative, {"area": "Paddepoel", "badge": 3}))
    assert (said["app_badge"], said["notification"]["app_badge"]) == (3, "3")
    assert said["notification"]["data"] == {
        key: said[key] for key in ("v", "push", "kind", "c", "report")
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", said["report"])

"""What is typed to add an account: read by its fields, and what is wrong said in a sentence."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.channels.accounts import Candidate, try_out
from app.channels.contract import Setup, SetupField
from app.channels.registry import KINDS
from app.channels.setup import Values, WrongValues, identity, read

SETUP = Setup(
    ("Uitleg.", "Explanation."),
    (
        SetupField("server", ("Server", "Server"), "url"),
        SetupField("user", ("Gebruiker", "User")),
        SetupField("token", ("Sleutel", "Token"), "secret"),
        SetupField("words", ("Woorden", "Words"), "lines", required=False),
        SetupField("every", ("Om de", "Every"), "number", required=False),
        SetupField(
            "who", ("Wie", "Who"), "choice", required=False,
            choices=(("all", ("Iedereen", "Everybody")), ("us", ("Ons", "Us"))),
        ),
    ),
)  # fmt: skip
CLOSED = "http://127.0.0.1:1"
GOOD: dict[str, Any] = {"server": "https://plein.example", "user": "noord", "token": "geheim"}


def test_secrets_are_kept_apart_and_the_rest_is_config() -> None:
    values = read(SETUP, GOOD | {"words": " ratten \n\nstoep\nratten", "every": "5", "who": "us"})
    assert values.config == {
        "server": "https://plein.example", "user": "noord",
        "words": ["ratten", "stoep"], "every": 5, "who": "us",
    }  # fmt: skip
    assert values.secret == {"token": "geheim"}
    assert "geheim" not in str(values.config)


def test_what_is_left_out_stays_and_an_empty_secret_is_the_one_that_was_there() -> None:
    known = read(SETUP, GOOD | {"words": ["ratten"]})
    again = read(SETUP, {"user": "zuid", "token": ""}, known)
    assert again.config == known.config | {"user": "zuid"}
    assert again.secret == {"token": "geheim"}
    emptied = read(SETUP, {"words": []}, known)
    assert "words" not in emptied.config
    assert known == Values(known.config, {"token": "geheim"})


def test_a_secret_is_not_brought_to_another_server_than_it_was_typed_for() -> None:
    known = read(SETUP, GOOD)
    elsewhere = {"server": "https://elders.example"}
    with pytest.raises(WrongValues) as refused:
        read(SETUP, elsewhere | {"token": ""}, known)
    assert [one.field for one in refused.value.wrong] == ["token"]
    assert "opnieuw" in refused.value.wrong[0].words[0]
    assert read(SETUP, elsewhere | {"token": "nieuw"}, known).secret == {"token": "nieuw"}
    assert read(SETUP, {"server": "https://plein.example/"}, known).secret == {"token": "geheim"}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("email", "imap_host"), ("email", "smtp_host"), ("mastodon", "server"), ("matrix", "url"),
        ("bluesky", "service"), ("discourse", "url"), ("nodebb", "url"),
    ],
)  # fmt: skip
def test_of_every_kind_no_secret_stays_when_its_server_changes(kind: str, field: str) -> None:
    setup = KINDS[kind].setup
    assert setup is not None
    values = {
        one.name: "geheim" if one.kind == "secret" else "https://een.example"
        for one in setup.fields
        if one.kind in {"secret", "text", "url"}
    }
    known = read(setup, values)
    kept = known.secret | {"refresh_token": "r"}
    with pytest.raises(WrongValues):
        read(setup, {field: "https://twee.example"}, Values(known.config, kept))
    secrets = {one.name: "nieuw" for one in setup.fields if one.kind == "secret"}
    moved = read(setup, secrets | {field: "https://twee.example"}, Values(known.config, kept))
    assert moved.secret == secrets


@pytest.mark.parametrize(
    ("typed", "field", "nl"),
    [
        ({"token": ""}, "token", "Vul ‘Sleutel’ in."),
        ({"user": "  "}, "user", "Vul ‘Gebruiker’ in."),
        ({"server": "plein"}, "server", "met https:// begint"),
        ({"server": "ftp://plein.example"}, "server", "met https:// begint"),
        ({"server": "het plein.example"}, "server", "met https:// begint"),
        ({"server": "http://plein.example"}, "server", "met https:// begint"),
        ({"server": "https://u:p@plein.example"}, "server", "geen naam of wachtwoord"),
        ({"server": "https://[::"}, "server", "met https:// begint"),
        ({"server": "https://plein.example:99999"}, "server", "met https:// begint"),
        ({"user": "a\r\nBcc: b"}, "user", "een teken dat hier niet kan"),
        ({"user": "x" * 501}, "user", "langer dan 500"),
        ({"user": ["noord"]}, "user", "geen tekst"),
        ({"every": "vijf"}, "every", "geen heel getal"),
        ({"every": True}, "every", "geen tekst"),
        ({"who": "them"}, "who", "all, us"),
        ({"words": [1]}, "words", "geen lijst"),
        ({"words": ["x"] * 3 + [str(n) for n in range(300)]}, "words", "te lang"),
        ({"wat": "x"}, "wat", "bestaat hier niet"),
    ],
)
def test_what_is_wrong_is_said_of_the_field_it_is_wrong_with(
    typed: dict[str, Any], field: str, nl: str
) -> None:
    with pytest.raises(WrongValues) as caught:
        read(SETUP, GOOD | typed)
    (wrong,) = caught.value.wrong
    assert wrong.field == field
    assert nl in wrong.words[0]
    assert wrong.words[0] != wrong.words[1]


def test_of_a_server_its_name_is_enough() -> None:
    assert read(SETUP, GOOD | {"server": "plein.example"}).config["server"] == (
        "https://plein.example"
    )


@pytest.mark.parametrize(
    ("typed", "let_through"),
    [
        ("http://127.0.0.1:8008/", "127.0.0.1:8008"),
        ("http://localhost:8008", "elders:1, localhost"),
        ("http://[::1]:8008", "[::1]:8008"),
        ("http://localhost", "localhost:80"),
        ("http://127.0.0.2:8008", "127.0.0.2:8008"),
    ],
)
def test_a_server_on_this_machine_does_without_https_where_the_operator_says_so(
    typed: str, let_through: str
) -> None:
    given = GOOD | {"server": typed}
    # Mastodon asks for a server as for any text.
    with pytest.raises(WrongValues, match="STOEP_PRIVATE_HOSTS"):
        read(KINDS["mastodon"].setup or SETUP, {"server": typed})
    assert read(SETUP, given, private_hosts=let_through).config["server"] == typed.rstrip("/")
    for other in ("", "127.0.0.1:8009", "localhost:8009", "example.nl"):
        with pytest.raises(WrongValues) as caught:
            read(SETUP, given, private_hosts=other)
        assert "STOEP_PRIVATE_HOSTS" in caught.value.wrong[0].words[0]


@pytest.mark.parametrize("typed", ["http://10.0.0.1", "http://plein.example"])
def test_elsewhere_nothing_does_without_https(typed: str) -> None:
    with pytest.raises(WrongValues, match="begins with https"):
        read(SETUP, GOOD | {"server": typed}, private_hosts=typed.removeprefix("http://"))


def test_an_account_is_told_from_another_by_what_is_shown_of_it() -> None:
    one = read(SETUP, GOOD | {"server": "https://Plein.example/"})
    assert identity(SETUP, one.config) == identity(SETUP, read(SETUP, GOOD).config)
    assert identity(SETUP, one.config) != identity(SETUP, one.config | {"user": "zuid"})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["server", "user", "token", "words", "every", "who", "iets"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
        ),
    )
)
def test_whatever_is_typed_is_kept_whole_or_refused_with_a_sentence(typed: dict[str, Any]) -> None:
    said: list[str] = []
    try:
        values = read(SETUP, typed)
    except WrongValues as error:
        said = [text for one in error.wrong for text in one.words]
    else:
        assert {"server", "user"} <= set(values.config)
        assert values.secret["token"]
    assert all(text.endswith(".") for text in said)


def test_every_kind_asks_in_two_languages_and_for_things_that_can_be_typed() -> None:
    for kind in KINDS.values():
        assert all(kind.title)
        if kind.setup is None:
            continue
        assert all(text.endswith(".") for text in kind.setup.intro)
        names = [field.name for field in kind.setup.fields]
        assert len(names) == len(set(names))
        for field in kind.setup.fields:
            assert all(field.label)
            assert bool(field.help[0]) == bool(field.help[1])
            assert (field.kind == "choice") == bool(field.choices)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("matrix", {"url": CLOSED, "user": "@noord:stad.nl", "access_token": "geheim-é"}),
        ("whatsapp", {"phone_number_id": "1", "access_token": "geheim-é"}),
        ("mastodon", {"server": "xn--", "access_token": "geheim"}),
        ("bluesky", {"service": CLOSED, "identifier": "noord.stad.nl", "app_password": "é"}),
    ],
)
async def test_what_no_request_can_carry_is_said_and_is_no_fault_of_ours(
    kind: str, given: dict[str, Any]
) -> None:
    setup = KINDS[kind].setup
    assert setup is not None
    rest = {field.name: "geheim" for field in setup.fields if field.required}
    values = read(setup, rest | given, private_hosts="127.0.0.1:1")
    config = {"api_url": CLOSED} | values.config
    candidate = Candidate(kind, "Noord", "noord", None, config, values.opened)
    tried = await try_out(candidate, candidate.secret, lambda: 0)
    assert tried.error is not None
    assert tried.error.code in {"bad_config", "platform_unreachable"}

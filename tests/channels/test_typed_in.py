"""What somebody types on a phone to add an account is what its adapter can be made of."""

import pytest

from app.channels.registry import KINDS
from app.channels.setup import WrongValues, read

TYPED = {
    "matrix": {
        "url": "https://matrix.example.nl/",
        "user": "@noord:example.nl",
        "password": "geheim",
        "invite_servers": "example.nl\n*",
    },
    "whatsapp": {
        "phone_number_id": "106540352242922",
        "access_token": "EAAJB",
        "app_secret": "geheim",
        "verify_token": "verzonnen",
        "templates": "antwoord_klaar | nl | Wij hebben een antwoord.",
    },
    "telegram": {"bot_token": "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", "groups": "all"},
    "x": {
        "api_key": "a",
        "api_secret": "b",
        "access_token": "2244994945-c",
        "access_secret": "d",
        "monthly_cap": "12",
        "links": "yes",
    },
}


@pytest.mark.parametrize("kind", TYPED)
async def test_what_is_typed_makes_an_account(kind: str) -> None:
    setup, build = KINDS[kind].setup, KINDS[kind].build
    assert setup is not None
    assert build is not None
    values = read(setup, TYPED[kind])
    secrets = {field.name for field in setup.fields if field.kind == "secret"}
    assert not secrets & set(values.config)
    adapter = build({"since_ms": 1} | values.config, values.opened, lambda: 2)
    assert adapter.capabilities == KINDS[kind].capabilities
    await adapter.close()


@pytest.mark.parametrize("kind", TYPED)
def test_what_is_needed_and_left_out_is_named(kind: str) -> None:
    setup = KINDS[kind].setup
    assert setup is not None
    needed = [field.name for field in setup.fields if field.required]
    for name in needed:
        with pytest.raises(WrongValues) as wrong:
            read(setup, {key: value for key, value in TYPED[kind].items() if key != name})
        assert [one.field for one in wrong.value.wrong] == [name]


@pytest.mark.parametrize("kind", TYPED)
def test_every_field_is_explained_in_both_languages(kind: str) -> None:
    setup = KINDS[kind].setup
    assert setup is not None
    words = [setup.intro, *(field.label for field in setup.fields)]
    words += [field.help for field in setup.fields if field.help != ("", "")]
    words += [word for field in setup.fields for _, word in field.choices]
    assert all(nl and en for nl, en in words)

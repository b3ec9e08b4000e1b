"""Roles and rights, teams and areas, and the command line that sets them up."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.accounts import people
from app.accounts.models import Area, Person
from app.accounts.policy import RIGHTS, ROLES, Principal, areas_of
from app.cli import main
from app.db import Database, touched
from app.errors import BadRequest, Conflict, NotFound

RIGHTS_IN_ORDER = (
    *("read", "reply", "note", "assign", "admin", "acknowledge", "plan", "escalation"),
    *("rules", "channels", "rota", "meet", "host"),
)

RULES = {
    #              read reply note assign admin ack. plan escal. rules chann. rota meet host
    "coordinator": "yes yes   yes  yes    -     yes  yes  -      -     -      -    yes  yes",
    "webcare":     "yes yes   yes  yes    -     yes  yes  -      yes   -      -    yes  yes",
    "coach":       "yes -     yes  -      -     yes  -    -      -     -      -    yes  -",
    "archivist":   "yes -     -    -      -     -    -    -      -     -      -    -    -",
    "manager":     "yes -     -    -      -     yes  yes  yes    yes   yes    yes  yes  yes",
    "admin":       "yes -     -    -      yes   yes  yes  yes    yes   yes    yes  -    -",
}  # fmt: skip


def someone(role: str, *areas: str) -> Principal:
    return Principal("anna", "phone", "Anna", role, "nl", frozenset(areas))


def test_every_role_has_a_row_in_the_table() -> None:
    assert set(RULES) == set(ROLES)


@pytest.mark.parametrize("role", RULES)
def test_a_role_may_do_what_the_table_says(role: str) -> None:
    may = [someone(role).may(right) for right in RIGHTS_IN_ORDER]
    assert may == [word == "yes" for word in RULES[role].split()]
    assert set(RIGHTS[role]) <= set(RIGHTS_IN_ORDER)


def test_an_unknown_role_may_nothing() -> None:
    assert not any(someone("mayor", "WK001405").may(right) for right in ("read", "admin", ""))
    assert not someone("mayor", "WK001405").sees("WK001405")


def test_she_sees_her_areas_and_her_teams_and_what_is_for_all() -> None:
    anna = someone("coordinator", *areas_of(["noordwest"], ["WK001405"]))
    assert anna.sees("WK001405")
    assert anna.sees("team:noordwest")
    assert not anna.sees("WK001408")
    assert not anna.sees("team:noordoost")
    assert not anna.sees("person:bram")
    assert anna.scopes == {"WK001405", "team:noordwest", "all", "person:anna"}


def write_areas(path: Path, *properties: dict[str, Any]) -> Path:
    features = [{"type": "Feature", "properties": one, "geometry": None} for one in properties]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


CARTOMAP = {"statcode": "WK001405", "statnaam": "Paddepoel", "gmCode": "GM0014"}
PDOK = {
    "buurtcode": "BU00140503",
    "buurtnaam": "Paddepoel-Noord",
    "wijkcode": "WK001405",
    "gemeentecode": "GM0014",
    "gemeentenaam": "Groningen",
}


def test_areas_come_from_either_kind_of_file(database: Database, tmp_path: Path) -> None:
    path = write_areas(tmp_path / "wijken.geojson", CARTOMAP, PDOK)
    marked: list[tuple[str, str]] = []

    def take(session: Any) -> int:
        count = people.import_areas(session, path)
        marked.extend(touched(session))
        return count

    assert database.write_now(take) == 2
    assert database.read_now(lambda session: session.get_one(Area, "WK001405").name) == "Paddepoel"
    buurt = database.read_now(lambda session: session.get_one(Area, "BU00140503").model_dump())
    assert buurt == {
        "code": "BU00140503",
        "name": "Paddepoel-Noord",
        "kind": "BU",
        "parent": "WK001405",
    }
    assert ("area", "WK001405") in marked


def test_importing_again_renames_and_doubles_nothing(database: Database, tmp_path: Path) -> None:
    path = write_areas(tmp_path / "wijken.geojson", CARTOMAP)
    database.write_now(lambda session: people.import_areas(session, path))
    write_areas(path, CARTOMAP | {"statnaam": "Paddepoel en omgeving"})
    database.write_now(lambda session: people.import_areas(session, path))
    name = database.read_now(lambda session: session.get_one(Area, "WK001405").name)
    assert name == "Paddepoel en omgeving"


OTHER_FILES = [
    "",
    "[]",
    "null",
    "{}",
    '{"features": 1}',
    '{"features": [1]}',
    '{"features": [{"properties": null}]}',
    '{"features": [{"properties": {"statcode": "WK1", "statnaam": "x"}}]}',
    '{"features": [{"properties": {"statcode": "WK001405"}}]}',
    "\x00\x01",
]


def test_a_file_of_something_else_is_refused_whole(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "wrong.geojson"
    for content in OTHER_FILES:
        path.write_text(content)
        with pytest.raises(BadRequest, match=r"wrong\.geojson"):
            database.write_now(lambda session: people.import_areas(session, path))


def test_a_missing_file_is_said(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nowhere"):
        database.write_now(
            lambda session: people.import_areas(session, tmp_path / "nowhere.geojson")
        )


def test_a_team_answers_only_for_areas_that_are_there(database: Database) -> None:
    with pytest.raises(NotFound, match="WK009999"):
        database.write_now(
            lambda session: people.add_team(session, "Noordwest", ["WK009999"], now_ms=0)
        )
    with pytest.raises(NotFound):
        database.read_now(lambda session: people.get_team(session, "Noordwest"))


def test_two_people_never_share_an_address(database: Database) -> None:
    def add(email: str) -> Person:
        return database.write_now(
            lambda session: people.add_person(
                session, name="Anna", email=email, role="coach", now_ms=0
            )
        )

    add("anna@example.nl")
    with pytest.raises(Conflict):
        add(" ANNA@example.nl ")


class TestTheCommandLine:
    """What an administrator types on the server."""

    @pytest.fixture(autouse=True)
    def _environment(
        self, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("STOEP_DATABASE_URL", database_url)
        monkeypatch.setenv("STOEP_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("STOEP_BASE_URL", "https://stoep.example.nl")

    def test_it_sets_a_municipality_up(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write_areas(tmp_path / "wijken.geojson", CARTOMAP)
        assert main(["area", "import", str(path)]) == 0
        assert main(["team", "add", "Noordwest", "--area", "WK001405"]) == 0
        capsys.readouterr()

        anna = ["--name", "Anna", "--email", "anna@example.nl"]
        assert main(["user", "invite", *anna, "--role", "admin", "--team", "Noordwest"]) == 0
        said = capsys.readouterr().out
        assert "https://stoep.example.nl/invite/" in said
        assert "█" in said or "▀" in said, "the QR code is missing"

        assert main(["user", "list"]) == 0
        assert "Anna <anna@example.nl>  admin  Noordwest" in capsys.readouterr().out
        assert main(["team", "list"]) == 0
        assert "Paddepoel" in capsys.readouterr().out

    def test_a_known_person_gets_a_new_link(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["user", "invite", "--name", "Anna", "--email", "anna@example.nl"])
        first = capsys.readouterr().out
        assert main(["user", "invite", "--email", "anna@example.nl"]) == 0
        again = capsys.readouterr().out
        assert "/invite/" in again
        assert again != first
        main(["user", "list"])
        assert capsys.readouterr().out.count("Anna") == 1

    def test_it_moves_and_closes_an_account(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["team", "add", "Noordoost"])
        main(["user", "invite", "--name", "Anna", "--email", "anna@example.nl"])
        assert main(["user", "teams", "anna@example.nl", "Noordoost"]) == 0
        assert main(["user", "disable", "anna@example.nl"]) == 0
        capsys.readouterr()
        main(["user", "list"])
        said = capsys.readouterr().out
        assert "Noordoost" in said
        assert "disabled" in said
        assert main(["user", "invite", "--email", "anna@example.nl"]) == 1
        assert "closed" in capsys.readouterr().err

    def test_a_mistake_is_told_in_one_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments, sentence in MISTAKES:
            assert main(arguments) == 1, arguments
            said = capsys.readouterr().err
            assert sentence in said
            assert said.count("\n") == 1


MISTAKES = [
    (["user", "invite", "--email", "anna@example.nl"], "name"),
    (["user", "invite", "--name", "A", "--email", "nobody"], "e-mail address"),
    (["user", "invite", "--name", "A", "--email", "a@b.nl", "--team", "X"], "no team 'X'"),
    (["user", "disable", "nobody@example.nl"], "Nobody"),
    (["user", "teams", "nobody@example.nl"], "Nobody"),
    (["team", "add", "X", "--area", "WK001405"], "WK001405"),
    (["area", "import", "nowhere.geojson"], "nowhere"),
]

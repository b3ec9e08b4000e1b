"""`stoep channel`, on real mail servers."""

import asyncio
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, select

from app.accounts import people
from app.channels.models import Account
from app.cli import main
from app.clock import SystemClock
from app.config import Settings
from app.main import open_adapter, open_database
from app.secrets import unseal
from tests.channels.square import TOKEN, Square, opened
from tests.peers.mail import PASSWORD, MailServers

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("STOEP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("STOEP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STOEP_LANGUAGE", "en")
    settings = Settings()
    db = open_database(settings)
    db.write_now(lambda session: people.add_team(session, "Noord", now_ms=0))
    db.close()
    return settings


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    umask = os.umask(0o022)

    def run_it(*arguments: str, typed: str = f"{PASSWORD}\n") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(["channel", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run_it
    # The program keeps what it writes to itself; that is not to outlive the test.
    os.umask(umask)


def add(servers: MailServers, team: str) -> list[str]:
    where = {"imap": servers.imap_port, "smtp": servers.smtp_port}
    lines = [f"--{name}=127.0.0.1:{port}" for name, port in where.items()]
    return ["add", team, "--team=Noord", *lines, "--imap-tls=none", "--smtp-tls=none"]


def accounts(settings: Settings) -> list[Account]:
    def find(session: Session) -> list[Account]:
        found = list(session.exec(select(Account).where(Account.kind == "email")))
        for account in found:
            session.expunge(account)
        return found

    db = open_database(settings)
    try:
        return db.write_now(find)
    finally:
        db.close()


def test_a_mailbox_that_was_added_can_be_opened_and_its_password_is_sealed(
    run: Run, settings: Settings, mail_servers: MailServers, team: str
) -> None:
    code, out, _ = run(*add(mail_servers, team))
    assert (code, out) == (0, f"{team} is added.\n")
    (account,) = accounts(settings)
    assert PASSWORD not in account.secret + str(account.config)
    assert PASSWORD in unseal(settings, account.secret)

    async def sign_in() -> None:
        db = open_database(settings)
        adapter = open_adapter(settings, SystemClock(), db, account)
        assert adapter is not None
        await adapter.check()
        await adapter.close()
        db.close()

    asyncio.run(sign_in())


def test_a_wrong_password_keeps_nothing(
    run: Run, settings: Settings, mail_servers: MailServers, team: str
) -> None:
    code, _, err = run(*add(mail_servers, team), typed="verkeerd\n")
    assert code == 1
    assert "The mail server refuses the sign-in." in err
    assert "verkeerd" not in err
    assert accounts(settings) == []


def test_the_password_of_a_known_mailbox_can_be_replaced(
    run: Run, settings: Settings, mail_servers: MailServers, team: str
) -> None:
    run(*add(mail_servers, team), "--no-test", typed="oud\n")
    (before,) = accounts(settings)
    assert run("test", team)[0] == 1
    assert run(*add(mail_servers, team))[0] == 0
    (after,) = accounts(settings)
    assert (after.id, after.config["since_ms"]) == (before.id, before.config["since_ms"])
    code, out, _ = run("test", team)
    assert (code, out) == (0, f"ok    mailbox {team}\n")


def test_a_mailbox_is_listed_and_switched_off_and_on(
    run: Run, settings: Settings, mail_servers: MailServers, team: str
) -> None:
    run(*add(mail_servers, team))
    assert f"email  {team}  {team}  Noord  working" in run("list")[1]
    assert run("disable", team)[1] == f"{team} is disabled.\n"
    assert "disabled" in run("list")[1]
    assert not accounts(settings)[0].enabled
    run("enable", team)
    assert accounts(settings)[0].enabled


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["--team=Bestaat niet"], PASSWORD, "There is no team Bestaat niet"),
        (["--area=WK99"], PASSWORD, "There is no area WK99"),
        (["--since=gisteren"], PASSWORD, "--since: gisteren is no day"),
        (["--imap=127.0.0.1:mail"], PASSWORD, "is no host or host:port"),
        (["--imap=mail.example", "--imap-tls=none"], PASSWORD, "only for a server on this machine"),
        ([], "", "No password was given"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    run: Run,
    settings: Settings,
    mail_servers: MailServers,
    team: str,
    arguments: list[str],
    typed: str,
    said: str,
) -> None:
    code, _, err = run(*add(mail_servers, team), "--no-test", *arguments, typed=typed)
    assert code == 1
    assert said in err
    assert accounts(settings) == []


@pytest.mark.parametrize("command", ["test", "disable"])
def test_an_unknown_mailbox_is_said(run: Run, command: str) -> None:
    code, _, err = run(command, "niemand@example.nl")
    assert code == 1
    assert "niemand@example.nl" in err


@pytest.fixture
def square() -> Iterator[Square]:
    with opened() as square:
        yield square


def adds_a_square(run: Run, *more: str, typed: str = f"{TOKEN}\n") -> tuple[int, str, str]:
    where = ("--kind=square", "--team=Noord", "--set=server=https://plein.example")
    return run("add", *where, *more, typed=typed)


def test_any_kind_is_added_from_its_fields_and_its_secret_is_not_on_the_command_line(
    run: Run, settings: Settings, square: Square
) -> None:
    code, out, _ = adds_a_square(run, "--set=words=ratten", "--set=words=stoep", "--name=Plein")
    assert code == 0
    assert out.startswith("Plein is added.\nHave the platform call http://localhost:8000/hooks/")
    db = open_database(settings)
    account = db.read_now(lambda s: s.exec(select(Account).where(Account.kind == "square")).one())
    db.close()
    assert account.config["words"] == ["ratten", "stoep"]
    assert TOKEN not in account.secret
    assert run("test", "Plein") == (0, "ok    square Plein\n", "")
    assert run("disable", "Plein")[1] == "Plein is disabled.\n"
    assert run("end", "Plein")[1] == "Plein has ended; its history stays.\n"
    assert f"square  Plein    Noord  working  ended  {account.id}" in run("list")[1]
    assert run("enable", "Plein")[0] == 1


def test_the_same_account_by_another_address_is_not_added_again(run: Run, square: Square) -> None:
    square.name = "@noord"
    assert adds_a_square(run)[0] == 0
    code, _, err = adds_a_square(run, "--set=server=https://www.plein.example")
    assert code == 1
    assert "was added before" in err


@pytest.mark.parametrize(
    ("more", "typed", "said"),
    [
        ((), "a-bad-token\n", "refuses the sign-in"),
        ((), "\n", "Fill in “Token”."),
        (("--set=token=x",), f"{TOKEN}\n", "token is a secret"),
        (("--set=who",), f"{TOKEN}\n", "who is not NAME=VALUE"),
        (("--set=who=them",), f"{TOKEN}\n", "can only be: all, us"),
        (("--set=colour=red",), f"{TOKEN}\n", "There is no such field here."),
        (("--team=Oost",), f"{TOKEN}\n", "There is no team Oost"),
        (("--kind=hyves",), f"{TOKEN}\n", "There is no kind hyves to add"),
    ],
)
def test_what_is_wrong_with_any_kind_is_one_sentence_and_nothing_is_kept(
    run: Run, settings: Settings, square: Square, more: tuple[str, ...], typed: str, said: str
) -> None:
    code, _, err = adds_a_square(run, *more, typed=typed)
    assert code == 1
    assert said in err
    assert "a-bad-token" not in err
    assert "square" not in run("list")[1]


def test_the_kinds_and_their_fields_are_listed(run: Run, square: Square) -> None:
    out = run("kinds")[1]
    assert "square  Square\n    server  url  Server\n    token  secret  Token\n" in out
    assert "email  E-mail" in out

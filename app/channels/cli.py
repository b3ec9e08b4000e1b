"""`stoep channel`: the municipality's accounts; a mailbox has options of its own."""

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from app.accounts.models import Area, Team
from app.channels import accounts, archive_cli, registry
from app.channels import cli_generic as generic
from app.channels.contract import ChannelError
from app.channels.models import Account
from app.channels.sentences import sentence
from app.clock import SystemClock
from app.config import Settings
from app.db import touch
from app.errors import StoepError
from app.ids import uuid7
from app.secrets import seal, unseal

T = TypeVar("T")

_END = (
    "For a platform that died or that we left: nothing can be sent there, all that was said stays."
)
DEFAULT_PORTS = {("imap", "tls"): 993, ("smtp", "tls"): 465, ("smtp", "starttls"): 587}


def register(subparsers: Any) -> None:
    """Add the commands to those of `stoep`."""
    parser: argparse.ArgumentParser = subparsers.add_parser("channel", help="accounts in channels")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    add = commands.add_parser(
        "add",
        help="add an account, or change a mailbox that is known by its address",
        description="Signs in at the platform first and keeps nothing when that fails. Passwords "
        "and tokens are asked for, or read from standard input, one a line in the order of the "
        "kind's fields; they are stored sealed. `stoep channel kinds` tells the fields.",
    )
    add.add_argument("address", nargs="?", default="", help="of a mailbox, as residents know it")
    add.add_argument("--kind", default="email", help="email when not given")
    add.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="values",
        help="a field of the kind; of a list, once for each line",
    )
    add.add_argument("--team", required=True, help="name or id of the team that answers")
    add.add_argument("--name", help="as colleagues know it")
    add.add_argument("--area", help="CBS code of where its questions belong")
    add.add_argument("--imap", default="", metavar="HOST[:PORT]")
    add.add_argument("--smtp", default="", metavar="HOST[:PORT]")
    add.add_argument("--imap-tls", choices=("tls", "starttls", "none"), default="tls")
    add.add_argument("--smtp-tls", choices=("tls", "starttls", "none"), default="tls")
    add.add_argument("--ca-file", default="", help="certificates to trust; the system's otherwise")
    add.add_argument("--username", default="", help="when it is not the address")
    add.add_argument("--folder", default="INBOX", help="the folder to read")
    add.add_argument("--sent-folder", default="", help="move copies of our replies here")
    add.add_argument("--since", metavar="YYYY-MM-DD", help="also older mail; from today otherwise")
    add.add_argument("--no-plus", action="store_true", help="the server knows no name+token@…")
    add.add_argument("--delivery-reports", action="store_true", help="ask servers to tell success")
    add.add_argument("--oauth-token-url", default="", help="sign in with XOAUTH2, not a password")
    add.add_argument("--oauth-client-id", default="")
    add.add_argument("--oauth-scope", default="")
    add.add_argument("--oauth-refresh", action="store_true", help="the secret is a refresh token")
    add.add_argument("--no-test", action="store_true", help="keep it without signing in first")
    add.set_defaults(run=_add)

    commands.add_parser("kinds", help="what can be added, and what it asks for").set_defaults(
        run=generic.kinds
    )

    test = commands.add_parser("test", help="sign in at the platform of one account, or of all")
    test.add_argument("address", nargs="?", help="address, name or id; all when not given")
    test.set_defaults(run=_test)

    commands.add_parser("list", help="all channels and how they are doing").set_defaults(run=_list)
    for name, enabled in (("disable", False), ("enable", True)):
        switch = commands.add_parser(name, help="stop or go on fetching and sending there")
        switch.add_argument("address", help="address, name or id")
        switch.set_defaults(run=_switch, enabled=enabled)

    archive_cli.register(commands, write)
    end = commands.add_parser(
        "end", help="end an account for good, and keep all that was said", description=_END
    )
    end.add_argument("address", help="address, name or id")
    end.set_defaults(run=_end)


def check(settings: Settings) -> list[tuple[bool, str]]:
    """Return a line for each account: whether its platform lets us in. For `stoep check`."""
    return [(line.fine, line.words) for line in asyncio.run(_try_all(settings, _to_try(settings)))]


@dataclass(frozen=True, slots=True)
class _Line:
    fine: bool
    words: str


def _add(args: argparse.Namespace, settings: Settings) -> int:
    if args.kind != "email" or args.values:
        return generic.add(args, settings, write)
    for name in ("address", "imap", "smtp"):
        if not getattr(args, name):
            raise StoepError("A mailbox takes an address, --imap and --smtp.")
    config = _config(args)
    secret = json.dumps({_secret_name(args): _ask_secret()})
    account = Account(id="", kind="email", name="", team_id="", config=config)
    error = asyncio.run(_sign_in(account, secret, test=not args.no_test))
    if error is not None:
        raise StoepError(_told(error, settings))
    print(f"{write(settings, lambda s: _keep(s, args, config, seal(settings, secret)))} is added.")
    return 0


def _keep(session: Session, args: argparse.Namespace, config: dict[str, Any], sealed: str) -> str:
    team = session.exec(
        select(Team).where((col(Team.name) == args.team) | (col(Team.id) == args.team))
    ).first()
    if team is None:
        raise StoepError(f"There is no team {args.team}; see `stoep team list`.")
    if args.area and session.get(Area, args.area) is None:
        raise StoepError(f"There is no area {args.area}; see `stoep area import`.")
    now_ms = SystemClock().now_ms()
    account = _known(session, args.address)
    if account is None:
        since_ms = _since_ms(args.since) if args.since else now_ms
        account = Account(
            id=uuid7(now_ms),
            kind="email",
            name=args.name or args.address,
            team_id=team.id,
            config=config | {"since_ms": since_ms},
            health_since_ms=now_ms,
        )
    else:
        # What was read stays read: the floor only moves when it is asked for.
        floor = _since_ms(args.since) if args.since else account.config.get("since_ms", now_ms)
        if args.since or account.config.get("folder") != config["folder"]:
            account.cursor = None
        account.config = config | {"since_ms": floor}
        account.name, account.team_id = args.name or account.name, team.id
    account.area, account.secret, account.enabled = args.area or None, sealed, True
    account.health, account.health_detail = "working", ""
    session.add(account)
    session.flush()
    touch(session, "account", account.id)
    return account.name


def _config(args: argparse.Namespace) -> dict[str, Any]:
    config: dict[str, Any] = {
        "address": args.address,
        "imap_tls": args.imap_tls,
        "smtp_tls": args.smtp_tls,
        "ca_file": args.ca_file,
        "username": args.username,
        "folder": args.folder,
        "sent_folder": args.sent_folder,
        "plus_addressing": not args.no_plus,
        "delivery_reports": args.delivery_reports,
    }
    for name, given in (("imap", args.imap), ("smtp", args.smtp)):
        host, port = _host_and_port(given, DEFAULT_PORTS.get((name, config[f"{name}_tls"])), name)
        config |= {f"{name}_host": host, f"{name}_port": port}
    if args.oauth_token_url:
        config["auth"] = "xoauth2"
        config["oauth"] = {
            "token_url": args.oauth_token_url,
            "client_id": args.oauth_client_id,
            "scope": args.oauth_scope,
        }
    return config


def _host_and_port(given: str, default: int | None, name: str) -> tuple[str, int]:
    host, colon, port = given.rpartition(":")
    if not colon:
        return given, default or (143 if name == "imap" else 25)
    if not port.isdecimal():
        raise StoepError(f"--{name}: {given} is no host or host:port.")
    return host, int(port)


def _since_ms(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise StoepError(f"--since: {day} is no day like 2026-11-02.") from None


def _secret_name(args: argparse.Namespace) -> str:
    if not args.oauth_token_url:
        return "password"
    return "refresh_token" if args.oauth_refresh else "client_secret"


def _ask_secret() -> str:
    secret = (
        getpass.getpass("Password or secret: ") if sys.stdin.isatty() else sys.stdin.readline()
    ).rstrip("\r\n")
    if not secret:
        raise StoepError("No password was given.")
    return secret


def _test(args: argparse.Namespace, settings: Settings) -> int:
    accounts = _to_try(settings, args.address)
    if not accounts:
        raise StoepError(f"There is no account {args.address or ''}".rstrip() + ".")
    lines = asyncio.run(_try_all(settings, accounts))
    for line in lines:
        print(f"{'ok  ' if line.fine else 'FAIL'}  {line.words}")
    return 0 if all(line.fine for line in lines) else 1


async def _try_all(settings: Settings, accounts: list[Account]) -> list[_Line]:
    async def one(account: Account) -> _Line:
        error = await _sign_in(account, unseal(settings, account.secret), test=True)
        words = f"{'mailbox' if account.kind == 'email' else account.kind} {account.name}"
        return _Line(error is None, f"{words}: {_told(error, settings)}" if error else words)

    return list(await asyncio.gather(*(one(account) for account in accounts)))


async def _sign_in(account: Account, secret: str, *, test: bool) -> ChannelError | None:
    """Sign in at both servers; return what went wrong. Without `test` only the config is read."""
    try:
        adapter = registry.adapter_of(account, secret, SystemClock().now_ms)
    except ChannelError as error:
        return error
    if adapter is None:
        return None
    try:
        if test:
            await adapter.check()
    except ChannelError as error:
        return error
    finally:
        await adapter.close()
    return None


def _told(error: ChannelError, settings: Settings) -> str:
    return f"{sentence(error.code, settings.language)} ({error.detail or error.code})"


def _list(_args: argparse.Namespace, settings: Settings) -> int:
    def lines(session: Session) -> list[str]:
        teams = {team.id: team.name for team in session.exec(select(Team))}
        return [
            f"{account.kind}  {account.name}  {account.config.get('address', '')}"
            f"  {teams.get(account.team_id, '')}  {account.health}"
            f"{_standing(account)}  {account.id}"
            for account in session.exec(select(Account).order_by(Account.kind, Account.name))
        ]

    for line in write(settings, lines):
        print(line)
    return 0


def _switch(args: argparse.Namespace, settings: Settings) -> int:
    def switch(session: Session) -> str:
        account = _known(session, args.address)
        if account is None:
            raise StoepError(f"There is no channel {args.address}; see `stoep channel list`.")
        accounts.switch(session, account, args.enabled)
        return account.name

    name = write(settings, switch)
    print(f"{name} is {'enabled' if args.enabled else 'disabled'}.")
    return 0


def _end(args: argparse.Namespace, settings: Settings) -> int:
    def end(session: Session) -> str:
        account = _known(session, args.address)
        if account is None:
            raise StoepError(f"There is no channel {args.address}; see `stoep channel list`.")
        accounts.end(session, account, now_ms=SystemClock().now_ms())
        return account.name

    print(f"{write(settings, end)} has ended; its history stays.")
    return 0


def _standing(account: Account) -> str:
    if account.ended_at_ms is not None:
        return "  ended"
    return "" if account.enabled else "  disabled"


def _known(session: Session, address: str) -> Account | None:
    """Find an account by its id, its address, or a name that only one has."""
    named = []
    for account in session.exec(select(Account).order_by(col(Account.id))):
        known = str(account.config.get("address", "")).lower()
        if account.id == address or (known and known == address.lower()):
            return account
        if account.name == address:
            named.append(account)
    return named[0] if len(named) == 1 else None


def _to_try(settings: Settings, address: str | None = None) -> list[Account]:
    """Return the accounts that a platform lets in: one, or all that are enabled."""

    def find(session: Session) -> list[Account]:
        if address is not None:
            one = _known(session, address)
            wanted = [one] if one is not None else []
        else:
            query = select(Account).where(col(Account.enabled)).order_by(col(Account.id))
            wanted = [one for one in session.exec(query) if accounts.can_be_added(one.kind)]
        for account in wanted:
            session.expunge(account)
        return wanted

    return write(settings, find)


def write(settings: Settings, work: Callable[[Session], T]) -> T:
    """Run one transaction on a migrated database, with the feed told of it."""
    # The application itself is loaded only when a command needs the database.
    from app.main import open_database
    from app.migrate import upgrade

    upgrade(settings.database)
    db = open_database(settings)
    try:
        return db.write_now(work)
    finally:
        db.close()

"""`stoep channel add --kind …`: an account of any kind, from the fields that it asks for."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Callable
from typing import Any

from app.channels import accounts, registry
from app.channels.accounts import Candidate
from app.channels.contract import Setup
from app.channels.sentences import sentence
from app.channels.setup import WrongValues, identity, read
from app.clock import SystemClock
from app.config import Settings
from app.errors import StoepError

Write = Callable[..., Any]


def kinds(_args: argparse.Namespace, settings: Settings) -> int:
    """Print each kind that can be added, with its fields."""
    column = 0 if settings.language == "nl" else 1
    for name, kind in registry.KINDS.items():
        if kind.setup is None:
            continue
        print(f"{name}  {kind.title[column]}")
        for field in kind.setup.fields:
            needed = "" if field.required else "  (optional)"
            print(f"    {field.name}  {field.kind}  {field.label[column]}{needed}")
    return 0


def add(args: argparse.Namespace, settings: Settings, write: Write) -> int:
    """Try what was given, and keep it when the platform lets us in."""
    if not accounts.can_be_added(args.kind):
        raise StoepError(f"There is no kind {args.kind} to add; see `stoep channel kinds`.")
    setup = accounts.setup_of(args.kind)
    try:
        given = _given(setup, args.values) | _asked(setup, settings)
        values = read(setup, given, private_hosts=settings.private_hosts)
    except WrongValues as error:
        column = 0 if settings.language == "nl" else 1
        raise StoepError(" ".join(one.words[column] for one in error.wrong)) from None
    name = args.name or next(filter(None, identity(setup, values.config)), args.kind)
    area = args.area or None
    candidate = Candidate(args.kind, name, args.team, area, values.config, values.opened)
    write(settings, lambda session: accounts.place(session, args.team, area))
    now_ms = SystemClock().now_ms
    if not args.no_test:
        tried = asyncio.run(accounts.try_out(candidate, candidate.secret, now_ms))
        if tried.error is not None:
            said = sentence(tried.error.code, settings.language)
            raise StoepError(f"{said} ({tried.error.detail or tried.error.code})")
        candidate.is_known_as(tried.known_as)
    account_id = write(
        settings,
        lambda session: accounts.add(session, settings, candidate, now_ms=now_ms()).id,
    )
    print(f"{name} is added.")
    if not args.no_test and tried.called:
        print(f"Have the platform call {settings.origin}/hooks/{account_id}")
    return 0


def _given(setup: Setup, said: list[str]) -> dict[str, Any]:
    kinds_of = {field.name: field.kind for field in setup.fields}
    given: dict[str, Any] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals:
            raise StoepError(f"--set: {name} is not NAME=VALUE.")
        if kinds_of.get(name) == "secret":
            # A command line is read by everybody on the machine, and kept in a history.
            raise StoepError(f"--set: {name} is a secret; it is asked for, or read from input.")
        if kinds_of.get(name) == "lines":
            given[name] = [*given.get(name, []), value]
        else:
            given[name] = value
    return given


def _asked(setup: Setup, settings: Settings) -> dict[str, str]:
    column = 0 if settings.language == "nl" else 1
    asked = {}
    for field in setup.fields:
        if field.kind == "secret":
            ask = getpass.getpass if sys.stdin.isatty() else _line
            asked[field.name] = ask(f"{field.label[column]}: ").rstrip("\r\n")
    return asked


def _line(_prompt: str) -> str:
    return sys.stdin.readline()

"""The command line: `stoep serve`, and what keeps it running.

    serve      the web server; fetches and delivers too, unless STOEP_WORKER=false
    worker     fetches and delivers only; on PostgreSQL as many as you like
    demo       a demonstration municipality, loaded when the database is empty, then served
    check      whether configuration, database, mailboxes, push and SMS are in order
    backup     a copy of a running SQLite database
    openapi    the description of the API

`user`, `channel` and `vapid` come from the features themselves: each `app/<feature>/cli.py` has a
`register(subparsers)`, and its parsers set `run` to a function `(args, settings) -> exit code`.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvicorn

from app import migrate, paths
from app.accounts import cli as accounts
from app.channels import cli as channels
from app.config import Settings, load_settings
from app.errors import ConfigError, StoepError
from app.oncall import check as oncall_check
from app.push import check as push_check
from app.push import cli as push

FEATURES = (accounts, channels, push)

WRONG_CONFIGURATION = 2
DRAIN_S = 5
"""How long open requests may take to end when the server is told to stop; streams never end."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; 2 is a configuration or a call that is wrong."""
    args = _parser().parse_args(arguments)
    os.umask(0o077)  # what we write holds residents' words: nobody else on this machine reads it
    try:
        code: int = args.run(args, _settings(args))
    except StoepError as error:
        print(f"stoep: {error}", file=sys.stderr)
        return WRONG_CONFIGURATION if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stoep",
        description="Conversations of a municipality's neighbourhood coordinators, on the phone.",
        epilog="Settings come from the environment (STOEP_…); the README lists them.",
    )
    parser.add_argument("--version", action="version", version=f"stoep {version('stoep')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="serve the app; migrates the database first")
    _listening(serve)
    serve.set_defaults(run=_serve)

    worker = commands.add_parser("worker", help="fetch and deliver, without a web server")
    worker.set_defaults(run=_worker)

    demo = commands.add_parser("demo", help="serve a demonstration municipality")
    _listening(demo)
    demo.add_argument("--load-only", action="store_true", help="load it and stop")
    demo.set_defaults(run=_demo)

    check = commands.add_parser("check", help="say whether everything is in order")
    check.set_defaults(run=_check)

    backup = commands.add_parser("backup", help="copy the running SQLite database")
    backup.add_argument("file", type=Path, metavar="FILE", help="where to; must not exist yet")
    backup.set_defaults(run=_backup)

    openapi = commands.add_parser("openapi", help="print the description of the API as JSON")
    openapi.set_defaults(run=_openapi)

    for feature in FEATURES:
        feature.register(commands)
    return parser


def _listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (STOEP_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any (STOEP_PORT)")


def _settings(args: argparse.Namespace) -> Settings:
    """Read the settings; what was said on the command line goes before the environment."""
    said = {name: getattr(args, name, None) for name in ("host", "port")}
    return load_settings(**{name: value for name, value in said.items() if value is not None})


def _serve(_args: argparse.Namespace, settings: Settings) -> int:
    migrate.upgrade(settings.database)
    with _bind(settings) as listener:
        return _listen(listener, _with_port(settings, listener))


def _with_port(settings: Settings, listener: socket.socket) -> Settings:
    """Return the settings with the port that the machine chose for 0; links carry it."""
    return settings.model_copy(update={"port": listener.getsockname()[1]})


def _listen(listener: socket.socket, settings: Settings) -> int:
    from app.main import create_app  # only the server needs it; the small commands start faster

    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            log_level=settings.log_level,
            # The address of a resident's page is a secret, so addresses are not logged.
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
    # uvicorn raises the signal once more when it has ended in good order; that is no failure.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    # What the start has made stays for good; without this every full collection walks through it.
    gc.collect()
    gc.freeze()
    print(f"Stoep listens on {settings.origin}", flush=True)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _bind(settings: Settings) -> socket.socket:
    """Return a listening socket. Raises ConfigError when the address is not to be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Whoever reads "listens" may connect at once; it waits in line until the app has started.
        listener.listen(2048)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(f"Cannot listen on {where}: {error.strerror or error}.") from error
    return listener


def _worker(_args: argparse.Namespace, settings: Settings) -> int:
    from app.main import run_worker

    async def until_told_to_stop() -> None:
        work = asyncio.create_task(run_worker(settings))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work

    migrate.upgrade(settings.database)
    asyncio.run(until_told_to_stop())
    return 0


def _demo(args: argparse.Namespace, settings: Settings) -> int:
    settings = settings.model_copy(update={"demo": True})
    migrate.upgrade(settings.database)
    if args.load_only:
        _load_demonstration(settings)
        return 0
    with _bind(settings) as listener:
        settings = _with_port(settings, listener)
        _load_demonstration(settings)
        return _listen(listener, settings)


def _load_demonstration(settings: Settings) -> None:
    from app import demo
    from app.main import open_database

    database = open_database(settings)
    try:
        demo.load(database, settings)
    finally:
        database.close()


def _check(_args: argparse.Namespace, settings: Settings) -> int:
    """Print one line a thing; the exit code is 1 when something is not in order."""
    revision = migrate.current(settings.database)
    head = migrate.head()
    lines: list[tuple[bool, str]] = [
        (True, "configuration"),
        (True, f"database {settings.database.split('://')[0]}"),
        (revision == head, f"migrations: {revision or 'none'}, this version needs {head}"),
        (True, f"front end {paths.front_end()['build']}"),
    ]
    if revision == head:
        lines += [*channels.check(settings), *push_check.check(settings)]
        lines += oncall_check.check(settings)
    for fine, line in lines:
        print(f"{'ok  ' if fine else 'FAIL'}  {line}")
    return 0 if all(fine for fine, _ in lines) else 1


def _backup(args: argparse.Namespace, settings: Settings) -> int:
    if not settings.database.startswith("sqlite:///"):
        raise ConfigError(
            "This database is PostgreSQL: use pg_dump, and keep the key file of the data folder."
        )
    source = Path(settings.database.removeprefix("sqlite:///"))
    target: Path = args.file
    if not source.exists():
        raise ConfigError(f"There is no database at {source}.")
    if target.exists():
        raise ConfigError(f"{target} is there already; a backup never writes over a file.")
    if not target.parent.is_dir():
        raise ConfigError(f"There is no folder {target.parent}.")
    connection = sqlite3.connect(source)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
    _verify(target)
    print(f"{target}: {target.stat().st_size} bytes, sound. Keep {settings.data_dir / 'key'} too.")
    return 0


def _verify(copy: Path) -> None:
    """Read the copy through. Raises StoepError when it is damaged, and leaves it for a look."""
    connection = sqlite3.connect(copy)
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    if verdict != "ok":
        raise StoepError(f"The copy {copy} is damaged: {verdict}.")
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def _openapi(_args: argparse.Namespace, settings: Settings) -> int:
    from app.main import create_app

    description: dict[str, Any] = create_app(settings).openapi()
    print(json.dumps(description, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())

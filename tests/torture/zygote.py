"""Starts real servers in tens of milliseconds: everything is imported once, then forked.

A server made here is what `stoep serve` makes, with three additions: the levers' clock, doors for
residents (`doors.py`), and points at which it kills itself as a power failure would.
"""

import asyncio
import gc
import json
import os
import random
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine, ExceptionContext, event
from sqlmodel import Session

from app import cli, main
from app.channels.email import EmailChannel
from app.config import Settings
from tests.torture import doors, faults
from tests.torture.levers import Levers


@dataclass(frozen=True, slots=True)
class Order:
    """What to start: the web server, or a worker beside it."""

    what: str
    settings: dict[str, Any]
    levers: str
    seed: int
    fault: str = ""
    log: str = "/dev/null"


def line_of(order: Order) -> str:
    """Return the order as one line."""
    return json.dumps(asdict(order)) + "\n"


def run() -> None:
    """Fork a server for each line of standard input; each says its process id when it listens."""
    # Nobody waits for the children here: who gave the order watches them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        if os.fork() == 0:
            try:
                _become(Order(**json.loads(line)))
            except Exception as error:  # noqa: BLE001  (a forked process must not go on as its parent)
                _say({"error": repr(error)})
            os._exit(0)


def _become(order: Order) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    settings = Settings(**order.settings)
    levers = Levers(Path(order.levers))
    chance = random.Random(order.seed)
    faults.plant(order.fault)
    event.listen(Engine, "handle_error", _log_statement)
    _die_around_sending(levers, chance)
    if order.what == "worker":
        _announce(0)
        asyncio.run(main.run_worker(settings, clock=levers))
        return
    made = main.create_app

    def create(given: Settings) -> FastAPI:
        app = made(given, clock=levers)
        doors.open_doors(app)
        _die_around_commits(app, levers, chance)
        return app

    main.create_app = create  # type: ignore[assignment]
    listener = cli._bind(settings)
    _announce(listener.getsockname()[1])
    cli._listen(listener, settings)


def _log_statement(context: ExceptionContext) -> None:
    """The program itself logs no such thing: here no resident lives whose words it could hold."""
    print(repr(context.original_exception), context.statement, file=sys.stderr, flush=True)


def _announce(port: int) -> None:
    _say({"pid": os.getpid(), "port": port})
    # Only the zygote's own lines go to standard output.
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)


def _say(what: dict[str, Any]) -> None:
    os.write(1, (json.dumps(what) + "\n").encode())


def _die(levers: Levers, chance: random.Random) -> None:
    if chance.random() < levers.crash_share:
        os.kill(os.getpid(), signal.SIGKILL)


def _die_around_commits(app: FastAPI, levers: Levers, chance: random.Random) -> None:
    def before(_session: Session) -> None:
        _die(levers, chance)

    def after(_news: dict[str, object]) -> None:
        _die(levers, chance)

    app.state.db.before_commit.append(before)
    app.state.db.after_commit.insert(0, after)


def _die_around_sending(levers: Levers, chance: random.Random) -> None:
    """Die before the mail server hears of a reply, or after it took it and before we noted so."""
    really = EmailChannel.send

    async def send_or_die(self: EmailChannel, reply: Any) -> Any:
        _die(levers, chance)
        receipt = await really(self, reply)
        _die(levers, chance)
        return receipt

    EmailChannel.send = send_or_die  # type: ignore[method-assign]

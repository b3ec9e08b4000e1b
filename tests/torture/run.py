"""Play random histories against the real program, on SQLite and PostgreSQL side by side.

    python tests/torture/run.py --histories 1000 --seed 7
    python tests/torture/run.py --only sqlite --seed 7 --histories 12    one group again
    python tests/torture/run.py --faults                                 every planted fault

A history is a seed: some twenty deeds of three phones, residents and colleagues, over lines that
fail, with a server that is killed. After each group the world heals and the promises are checked.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from app import migrate  # noqa: E402
from app.db import Database  # noqa: E402
from tests.peers import mail as mail_servers  # noqa: E402
from tests.peers.mail import MailServers  # noqa: E402
from tests.support import memory, postgres  # noqa: E402
from tests.torture import faults, playing, towns  # noqa: E402
from tests.torture.lane import Lane, Tally, Zygote, hatch, reader_of  # noqa: E402

ACTIONS = 22
FAULT_HISTORIES = 240
"""After this many histories a planted fault counts as not found."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one lane is to play."""

    engine: str
    histories: int
    seed: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """What one lane reports: its tally, and for each planted fault how it was found."""

    tally: Tally
    found: dict[str, tuple[int, str] | None]


def main() -> int:
    """Play what was asked for; the exit code is 1 when a promise was broken."""
    args = playing.arguments(__doc__).parse_args()
    lacking = mail_servers.missing()
    programs = postgres.programs()
    if lacking or programs is None:
        print(f"The simulation needs {lacking or 'PostgreSQL (Debian: postgresql)'}.")
        return 1
    began_s = time.monotonic()
    engines = playing.engines_of(args)
    tasks = _tasks(args, engines, playing.seed_of(args))
    memory.use()
    mail = MailServers()
    mail.start_dovecot()
    cluster = postgres.Cluster(programs) if "postgresql" in engines else None
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        ended = [playing.join(child) for child in [_fork(t, folder, mail, cluster) for t in tasks]]
    finally:
        mail.stop()
        if cluster is not None:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return _report(tasks, ended, time.monotonic() - began_s)


def _tasks(args: argparse.Namespace, engines: list[str], seed: int) -> list[Task]:
    if args.faults is None:
        shares = playing.shares(engines, args.histories, seed)
        return [Task(one.engine, one.histories, one.seed) for one in shares]
    wanted = args.faults or list(faults.PLANTED)
    return [
        Task(
            engine,
            FAULT_HISTORIES,
            seed,
            tuple(name for name in wanted if faults.PLANTED[name].plays_on(engine, engines)),
        )
        for engine in engines
    ]


def _fork(
    task: Task, folder: Path, mail: MailServers, cluster: postgres.Cluster | None
) -> playing.Child:
    mailboxes = [mail.mailbox() for _ in range(towns.COUNT)]

    def play() -> Ended:
        own = folder / task.engine
        own.mkdir()
        return _play(task, own, mail, mailboxes, cluster)

    return playing.fork(task.engine, play)


def _play(
    task: Task,
    folder: Path,
    mail: MailServers,
    mailboxes: list[str],
    cluster: postgres.Cluster | None,
) -> Ended:
    orders, answers, pid = hatch()
    _take_photos(folder)

    async def play() -> Ended:
        zygote = Zygote(orders, await reader_of(answers))
        async with Lane(folder, mail, mailboxes, zygote, actions=ACTIONS) as lane:
            fresh, template = _databases(task, folder, lane, cluster)
            if not task.faults:
                await _play_all(task, lane, fresh, template)
                return Ended(lane.tally, {})
            found = {name: await _find(task, name, lane, fresh, template) for name in task.faults}
            return Ended(lane.tally, found)

    try:
        return asyncio.run(play())
    finally:
        orders.close()
        os.waitpid(pid, 0)


Fresh = Callable[[], Iterator[str]]


def _databases(
    task: Task, folder: Path, lane: Lane, cluster: postgres.Cluster | None
) -> tuple[Fresh, list[dict[str, Any]]]:
    """Build the towns once; return how to get a copy of them, and what they are."""
    if cluster is None or task.engine == "sqlite":
        path = folder / "template.db"
        url = f"sqlite:///{path}"

        def fresh() -> Iterator[str]:
            copy = folder / "stoep.db"
            for file in folder.glob("stoep.db*"):
                file.unlink()
            shutil.copy(path, copy)
            yield f"sqlite:///{copy}"
    else:
        name = cluster.create()
        url = cluster.url(name)

        def fresh() -> Iterator[str]:
            copy = cluster.create(name)
            yield cluster.url(copy)
            cluster.drop(copy)

    migrate.upgrade(url)
    database = Database(url)
    template = towns.build(database, lane.mailboxes(), lane.password(), time.time_ns() // 1_000_000)
    database.close()
    return fresh, template


async def _play_all(task: Task, lane: Lane, fresh: Fresh, template: list[dict[str, Any]]) -> None:
    for seeds in _groups(task):
        for url in fresh():
            beside = task.engine == "postgresql"
            failures = await lane.play(url, template, seeds, worker=beside)
        for seed, what in failures:
            print(f"BROKEN {_replay(task, seed)}: {what}", flush=True)


def _replay(task: Task, seed: int) -> str:
    """Return a failing seed, and how its group is played again."""
    first = task.seed + (seed - task.seed) // towns.COUNT * towns.COUNT
    count = min(towns.COUNT, task.seed + task.histories - first)
    return (
        f"{task.engine} seed {seed}"
        f" (make torture N={count} SEED={first} ARGS='--only {task.engine}')"
    )


async def _find(
    task: Task, name: str, lane: Lane, fresh: Fresh, template: list[dict[str, Any]]
) -> tuple[int, str] | None:
    """Play with a planted fault until a promise breaks; return after how many histories."""
    played = 0
    for seeds in _groups(task):
        for url in fresh():
            failures = await lane.play(
                url, template, seeds, fault=name, worker=task.engine == "postgresql"
            )
        if failures:
            order = [seed for seed, _ in failures]
            after = played + seeds.index(order[0]) + 1
            print(f"found after {after} histories: {name} ({failures[0][1][:100]})", flush=True)
            return after, failures[0][1]
        played += len(seeds)
    print(f"NOT FOUND in {played} histories: {name}", flush=True)
    return None


def _groups(task: Task) -> Iterator[list[int]]:
    seeds = iter(range(task.seed, task.seed + task.histories))
    while group := list(itertools.islice(seeds, towns.COUNT)):
        yield group


def _take_photos(folder: Path) -> None:
    Image.new("RGB", (64, 48), "teal").save(folder / "small.jpg", "JPEG")
    # Noise does not compress: this one takes two pieces to send.
    Image.effect_noise((420, 420), 120).convert("RGB").save(
        folder / "large.jpg", "JPEG", quality=95
    )


def _report(tasks: list[Task], ended: list[Ended | None], took_s: float) -> int:
    broken = 0
    played = 0
    for task, end in zip(tasks, ended, strict=True):
        if end is None:
            broken += 1
            continue
        tally = end.tally
        played += tally.histories
        struck = tally.faults.total() - tally.faults["none"] - tally.faults["cut"]
        print(
            f"{task.engine}: {tally.histories} histories from seed {task.seed},"
            f" {tally.operations} operations, {tally.requests} requests, {struck} faults on the"
            f" line, {tally.kills} deaths of the server, {tally.mails.total()} mails"
            f" ({tally.mails['lost']} answers lost), slowest to leave {tally.liveness_ms} ms"
        )
        if task.faults:
            broken += sum(found is None for found in end.found.values())
        else:
            broken += len(tally.failures)
            # Again here: of a long log only the end may be left.
            for failing, why in tally.failures:
                print(f"BROKEN {_replay(task, failing)}: {why[:600]}")
    what = "planted faults not found" if any(task.faults for task in tasks) else "failed"
    return playing.close(played, broken, took_s, "real processes", what)


if __name__ == "__main__":
    sys.exit(main())

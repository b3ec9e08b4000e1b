"""Play random histories of the delivery worker against every channel's peer.

    python tests/torture/channels/run.py --histories 1000 --seed 7
    python tests/torture/channels/run.py --only sqlite --seed 7 --histories 1 --tell   one again
    python tests/torture/channels/run.py --faults                      every planted fault

A history is a seed: residents ask, coordinators answer, lines fail, tokens end and workers die, in
one process with a clock that jumps (`world.py`). On PostgreSQL two workers share the work. Then the
world heals, and what stands at the platforms is held against what the coordinators were told.
"""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from app import migrate  # noqa: E402
from tests.support import memory, postgres  # noqa: E402
from tests.support.town import build  # noqa: E402
from tests.torture import playing  # noqa: E402
from tests.torture.channels import faults, history  # noqa: E402
from tests.torture.channels.history import Lane  # noqa: E402
from tests.torture.channels.judge import judge  # noqa: E402
from tests.torture.channels.world import WorldDatabase  # noqa: E402

FAULT_HISTORIES = 150
"""After this many histories a planted fault counts as not found."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one lane is to play."""

    engine: str
    url: str
    histories: int
    seed: int
    fault: str = ""
    tell: bool = False
    until_s: float = 1e9
    """After how long it begins no further one."""


@dataclass
class Tally:
    """What a lane saw."""

    histories: int = 0
    replies: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    deaths: int = 0
    broken: list[tuple[int, list[str]]] = field(default_factory=list)


def main() -> int:
    """Play what was asked for; the exit code is 1 when a promise was broken."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts depends on it, and a seed must mean the same every time.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    parser = playing.arguments(__doc__)
    parser.add_argument("--tell", action="store_true", help="say all that happened")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin none after so long")
    args = parser.parse_args()
    engines = playing.engines_of(args)
    programs = postgres.programs()
    if programs is None and "postgresql" in engines:
        print("The simulation needs PostgreSQL (Debian: postgresql).")
        return 1
    seed = playing.seed_of(args, "channels: ")
    began_s = time.monotonic()
    memory.use()
    folder = Path(tempfile.mkdtemp(prefix="channels-"))
    cluster = postgres.Cluster(programs) if programs and "postgresql" in engines else None
    try:
        fresh = {engine: _fresh(engine, folder, cluster) for engine in engines}
        if args.faults is not None:
            return _find(args.faults or list(faults.PLANTED), engines, fresh, seed)
        tasks = [
            Task(one.engine, fresh[one.engine](), one.histories, one.seed, tell=args.tell,
                 until_s=began_s + args.seconds)
            for one in playing.shares(engines, args.histories, seed)
        ]  # fmt: skip
        tallies = [playing.join(child) for child in [_fork(task) for task in tasks]]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if cluster is not None:
            cluster.stop()
    return _report(tasks, tallies, time.monotonic() - began_s)


def _fresh(engine: str, folder: Path, cluster: postgres.Cluster | None) -> Callable[[], str]:
    """Migrate a database once; return what gives the address of a copy of it."""
    if engine == "sqlite" or cluster is None:
        template = folder / "template.db"
        migrate.upgrade(f"sqlite:///{template}")

        def fresh() -> str:
            copy = Path(tempfile.mkdtemp(dir=folder)) / "stoep.db"
            shutil.copy(template, copy)
            return f"sqlite:///{copy}"
    else:
        name = cluster.create()
        migrate.upgrade(cluster.url(name))

        def fresh() -> str:
            return cluster.url(cluster.create(name))

    return fresh


def _fork(task: Task) -> playing.Child:
    return playing.fork(task.engine, lambda: _play(task))


def _play(task: Task) -> Tally:
    db = WorldDatabase(task.url)
    lane = Lane(db, build(db), workers=2 if task.engine == "postgresql" else 1)
    history.prepare()
    faults.plant(task.fault)
    tally = Tally()
    for seed in range(task.seed, task.seed + task.histories):
        if time.monotonic() > task.until_s:
            break
        played, wrong = history.play(lane, seed, judge)
        tally.histories += 1
        tally.replies += history.told(lane, played)
        tally.struck += sum(line.struck for line in played.lines.values())
        tally.deaths += played.deaths
        if task.tell:
            print("\n".join(played.tell()), flush=True)
        if wrong:
            tally.broken.append((seed, wrong))
            if task.fault:
                break
            print(f"BROKEN {_replay(task, seed)}: {'; '.join(wrong)[:1500]}", flush=True)
        history.clear(lane)
    db.close()
    return tally


def _replay(task: Task, seed: int) -> str:
    """Return a failing seed, and how it is played again."""
    again = f"N=1 SEED={seed} ARGS='--only {task.engine} --tell'"
    return f"{task.engine} seed {seed} (make torture SIMULATIONS=channels/run.py {again})"


def _find(
    names: list[str], engines: list[str], fresh: dict[str, Callable[[], str]], seed: int
) -> int:
    """Play with each planted fault until a promise breaks; return 1 when one was not found."""
    missed = 0
    for name in names:
        planted = faults.PLANTED[name]
        engine = planted.engine if planted.engine in engines else engines[0]
        task = Task(engine, fresh[engine](), FAULT_HISTORIES, seed, name)
        tally: Tally | None = playing.join(_fork(task))
        if tally is not None and tally.broken:
            ((failing, wrong),) = tally.broken
            after = failing - seed + 1
            print(f"found after {after} histories: {name} ({wrong[0][:140]})", flush=True)
        else:
            missed += 1
            print(f"NOT FOUND in {FAULT_HISTORIES} histories: {name}", flush=True)
    print(f"{len(names) - missed} passed, {missed} planted faults not found")
    return 1 if missed else 0


def _report(tasks: list[Task], tallies: list[Tally | None], took_s: float) -> int:
    played = broken = 0
    for task, tally in zip(tasks, tallies, strict=True):
        if tally is None:
            broken += 1
            continue
        played += tally.histories
        broken += len(tally.broken)
        told = ", ".join(f"{count} {state}" for state, count in sorted(tally.replies.items()))
        print(
            f"channels on {task.engine}: {tally.histories} histories from seed {task.seed},"
            f" {tally.replies.total()} replies ({told}), {tally.struck} requests struck,"
            f" {tally.deaths} deaths of a worker"
        )
        # Again here: of a long log only the end may be left.
        for seed, wrong in tally.broken:
            print(f"BROKEN {_replay(task, seed)}: {'; '.join(wrong)[:600]}")
    return playing.close(played, broken, took_s, "a world of its own")


if __name__ == "__main__":
    sys.exit(main())

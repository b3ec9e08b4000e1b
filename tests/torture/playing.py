"""What the simulations share: what is asked of them, and lanes in processes of their own."""

import argparse
import os
import pickle
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

ENGINES = ("sqlite", "postgresql")
APART = 500_000_000
"""How far the seeds of the two kinds of database are apart."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one kind of database is to play."""

    engine: str
    histories: int
    seed: int


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return what every simulation can be asked for."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else None)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", choices=ENGINES)
    parser.add_argument(
        "--faults", nargs="*", metavar="NAME", help="planted faults, all by default"
    )
    return parser


def engines_of(args: argparse.Namespace) -> list[str]:
    """Return the kinds of database that are played on."""
    return [args.only] if args.only else list(ENGINES)


def seed_of(args: argparse.Namespace, name: str = "") -> int:
    """Return the first seed, drawn when none was asked for.

    Said before anything can hang, so that a run that is cut off can be played again.
    """
    seed: int = args.seed if args.seed is not None else random.randrange(1, 10**6) * 1000
    print(f"{name}base seed {seed} (--seed {seed})", flush=True)
    return seed


def shares(engines: Sequence[str], histories: int, seed: int) -> list[Share]:
    """Divide histories among the kinds of database."""
    each = -(-histories // len(engines))
    return [Share(engine, each, seed + at * APART) for at, engine in enumerate(engines)]


Child = tuple[int, int]


def fork(name: str, play: Callable[[], Any]) -> Child:
    """Play in a process of its own; everything is imported already."""
    there, here = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(there)
        code = 1
        try:
            ended = play()
            with os.fdopen(here, "wb") as pipe:
                pickle.dump(ended, pipe)
            code = 0
        except BaseException as error:  # noqa: BLE001  (a forked process must not go on as its parent)
            print(f"{name}: {error!r}", flush=True)
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(here)
    return pid, there


def join(child: Child) -> Any:
    """Return what was played; None when its process ended before."""
    pid, there = child
    with os.fdopen(there, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(said) if said else None


def close(played: int, broken: int, took_s: float, where: str, what: str = "failed") -> int:
    """Say how it ended; the exit code is 1 when a promise was broken."""
    print(f"{played - broken} passed, {broken} {what} in {took_s:.0f} s ({where})")
    return 1 if broken else 0

"""Run all that CI runs, one stage after another, and say what each took.

    python scripts/check.py             everything
    python scripts/check.py lint types  these stages only

A stage that fails does not keep the others from running. The last line counts all tests.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import machine  # noqa: E402 - found through the line above

BIN = Path(sys.executable).parent
NPM = [sys.executable, "scripts/node.py"]
HISTORIES = os.environ.get("HISTORIES", "60")
"""Histories against the real program here; `make torture N=…` plays more."""

SEED = os.environ.get("SEED", "1000")
"""Here always the same ones, so that no dice decide about a change; `make torture` draws others."""

IN_MODEL = os.environ.setdefault("STOEP_HISTORIES", "1000")
"""Histories of the deterministic simulation, in the JavaScript tests."""

COUNTED = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
"""pytest's summary, and the plain closing line of other runners."""

NODE_COUNTED = re.compile(r"^\S+ (pass|fail|skipped|cancelled|todo) (\d+)$", re.MULTILINE)
"""The summary of node's test runner, with its sign before each line."""

OUTCOMES = {
    "pass": "passed",
    "passed": "passed",
    "fail": "failed",
    "failed": "failed",
    "error": "failed",
    "errors": "failed",
    "cancelled": "failed",
    "skipped": "skipped",
    "todo": "skipped",
}


@dataclass
class Outcome:
    """What became of one stage."""

    stage: str
    fine: bool
    took_s: float
    counts: dict[str, int]


def checks(*names: str) -> list[list[str]]:
    """Return commands of tools in the environment, given as lines."""
    lines = [line.split() for line in names]
    return [[str(BIN / words[0]), *words[1:]] for words in lines]


def lint() -> list[list[str]]:
    """Formatting and lint."""
    return checks("ruff format --check .", "ruff check .")


def types() -> list[list[str]]:
    """Types: Python strictly, and JavaScript through its comments."""
    folders = [f for f in ("tests", "scripts", "bench") if (ROOT / f).is_dir()]
    return [
        *checks(
            f"mypy --explicit-package-bases app hatch_build.py {' '.join(folders)}",
            "mypy alembic",
        ),
        [*NPM, "exec", "--", "tsc", "--project", "tsconfig.json"],
        [*NPM, "exec", "--", "tsc", "--project", "../tests/js/tsconfig.json"],
    ]


def build() -> list[list[str]]:
    """The front end, which the tests of the server and the browser serve."""
    return [["make", "--no-print-directory", "build"]]


def javascript() -> list[list[str]]:
    """The phone's modules without a browser."""
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/js/**/*.test.*js"))
    return [[*NPM, "node", "--test", "--test-reporter=spec", *files]]


def python() -> list[list[str]]:
    """The server, on SQLite and PostgreSQL."""
    return checks("pytest tests --ignore tests/browser --ignore tests/torture -n 2 --dist loadfile")


def browser() -> list[list[str]]:
    """The app in Chromium."""
    return checks("pytest tests/browser")


def torture() -> list[list[str]]:
    """The simulation: random histories against the real program."""
    return [[sys.executable, "tests/torture/run.py", "--histories", HISTORIES, "--seed", SEED]]


STAGES: dict[str, Callable[[], list[list[str]]]] = {
    "lint": lint,
    "types": types,
    "build": build,
    "javascript": javascript,
    "torture": torture,
    "browser": browser,
    "python": python,
}


TESTS = {"javascript", "torture", "browser", "python"}
"""Stages whose summaries are counted; a linter's "2 errors" is one failure."""


def run(stage: str) -> Outcome:
    """Run one stage's commands, passing on what they print, and count its tests."""
    print(f"\n== {stage}: {STAGES[stage].__doc__}", flush=True)
    began_s = time.monotonic()
    fine = True
    counts: dict[str, int] = {}
    for command in STAGES[stage]():
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if COUNTED.search(line) else last
            for word, number in NODE_COUNTED.findall(line.rstrip("\n")):
                counts[OUTCOMES[word]] = counts.get(OUTCOMES[word], 0) + int(number)
        for number, word in COUNTED.findall(last) if stage in TESTS else ():
            counts[OUTCOMES[word]] = counts.get(OUTCOMES[word], 0) + int(number)
        fine = process.wait() == 0 and fine
    return Outcome(stage, fine, time.monotonic() - began_s, counts)


def main(stages: list[str]) -> int:
    """Run the stages asked for, or all of them; 0 when every one was fine."""
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        print(f"no such stage: {', '.join(unknown)}; there are {', '.join(STAGES)}")
        return 2
    in_ci = bool(os.environ.get("CI"))
    lacking = machine.prepare(set(stages or STAGES))
    for line in lacking:
        print(line, flush=True)
    outcomes = [run(stage) for stage in stages or STAGES]

    print("\n== took")
    for outcome in outcomes:
        verdict = "ok" if outcome.fine else "FAILED"
        counts = ", ".join(f"{count} {word}" for word, count in outcome.counts.items())
        print(f"{outcome.took_s:7.1f} s  {outcome.stage:<10}  {verdict:<6}  {counts}")
    total = {
        word: sum(outcome.counts.get(word, 0) for outcome in outcomes)
        for word in ("passed", "failed", "skipped")
    }
    # A stage without tests counts as one: a formatter's complaint is a failure too.
    for outcome in outcomes:
        if not outcome.counts.get("failed"):
            total["passed"] += outcome.fine and not outcome.counts
            total["failed"] += not outcome.fine
    fine = all(outcome.fine for outcome in outcomes)
    if in_ci and (lacking or total["skipped"]):
        print("In CI nothing may be missing or skipped.")
        fine = False
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

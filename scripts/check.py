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

CHANNEL_HISTORIES = os.environ.get("CHANNEL_HISTORIES", "28")
"""Histories of the worker against every channel's peer; a slow machine ends earlier."""

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
    flaky: list[str]
    """Tests that passed only at the second try."""


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
    found = [path.relative_to(ROOT) for path in ROOT.glob("tests/js/**/*.test.*js")]
    # The simulations take longest and begin first; by itself Node would leave a core alone.
    files = sorted(str(path) for path in found)
    files.sort(key=lambda path: "/sim/" not in path)
    at_once = f"--test-concurrency={os.cpu_count() or 2}"
    return [[*NPM, "node", "--test", at_once, "--test-reporter=spec", *files]]


def python() -> list[list[str]]:
    """The server, on SQLite and PostgreSQL."""
    return checks(
        "pytest tests --ignore tests/browser --ignore tests/torture " + " ".join(PARALLEL)
    )


def browser() -> list[list[str]]:
    """The app in Chromium."""
    return checks("pytest tests/browser " + " ".join(PARALLEL))


def torture() -> list[list[str]]:
    """The simulations: random histories against the real program, and of delivering to channels."""
    channels = ["--histories", CHANNEL_HISTORIES, "--seed", SEED, "--seconds", "45"]
    return [
        [sys.executable, "tests/torture/run.py", "--histories", HISTORIES, "--seed", SEED],
        [sys.executable, "tests/torture/channels/run.py", *channels],
    ]


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

TESTS_FAILED = 1
"""pytest's exit code for it; 2 and higher are a run that did not happen as asked."""

FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/\S+)", re.MULTILINE)
"""A line of pytest's short summary."""

PARALLEL = ("-n", "2", "--dist", "loadfile")
"""Two at once: each process has servers, browsers and databases of its own."""

SECOND_TRY = 3
"""So many tests of pytest may fail and be tried once more, alone: a machine that is shared stands
still now and then. What fails twice is broken; what passed only then is named, to be mended."""


def run(stage: str) -> Outcome:
    """Run one stage's commands, passing on what they print, and count its tests."""
    print(f"\n== {stage}: {STAGES[stage].__doc__}", flush=True)
    began_s = time.monotonic()
    fine = True
    counts: dict[str, int] = {}
    flaky: list[str] = []
    for command in STAGES[stage]():
        code, found, failures = _play(command, stage in TESTS)
        few = 0 < len(failures) <= SECOND_TRY and found.get("failed") == len(failures)
        if code == TESTS_FAILED and few and Path(command[0]).name == "pytest":
            code, found = _once_more(command, found)
            flaky += failures if code == 0 else []
        for word, number in found.items():
            counts[word] = counts.get(word, 0) + number
        fine = code == 0 and fine
    return Outcome(stage, fine, time.monotonic() - began_s, counts, flaky)


def _once_more(command: list[str], found: dict[str, int]) -> tuple[int, dict[str, int]]:
    """Try what failed a second time, one after another; return the code and corrected counts."""
    print(f"\n== once more: the {found['failed']} that failed", flush=True)
    alone = [word for word in command if word not in PARALLEL]
    code, second, _ = _play([*alone, "--last-failed", "--last-failed-no-failures=none"], True)
    saved = second.get("passed", 0)
    passed, failed = found.get("passed", 0) + saved, found["failed"] - saved
    return code or int(failed != 0), {**found, "passed": passed, "failed": failed}


def _play(command: list[str], counted: bool) -> tuple[int, dict[str, int], list[str]]:
    """Run one command; return its exit code, its tests by outcome, and the names of the failed."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    counts: dict[str, int] = {}
    failures: list[str] = []
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line if COUNTED.search(line) else last
        failures += FAILED.findall(line)
        for word, number in NODE_COUNTED.findall(line.rstrip("\n")):
            counts[OUTCOMES[word]] = counts.get(OUTCOMES[word], 0) + int(number)
    for number, word in COUNTED.findall(last) if counted else ():
        counts[OUTCOMES[word]] = counts.get(OUTCOMES[word], 0) + int(number)
    return process.wait(), counts, failures


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
    for name in (name for outcome in outcomes for name in outcome.flaky):
        print(f"Passed only at the second try: {name}")
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

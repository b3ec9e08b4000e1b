"""The real program in a process of its own, as a municipality runs it."""

import os
import subprocess
import threading
from pathlib import Path

from tests.support.nursery import Born

START_TIMEOUT_S = 60
LISTENS = "Stoep listens on "


class Server:
    """`stoep serve` (or `demo`) on loopback; the port is a free one, or the one asked for."""

    def __init__(
        self,
        data_dir: Path,
        *,
        command: str = "serve",
        port: int = 0,
        program: tuple[str, ...] = (),
        cwd: Path | None = None,
        **settings: str,
    ) -> None:
        """Start it and wait until it listens.

        `program` is another than that of this checkout, which is forked (`nursery.py`). `settings`
        are `STOEP_…` variables without the prefix, in lower case: `window_days="30"`.
        Raises AssertionError with what the program said when it ends before it listens.
        """
        self.data_dir = data_dir
        self.said: list[str] = []
        self._log = data_dir.with_name(f"{data_dir.name}.log")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("STOEP_")}
        given = {f"STOEP_{name.upper()}": value for name, value in settings.items()}
        environment = inherited | {"STOEP_DATA_DIR": str(data_dir)} | given
        arguments = [command, "--port", str(port)]
        self.process: Born | subprocess.Popen[str]
        with self._log.open("a") as log:
            if program:
                self.process = subprocess.Popen(
                    [*program, *arguments],
                    cwd=cwd,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            else:
                self.process = Born(arguments, environment, log)
        self.url = self._wait_for_address()

    @property
    def log(self) -> str:
        """Everything it wrote to stderr, over all starts on this data folder."""
        return self._log.read_text()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """End it as a power failure would: SIGKILL."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """End it in good order and return its exit code; it may have ended already."""
        self.process.terminate()
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def _wait_for_address(self) -> str:
        assert self.process.stdout is not None
        watchdog = threading.Timer(START_TIMEOUT_S, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                self.said.append(line.rstrip("\n"))
                if line.startswith(LISTENS):
                    return line.removeprefix(LISTENS).strip()
        finally:
            watchdog.cancel()
        code = self._ended()
        raise AssertionError(f"the server ended with {code} before it listened:\n{self.log}")

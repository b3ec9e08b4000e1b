"""What the simulation moves in a running server: its clock, and how often it dies of itself.

Both lie in a few bytes of shared memory, so that they take effect at once and outlive the server.
"""

import mmap
import struct
import time
from pathlib import Path

SHAPE = struct.Struct("qd")


class Levers:
    """The shift of the clock in milliseconds, and the chance to die at each dangerous point."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(SHAPE.pack(0, 0.0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SHAPE.size)

    @property
    def shift_ms(self) -> int:
        """How far the server's clock is ahead of the machine's."""
        return int(SHAPE.unpack(self._memory[:])[0])

    @property
    def crash_share(self) -> float:
        """The chance that the server kills itself at a dangerous point."""
        return float(SHAPE.unpack(self._memory[:])[1])

    def put(self, *, shift_ms: int | None = None, crash_share: float | None = None) -> None:
        """Move what is given; leave the rest."""
        self._memory[:] = SHAPE.pack(
            self.shift_ms if shift_ms is None else shift_ms,
            self.crash_share if crash_share is None else crash_share,
        )

    def now_ms(self) -> int:
        """Return the instant by the shifted clock: a `Clock` for the server."""
        return time.time_ns() // 1_000_000 + self.shift_ms

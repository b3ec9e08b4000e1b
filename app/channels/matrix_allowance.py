"""What the files of one fetch may take together: bytes, and seconds.

Each file has limits of its own; fifty of them within theirs still fill a memory, or take longer
than a fetch may, and a fetch that is given up is begun again with the same fifty, for ever. What
goes over the allowance is left out, and said with the message.
"""

import time
from collections.abc import Callable

MAX_TOTAL_BYTES = 40_000_000
MAX_TOTAL_S = 60.0
"""Well within the time of one fetch (`fetching.FETCH_S`)."""


class Allowance:
    """What is left for the files of one fetch."""

    def __init__(
        self,
        max_bytes: int = MAX_TOTAL_BYTES,
        max_s: float = MAX_TOTAL_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left_bytes = max_bytes
        self._now_s = now_s
        self._ends_s = now_s() + max_s

    @property
    def left_bytes(self) -> int:
        return max(0, self._left_bytes)

    @property
    def left_s(self) -> float:
        """Nothing when there are no bytes left either: nothing more is to be begun."""
        return max(0.0, self._ends_s - self._now_s()) if self._left_bytes > 0 else 0.0

    def take(self, size_bytes: int) -> None:
        """Count what was fetched."""
        self._left_bytes -= size_bytes

"""A temporary folder without a disk: databases and browsers wait for a disk at each commit.

What the tests kill is a program, never the machine: what it gave to the system survives either way.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
LARGE_ENOUGH_BYTES = 4 * 1024**3
"""Containers often have 64 MB there, where no browser's profile fits."""


def use() -> None:
    """Let temporary files of this process and all that it starts stand in memory, until it ends.

    What pytest keeps of tests that failed stands there too, and stays as long as it ever does.
    Whoever has set `TMPDIR` knows better; so does a machine that has no such folder, or that lets
    nothing run from it.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return
    runs = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if runs and shutil.disk_usage(MEMORY).free >= LARGE_ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
        tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="stoep-", dir=MEMORY)
        # Programs of other users work there too; what was killed leaves its files behind.
        Path(tempfile.tempdir).chmod(0o1777)
        atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

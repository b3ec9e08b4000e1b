"""Measure Stoep beside its floors and peers; one JSON line a figure. `make bench` calls this.

python bench/run.py                        everything, in at most a quarter of an hour
python bench/run.py --only server,shipped  these parts
python bench/run.py --runs 3               fewer repetitions
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import channels, meetings, opening, push, replica, server, shipped
from bench.figures import Report
from bench.world import World

PARTS: dict[str, Callable[[World], None]] = {
    "shipped": shipped.run,
    "server": server.run,
    "replica": replica.run,
    "opening": opening.run,
    "push": push.run,
    "channels": channels.run,
    "meetings": meetings.run,
}


def main() -> int:
    """Run the parts asked for; the exit code is 1 when one could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help=f"parts, comma-separated: {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=5, help="repetitions; medians are reported")
    args = parser.parse_args()
    wanted = [part for part in args.only.split(",") if part] or list(PARTS)
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    report = Report()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stoep-bench-", ignore_cleanup_errors=True) as folder:
        world = World(Path(folder), report, args.runs)
        for part in wanted:
            PARTS[part](world)
    summary = {
        "figures": report.count,
        "missed": report.missed,
        "lacking": report.lacking,
        "took_s": round(time.monotonic() - began_s),
        "processors": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
    }
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    return 1 if report.lacking else 0


if __name__ == "__main__":
    sys.exit(main())

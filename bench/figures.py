"""One JSON line a figure, and the arithmetic behind it."""

import json
import statistics
from collections.abc import Iterable, Sequence
from typing import Any


def median(values: Iterable[float]) -> float:
    """Return the middle of the runs."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = max(0, min(len(ordered) - 1, round(percent / 100 * len(ordered) + 0.5) - 1))
    return ordered[rank]


def rounded(value: Any) -> Any:
    """Return numbers as short as their meaning, through lists and dicts."""
    if isinstance(value, float):
        return round(value, 3 if abs(value) < 10 else 1)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return value


def ratio(mine: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the ratios of runs that were made in turn, one beside the other."""
    return median(m / o for m, o in zip(mine, other, strict=True))


class Report:
    """Prints figures as they come, and remembers which missed their goals."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.lacking: list[str] = []
        self.count = 0

    def figure(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        goal: str = "",
        met: bool | None = None,
        **more: Any,
    ) -> None:
        """Print one figure. `met` is None where the issue sets no goal."""
        line = {"figure": name, "value": value, "unit": unit, "goal": goal or None, "met": met}
        print(json.dumps(rounded(line | more), ensure_ascii=False), flush=True)
        self.count += 1
        if met is False:
            self.missed.append(name)

    def lacks(self, name: str, why: str) -> None:
        """Print that a figure could not be measured, and why: never silently."""
        line = {"figure": name, "value": None, "goal": None, "met": False, "lacks": why}
        print(json.dumps(line, ensure_ascii=False), flush=True)
        self.lacking.append(name)

"""Does what happened meanwhile stand in the way of an operation? Pure: no I/O.

Nobody answers over a colleague's head. An operation names the last timeline position its writer
had seen (`based_on`); what came after it decides whether the operation is applied or held for her
to look at first. What she did herself never holds her up, nor does a note.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

REASONS = (
    *("colleague_replied", "resident_added", "resident_changed"),
    *("closed", "handed_off", "assigned"),
)
"""Why an operation is held, the weightiest first."""

_CHANGES = frozenset({"edited", "deleted"})
"""Events that a resident made at the channel: what was answered may no longer be what she asks."""

_TAKES = frozenset({"assign", "acknowledged"})
"""Events that make somebody the assignee."""


@dataclass(frozen=True, slots=True)
class Since:
    """One timeline entry that came after what the writer had seen."""

    id: str
    direction: str
    author_id: str | None
    event: dict[str, Any] | None = None


def judge(kind: str, writer: str, since: Iterable[Since]) -> str | None:
    """Return the reason to hold this operation, or None to apply it.

    `kind` is reply, assign, or close; anything else is never held.
    """
    stands_in_way = _JUDGES.get(kind)
    if stands_in_way is None:
        return None
    found = {
        reason
        for entry in since
        if entry.author_id != writer and (reason := stands_in_way(entry, writer))
    }
    return next((reason for reason in REASONS if reason in found), None)


def _against_a_reply(entry: Since, writer: str) -> str | None:
    if entry.direction == "out":
        return "colleague_replied"
    if entry.direction == "in":
        return "resident_added"
    event = entry.event or {}
    what, to = event.get("what"), event.get("to")
    if what in _CHANGES:
        return "resident_changed"
    if entry.author_id is None:
        # Events that no person made (a reopening) follow from a message, which speaks for itself.
        return None
    if what == "status" and to == "closed":
        return "closed"
    if what == "area" or (what in _TAKES and to not in {None, writer}):
        return "handed_off"
    return None


def _against_closing(entry: Since, _writer: str) -> str | None:
    return "resident_added" if entry.direction == "in" else None


def _against_assigning(entry: Since, writer: str) -> str | None:
    event = entry.event or {}
    taken = event.get("what") in _TAKES and event.get("to") not in {None, writer}
    return "assigned" if taken else None


_JUDGES = {
    "reply": _against_a_reply,
    "close": _against_closing,
    "assign": _against_assigning,
}

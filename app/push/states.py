"""The states of a push and the steps between them: one table, checked when it is read in."""

STATES = ("queued", "sending", "sent", "shown", "failed", "gone", "expired", "cancelled")

FINAL = frozenset({"shown", "gone", "cancelled"})
"""Nothing leads out of these."""

STEPS: dict[str, frozenset[str]] = {
    # Waiting for its turn, also for another one; a lease turns it into sending. Its phone may show
    # it already when the push service took it and the answer was lost.
    "queued": frozenset({"sending", "shown", "expired", "gone", "failed", "cancelled"}),
    # Somebody holds the lease. The phone can be faster than the push service's answer.
    "sending": frozenset({"queued", "sent", "shown", "failed", "gone", "expired"}),
    # The push service took it.
    "sent": frozenset({"shown"}),
    # The phone said that it was on its screen.
    "shown": frozenset(),
    # What we did not hear of may have arrived all the same.
    "failed": frozenset({"shown"}),
    "expired": frozenset({"shown"}),
    # The push service knows no such subscription any more.
    "gone": frozenset(),
    # Taken back before it left: a newer one replaced it, or nobody needs to be woken any more.
    "cancelled": frozenset(),
}


def may_become(state: str, new_state: str) -> bool:
    """Say whether the step from `state` to `new_state` is one of the table's."""
    return new_state in STEPS[state]


def leading_to(state: str) -> tuple[str, ...]:
    """Return the states from which one step leads to `state`: for an UPDATE's condition."""
    return tuple(before for before in STATES if state in STEPS[before])


def _check() -> None:
    if set(STEPS) != set(STATES):
        raise AssertionError("every state needs its row of steps")
    for state, targets in STEPS.items():
        if not targets <= set(STATES):
            raise AssertionError(f"unknown target in {state}")
        if (state in FINAL) != (not targets):
            raise AssertionError(f"{state} is final in one table and not in the other")


_check()

"""The states of a delivery and the steps between them: one table, checked when it is read in."""

STATES = ("queued", "sending", "sent", "delivered", "failed", "uncertain", "cancelled")

FINAL = frozenset({"delivered", "cancelled"})
"""Nothing leads out of these."""

STEPS: dict[str, frozenset[str]] = {
    # Waiting for its turn; a lease turns it into sending.
    "queued": frozenset({"sending", "failed", "cancelled"}),
    # Somebody holds the lease. Back to queued only when nothing can have left.
    "sending": frozenset({"queued", "sent", "delivered", "failed", "uncertain"}),
    # The channel took it. A bounce may still come.
    "sent": frozenset({"delivered", "failed"}),
    "delivered": frozenset(),
    # A person may order another try, or have posted it herself.
    "failed": frozenset({"queued", "cancelled"}),
    # The channel did not say. It is looked up, or a person decides.
    "uncertain": frozenset({"sent", "delivered", "failed", "queued"}),
    "cancelled": frozenset(),
}


def may_become(state: str, new_state: str) -> bool:
    """Say whether the step from `state` to `new_state` is one of the table's."""
    return new_state in STEPS[state]


def _check() -> None:
    if set(STEPS) != set(STATES):
        raise AssertionError("every state needs its row of steps")
    for state, targets in STEPS.items():
        if not targets <= set(STATES):
            raise AssertionError(f"unknown target in {state}")
        if (state in FINAL) != (not targets):
            raise AssertionError(f"{state} is final in one table and not in the other")


_check()

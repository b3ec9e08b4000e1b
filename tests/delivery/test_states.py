"""The table of states holds together."""

from app.delivery.states import FINAL, STATES, STEPS, may_become


def test_every_state_can_be_reached_from_queued() -> None:
    reached, grown = {"queued"}, True
    while grown:
        more = reached | {target for state in reached for target in STEPS[state]}
        grown, reached = more != reached, more
    assert reached == set(STATES)


def test_what_was_sent_is_never_queued_again() -> None:
    assert not may_become("sent", "queued")
    assert not may_become("delivered", "queued")
    assert all(not STEPS[state] for state in FINAL)

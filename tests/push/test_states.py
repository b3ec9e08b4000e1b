"""The table of a push's states says what can happen to one."""

import pytest

from app.push.states import FINAL, STATES, STEPS, leading_to, may_become


def test_every_state_can_be_reached_from_the_first() -> None:
    reached, following = set(), {"queued"}
    while following:
        reached |= following
        following = {state for before in following for state in STEPS[before]} - reached
    assert reached == set(STATES)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_leads_out_of_the_end(state: str) -> None:
    assert not [other for other in STATES if may_become(state, other)]


def test_a_phone_is_believed_whatever_we_thought() -> None:
    assert set(leading_to("shown")) == {"queued", "sending", "sent", "failed", "expired"}


def test_only_a_lease_leads_to_sent() -> None:
    assert leading_to("sent") == ("sending",)

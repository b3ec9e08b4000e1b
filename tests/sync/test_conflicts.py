"""Who may answer over whom: the pure rules."""

from hypothesis import given
from hypothesis import strategies as st

from app.sync.conflicts import REASONS, Since, judge

PEOPLE = ("anna", "bram", None)
ENTRIES = st.lists(
    st.builds(
        Since,
        id=st.just("x"),
        direction=st.sampled_from(["in", "out", "note", "event"]),
        author_id=st.sampled_from(PEOPLE),
        event=st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {
                    "what": st.sampled_from(["status", "assign", "area", "urgent", "topics"]),
                    "from": st.none(),
                    "to": st.sampled_from(["closed", "open", "anna", "bram", None]),
                }
            ),
        ),
    ),
    max_size=5,
)


@given(ENTRIES)
def test_a_colleagues_answer_always_holds_a_reply(entries: list[Since]) -> None:
    theirs = [*entries, Since("y", "out", "bram")]
    assert judge("reply", "anna", theirs) == "colleague_replied"


@given(ENTRIES)
def test_what_she_did_herself_holds_nothing(entries: list[Since]) -> None:
    own = [Since(e.id, e.direction, "anna", e.event) for e in entries]
    assert all(judge(kind, "anna", own) is None for kind in ("reply", "close", "assign"))


@given(ENTRIES, st.sampled_from(["note", "read", "topics", "urgent", "area", "contact"]))
def test_what_speaks_to_nobody_is_never_held(entries: list[Since], kind: str) -> None:
    assert judge(kind, "anna", entries) is None


@given(ENTRIES, st.sampled_from(["reply", "close", "assign"]))
def test_more_that_happened_never_lifts_a_hold(entries: list[Since], kind: str) -> None:
    for end in range(len(entries)):
        if judge(kind, "anna", entries[:end]) is not None:
            assert judge(kind, "anna", entries) in REASONS

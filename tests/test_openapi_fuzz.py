"""Whatever is sent to the API, it answers with a word of its own; never with a 500.

Schemathesis makes requests from the API's own description; what it cannot describe (a raw body, a
bomb, a clock that is years out) is thrown at the phone's door by hand.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.accounts import cookies, service
from app.clock import SystemClock
from app.db import Database
from app.ids import uuid7
from tests.support.server import Server
from tests.support.town import Town, build

SYNC = "/api/v1/sync"
EXAMPLES = 30
"""Requests for each operation of the API; the whole stays under a minute."""

STREAM = "/api/v1/stream"
"""Never ends, by design."""


@dataclass
class Office:
    """A running server, its town, and Anna's browser."""

    server: Server
    town: Town
    anna: httpx.Client

    def signs_in(self) -> None:
        """Give Anna's browser a session of its own; the one before may have been ended."""
        begun = self.town.db.write_now(
            lambda session: service.begin_session(
                session,
                self.town.anna.person_id,
                now_ms=self.town.now_ms,
                session_days=30,
                device_name="Android, Chrome",
            )
        )
        self.anna.cookies.set(cookies.NAME, begun.secret)


@pytest.fixture(scope="module")
def office(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A town that all examples share; they may do with it what they can."""
    folder = tmp_path_factory.mktemp("fuzz")
    data = folder / "data"
    data.mkdir()
    path = data / "stoep.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    town = build(database)
    town.now_ms = SystemClock().now_ms()
    town.resident_writes()
    server = Server(data, worker="false")
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=30) as anna:
        office = Office(server, town, anna)
        office.signs_in()
        yield office
    server.kill()
    database.close()


@pytest.fixture(scope="module")
def anna(office: Office) -> httpx.Client:
    """Anna's browser."""
    return office.anna


def _is_a_word_of_ours(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"].startswith("application/problem+json")
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["title"]


def test_no_request_of_the_description_ends_in_a_500(office: Office) -> None:
    described = schemathesis.openapi.from_url(f"{office.server.url}/api/v1/openapi.json")
    tried: dict[str, int] = {}
    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path == STREAM:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            # Signing out and revoking this phone are allowed: the next example begins signed in.
            if office.anna.get("/api/v1/me").status_code == 401:
                office.signs_in()
            cookie = {cookies.NAME: office.anna.cookies[cookies.NAME]}
            answer = case.call(headers={"Origin": office.server.url}, cookies=cookie)
            tried[case.operation.label] = tried.get(case.operation.label, 0) + 1
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)

        holds()
    assert len(tried) >= 15


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
YEAR_MS = 31_557_600_000
INSTANTS = st.integers(-(2**70), 2**70) | st.sampled_from([0, -1, 2**53, 2**63 - 1, 2**63])
KINDS = [
    "reply",
    "note",
    "status",
    "assign",
    "area",
    "topics",
    "urgent",
    "read",
    "contact",
    "resolve",
    "acknowledge",
    "snooze",
    "meeting",
    "meeting_state",
    "question",
    "moderate",
    "fate",
    "promise",
    "promise_kept",
    "attend",
    "headcount",
]

bounded = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@bounded
@given(body=st.binary(max_size=600) | JSON.map(lambda value: json.dumps(value).encode()))
@pytest.mark.parametrize("encoding", [None, "gzip", "br"])
def test_any_body_gets_a_word_of_ours(
    anna: httpx.Client, encoding: str | None, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    if encoding:
        headers["content-encoding"] = encoding
    _is_a_word_of_ours(anna.post(SYNC, content=body, headers=headers))
    packed = {**headers, "content-encoding": "gzip"}
    _is_a_word_of_ours(anna.post(SYNC, content=gzip.compress(body), headers=packed))


@bounded
@given(
    op=st.fixed_dictionaries(
        {
            "op_id": st.builds(uuid7) | st.text(max_size=40),
            "kind": st.sampled_from(KINDS) | st.text(max_size=10),
            "conversation_id": st.none() | st.just("LAMP") | st.text(max_size=40),
            "based_on": st.none() | INSTANTS,
            "payload": st.dictionaries(
                st.sampled_from(
                    ["text", "attachments", "status", "person", "area", "add", "remove", "urgent",
                     "reason", "position", "message", "outcome", "via", "happened_at_ms", "email",
                     "meeting", "title", "question", "fate", "agenda", "owner", "heads"]
                ),
                JSON,
                max_size=6,
            ),
            "written_at_ms": INSTANTS,
            "v": st.just(1) | st.integers(),
        }
    ),
    after=INSTANTS,
)  # fmt: skip
def test_any_operation_gets_a_verdict_or_a_problem(
    office: Office, anna: httpx.Client, op: dict[str, object], after: int
) -> None:
    town = office.town
    if op["conversation_id"] == "LAMP":
        op["conversation_id"] = town.resident_writes()
    asked = {"v": 1, "ops": [op], "after": after, "scope": "", "limit": 10}
    answer = anna.post(SYNC, json=asked)
    _is_a_word_of_ours(answer)
    if answer.status_code == 200:
        (result,) = json.loads(answer.content.partition(b"\n")[0])["results"]
        assert result["op_id"] == op["op_id"]
        assert result["outcome"] in {"applied", "held", "rejected"}


@bounded
@given(
    cursor=INSTANTS.map(str) | st.text(max_size=20),
    part=st.sampled_from(["first", "walk", "personal"]) | st.text(max_size=8),
    scopes=st.none() | st.text(max_size=60),
)
def test_any_cursor_of_a_walk_gets_a_page_or_a_problem(
    anna: httpx.Client, cursor: str, part: str, scopes: str | None
) -> None:
    query = {"part": part, "before": cursor} | ({} if scopes is None else {"scopes": scopes})
    _is_a_word_of_ours(anna.get("/api/v1/replica", params=query))


@pytest.mark.parametrize("years", [-10, -1, 1, 10])
def test_a_clock_that_is_years_out_changes_nothing_but_what_it_says(
    office: Office, anna: httpx.Client, years: int
) -> None:
    town = office.town
    lamp = town.resident_writes()
    note = {
        "op_id": uuid7(),
        "kind": "note",
        "conversation_id": lamp,
        "based_on": 1,
        "payload": {"text": "Gezien.", "attachments": []},
        "written_at_ms": town.now_ms + years * YEAR_MS,
        "v": 1,
    }
    answer = anna.post(SYNC, json={"v": 1, "ops": [note], "after": 0, "scope": "", "limit": 10})
    assert json.loads(answer.content.partition(b"\n")[0])["results"][0]["outcome"] == "applied"
    entry = town.timeline(lamp)[-1]
    assert entry.written_at_ms <= entry.accepted_at_ms


def test_a_bomb_is_not_blown_up(anna: httpx.Client) -> None:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = b" " * 1_000_000
    bomb = b"".join(squeezer.compress(megabyte) for _ in range(200)) + squeezer.flush()
    assert len(bomb) < 250_000
    answer = anna.post(
        SYNC, content=bomb, headers={"content-type": "application/json", "content-encoding": "gzip"}
    )
    assert answer.status_code == 413
    _is_a_word_of_ours(answer)

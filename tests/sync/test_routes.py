"""Push and pull over HTTP: what a phone meets, with good and with hostile requests."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.accounts.models import Membership
from app.accounts.policy import Principal
from app.clock import SetClock
from app.config import Settings
from app.errors import Revoked
from app.main import create_app
from app.sync import replica, stream
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL, Town, op
from tests.sync.phone import ORIGIN, parse, sign_in


@pytest.fixture
def app(town: Town, database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    made = create_app(
        Settings(data_dir=tmp_path, database_url=database_url, base_url=ORIGIN, worker=False),
        clock=SetClock(NOON_MS),
    )
    yield made
    made.state.db.close()


@pytest.fixture
async def anna(app: FastAPI, town: Town) -> AsyncIterator[httpx.AsyncClient]:
    async with sign_in(app, town.anna) as client:
        yield client


async def pull(client: httpx.AsyncClient, after: int, **more: Any) -> Any:
    answer = await client.post("/api/v1/sync", json={"v": 1, "ops": [], "after": after} | more)
    assert answer.status_code == 200, answer.text
    return parse(answer.content)


async def test_one_request_pushes_and_pulls(town: Town, anna: httpx.AsyncClient) -> None:
    lamp = town.resident_writes()
    reply = op("reply", lamp, 1, text="Wij komen kijken.")
    answer = await pull(anna, 0, ops=[reply.model_dump()])
    (result,) = answer.header["results"]
    assert result["outcome"] == "applied"
    assert result["seq"] <= answer.header["to"]
    assert f"m:{reply.op_id}" in [line[1] for line in answer.lines]


async def test_nothing_new_fits_in_three_hundred_bytes(town: Town, anna: httpx.AsyncClient) -> None:
    town.resident_writes()
    first = await pull(anna, 0)
    scope = first.header["scope"]["hash"]
    body = {"v": 1, "ops": [], "after": first.header["to"], "scope": scope}
    answer = await anna.post("/api/v1/sync", json=body)
    assert parse(answer.content).lines == []
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
    status_line = len("HTTP/1.1 200 OK\r\n")
    # The server adds its date.
    date = len("date: Mon, 02 Nov 2026 08:00:00 GMT\r\n")
    assert status_line + date + head + 2 + len(answer.content) <= 300


async def test_pages_are_bounded_and_end_at_the_head(town: Town, anna: httpx.AsyncClient) -> None:
    for _ in range(6):
        town.resident_writes()
    keys, cursor, more = [], 0, True
    while more:
        answer = await pull(anna, cursor, limit=4)
        assert len(answer.lines) <= 4
        keys += [line[1] for line in answer.lines]
        cursor, more = answer.header["to"], answer.header.get("more", False)
    assert len(keys) == len(set(keys))
    assert keys == [key for key, _ in town.sees(town.anna)]


async def test_a_cursor_beyond_the_feed_means_start_anew(
    town: Town, anna: httpx.AsyncClient
) -> None:
    town.resident_writes()
    answer = await pull(anna, 10_000)
    assert answer.header["reset"] is True


async def test_a_new_phone_gets_the_newest_first_and_then_everything(
    town: Town, anna: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "PAGE_CONVERSATIONS", 7)
    monkeypatch.setattr(replica, "FIRST_CONVERSATIONS", 5)
    monkeypatch.setattr(replica, "FIRST_BYTES", 1200)
    ids = [town.resident_writes(f"Vraag {turn}") for turn in range(20)]
    town.resident_writes("Niet voor haar", area=HELPMAN, account="web-zuid")
    first = parse((await anna.get("/api/v1/replica?part=first")).content)
    shown = first.lines[first.header["refs"] :]
    assert [line[0] for line in shown] == ids[:-6:-1]
    assert shown[0][3] != "-"
    assert shown[-1][3] == "-"
    assert first.header["total"] == 20
    assert {line[1].split(":")[0] for line in first.lines[: first.header["refs"]]} == {
        "area",
        "team",
        "person",
        "account",
    }
    walked: list[str] = []
    below = first.header["next"]
    while below is not None:
        url = f"/api/v1/replica?part=walk&before={below}"
        page = parse((await anna.get(url)).content)
        for conversation_id, _number, head, said in page.lines:
            assert [entry["c"] for entry in json.loads(said)] == [conversation_id]
            assert json.loads(head)["id"] == conversation_id
            walked.append(conversation_id)
        below = page.header["next"]
    assert walked == ids[::-1]


async def test_a_walk_page_is_kept_until_something_in_it_changes(
    town: Town, anna: httpx.AsyncClient, app: FastAPI
) -> None:
    lamp = town.resident_writes()
    url = "/api/v1/replica?part=walk&before=1000"
    first = (await anna.get(url)).content
    assert (await anna.get(url)).content == first
    assert app.state.pages._bytes > 0
    town.does(town.bram, op("note", lamp, text="Nieuw"))
    assert b"Nieuw" in (await anna.get(url)).content


async def test_what_is_shown_first_is_kept_until_anything_changes(
    town: Town, anna: httpx.AsyncClient, app: FastAPI
) -> None:
    lamp = town.resident_writes("Een <lamp> & é")
    url = "/api/v1/replica?part=first"
    first = (await anna.get(url)).content
    assert (await anna.get(url)).content == first
    plain = await anna.get(url, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == first
    assert len(app.state.pages._firsts) == 1
    town.does(town.bram, op("note", lamp, text="Nieuw"))
    assert b"Nieuw" in (await anna.get(url)).content
    assert len(app.state.pages._firsts) == 1


async def test_what_is_shown_first_has_her_own_read_marks_and_nobody_elses(
    town: Town, anna: httpx.AsyncClient
) -> None:
    lamp = town.resident_writes()
    town.does(town.bram, op("read", lamp, position=1))
    url = "/api/v1/replica?part=first"
    before = parse((await anna.get(url)).content)
    town.does(town.anna, op("read", lamp, position=1))
    after = parse((await anna.get(url)).content)
    assert after.header["refs"] == before.header["refs"] + 1
    marks = [line for line in after.lines if line[1].startswith("r:")]
    assert [line[2] for line in marks] == [lamp]


async def test_the_page_cache_is_bounded() -> None:
    cache = replica.PageCache(max_bytes=10)
    for name in "abcd":
        cache.put(name, b"12345")
    assert [cache.get(name) for name in "abcd"] == [None, None, b"12345", b"12345"]
    cache.put("large", b"x" * 11)
    assert cache.get("large") is None


async def test_a_walk_shows_only_her_own_areas(town: Town, anna: httpx.AsyncClient) -> None:
    town.resident_writes("Geheim", area=HELPMAN, account="web-zuid")
    for url in (
        f"/api/v1/replica?part=walk&before=99&scopes={HELPMAN}",
        "/api/v1/replica?part=walk&before=99",
        "/api/v1/replica?part=first",
    ):
        answer = await anna.get(url)
        assert answer.status_code == 200
        assert "Geheim" not in answer.text


async def test_a_walk_under_another_scope_is_refused(town: Town, anna: httpx.AsyncClient) -> None:
    hash_ = (await pull(anna, 0)).header["scope"]["hash"]
    url = "/api/v1/replica?part=walk&before=99&scope="
    assert (await anna.get(url + hash_)).status_code == 200
    assert (await anna.get(url + "other")).status_code == 409
    hers = "/api/v1/replica?part=personal&scope="
    assert (await anna.get(hers + hash_)).status_code == 200
    assert (await anna.get(hers + "other")).status_code == 409
    lamp = town.resident_writes()
    one = f"/api/v1/conversations/{lamp}?scope="
    assert (await anna.get(one + hash_)).status_code == 200
    assert (await anna.get(one + "other")).status_code == 409


async def test_closed_long_ago_stays_on_the_server(
    town: Town, anna: httpx.AsyncClient, app: FastAPI
) -> None:
    lamp = town.resident_writes()
    town.does(town.anna, op("status", lamp, 1, status="closed"))
    app.state.clock.forward(s=92 * 86_400)
    # A month's session has ended meanwhile; she signs in again.
    async with sign_in(app, town.anna) as later:
        page = parse((await later.get("/api/v1/replica?part=walk&before=99")).content)
        assert page.lines == []
        one = parse((await later.get(f"/api/v1/conversations/{lamp}")).content)
        assert one.lines[0][0] == lamp
        found = (await later.get("/api/v1/search", params={"q": "lantaarn"})).json()
        assert [hit["head"]["id"] for hit in found["results"]] == [lamp]


async def test_one_conversation_is_hers_or_does_not_exist(
    town: Town, anna: httpx.AsyncClient
) -> None:
    elsewhere = town.resident_writes(area=HELPMAN, account="web-zuid")
    for conversation_id in (elsewhere, op("x", None).op_id, "..%2f", "x"):
        answer = await anna.get(f"/api/v1/conversations/{conversation_id}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("br;q=1.0, gzip", "br"),
        ("gzip, deflate", "gzip"),
        ("identity", None),
        ("brotli, abr", None),
    ],
)
async def test_a_large_answer_is_made_as_small_as_the_browser_can_read(
    town: Town, anna: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    for number in range(12):
        town.resident_writes(f"{number} lantaarnpalen zijn stuk")
    body = {"v": 1, "after": 0}
    plain = await anna.post("/api/v1/sync", json=body, headers={"accept-encoding": "identity"})
    answer = await anna.post("/api/v1/sync", json=body, headers={"accept-encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding
    assert answer.content == plain.content
    packed = answer.num_bytes_downloaded
    assert packed < len(plain.content) / 3 if encoding else packed == len(plain.content)


async def test_search_finds_words_and_beginnings_in_her_areas_only(
    town: Town, anna: httpx.AsyncClient
) -> None:
    lamp = town.resident_writes("De lantaarnpalen bij Café Één knipperen de hele nacht.")
    town.resident_writes("Lantaarnpalen in Helpman", area=HELPMAN, account="web-zuid")
    for query in ("lantaarn", "LANTAARNPALEN knipperen", 'paal" OR 1', "café"):
        answer = await anna.get("/api/v1/search", params={"q": query})
        assert answer.status_code == 200, answer.text
        found = [hit["head"]["id"] for hit in answer.json()["results"]]
        assert found == ([] if "OR" in query else [lamp]), query


async def test_gaining_and_losing_an_area_changes_the_scope(
    town: Town, anna: httpx.AsyncClient, app: FastAPI
) -> None:
    before = (await pull(anna, 0)).header["scope"]

    def join(session: Any) -> None:
        session.add(Membership(person_id=town.anna.person_id, team_id="zuid"))

    app.state.db.write_now(join)
    after = (await pull(anna, 0, scope=before["hash"])).header["scope"]
    assert set(after["areas"]) - set(before["areas"]) == {HELPMAN, "team:zuid"}
    assert "scope" not in (await pull(anna, 0, scope=after["hash"])).header


async def test_a_compressed_request_is_read_and_a_bomb_is_not(
    town: Town, anna: httpx.AsyncClient
) -> None:
    lamp = town.resident_writes()
    note = op("note", lamp, text="Gezien.")
    body = gzip.compress(json.dumps({"v": 1, "ops": [note.model_dump()], "after": 0}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = await anna.post("/api/v1/sync", content=body, headers=headers)
    assert parse(answer.content).header["results"][0]["outcome"] == "applied"
    bomb = gzip.compress(b" " * 50_000_000)
    for content, status in ((bomb, 413), (body[:-9], 400), (b"not gzip", 400)):
        answer = await anna.post("/api/v1/sync", content=content, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


async def test_without_a_session_nothing_is_said(app: FastAPI, town: Town) -> None:
    town.resident_writes()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as nobody:
        for method, url in (
            ("POST", "/api/v1/sync"),
            ("GET", "/api/v1/replica?part=first"),
            ("GET", "/api/v1/search?q=x"),
            ("GET", "/api/v1/stream"),
        ):
            answer = await nobody.request(method, url)
            assert answer.status_code == 401
            assert answer.json()["type"] == "/problems/signed-out"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4)
    ),
    max_leaves=10,
)
ALMOST = st.fixed_dictionaries(
    {"after": st.integers(-(1 << 70), 1 << 70) | JSON},
    optional={
        "v": JSON,
        "scope": st.text(max_size=300) | JSON,
        "limit": st.integers() | JSON,
        "ops": st.lists(
            st.fixed_dictionaries(
                {"op_id": st.sampled_from([op("x", None).op_id, "x", "", None])},
                optional={
                    "kind": st.sampled_from(["reply", "note", "contact", "read", "x"]) | JSON,
                    "conversation_id": st.sampled_from([op("x", None).op_id, None]) | JSON,
                    "based_on": st.integers() | JSON,
                    "payload": st.dictionaries(
                        st.sampled_from(["text", "position", "via", "attachments", "email"]), JSON
                    ),
                    "written_at_ms": st.integers() | JSON,
                },
            ),
            max_size=3,
        )
        | JSON,
    },
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.binary(max_size=60) | JSON.map(json.dumps) | ALMOST.map(json.dumps))
async def test_no_body_breaks_the_door(anna: httpx.AsyncClient, body: bytes | str) -> None:
    answer = await anna.post("/api/v1/sync", content=body)
    assert answer.status_code in {200, 400}, (answer.status_code, body)
    if answer.status_code == 400:
        assert answer.headers["content-type"] == "application/problem+json"


def still(who: Principal) -> Callable[[], Awaitable[Principal]]:
    async def ask_again() -> Principal:
        return who

    return ask_again


class Line:
    """The phone's end of a stream that it never hangs up by itself."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._never = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self._never.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.bodies.append(message.get("body", b""))


async def test_a_stream_ends_when_access_ended_elsewhere(town: Town) -> None:
    hub, line, answers = stream.Hub(ping_s=0.01), Line(), [town.anna, None]

    async def ask_again() -> Principal:
        if (who := answers.pop(0)) is None:
            raise Revoked
        return who

    await asyncio.wait_for(hub.serve(town.anna, 1, line.receive, line.send, ask_again), 5)
    assert answers == []


async def test_a_busy_stream_ends_too_when_access_ended_elsewhere(town: Town) -> None:
    hub, line = stream.Hub(ping_s=0.05), Line()

    async def ask_again() -> Principal:
        raise Revoked

    serving = asyncio.create_task(hub.serve(town.anna, 1, line.receive, line.send, ask_again))
    async with asyncio.timeout(5):
        seq = 1
        while not serving.done():  # always more news: the line never comes to rest
            seq += 1
            hub.poke(seq)
            await asyncio.sleep(0)
    await serving
    assert hub.open == 0
    assert not any(b": ping" in body for body in line.bodies)


async def test_a_busy_stream_says_who_writes_only_where_she_still_may_look(town: Town) -> None:
    hub, line, asked = stream.Hub(ping_s=0.05), Line(), asyncio.Event()

    async def ask_again() -> Principal:
        asked.set()
        return replace(town.anna, areas=frozenset())

    serving = asyncio.create_task(hub.serve(town.anna, 1, line.receive, line.send, ask_again))
    async with asyncio.timeout(5):
        seq = 1
        while not asked.is_set():
            seq += 1
            hub.poke(seq)
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    hub.writing(town.bram, "x", PADDEPOEL)
    hub.close()
    await asyncio.wait_for(serving, 5)
    assert not any(b"writing" in body for body in line.bodies)


async def test_a_stream_pokes_when_something_changed(
    town: Town, anna: httpx.AsyncClient, app: FastAPI
) -> None:
    sent: list[dict[str, Any]] = []
    poked = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if b'"seq"' in message.get("body", b""):
            poked.set()

    never = asyncio.Event()

    async def receive() -> dict[str, str]:
        await never.wait()
        return {"type": "http.disconnect"}

    app.state.hub.attach(asyncio.get_running_loop())
    serving = asyncio.create_task(
        app.state.hub.serve(town.anna, 1, receive, send, still(town.anna))
    )
    await asyncio.wait_for(poked.wait(), 5)
    poked.clear()
    lamp = town.resident_writes()
    note = op("note", lamp, text="Dag")
    assert (await pull(anna, 0, ops=[note.model_dump()])).header["results"]
    await asyncio.wait_for(poked.wait(), 5)
    assert app.state.hub.open == 1
    app.state.hub.drop(town.anna.device_id)
    await asyncio.wait_for(serving, 5)
    assert app.state.hub.open == 0


async def test_what_nobody_expected_is_logged_with_its_route(
    app: FastAPI, anna: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.state.db.close()
    answer = await anna.post("/api/v1/sync", json={"v": 1, "after": 0})
    assert answer.status_code == 500
    (said,) = [one.getMessage() for one in caplog.records if one.name == "app.security"]
    assert "during POST /api/v1/sync at" in said


async def test_who_is_writing_is_told_to_colleagues_who_see_it(
    town: Town, app: FastAPI, anna: httpx.AsyncClient
) -> None:
    lamp = town.resident_writes()
    heard: dict[str, list[bytes]] = {"bram": [], "chaima": [], "anna": []}
    app.state.hub.attach(asyncio.get_running_loop())
    never = asyncio.Event()

    async def receive() -> dict[str, str]:
        await never.wait()
        return {"type": "http.disconnect"}

    def listen(name: str) -> "asyncio.Task[None]":
        async def send(message: Any) -> None:
            heard[name].append(message.get("body", b""))

        who = getattr(town, name)
        return asyncio.create_task(app.state.hub.serve(who, 1, receive, send, still(who)))

    streams = [listen(name) for name in heard]
    await asyncio.sleep(0)
    answer = await anna.post(f"/api/v1/conversations/{lamp}/writing")
    assert answer.status_code == 204
    app.state.hub.close()
    await asyncio.gather(*streams)
    told = {name: any(b"writing" in body for body in bodies) for name, bodies in heard.items()}
    assert told == {"bram": True, "chaima": False, "anna": False}

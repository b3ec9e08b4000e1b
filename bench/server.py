"""The server's figures: one process, SQLite, over HTTP on loopback."""

import asyncio
import gzip
import json
import resource
import shutil
import sqlite3
import time
import zlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import uvloop

from bench import processes, town
from bench.client import Connection, connect, request
from bench.figures import median, percentile, ratio
from bench.words import Writer
from bench.world import World

PHONES = 200
OPS = 100
STREAMS = 1_000
POKES = 20
PULLERS = 16
RATE_S = 2.0
ROUNDS = 5
SEGMENTS = 20
"""Batches in one round of the comparison with bare sqlite3."""


def run(world: World) -> None:
    """Measure everything of this part; each on a fresh copy where it writes."""
    _idle(world)
    _serving(world)
    _streams(world)
    _operations(world)
    _reconnecting(world)


def _cookie(secret: str) -> str:
    found = town.cookie(secret)
    return f"{found['name']}={found['value']}"


def _idle(world: World) -> None:
    home = world.fresh_town("idle")
    secret = town.sign_in(home, home.people[:1])[0]
    with processes.stoep(home) as server:
        uvloop.run(_pull_once(server.port, secret))
        held = server.memory_bytes()
    world.report.figure(
        "server idle", held / 1e6, "MB", goal="≤ 120 MB", met=held <= 120e6, says="resident"
    )


async def _pull_once(port: int, secret: str) -> None:
    connection = await connect(port)
    reply = await connection.ask(_pull(secret, 0, limit=1))
    if reply.status != 200:
        raise AssertionError(reply.content[:300])
    connection.close()


def _sync(secret: str, body: dict[str, Any], *, packed: bool = False) -> bytes:
    said = json.dumps({"v": 1, **body}, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"content_type": "application/json", "cookie": _cookie(secret)}
    if packed:
        said = gzip.compress(said, 6)
        headers["content_encoding"] = "gzip"
    return request("POST", "/api/v1/sync", said, **headers)


def _pull(secret: str, after: int, scope: str = "", limit: int = 500) -> bytes:
    return _sync(secret, {"ops": [], "after": after, "scope": scope, "limit": limit})


def _header(content: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(content.partition(b"\n")[0])
    return header


# -- serving: the first replica, and nothing new ---------------------------------------------------


def _serving(world: World) -> None:
    home = world.fresh_town("serving")
    secret = town.sign_in(home, home.people[:1])[0]
    with processes.stoep(home) as server, processes.floor(world.floor_folder) as floor:
        uvloop.run(_first_replica(world, server, floor, secret))
        uvloop.run(_up_to_date(world, server, floor, secret))


async def _walk(connection: Connection, secret: str) -> tuple[int, int]:
    """Fetch the whole replica as a phone does; return compressed bytes and requests."""
    cookie = _cookie(secret)
    reply = await connection.ask(request("GET", "/api/v1/replica?part=first", cookie=cookie))
    size, requests = len(reply.body), 1
    following = _header(reply.content)["next"]
    while following is not None:
        path = f"/api/v1/replica?part=walk&before={following}"
        reply = await connection.ask(request("GET", path, cookie=cookie))
        size, requests = size + len(reply.body), requests + 1
        # Only the header: inflating all of it would be the client's time, not the server's.
        following = _header(_start(reply.body))["next"]
    await connection.ask(request("GET", "/api/v1/replica?part=personal", cookie=cookie))
    return size, requests + 1


def _start(packed: bytes) -> bytes:
    """Return the first bytes of what was compressed."""
    return zlib.decompressobj(31).decompress(packed, 400)


async def _first_replica(
    world: World, server: processes.Running, floor: processes.Running, secret: str
) -> None:
    ours, theirs = await connect(server.port), await connect(floor.port)
    began_s = time.perf_counter()
    size, requests = await _walk(ours, secret)
    cold_ms = (time.perf_counter() - began_s) * 1000
    (world.floor_folder / "same-size").write_bytes(
        (world.floor_folder / "replica.gz").read_bytes()[:size].ljust(size, b"\0")
    )
    times: dict[str, list[float]] = {"stoep": [], "static": []}
    used_s = [server.cpu_s(), floor.cpu_s()]
    for _ in range(6 * world.runs):
        began_s = time.perf_counter()
        await _walk(ours, secret)
        times["stoep"].append((time.perf_counter() - began_s) * 1000)
        began_s = time.perf_counter()
        reply = await theirs.ask(request("GET", "/static/same-size"))
        times["static"].append((time.perf_counter() - began_s) * 1000)
        if len(reply.body) != size:
            raise AssertionError(f"the static file came as {len(reply.body)} bytes, not {size}")
    to_static = ratio(times["stoep"], times["static"])
    world.report.figure(
        "server: first replica",
        median(times["stoep"]),
        "ms",
        goal="≤ 1.2 × a static file of the same bytes",
        met=to_static <= 1.2,
        ratio_to_static=to_static,
        static_ms=median(times["static"]),
        processor_ms_each=(server.cpu_s() - used_s[0]) / len(times["stoep"]) * 1000,
        static_processor_ms_each=(floor.cpu_s() - used_s[1]) / len(times["static"]) * 1000,
        bytes=size,
        requests=requests,
        first_time_ms=cold_ms,
        runs=len(times["stoep"]),
    )


async def _up_to_date(
    world: World, server: processes.Running, floor: processes.Running, secret: str
) -> None:
    one = await connect(server.port)
    header = _header((await one.ask(_pull(secret, 0, limit=1))).content)
    pull = _pull(secret, header["head"], header["scope"]["hash"])
    before_bytes = one.received_bytes
    reply = await one.ask(pull)
    answer_bytes = one.received_bytes - before_bytes
    if _header(reply.content)["rows"]:
        raise AssertionError("it was not up to date")
    world.report.figure(
        "nothing new",
        answer_bytes,
        "bytes",
        goal="≤ 300 bytes",
        met=answer_bytes <= 300,
        says="the whole answer, headers included",
    )
    empty = request("POST", "/empty", b"{}", content_type="application/json")
    rates: dict[str, list[float]] = {"stoep": [], "empty": []}
    each_us: dict[str, list[float]] = {"stoep": [], "empty": []}
    busy: dict[str, list[float]] = {"client": [], "server": []}
    for _ in range(world.runs):
        for name, running, what in (("stoep", server, pull), ("empty", floor, empty)):
            client_s, server_s = _cpu_s(), running.cpu_s()
            rate, took_s = await _rate(running.port, what)
            rates[name].append(rate)
            busy["client"].append((_cpu_s() - client_s) / took_s)
            used_s = running.cpu_s() - server_s
            busy["server"].append(used_s / took_s)
            each_us[name].append(used_s / (rate * took_s) * 1e6)
    share = ratio(rates["stoep"], rates["empty"])
    world.report.figure(
        "server: up-to-date pulls",
        median(rates["stoep"]),
        "per second",
        goal="≥ 60 % of an empty FastAPI route",
        met=share >= 0.6,
        ratio_to_empty_route=share,
        empty_route_per_s=median(rates["empty"]),
        connections=PULLERS,
        processors_busy={name: median(values) for name, values in busy.items()},
        processor_us_each={name: median(values) for name, values in each_us.items()},
        runs=rates,
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _rate(port: int, what: bytes) -> tuple[float, float]:
    """Ask the same over and over on several connections; return answers a second."""
    connections = [await connect(port) for _ in range(PULLERS)]
    until_s = time.perf_counter() + RATE_S

    async def keep_asking(connection: Connection) -> int:
        count = 0
        while time.perf_counter() < until_s:
            reply = await connection.ask(what)
            if reply.head[9:12] != b"200":
                raise AssertionError(reply.content[:300])
            count += 1
        return count

    began_s = time.perf_counter()
    counts = await asyncio.gather(*(keep_asking(connection) for connection in connections))
    took_s = time.perf_counter() - began_s
    for connection in connections:
        connection.close()
    return sum(counts) / took_s, took_s


# -- streams ---------------------------------------------------------------------------------------


def _streams(world: World) -> None:
    home = world.fresh_town("streams")
    secrets = town.sign_in(home, [home.people[n % len(home.people)] for n in range(STREAMS)])
    conversations = _conversations(home, 1)
    with processes.stoep(home) as server:
        uvloop.run(_listen(world, server, secrets, conversations))


class Listener(asyncio.Protocol):
    """One open stream; notes when each poke arrives."""

    def __init__(self, asked: bytes, heard: Callable[[float], None]) -> None:
        self._asked = asked
        self._heard = heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast(asyncio.Transport, transport).write(self._asked)

    def data_received(self, data: bytes) -> None:
        """Note a poke."""
        if b"event: poke" in data:
            self._heard(time.perf_counter())


async def _listen(
    world: World, server: processes.Running, secrets: list[str], conversations: list[Any]
) -> None:
    loop = asyncio.get_running_loop()
    await _pull_once(server.port, secrets[0])
    before = server.memory_bytes()
    heard: list[float] = []
    everybody = asyncio.Event()

    def hear(at_s: float) -> None:
        heard.append(at_s)
        if len(heard) == STREAMS:
            everybody.set()

    asked = [request("GET", "/api/v1/stream", cookie=_cookie(secret)) for secret in secrets]
    opened = [
        await loop.create_connection(partial(Listener, ask, hear), "127.0.0.1", server.port)
        for ask in asked
    ]
    # Each stream says at once where the feed is.
    await asyncio.wait_for(everybody.wait(), 60)
    cost = server.memory_bytes() - before
    world.report.figure(
        "server: 1,000 open streams",
        cost / 1e6,
        "MB",
        goal="≤ 60 MB",
        met=cost <= 60e6,
        bytes_each=cost / STREAMS,
    )
    late_ms: list[float] = []
    writer = Writer(300)
    pen = await connect(server.port)
    for number in range(POKES):
        heard.clear()
        everybody.clear()
        op = _op("note", conversations[0], writer)
        began_s = time.perf_counter()
        reply = await pen.ask(_sync(secrets[number % 5], _batch([op])))
        _all_applied(reply.content)
        await asyncio.wait_for(everybody.wait(), 30)
        late_ms += [(at_s - began_s) * 1000 for at_s in heard]
    p99_ms = percentile(late_ms, 99)
    world.report.figure(
        "server: hearing a poke, p99 of 1,000 streams",
        p99_ms,
        "ms",
        goal="≤ 250 ms",
        met=p99_ms <= 250,
        says="from sending the operation, its commit included, until a phone has the poke",
        median_ms=median(late_ms),
        runs=POKES,
    )
    for transport, _ in opened:
        transport.close()


# -- operations ------------------------------------------------------------------------------------


def _conversations(home: town.Town, count: int) -> list[tuple[str, int]]:
    connection = sqlite3.connect(home.file)
    found = connection.execute(
        "SELECT id, position FROM conversation ORDER BY number DESC LIMIT ?", (count,)
    ).fetchall()
    connection.close()
    return found


def _op(kind: str, conversation: tuple[str, int], writer: Writer) -> dict[str, Any]:
    return {
        "op_id": str(uuid4()),
        "kind": kind,
        "conversation_id": conversation[0],
        "based_on": conversation[1] if kind == "reply" else None,
        "payload": {"text": writer.text(town.MESSAGE_CHARS), "attachments": []},
        "written_at_ms": 1_795_000_000_000,
        "v": 1,
    }


def _batch(ops: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ops": ops, "after": 2**50, "scope": "", "limit": 500}


def _all_applied(content: bytes) -> int:
    results = _header(content)["results"]
    wrong = [result for result in results if result["outcome"] != "applied"]
    if wrong:
        raise AssertionError(f"not applied: {wrong[0]}")
    return len(results)


def _operations(world: World) -> None:
    """One phone sends batches of 100 replies; bare sqlite3 commits the same rows the same way."""
    home = world.fresh_town("operations")
    secrets = town.sign_in(home, home.people[:1])
    conversations = _conversations(home, town.CONVERSATIONS)
    writer = Writer(400)
    batches = [
        [_op("reply", c, writer) for c in conversations[n * OPS : (n + 1) * OPS]]
        for n in range(SEGMENTS)
    ]
    before = home.data_dir.with_name("operations-before.db")
    _copy(home.file, before)
    with processes.stoep(home) as server:
        took_s = uvloop.run(_push(server.port, secrets[0], batches))
    stored = _rows_since(home.file, before, batches)
    bare_s = _commit_bare(before, stored)
    rate = OPS / median(took_s)
    bare = OPS / median(bare_s)
    world.report.figure(
        "server: operations",
        rate,
        "per second",
        goal="≥ ⅓ of bare sqlite3 committing the same rows",
        met=rate >= bare / 3,
        ratio_to_bare=rate / bare,
        bare_per_s=bare,
        batch=OPS,
        says="over HTTP, one phone at a time; 100 replies are one durable commit on both sides",
        runs=SEGMENTS,
    )


def _copy(source: Path, target: Path) -> None:
    connection = sqlite3.connect(source)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copy(source, target)


async def _push(port: int, secret: str, batches: list[list[dict[str, Any]]]) -> list[float]:
    connection = await connect(port)
    took_s = []
    for ops in batches:
        what = _sync(secret, _batch(ops), packed=True)
        began_s = time.perf_counter()
        reply = await connection.ask(what)
        took_s.append(time.perf_counter() - began_s)
        _all_applied(reply.content)
    return took_s


Segment = list[tuple[str, list[tuple[Any, ...]]]]


def _rows_since(after: Path, before: Path, batches: list[list[dict[str, Any]]]) -> list[Segment]:
    """Return, for each batch, the statements that put the same rows in place."""
    connection = sqlite3.connect(after)
    connection.execute("ATTACH ? AS was", (str(before),))
    segments: list[Segment] = []
    for ops in batches:
        ids = [op["op_id"] for op in ops]
        threads = [op["conversation_id"] for op in ops]
        segment: Segment = [
            _inserts(connection, "message", "id", ids),
            _inserts(connection, "operation", "op_id", ids),
            _inserts(connection, "delivery", "message_id", ids),
            _upserts(connection, [f"m:{one}" for one in ids] + [f"c:{one}" for one in threads]),
            _updates(connection, threads),
        ]
        head = max(row[1] for row in segment[3][1])
        segment.append(("UPDATE feed_head SET seq = ? WHERE id = 1", [(head,)]))
        segments.append(segment)
    counted = sum(len(segment[0][1]) for segment in segments)
    written = connection.execute(
        "SELECT (SELECT count(*) FROM message) - (SELECT count(*) FROM was.message)"
    ).fetchone()[0]
    connection.close()
    if counted != written:
        raise AssertionError(f"{written} messages were written, {counted} are compared")
    return segments


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _marks(values: list[str]) -> str:
    return ",".join("?" * len(values))


def _inserts(
    connection: sqlite3.Connection, table: str, key: str, ids: list[str]
) -> tuple[str, list[tuple[Any, ...]]]:
    query = f"SELECT * FROM {table} WHERE {key} IN ({_marks(ids)})"
    rows = connection.execute(query, ids).fetchall()
    if len(rows) != len(ids):
        raise AssertionError(f"{table} has {len(rows)} rows for {len(ids)} operations")
    return f"INSERT INTO {table} VALUES ({_marks(_columns(connection, table))})", rows


def _upserts(connection: sqlite3.Connection, keys: list[str]) -> tuple[str, list[tuple[Any, ...]]]:
    columns = "key, seq, scope, kind, conversation_id, body"
    query = f"SELECT {columns} FROM change WHERE key IN ({_marks(keys)})"
    rows = connection.execute(query, keys).fetchall()
    upsert = (
        f"INSERT INTO change ({columns}) VALUES (?,?,?,?,?,?) ON CONFLICT (key) DO UPDATE"
        " SET seq = excluded.seq, scope = excluded.scope, body = excluded.body"
    )
    return upsert, sorted(rows, key=lambda row: int(row[1]))


def _updates(connection: sqlite3.Connection, ids: list[str]) -> tuple[str, list[tuple[Any, ...]]]:
    wanted = ("status", "activity_at_ms", "waiting_since_ms", "preview", "preview_by", "position")
    columns = [*wanted, "last_seq"]
    query = f"SELECT {', '.join(columns)}, id FROM conversation WHERE id IN ({_marks(ids)})"
    sets = ", ".join(f"{column} = ?" for column in columns)
    return f"UPDATE conversation SET {sets} WHERE id = ?", connection.execute(query, ids).fetchall()


def _commit_bare(path: Path, segments: list[Segment]) -> list[float]:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    took_s = []
    for segment in segments:
        began_s = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for statement, rows in segment:
            connection.executemany(statement, rows)
        connection.execute("COMMIT")
        took_s.append(time.perf_counter() - began_s)
    connection.close()
    return took_s


def _reconnecting(world: World) -> None:
    """200 phones come back at the same moment, each with 100 replies."""
    home = world.fresh_town("storm")
    secrets = town.sign_in(home, [home.people[n % len(home.people)] for n in range(PHONES)])
    conversations = _conversations(home, town.CONVERSATIONS)
    writer = Writer(500)
    # Notes and read marks as phones queue them; replies would hold each other up, as they should.
    bodies = []
    for phone, secret in enumerate(secrets):
        ops = []
        for number in range(OPS):
            conversation = conversations[(phone * 37 + number * 13) % len(conversations)]
            ops.append(_op("note", conversation, writer))
        bodies.append(_sync(secret, _batch(ops), packed=True))
    with processes.stoep(home) as server:
        times_ms, errors = uvloop.run(_storm(server.port, bodies))
        held = server.memory_bytes()
    stored = _count(home.file, "operation")
    world.report.figure(
        "server: 200 phones reconnect at once with 100 operations each, p99",
        percentile(times_ms, 99) if times_ms else 0.0,
        "ms",
        goal="no error, p99 stated",
        met=errors == 0 and stored == PHONES * OPS,
        errors=errors,
        operations_stored=stored,
        median_ms=median(times_ms) if times_ms else None,
        operations_per_s=PHONES * OPS / max(times_ms) * 1000 if times_ms else None,
        memory_after_mb=held / 1e6,
    )


def _count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return count


async def _storm(port: int, bodies: list[bytes]) -> tuple[list[float], int]:
    began_s = time.perf_counter()

    async def come_back(body: bytes) -> float:
        connection = await connect(port)
        reply = await connection.ask(body)
        took_ms = (time.perf_counter() - began_s) * 1000
        connection.close()
        if reply.status != 200 or _all_applied(reply.content) != OPS:
            raise AssertionError(reply.content[:300])
        return took_ms

    calls: list[Awaitable[float]] = [come_back(body) for body in bodies]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    times_ms = [outcome for outcome in outcomes if isinstance(outcome, float)]
    return times_ms, len(outcomes) - len(times_ms)

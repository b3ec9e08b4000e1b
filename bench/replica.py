"""Filling a phone, catching up, queueing and reconnecting: the store without the screen."""

import contextlib
import json
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

from playwright.sync_api import BrowserContext

from app.sync import replica
from bench import browser, processes, town
from bench.figures import median, ratio
from bench.words import Writer
from bench.world import World, pack

CHANGES = 100
PATIENCE_MS = 120_000
SLOW_PATIENCE_MS = 60_000
"""On the slow network the peer is stopped after this; the whole run must stay bounded."""

MINE = "/offline.html"
"""A page of the server's own origin that runs nothing by itself."""


def run(world: World) -> None:
    """Measure everything of this part."""
    home = world.fresh_town("replica")
    secrets = town.sign_in(home, home.people[:2])
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(processes.stoep(home))
        floor = stack.enter_context(processes.floor(world.floor_folder))
        peer = stack.enter_context(world.peer())
        context = stack.enter_context(browser.phone(world.folder / "profile-replica"))
        browser.sign_in(context, server.url, town.cookie(secrets[0]))
        tabs = Tabs(world, context, {"stoep": server.url, "floor": floor.url, "peer": peer.url})
        _first_fast(world, tabs, home)
        # The rest adds to the town, which floors and peer do not follow.
        _first_slow(world, stack, context, home, secrets[0], server, floor, peer)
        _queueing(world, tabs)
        _catching_up(world, tabs, server.url, secrets[1])
        _reconnecting(world, tabs)


class Tabs:
    """One page for each contestant."""

    def __init__(self, world: World, context: BrowserContext, urls: dict[str, str]) -> None:
        self.stoep = browser.Tab(context, urls["stoep"] + MINE, world.script("stoep"))
        self.floor = browser.Tab(context, urls["floor"] + "/blank", world.script("floors"))
        self.peer = browser.Tab(context, urls["peer"] + "/blank", world.script("pouch"))

    def close(self) -> None:
        """Close all pages."""
        for tab in (self.stoep, self.floor, self.peer):
            tab.close()


def _fill(tabs: Tabs, home: town.Town) -> Any:
    found = tabs.stoep.call("firstReplica", home.people[0])
    if (found["messages"], found["conversations"]) != (town.MESSAGES, town.CONVERSATIONS):
        raise AssertionError(f"the replica is not whole: {found}")
    return found


def _first_fast(world: World, tabs: Tabs, home: town.Town) -> None:
    times: dict[str, list[float]] = {"stoep": [], "pages": [], "rows": [], "peer": []}
    listed: list[float] = []
    cold = _fill(tabs, home)["took_ms"]
    for run_number in range(world.runs):
        found = _fill(tabs, home)
        times["stoep"].append(found["took_ms"])
        listed.append(found["listed_ms"])
        times["pages"].append(_floor(tabs.floor, "pages", town.CONVERSATIONS))
        if run_number < 3:  # the slow ones vary less, in proportion
            times["rows"].append(_floor(tabs.floor, "rows", town.CONVERSATIONS + town.MESSAGES))
            times["peer"].append(_peer(tabs.peer, town.CONVERSATIONS + town.MESSAGES))
    to_pages = ratio(times["stoep"], times["pages"])
    to_peer = median(times["peer"]) / median(times["stoep"])
    world.report.figure(
        "first replica, fast",
        median(times["stoep"]),
        "ms",
        goal="≤ 2 × pages floor and ≥ 15 × faster than PouchDB",
        met=to_pages <= 2 and to_peer >= 15,
        ratio_to_pages_floor=to_pages,
        times_faster_than_peer=to_peer,
        floor_pages_ms=median(times["pages"]),
        floor_rows_ms=median(times["rows"]),
        peer_ms=median(times["peer"]),
        newest_listed_ms=median(listed),
        requests=found["requests"],
        first_time_ms=cold,
        runs=times,
    )


def _floor(tab: browser.Tab, kind: str, records: int) -> float:
    found = tab.call(kind, "/ready/replica")
    if found["records"] != records:
        raise AssertionError(f"the {kind} floor has {found['records']} records, not {records}")
    return float(found["took_ms"])


def _peer(tab: browser.Tab, documents: int) -> float:
    found = tab.call("firstReplica", PATIENCE_MS)
    if found["documents"] != documents:
        raise AssertionError(f"the peer has {found['documents']} documents, not {documents}")
    return float(found["took_ms"])


def _first_slow(
    world: World,
    stack: contextlib.ExitStack,
    context: BrowserContext,
    home: town.Town,
    secret: str,
    *servers: processes.Running,
) -> None:
    networks = [stack.enter_context(processes.network(server)) for server in servers]
    names = ("stoep", "floor", "peer")
    urls = dict(zip(names, (network.url for network in networks), strict=True))
    browser.sign_in(context, urls["stoep"], town.cookie(secret))
    tabs = Tabs(world, context, urls)
    by_name = dict(zip(names, networks, strict=True))
    for network in networks:
        network.slow()
    times: dict[str, list[float]] = {"stoep": [], "pages": []}
    carried: dict[str, dict[str, int]] = {}
    for _ in range(2):
        by_name["stoep"].reset()
        with tabs.stoep.slow_cpu():
            times["stoep"].append(_fill(tabs, home)["took_ms"])
        carried["stoep"] = by_name["stoep"].count()
        by_name["floor"].reset()
        with tabs.floor.slow_cpu():
            times["pages"].append(_floor(tabs.floor, "pages", town.CONVERSATIONS))
        carried["floor"] = by_name["floor"].count()
    with tabs.peer.slow_cpu():
        found = tabs.peer.call("firstReplica", SLOW_PATIENCE_MS)
    carried["peer"] = by_name["peer"].count()
    peer_whole = found["documents"] == town.CONVERSATIONS + town.MESSAGES
    to_pages = ratio(times["stoep"], times["pages"])
    world.report.figure(
        "first replica, slow",
        median(times["stoep"]),
        "ms",
        goal="≤ 1.1 × pages floor",
        met=to_pages <= 1.1,
        ratio_to_pages_floor=to_pages,
        times_faster_than_peer=found["took_ms"] / median(times["stoep"]),
        floor_pages_ms=median(times["pages"]),
        peer_ms=found["took_ms"],
        peer_documents=found["documents"],
        peer_gave_up=found["gave_up"],
        peer_says="" if peer_whole else "stopped before it had everything: at least so much slower",
        runs=times,
    )
    down = {name: carried[name]["down"] for name in names}
    world.report.figure(
        "first replica, bytes down",
        down["stoep"],
        "bytes",
        goal="≤ 1.05 × pages floor",
        met=down["stoep"] <= 1.05 * down["floor"],
        ratio_to_pages_floor=down["stoep"] / down["floor"],
        floor_pages=down["floor"],
        peer=down["peer"] if peer_whole else None,
        bytes_up={name: carried[name]["up"] for name in names},
    )
    tabs.close()


def _queueing(world: World, tabs: Tabs) -> None:
    """Queue 100 replies without a network; they stay for `_reconnecting`."""
    writer = Writer(5)
    texts = [writer.text(town.MESSAGE_CHARS) for _ in range(CHANGES)]
    found = tabs.stoep.call("queue", tabs.stoep.call("newest", CHANGES), texts)
    # An outbox of a few is what she has; of a hundred, what a week in a cellar leaves.
    few_ms, many_ms = found["queued_ms"][:20], found["queued_ms"][-20:]
    times = median(few_ms) / median(found["bare_ms"])
    world.report.figure(
        "queueing one reply, strictly durable",
        median(few_ms),
        "ms",
        goal="≤ 2 × the bare transaction",
        met=times <= 2,
        ratio_to_floor=times,
        floor_ms=median(found["bare_ms"]),
        with_a_hundred_waiting_ms=median(many_ms),
        runs=len(few_ms),
    )
    _reconnect_once(tabs)


def _reconnect_once(tabs: Tabs) -> Any:
    found = tabs.stoep.call("reconnect")
    if found["left"] or found["needsPerson"]:
        raise AssertionError(f"operations are left: {found}")
    return found


def _catching_up(world: World, tabs: Tabs, url: str, secret: str) -> None:
    times: dict[str, list[float]] = {"stoep": [], "rows": []}
    requests = wire_bytes = 0
    answer = b""
    notes: list[dict[str, Any]] = []
    _floor(tabs.floor, "rows", town.CONVERSATIONS + town.MESSAGES)
    for run_number in range(world.runs):
        cursor = _sync(url, secret, [], 2**50)[0]["head"]  # beyond the head: only asks where it is
        conversations = tabs.stoep.call("newest", 2 * CHANGES)[CHANGES:]
        # One by one, as colleagues work: a batch would stand in the feed in another order.
        notes = _notes(conversations, run_number)
        for note in notes:
            _sync(url, secret, [note])
        found = tabs.stoep.call("catchUp")
        requests = found["requests"]
        times["stoep"].append(found["took_ms"])
        header, answer = _sync(url, secret, [], cursor)
        if header["rows"] != 2 * CHANGES:
            raise AssertionError(f"a hundred notes changed {header['rows']} rows")
        pack(world.floor_folder / "changes.gz", answer)
        wire_bytes = _carried(url, secret, cursor)
        with urlopen(Request(tabs.floor.page.url.replace("/blank", "/forget"), method="POST")):
            pass
        times["rows"].append(tabs.floor.call("changes", "/ready/changes")["took_ms"])
    times_floor = ratio(times["stoep"], times["rows"])
    words = "\n".join(note["payload"]["text"] for note in notes).encode()
    world.report.figure(
        "catching up 100 changes",
        median(times["stoep"]),
        "ms",
        goal="1 request, ≤ 1.5 × rows floor",
        met=requests == 1 and times_floor <= 1.5,
        ratio_to_rows_floor=times_floor,
        floor_rows_ms=median(times["rows"]),
        requests=requests,
        runs=times,
    )
    world.report.figure(
        "catching up 100 changes, answer",
        wire_bytes,
        "bytes",
        goal="≤ 15 kB",
        met=wire_bytes <= 15_000,
        says="the body as the browser gets it: 100 new messages of 600 bytes in 100 conversations,"
        " with their heads",
        floor_words_bytes=len(replica.squeeze(words)),
        floor_words_gzip_bytes=len(replica.compress(words)),
        whole_in_gzip_bytes=len(replica.compress(answer)),
        plain_bytes=len(answer),
    )


def _notes(conversations: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    writer = Writer(100 + seed)
    return [
        {
            "op_id": str(uuid4()),
            "kind": "note",
            "conversation_id": conversation["id"],
            "based_on": None,
            "payload": {"text": writer.text(town.MESSAGE_CHARS), "attachments": []},
            "written_at_ms": 1_800_000_000_000,
            "v": 1,
        }
        for conversation in conversations
    ]


def _sync(
    url: str, secret: str, ops: list[dict[str, Any]], after: int = 2**50
) -> tuple[dict[str, Any], bytes]:
    """Be a colleague's phone; return the answer's header and rows."""
    first, _, rest = _post(url, secret, ops, after, "identity").partition(b"\n")
    header = json.loads(first)
    refused = [result for result in header["results"] if result["outcome"] != "applied"]
    if refused:
        raise AssertionError(f"a colleague's operation was not applied: {refused[0]}")
    return header, rest


def _carried(url: str, secret: str, after: int) -> int:
    """Return how many bytes of body a pull costs with what Chromium says that it can read."""
    return len(_post(url, secret, [], after, "gzip, deflate, br, zstd"))


def _post(url: str, secret: str, ops: list[dict[str, Any]], after: int, accepted: str) -> bytes:
    body = json.dumps({"v": 1, "ops": ops, "after": after, "scope": "", "limit": 1000})
    cookie = town.cookie(secret)
    headers = {
        "Accept-Encoding": accepted,
        "Content-Type": "application/json",
        "Origin": url,
        "Cookie": f"{cookie['name']}={cookie['value']}",
    }
    with urlopen(Request(f"{url}/api/v1/sync", body.encode(), headers)) as response:
        return bytes(response.read())


def _reconnecting(world: World, tabs: Tabs) -> None:
    times: dict[str, list[float]] = {"stoep": [], "peer": []}
    requests = 0
    texts: list[str] = []
    found: dict[str, Any] = {}
    for run_number in range(world.runs):
        writer = Writer(200 + run_number)
        texts = [writer.text(town.MESSAGE_CHARS) for _ in range(CHANGES)]
        conversations = tabs.stoep.call("newest", CHANGES)
        tabs.stoep.call("queue", conversations, texts)
        found = _reconnect_once(tabs)
        requests = found["requests"]
        times["stoep"].append(found["took_ms"])
        documents = [
            {"_id": f"m:new:{run_number}:{number}", "text": text, "kind": "reply"}
            for number, text in enumerate(texts)
        ]
        times["peer"].append(tabs.peer.call("reconnect", documents)["took_ms"])
    world.report.figure(
        "reconnecting with 100 queued replies",
        median(times["stoep"]),
        "ms",
        goal="1 request, no slower than PouchDB's push of 100 documents",
        met=requests == 1 and median(times["stoep"]) <= median(times["peer"]),
        ratio_to_peer=ratio(times["stoep"], times["peer"]),
        peer_ms=median(times["peer"]),
        requests=requests,
        runs=times,
    )
    sent_bytes = found["sent_bytes"]
    world.report.figure(
        "reconnecting with 100 queued replies, up",
        sent_bytes,
        "bytes",
        goal="≤ 22 kB",
        met=sent_bytes <= 22_000,
        says="the compressed body of the one request; each reply has 600 characters",
        floor_words_bytes=len(replica.compress("\n".join(texts).encode())),
    )

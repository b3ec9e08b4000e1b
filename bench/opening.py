"""What a person waits for: the real app, on a bad phone and without a network."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from playwright.sync_api import BrowserContext, CDPSession, Page

from bench import browser, processes, town
from bench.client import connect, request
from bench.figures import median, ratio
from bench.world import World

WATCH = processes.HERE / "pages" / "watch.js"
PATIENCE_MS = 60_000
NOT_THE_APP = "/offline.html"
WORKER = "stoep-assets-"

CLEAR = """
(async () => {
  for (const { name } of await indexedDB.databases()) {
    await new Promise((done) => (indexedDB.deleteDatabase(name).onsuccess = done));
  }
  await caches.delete('stoep-snapshots');
})()
"""


class Screen:
    """A page that is watched from its first moment."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.pages[0]
        self.session: CDPSession = context.new_cdp_session(self.page)
        self.page.add_init_script(path=WATCH)

    def open(self, url: str) -> None:
        """Begin to go there."""
        self.page.goto(url, wait_until="commit")

    def tell(self, expression: str) -> Any:
        """Return what an expression comes to in the page."""
        answer = self.session.send(
            "Runtime.evaluate",
            {
                "expression": expression,
                "awaitPromise": True,
                "returnByValue": True,
                "allowUnsafeEvalBlockedByCSP": True,
            },
        )
        if "exceptionDetails" in answer:
            said = answer["exceptionDetails"].get("exception", {}).get("description")
            raise RuntimeError(f"in the page: {said}")
        return answer["result"].get("value")

    def seen(self, name: str) -> float:
        """Wait until it is painted; return milliseconds since the navigation began."""
        late = f"new Promise((_, no) => setTimeout(() => no(Error('no {name}')), {PATIENCE_MS}))"
        return float(self.tell(f"Promise.race([watched.seen.{name}, {late}])"))

    @contextlib.contextmanager
    def slow_cpu(self) -> Iterator[None]:
        """Make the page's thread four times slower meanwhile."""
        self.session.send("Emulation.setCPUThrottlingRate", {"rate": browser.SLOW_CPU})
        yield
        self.session.send("Emulation.setCPUThrottlingRate", {"rate": 1})

    def wait(self, expression: str) -> None:
        """Wait until an expression holds (a promise of it counts)."""
        loop = (
            "new Promise((yes, no) => { const until = performance.now() + %d;"
            " const look = async () => { if (await (%s)) yes(true);"
            " else if (performance.now() > until) no(Error('never: ' + %s));"
            " else setTimeout(look, 50); }; look(); })"
        )
        self.tell(loop % (PATIENCE_MS, expression, json.dumps(expression)))


def run(world: World) -> None:
    """Measure everything of this part."""
    home = world.fresh_town("opening")
    secret = town.sign_in(home, home.people[:1])[0]
    profile = world.folder / "profile-app"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(processes.stoep(home))
        floor = stack.enter_context(processes.floor(world.floor_folder))
        network = stack.enter_context(processes.network(server))
        visitor = Visitor(network, secret)
        _fill_phone(visitor, profile)
        opened = _frames(world, visitor, profile, floor.url)
        _cold_offline(world, visitor, profile, opened, floor)
        network.heal()
        uvloop.run(_first_bytes(world, server, secret))
        _first_screen(world, visitor, profile)


class Visitor:
    """Somebody with a session, behind a network."""

    def __init__(self, network: processes.Network, secret: str) -> None:
        self.network = network
        self.url = network.url
        self._secret = secret

    @contextlib.contextmanager
    def phone(self, profile: Path) -> Iterator[Screen]:
        """Start a browser process."""
        with browser.phone(profile) as context:
            browser.sign_in(context, self.url, town.cookie(self._secret))
            yield Screen(context)


def _fill_phone(visitor: Visitor, profile: Path) -> None:
    """Visit once without hurry: the app is cached, the replica filled, its worker at work."""
    with visitor.phone(profile) as screen:
        screen.open(visitor.url + "/")
        screen.seen("rows")
        screen.wait("navigator.serviceWorker.ready.then(() => true)")
        screen.wait("watched.whole()")
        screen.wait("caches.open('stoep-snapshots').then(async (c) => (await c.keys()).length > 0)")


# -- typing and scrolling --------------------------------------------------------------------------


def _frames(world: World, visitor: Visitor, profile: Path, floor_url: str) -> str:
    """Scroll and type at CPU ÷ 4; return an opened conversation's path."""
    gaps: dict[str, list[float]] = {}
    with visitor.phone(profile) as screen:
        screen.open(visitor.url + "/")
        screen.seen("rows")
        screen.wait("Boolean(document.querySelector('#app')?.['_$litPart$'])")
        kept = "caches.match('/', { cacheName: 'stoep-snapshots' })"
        _keep_still(world, screen.tell(f"{kept}.then((page) => page.text())"), "list")
        gaps["scrolling"] = _gaps(screen, lambda: _scroll(screen))
        screen.tell("document.querySelector('.row-link').click()")
        screen.seen("composer")
        opened: str = screen.tell("location.pathname")
        _keep_still(world, screen.tell("document.documentElement.outerHTML"), "conversation")
        gaps["typing"] = _gaps(screen, lambda: _type(screen))
        # A snapshot of this screen is kept a moment later; the cold start below is from it.
        screen.tell("document.querySelector('#composer-text').select()")
        screen.page.keyboard.press("Delete")
        screen.wait(kept.replace("'/'", f"'{opened}'") + ".then(Boolean)")
        # The floor: the same pages without a script, drawn by the same browser.
        screen.open(floor_url + "/ready/list.html")
        screen.seen("rows")
        gaps["scrolling floor"] = _gaps(screen, lambda: _scroll(screen))
        screen.open(floor_url + "/ready/conversation.html")
        screen.seen("messages")
        gaps["typing floor"] = _gaps(screen, lambda: _type(screen))
    for name in ("typing", "scrolling"):
        dropped, floor = _dropped(gaps[name]), _dropped(gaps[f"{name} floor"])
        world.report.figure(
            f"{name} at CPU ÷ 4, frames dropped",
            dropped,
            "frames",
            goal="none that the floor does not drop",
            met=dropped <= floor,
            floor=floor,
            of_frames=len(gaps[name]),
            longest_gap_ms=max(gaps[name]),
            says="drawn without a graphics card; the floor is the same page without scripts",
        )
    return opened


def _gaps(screen: Screen, act: Any) -> list[float]:
    with screen.slow_cpu():
        screen.tell("void (globalThis.stopFrames = watched.frames())")
        act()
        gaps: list[float] = screen.tell("stopFrames()")
    return gaps


def _dropped(gaps: list[float]) -> int:
    frame_ms = 1000 / 60
    return sum(max(0, round(gap / frame_ms) - 1) for gap in gaps)


def _scroll(screen: Screen) -> None:
    screen.session.send(
        "Input.synthesizeScrollGesture",
        {"x": 195, "y": 600, "yDistance": -2400, "speed": 1200, "gestureSourceType": "touch"},
    )


def _type(screen: Screen) -> None:
    text = "Dank voor uw bericht, wij gaan er morgen naar kijken."
    screen.tell("document.querySelector('#composer-text').focus()")
    screen.page.keyboard.type(text, delay=40)
    arrived = screen.tell("document.querySelector('#composer-text').value")
    if arrived != text:
        raise AssertionError(f"what was typed did not arrive: {arrived!r}")


# -- cold, without a network -----------------------------------------------------------------------


def _keep_still(world: World, page: str, name: str) -> None:
    """Give the floors' server a page without its scripts, and its style."""
    style = re.search(r"/static/(app-[^\"]+\.css)", page)
    assert style is not None
    shutil.copy(processes.ROOT / "static" / "dist" / style[1], world.floor_folder / "app.css")
    page = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    page = re.sub(r"<link[^>]+rel=\"(?!stylesheet)[^>]*>", "", page)
    page = page.replace(style[0], "/ready/app.css")
    (world.floor_folder / f"{name}.html").write_text(page)


def _cold_offline(
    world: World, visitor: Visitor, profile: Path, opened: str, floor: processes.Running
) -> None:
    shutil.copy(processes.HERE / "pages" / "sw.js", world.floor_folder)
    with contextlib.ExitStack() as stack:
        floor_network = stack.enter_context(processes.network(floor))
        peer = stack.enter_context(world.peer())
        peer_network = stack.enter_context(processes.network(peer))
        floor_profile, peer_profile = world.folder / "profile-floor", world.folder / "profile-peer"
        _keep(floor_profile, floor_network.url, ["list.html", "app.css"])
        _keep(peer_profile, peer_network.url, ["index.html", "offline.js"], world.script("pouch"))
        for network in (visitor.network, floor_network, peer_network):
            network.cut()
        times: dict[str, list[float]] = {"stoep": [], "floor": [], "peer": []}
        answering: list[float] = []
        for _ in range(world.runs):
            with visitor.phone(profile) as screen:
                screen.open(visitor.url + "/")
                times["stoep"].append(screen.seen("rows"))
            with browser.phone(floor_profile) as context:
                still = Screen(context)
                still.open(floor_network.url + "/page/")
                times["floor"].append(still.seen("rows"))
            with browser.phone(peer_profile) as context:
                theirs = Screen(context)
                theirs.open(peer_network.url + "/page/")
                times["peer"].append(theirs.seen("rows"))
            with visitor.phone(profile) as screen:
                screen.open(visitor.url + opened)
                answering.append(screen.seen("composer"))
    to_floor = ratio(times["stoep"], times["floor"])
    world.report.figure(
        "cold offline open, 50 rows painted",
        median(times["stoep"]),
        "ms",
        goal="≤ 1.2 × a worker that answers with ready HTML",
        met=to_floor <= 1.2,
        ratio_to_floor=to_floor,
        floor_ms=median(times["floor"]),
        peer_ms=median(times["peer"]),
        runs=times,
    )
    world.report.figure(
        "cold offline open of a conversation, until one can answer",
        median(answering),
        "ms",
        goal="≤ 200 ms",
        met=median(answering) <= 200,
        says="the app itself has drawn the composer; a picture of one does not count",
        runs=answering,
    )


def _keep(profile: Path, url: str, files: list[str], script: Path | None = None) -> None:
    """Let a worker keep these files; with a script, fill the peer's database first."""
    with browser.phone(profile) as context:
        screen = Screen(context)
        screen.page.goto(url + "/blank")
        if script is not None:
            screen.tell(script.read_text())
            screen.tell("bench.firstReplica(120000)")
        kept = ",".join(f"/ready/{name}" for name in files)
        screen.tell(
            f"navigator.serviceWorker.register('/ready/sw.js?files={kept}', {{ scope: '/page/' }})"
            ".then(() => true)"
        )
        screen.wait(
            "navigator.serviceWorker.getRegistrations()"
            ".then((all) => all[0]?.active?.state === 'activated')"
        )


# -- the first screen ------------------------------------------------------------------------------


async def _first_bytes(world: World, server: processes.Running, secret: str) -> None:
    """Count what comes down, headers included, before the newest 50 can be shown."""
    connection = await connect(server.port)
    found = town.cookie(secret)
    cookie = f"{found['name']}={found['value']}"
    for path in ("/api/v1/me", "/api/v1/replica?part=first"):
        reply = await connection.ask(request("GET", path, cookie=cookie))
        if reply.status != 200:
            raise AssertionError(reply.content[:300])
    world.report.figure(
        "first screen, bytes after sign-in",
        connection.received_bytes,
        "bytes",
        goal="≤ 30 kB before the rest",
        met=connection.received_bytes <= 30_000,
        says="who I am, then the newest 50 with the newest few whole",
    )
    connection.close()


def _first_screen(world: World, visitor: Visitor, profile: Path) -> None:
    rounds = max(2, min(3, world.runs))
    cached: list[tuple[float, float]] = []
    cold: list[tuple[float, float]] = []
    visitor.network.fast()
    for number in range(rounds):
        copy = world.folder / f"profile-cached-{number}"
        shutil.copytree(profile, copy, ignore=shutil.ignore_patterns("Singleton*"))
        with visitor.phone(copy) as screen:
            screen.page.goto(visitor.url + NOT_THE_APP)
            screen.tell(CLEAR)
            # The sign-in page was just there, so its connection still is.
            visitor.network.slow()
            with screen.slow_cpu():
                screen.open(visitor.url + "/?signed-in")
                cached.append(_read_one(screen))
            visitor.network.fast()
        shutil.rmtree(copy, ignore_errors=True)
        fresh = world.folder / f"profile-fresh-{number}"
        visitor.network.slow()
        with visitor.phone(fresh) as screen, screen.slow_cpu():
            screen.open(visitor.url + "/")
            cold.append(_read_one(screen))
        visitor.network.fast()
        shutil.rmtree(fresh, ignore_errors=True)
    for name, found, goal_ms in (
        ("first screen after sign-in, app cached, slow", cached, 800),
        ("first screen from a cold first visit, slow", cold, 2500),
    ):
        took_ms = median(opened for _, opened in found)
        world.report.figure(
            name,
            took_ms,
            "ms",
            goal=f"≤ {goal_ms} ms",
            met=took_ms <= goal_ms,
            listed_ms=median(listed for listed, _ in found),
            says="50 rows painted, the first one opened and its messages painted",
            runs=found,
        )


def _read_one(screen: Screen) -> tuple[float, float]:
    listed = screen.seen("rows")
    screen.tell("document.querySelector('.row-link').click()")
    return listed, screen.seen("messages")

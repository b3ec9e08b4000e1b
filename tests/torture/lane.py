"""One lane: a database of one kind, a server, a mail server, faulty lines, and phones in Node.

Histories are played in groups: a fresh database for each, and in it a town for each history. All
that happens to the server (its being killed, its restart) happens to the whole group.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from app.config import Settings
from app.db import Database
from app.delivery.worker import IDLE_S
from app.secrets import seal
from tests.peers.mail import PASSWORD, MailServers
from tests.support.proxy import FaultProxy, always, calm, flaky
from tests.torture import towns, truth, zygote
from tests.torture.levers import Levers
from tests.torture.post import Post
from tests.torture.zygote import Order, line_of

PHONES = 3
GROUP_TIMEOUT_S = 600
"""Only what hangs takes as long: a group takes half a minute, on a machine with ten times the work
of its cores five. It is no promise; those have allowances of their own.
"""

CRASH_SHARE = 0.004
MAIL_FAULT_SHARE = 0.4
SETTLE_S = 90
STREAM_LIMIT = 64 * 1024 * 1024


@dataclass
class Tally:
    """What a lane saw, for the closing lines."""

    histories: int = 0
    operations: int = 0
    requests: int = 0
    kills: int = 0
    liveness_ms: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    mails: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)


class Keeper:
    """Keeps a server running: starts it through the zygote, again whenever it dies."""

    def __init__(self, zygote: "Zygote", order: Order) -> None:
        self._zygote = zygote
        self._order = order
        self._pid = 0
        self._stopped = asyncio.Event()
        self._chance = random.Random(order.seed)
        self._task: asyncio.Task[None] | None = None
        self.up = asyncio.Event()
        self.deaths = 0

    async def start(self) -> None:
        """Start it and see that it stays."""
        self._task = asyncio.create_task(self._keep())
        await self.is_up()

    async def is_up(self) -> None:
        """Wait until it listens. Raises what keeps it from ever doing so."""
        assert self._task is not None
        rising = asyncio.create_task(self.up.wait())
        await asyncio.wait({rising, self._task}, return_when=asyncio.FIRST_COMPLETED)
        rising.cancel()
        if self._task.done():
            self._task.result()

    def kill(self) -> None:
        """End it as a power failure would."""
        if self.up.is_set():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Kill it for good."""
        self._stopped.set()
        self.kill()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _keep(self) -> None:
        life = 0
        while not self._stopped.is_set():
            self._pid = await self._zygote.start(self._order, life)
            dead = await _watch(self._pid)
            self.up.set()
            if self._stopped.is_set():
                self.kill()
            await dead.wait()
            self.up.clear()
            if self._stopped.is_set():
                return
            self.deaths += 1
            life += 1
            # The time in which whoever looks after the server notices.
            await asyncio.sleep(self._chance.random() * 0.1)


async def _watch(pid: int) -> asyncio.Event:
    """Return an event that is set when this process ends."""
    dead = asyncio.Event()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        dead.set()
        return dead
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(handle)
        os.close(handle)
        dead.set()

    loop.add_reader(handle, ended)
    return dead


class Zygote:
    """The process that forks servers; one order at a time."""

    def __init__(self, orders: IO[str], answers: asyncio.StreamReader) -> None:
        self._orders = orders
        self._answers = answers
        self._turn = asyncio.Lock()

    async def start(self, order: Order, life: int) -> int:
        """Start a server; return its process id when it listens. `life` varies its chances."""
        async with self._turn:
            raw = replace(order, seed=order.seed + life)
            self._orders.write(line_of(raw))
            self._orders.flush()
            said = json.loads(await self._answers.readline())
            if "error" in said:
                raise RuntimeError(f"the server does not start: {said['error']}")
            return int(said["pid"])


class Lane:
    """Plays groups of histories on one kind of database."""

    def __init__(
        self,
        folder: Path,
        mail: MailServers,
        mailboxes: list[str],
        zygote: Zygote,
        *,
        actions: int,
    ) -> None:
        self.tally = Tally()
        self._mailboxes = mailboxes
        self._residents = f"bewoners-{folder.name}@stoep.test"
        self._folder = folder
        self._mail = mail
        self._zygote = zygote
        self._actions = actions
        self._levers = Levers(folder / "levers")
        self._port = _free_port()
        self._lines: list[FaultProxy] = []
        self._stack = AsyncExitStack()
        self._node: asyncio.subprocess.Process | None = None
        self._chance = random.Random()

    async def __aenter__(self) -> "Lane":
        self._post = await self._stack.enter_async_context(
            Post(self._mail.dir / "mail", self._chance)
        )
        for _ in range(towns.COUNT * PHONES):
            proxy = FaultProxy(self._port, chance=self._chance)
            self._lines.append(await self._stack.enter_async_context(proxy))
        self._node = await asyncio.create_subprocess_exec(
            "node",
            str(Path(__file__).with_name("phones.mjs")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=STREAM_LIMIT,
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._node is not None and self._node.returncode is None:
            self._node.kill()
            await self._node.wait()
        await self._stack.aclose()

    def mailboxes(self) -> list[dict[str, Any]]:
        """Return the config of each town's mailbox: our SMTP, Dovecot's IMAP."""
        ports = {"smtp_port": self._post.port, "smtp_auth": False}
        return [self._mail.account(address, **ports) for address in self._mailboxes]

    def password(self) -> str:
        """Return the password of every mailbox as the servers keep it."""
        secret = json.dumps({"password": PASSWORD})
        return seal(Settings(data_dir=self._folder), secret)

    async def play(
        self,
        url: str,
        template: list[dict[str, Any]],
        seeds: list[int],
        *,
        fault: str = "",
        worker: bool = False,
    ) -> list[tuple[int, str]]:
        """Play one group and return the failures as (seed, what went wrong)."""
        self._chance.seed(seeds[0])
        self._levers.put(shift_ms=0, crash_share=0.0)
        self._post.fault_share = 0.0
        self._empty_mailboxes()
        settings = {
            "data_dir": str(self._folder),
            "database_url": url,
            "port": self._port,
            "base_url": f"http://127.0.0.1:{self._port}",
            "log_level": "warning",
        }
        order = Order(
            "serve",
            settings,
            str(self._folder / "levers"),
            seeds[0],
            fault,
            str(self._folder / "server.log"),
        )
        keepers = [Keeper(self._zygote, order)]
        if worker:
            beside = Order("worker", settings, order.levers, seeds[0] + 7, fault, order.log)
            keepers.append(Keeper(self._zygote, beside))
        database = Database(url)
        try:
            for keeper in keepers:
                await keeper.start()
            async with asyncio.timeout(GROUP_TIMEOUT_S):
                ended = await self._talk(keepers, database, template, seeds)
        except TimeoutError:
            ended = {"ended": [], "error": "the group did not end in time"}
        except RuntimeError as error:
            ended = {"ended": [], "error": str(error)}
        finally:
            for keeper in keepers:
                await keeper.stop()
            database.close()
        if not fault and (said := self._complaints()):
            ended["error"] = "; ".join([*filter(None, [ended.get("error")]), said])
        return self._count(ended, seeds, keepers)

    def _complaints(self) -> str:
        """Return what the servers logged of errors that nobody foresaw, and forget it."""
        log = self._folder / "server.log"
        said = log.read_text(errors="replace").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        if not any(line.startswith("unexpected ") for line in said):
            return ""
        return f"the server failed by itself: {' | '.join(dict.fromkeys(said))[:2000]}"

    def _count(
        self, ended: dict[str, Any], seeds: list[int], keepers: list[Keeper]
    ) -> list[tuple[int, str]]:
        tally = self.tally
        failures = [(one["seed"], one["failure"]) for one in ended["ended"] if one["failure"]]
        if ended.get("error"):
            failures.append((seeds[0], ended["error"]))
        tally.histories += len(ended["ended"])
        tally.kills += sum(keeper.deaths for keeper in keepers)
        for one in ended["ended"]:
            tally.operations += one["operations"]
            tally.requests += one["requests"]
            tally.liveness_ms = max(tally.liveness_ms, one["liveness_ms"])
        for line in self._lines:
            tally.faults += line.did
            line.did.clear()
        tally.mails += self._post.did
        self._post.did.clear()
        tally.failures += failures
        return failures

    async def _talk(
        self,
        keepers: list[Keeper],
        database: Database,
        template: list[dict[str, Any]],
        seeds: list[int],
    ) -> dict[str, Any]:
        """Let Node play and answer what it asks, until it says that the group has ended."""
        assert self._node is not None
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        histories = [
            {
                "seed": seed,
                "town": template[i],
                "actions": self._actions,
                "lines": [
                    {"at": at, "port": self._lines[at].port}
                    for at in range(i * PHONES, (i + 1) * PHONES)
                ],
            }
            for i, seed in enumerate(seeds)
        ]
        origin = f"http://127.0.0.1:{self._port}"
        photos = [str(self._folder / name) for name in ("small.jpg", "large.jpg")]
        group = {
            "histories": histories,
            "server": origin,
            "origin": origin,
            "photos": photos,
            "residents": self._residents.partition("@")[0],
        }
        self._say({"group": group})
        answering: set[asyncio.Task[None]] = set()
        try:
            while line := await self._node.stdout.readline():
                said = json.loads(line)
                if "ended" in said:
                    return dict(said)
                task = asyncio.create_task(self._answer(said, keepers, database, template, seeds))
                answering.add(task)
                task.add_done_callback(answering.discard)
        finally:
            for task in answering:
                task.cancel()
        raise AssertionError("the phones' process ended")

    def _say(self, what: dict[str, Any]) -> None:
        assert self._node is not None
        assert self._node.stdin is not None
        self._node.stdin.write(json.dumps(what).encode() + b"\n")

    async def _answer(
        self,
        said: dict[str, Any],
        keepers: list[Keeper],
        database: Database,
        template: list[dict[str, Any]],
        seeds: list[int],
    ) -> None:
        try:
            value = await self._do(said, keepers, database, template, seeds)
        except Exception as error:  # noqa: BLE001  (Node is told, and fails the history)
            self._say({"id": said["id"], "error": repr(error)})
        else:
            self._say({"id": said["id"], "value": value})

    async def _do(
        self,
        said: dict[str, Any],
        keepers: list[Keeper],
        database: Database,
        template: list[dict[str, Any]],
        seeds: list[int],
    ) -> Any:
        match said["do"]:
            case "chaos":
                self._levers.put(crash_share=CRASH_SHARE)
                self._post.fault_share = MAIL_FAULT_SHARE
            case "weather":
                self._set_weather(said["line"], said["mode"], seeds[0])
            case "cut":
                self._lines[said["line"]].cut()
            case "kill":
                keepers[0].kill()
            case "heal":
                self._levers.put(crash_share=0.0)
                self._post.fault_share = 0.0
                for keeper in keepers:
                    await keeper.is_up()
                for line in self._lines:
                    line.weather = calm
                    line.cut()
            case "settle":
                await self._settle(database)
            case "truth":
                return truth.of_town(database, template[said["town"]])
            case "mails":
                return self._post.texts(self._residents)
        return None

    def _set_weather(self, at: int, mode: str, seed: int) -> None:
        line = self._lines[at]
        line.weather = {
            "good": calm,
            "off": always("refuse"),
            "portal": always("portal"),
            "flaky": flaky(random.Random(seed * 1000 + at)),
        }[mode]
        if mode == "off":
            line.cut()

    async def _settle(self, database: Database) -> None:
        """Let the server's time pass until nothing is left to deliver."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + SETTLE_S
        before: list[tuple[int, str]] = []
        since_s = loop.time()
        while left := truth.unsettled(database):
            if loop.time() > end_s:
                raise AssertionError(f"never settled: {left}")
            if left != before:
                before, since_s = left, loop.time()
            now_ms = self._levers.now_ms()
            due = [due_ms for due_ms, _ in left]
            # What is due and not taken waits for an earlier one, whose lease must lapse first.
            waits = min(due) > now_ms or loop.time() - since_s > 2 * IDLE_S
            ahead_ms = min((each for each in due if each > now_ms), default=now_ms) - now_ms
            if waits and ahead_ms:
                self._levers.put(shift_ms=self._levers.shift_ms + ahead_ms + 1)
                since_s = loop.time()
            await asyncio.sleep(0.1)

    def _empty_mailboxes(self) -> None:
        for address in (*self._mailboxes, self._residents):
            shutil.rmtree(self._mail.dir / "mail" / address / "Maildir", ignore_errors=True)


def _free_port() -> int:
    """Return a port that no connection is given by the system while the server is down.

    Linux hands out 32768 and up by itself (ip_local_port_range in ip(7)): a phone that knocks on
    the dead server's door may even be given that very port, and then nothing can listen there.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def hatch() -> tuple[IO[str], IO[str], int]:
    """Fork the zygote; return where its orders go, where its answers come from, and its id.

    To be called before a loop or a thread runs in this process.
    """
    order_end, orders = os.pipe()
    answers, answer_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(order_end, 0)
        os.dup2(answer_end, 1)
        for end in (order_end, orders, answers, answer_end):
            os.close(end)
        zygote.run()
        os._exit(0)
    os.close(order_end)
    os.close(answer_end)
    return os.fdopen(orders, "w"), os.fdopen(answers), pid


async def reader_of(answers: IO[str]) -> asyncio.StreamReader:
    """Return the zygote's answers for a loop."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), answers
    )
    return reader

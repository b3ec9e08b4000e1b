"""One process with a clock that jumps: waiting costs nothing, and a seed decides everything.

The loop's time moves on only when nobody has anything to do, straight to whatever is due next. A
simulated worker process is the tasks that it began: killing it ends them where they stand and makes
everything that they still try come to nothing, as a power failure does.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from sqlmodel import Session

from app.db import Database

T = TypeVar("T")

START_MS = 1_793_610_000_000
"""2 November 2026, 10:00 in Amsterdam."""

BLOCKED_S = 0.05
"""How long one of two transactions side by side is waited for, in real time, before the other one
commits: so long and it waits for a lock of that other one."""


class Stuck(AssertionError):
    """Everybody waits and nothing is due."""


class _Warping(selectors.DefaultSelector):
    """Does not wait, but lets the time pass."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout is None:
            raise Stuck("everybody waits for ever")
        if not found and timeout:
            self.now_s += timeout
        return found


class WarpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time costs nothing."""

    def __init__(self) -> None:
        self._warping = _Warping()
        super().__init__(self._warping)
        self._clock_resolution = 1e-6
        self.set_task_factory(_task)

    def time(self) -> float:
        return self._warping.now_s

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do at once what would be done on a thread."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (whoever waits for it is told)
            done.set_exception(error)
        return done


class WorldClock:
    """A `Clock` that shows the loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        return START_MS + int(self._loop.time() * 1000)


class Process:
    """What one simulated worker process began."""

    def __init__(self, chance: random.Random) -> None:
        self.dead = False
        self.crash_share = 0.0
        """The chance that it dies of itself around each transaction."""
        self.died_of: str = ""
        self._chance = chance
        # In the order in which they were begun: nothing here may depend on where objects lie.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.memory: dict[str, Any] = {}

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin something in this process."""
        context = copy_context()
        context.run(_process.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def begun(self, task: asyncio.Task[Any]) -> None:
        self._tasks[task] = None
        task.add_done_callback(lambda ended: self._tasks.pop(ended, None))

    def kill(self, why: str = "killed") -> None:
        """End it as a power failure would: nothing that it still tries has any effect."""
        if not self.dead:
            self.dead, self.died_of = True, why
            for task in list(self._tasks):
                task.cancel()

    async def gone(self) -> None:
        """Wait until all its tasks have noticed."""
        while self._tasks:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.wait(list(self._tasks), timeout=1)

    async def may_die(self, where: str) -> None:
        """Die here, perhaps."""
        if self._chance.random() < self.crash_share:
            asyncio.get_running_loop().call_soon(self.kill, where)
            await asyncio.Event().wait()
        if self.dead:
            await asyncio.Event().wait()

    def own(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what this process keeps in its memory under a name."""
        if name not in self.memory:
            self.memory[name] = make()
        return self.memory[name]


_process: ContextVar[Process] = ContextVar("process")
_outside: Context = copy_context()
_nobody = Process(random.Random(0))


def present() -> Process:
    """Return the process that is running; what belongs to none has one of its own."""
    return _process.get(_nobody)


def outside(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Begin something that no process' death ends: what a platform does."""
    return asyncio.get_running_loop().create_task(work, context=_outside.copy())


def forget() -> None:
    """Let whatever belongs to no process forget what it kept."""
    _nobody.memory.clear()


def _task(
    loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None
) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, context=context)
    owner = (context.get(_process) if context else None) or _process.get(None)
    if owner is not None and (context is None or context.get(_process) is owner):
        owner.begun(task)
    return task


class PerProcess(dict[str, Any]):
    """A dictionary of the program that each simulated process has one of its own of."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def _own(self) -> dict[Any, Any]:
        own: dict[Any, Any] = present().own(self._name, dict)
        return own

    def __getitem__(self, key: Any) -> Any:
        return self._own[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._own[key] = value

    def __contains__(self, key: Any) -> bool:
        return key in self._own

    def __len__(self) -> int:
        return len(self._own)

    def get(self, key: Any, default: Any = None) -> Any:
        return self._own.get(key, default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        return self._own.setdefault(key, default)

    def pop(self, key: Any, *default: Any) -> Any:
        return self._own.pop(key, *default)

    def clear(self) -> None:
        self._own.clear()


class WorldDatabase(Database):
    """A database whose transactions take place at once, and around which a process may die.

    With `abreast`, two transactions that are asked for at the same moment run side by side, each on
    a connection of its own: only what the program locks keeps them apart.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.chance = random.Random(0)
        self.abreast = 0.0
        """The chance that a transaction waits for another one to run beside."""
        self._waiting: tuple[Callable[[Session], Any], asyncio.Future[Any], Process] | None = None

    async def write(self, work: Callable[[Session], T]) -> T:
        process = present()
        await asyncio.sleep(self.chance.random() * 0.003)
        await process.may_die("before a transaction")
        if self._waiting is not None:
            result = self._beside(work)
        elif self.chance.random() < self.abreast:
            result = await self._with_the_next(work, process)
        else:
            result = self.write_now(work)
        await process.may_die("after a transaction")
        return result

    async def _with_the_next(self, work: Callable[[Session], T], process: Process) -> T:
        beside: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting = (work, beside, process)
        try:
            return await asyncio.wait_for(beside, self.chance.random() * 2)
        except TimeoutError:
            return self.write_now(work)
        finally:
            if self._waiting is not None and self._waiting[1] is beside:
                self._waiting = None

    def _beside(self, work: Callable[[Session], T]) -> T:
        """Carry out the transaction that waits and this one, both begun before either commits."""
        assert self._waiting is not None
        (first, waiter, process), self._waiting = self._waiting, None
        if process.dead or waiter.done():
            return self.write_now(work)
        did, ready, go = _Done(), threading.Event(), threading.Event()
        me = threading.get_ident()

        def hold(_session: Session) -> None:
            if threading.get_ident() != me:
                ready.set()
                go.wait(10)

        def carry_out() -> None:
            did.take(lambda: self.write_now(first))
            ready.set()

        other, mine = threading.Thread(target=carry_out), _Done()
        # Before the feed is published, which lets nobody else in.
        self.before_commit.insert(0, hold)
        try:
            other.start()
            ready.wait(10)
            # The other one has done its work and holds its locks.
            threading.Timer(BLOCKED_S, go.set).start()
            mine.take(lambda: self.write_now(work))
        finally:
            go.set()
            other.join()
            self.before_commit.remove(hold)
        if did.error is not None:
            waiter.set_exception(did.error)
        else:
            waiter.set_result(did.result)
        return mine.given()


class _Done:
    """What came of something that was done on another thread."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None

    def take(self, work: Callable[[], Any]) -> None:
        try:
            self.result = work()
        except BaseException as error:  # noqa: BLE001  (whoever asked for it is told)
            self.error = error

    def given(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result

"""The real program: what it escalates survives that it is killed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from app.clock import SetClock, SystemClock
from app.db import Database
from tests.conftest import StartServer
from tests.oncall.duty import on_duty
from tests.peers.sms_gateway import SmsGateway
from tests.support.server import Server

PATIENCE_S = 30


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does; AssertionError after a while."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  (the other process tells nobody)
            await asyncio.sleep(0.02)


async def test_a_server_that_is_killed_sends_what_it_owes_once(
    start_server: StartServer, tmp_path: Path
) -> None:
    async with SmsGateway() as gateway:

        async def starts() -> Server:
            return await asyncio.to_thread(start_server, sms_url=gateway.url)

        (await starts()).kill()
        db = Database(f"sqlite:///{tmp_path / 'data' / 'stoep.db'}")
        # Its clock is the real one, for the server's is; nothing here moves it.
        clock = SetClock(SystemClock().now_ms())
        duty = on_duty(db, clock, tmp_path / "unused")
        duty.agree(sms="+31612345678", step_minutes=60)
        first = duty.urgent()

        running = await starts()
        await until(lambda: len(gateway.taken) == 1)
        await until(lambda: duty.steps(first)[-1].outcome == "sent")
        # One that comes in while it runs is taken up too, and after a kill nothing is repeated.
        second = duty.urgent()
        await until(lambda: len(gateway.taken) == 2)
        running.kill()
        third = duty.urgent()
        await starts()
        await until(lambda: len(gateway.taken) == 3)
        await until(lambda: duty.steps(third)[-1].outcome == "sent")

        for conversation in (first, second, third):
            kinds = [step.kind for step in duty.steps(conversation)]
            assert kinds == ["nobody", "sms"]
        keys = [taken.headers["idempotency-key"] for taken in gateway.taken]
        assert len(set(keys)) == 3
        db.close()

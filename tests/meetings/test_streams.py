"""The board is live: each change reaches every open page once, and one that was away catches up."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.meetings.streams import HallStream
from tests.meetings.evening import Evening
from tests.support.neighbourhood import Neighbourhood


class Screen:
    """A page that is open, as far as the stream goes."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """Stay until it is closed."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Read what comes."""
        for line in message.get("body", b"").decode().split("\n"):
            if line.startswith("data: "):
                self.said.append(json.loads(line[6:]))
                self.news.set()

    @property
    def board(self) -> dict[str, dict[str, Any]]:
        """What it shows now."""
        shown: dict[str, dict[str, Any]] = {}
        for said in self.said:
            for one in said["questions"]:
                if one.get("gone"):
                    shown.pop(one["id"], None)
                else:
                    shown[one["id"]] = one
        return shown

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it shows something."""
        async with asyncio.timeout(20):
            while not holds():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def hall(neighbourhood: Neighbourhood) -> Evening:
    """A meeting that is open, in a town whose application runs."""
    made = Evening(neighbourhood.town)
    made.plan()
    made.state("open")
    return made


@contextlib.asynccontextmanager
async def watching(
    neighbourhood: Neighbourhood, hall: Evening, after: int = 0
) -> AsyncIterator[Screen]:
    """Open a screen on the board."""
    halls = neighbourhood.app.state.halls
    halls.attach(asyncio.get_running_loop())
    screen = Screen()
    stream = HallStream(halls, hall.id, after)
    task = asyncio.create_task(stream({}, screen.receive, screen.send))
    yield screen
    screen.gone.set()
    await task


async def do(work: Callable[[], Any]) -> Any:
    """Work on another thread, as the server's writes do."""
    return await asyncio.to_thread(work)


async def test_a_new_question_and_its_fate_reach_every_open_page(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    async with watching(neighbourhood, hall) as one, watching(neighbourhood, hall) as other:
        asked = await do(hall.ask)
        question = asked["question"]
        for screen in (one, other):
            await screen.until(lambda screen=screen: question in screen.board)
        await do(lambda: hall.fate(question, "answered", "In maart."))
        for screen in (one, other):
            await screen.until(lambda screen=screen: screen.board[question]["fate"] == "answered")
        assert set(one.board[question]) == {
            *("id", "text", "topic", "agenda", "asked_ms", "support", "fate", "fate_text")
        }


async def test_a_page_that_was_away_is_told_what_it_missed_and_no_more(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    before = (await do(hall.ask))["question"]
    seen = hall.meeting().public_seq
    missed = (await do(hall.ask))["question"]
    async with watching(neighbourhood, hall, after=seen) as screen:
        await screen.until(lambda: missed in screen.board)
        assert before not in screen.board


async def test_what_is_hidden_leaves_the_board_and_what_waits_never_comes(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    async with watching(neighbourhood, hall) as screen:
        question = (await do(hall.ask))["question"]
        await screen.until(lambda: question in screen.board)
        await do(lambda: hall.ask("Wacht nog", on_board=False))
        await do(lambda: hall.moderate(question, "hidden", "Dubbel"))
        await screen.until(lambda: question not in screen.board)
        assert "Wacht nog" not in json.dumps(screen.said)
        assert "Dubbel" not in json.dumps(screen.said)


async def test_the_end_of_the_evening_is_told(neighbourhood: Neighbourhood, hall: Evening) -> None:
    async with watching(neighbourhood, hall) as screen:
        await do(lambda: hall.state("closed"))
        await screen.until(lambda: screen.said[-1:] != [] and screen.said[-1]["state"] == "closed")


async def test_the_last_page_that_closes_leaves_nothing_behind(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    async with watching(neighbourhood, hall):
        pass
    assert neighbourhood.app.state.halls.open == 0

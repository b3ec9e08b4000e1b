"""One request to a platform: whatever it answers costs no more than was agreed."""

import gzip
import tracemalloc

import pytest

from app.channels import social_http
from app.channels.contract import Permanent, Temporary, Unconfirmed
from app.channels.platform_http import PlatformApi
from tests.support.site import Site, says, site

BOMB = gzip.compress(b"\0" * 60_000_000)
"""Less than is read from a line at once, and sixty megabytes when it is unpacked."""


async def ask(here: Site, *, changes: bool = False, max_bytes: int = 1_000_000) -> bytes:
    api = PlatformApi(here.url(""))
    try:
        return (await api.ask("GET", "/", changes=changes, max_bytes=max_bytes)).content
    finally:
        await api.close()


async def test_a_small_answer_that_is_large_when_unpacked_is_never_held_whole() -> None:
    async with site(says(BOMB, content_encoding="gzip")) as here:
        with pytest.raises(Permanent, match="answer_too_large"):
            await ask(here)  # whatever is loaded late is loaded now
        tracemalloc.start()
        try:
            with pytest.raises(Permanent, match="answer_too_large"):
                await ask(here)
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most_bytes < 10_000_000


async def test_what_changed_something_may_have_done_so_whatever_the_answer_weighs() -> None:
    async with site(says(BOMB, content_encoding="gzip")) as here:
        with pytest.raises(Unconfirmed, match="answer_lost"):
            await ask(here, changes=True)
    async with site(says(b"x" * 20)) as here:
        with pytest.raises(Unconfirmed, match="answer_lost"):
            await ask(here, changes=True, max_bytes=10)


async def test_an_answer_that_is_packed_comes_out_whole() -> None:
    async with site(says(gzip.compress(b'{"id": 1}'), content_encoding="gzip")) as here:
        assert await ask(here) == b'{"id": 1}'
    assert here.visits[0].headers["accept-encoding"] == "gzip, deflate"


async def test_an_answer_that_cannot_be_unpacked_is_no_answer() -> None:
    async with site(says(b"no gzip", content_encoding="gzip")) as here:
        with pytest.raises(Temporary, match="platform_unreachable"):
            await ask(here)
    async with site(says(b"?", content_encoding="br")) as here:
        with pytest.raises(Unconfirmed, match="answer_lost"):
            await ask(here, changes=True)


@pytest.mark.parametrize(
    ("headers", "wanted_s"),
    [
        ({"retry-after": "0"}, 1),
        ({"retry-after": "240"}, 240),
        ({"retry-after": "Mon, 02 Nov 2026 09:10:00 GMT"}, 600),
        ({"retry-after": "Mon, 02 Nov 2026 08:00:00 GMT"}, 1),
        ({"retry-after": "9" * 40}, social_http.MAX_WAIT_S),
        ({"retry-after": "straks"}, 300),
        ({"ratelimit-reset": "1793610060"}, 60),
    ],
)
def test_how_long_a_social_platform_wants_to_be_left_alone(
    headers: dict[str, str], wanted_s: float
) -> None:
    assert social_http.wait_s(headers, 1_793_610_000_000) == wanted_s

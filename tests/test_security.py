"""What holds for every request: whose it is, how large it may be, and what its answer carries."""

import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from app import problems, security
from app.clock import SetClock
from app.config import Settings
from app.db import Database
from app.errors import Gone, NotFound, Revoked, TooMany
from app.ids import new_secret
from app.ratelimit import client_address, limit
from app.security import Security, host_name

ORIGIN = "https://stoep.example.nl"
COOKIE = f"__Host-stoep_session={new_secret()}"
SECRET_WORDS = "mijn buurman heeft schulden"


class Body(BaseModel):
    """Something to validate."""

    text: str
    count: int


def make_app(settings: Settings) -> FastAPI:
    """A few routes of each kind behind the real middleware and handlers."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.clock = SetClock(1_793_610_000_000)
    problems.install(app)

    @app.get("/api/v1/thing")
    async def thing() -> dict[str, int]:
        return {"n": 1}

    @app.get("/api/v1/photo")
    async def photo() -> PlainTextResponse:
        return PlainTextResponse("x", headers={"Cache-Control": "private, max-age=60"})

    @app.post("/api/v1/thing")
    @app.post("/api/v1/sync")
    async def post(body: Body) -> dict[str, int]:
        return {"n": body.count}

    @app.post("/api/v1/bytes")
    @app.post("/w/paddepoel")
    async def take(request: Request) -> dict[str, int]:
        return {"n": len(await request.body())}

    @app.get("/page")
    async def page() -> HTMLResponse:
        return HTMLResponse("<p>hallo</p>")

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET_WORDS)

    @app.get("/broken")
    async def broken_page() -> None:
        raise RuntimeError(SECRET_WORDS)

    @app.get("/api/v1/refused/{kind}")
    async def refused(kind: str) -> None:
        raise {"gone": Gone("Removed."), "many": TooMany(retry_after_s=9), "out": Revoked()}[kind]

    @app.get("/api/v1/whence")
    async def whence(request: Request) -> str:
        return client_address(request)

    security.install(app)
    return app


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A municipality that works over HTTPS."""
    return Settings(data_dir=tmp_path, base_url=ORIGIN, trusted_proxies="10.0.0.1, 10.0.0.2")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The routes to try."""
    return make_app(settings)


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends nothing of its own accord."""
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


GOOD = {"text": "hallo", "count": 3}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Cookie": COOKIE}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": ORIGIN}, 200),
        ({"Origin": ORIGIN, "Cookie": COOKIE}, 200),
        ({"Origin": "https://stoep.example.nl.evil.example"}, 403),
        ({"Origin": "http://stoep.example.nl"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://other.example.nl"}, 403),
        ({"Origin": "null"}, 200),
        ({"Origin": "null", "Cookie": COOKIE}, 403),
        ({}, 200),
        ({"Cookie": "theme=dark"}, 200),
        ({"Cookie": COOKIE}, 403),
    ],
)
async def test_what_changes_something_must_come_from_our_own_pages(
    browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await browser.post("/api/v1/thing", json=GOOD, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/cross-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_that_changes_is_guarded(
    browser: httpx.AsyncClient, method: str
) -> None:
    answer = await browser.request(
        method, "/api/v1/thing", headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403


async def test_following_a_link_from_elsewhere_is_allowed(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/page", headers={"Sec-Fetch-Site": "cross-site", "Cookie": COOKIE})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("stoep.example.nl", 200),
        ("stoep.example.nl:443", 200),
        ("STOEP.example.nl", 200),
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("192.0.2.1:8000", 200),
        ("[2001:db8::1]:8000", 200),
        ("evil.example", 421),
        ("stoep.example.nl.evil.example", 421),
        ("stoep.example.nl@evil.example", 421),
        ("localhost.evil.example", 421),
        ("[::1", 421),
        ("", 421),
        ("\xe9", 421),
    ],
)
async def test_a_name_that_is_not_ours_is_refused(
    browser: httpx.AsyncClient, host: str, status: int
) -> None:
    answer = await browser.get("/api/v1/thing", headers=[(b"host", host.encode("latin-1"))])
    assert answer.status_code == status
    page = await browser.get("/page", headers=[(b"host", host.encode("latin-1"))])
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")


@given(st.binary(max_size=60))
def test_any_host_header_has_a_name_or_none(host: bytes) -> None:
    assert isinstance(host_name(host), str)


async def test_an_answer_of_the_api_carries_no_more_than_it_needs(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get("/api/v1/thing")
    assert dict(answer.headers) == {
        "content-length": "7",
        "content-type": "application/json",
        "api-version": "1.0.0",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    assert (await browser.get("/api/v1/photo")).headers.get_list("cache-control") == [
        "private, max-age=60"
    ]
    for refused in ("/api/v1/nothing", "/api/v1/refused/gone", "/api/v1/broken"):
        assert (await browser.get(refused)).headers["api-version"] == "1.0.0"


async def test_a_page_says_what_it_may_do(browser: httpx.AsyncClient) -> None:
    headers = (await browser.get("/page")).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=(self)" in headers["permissions-policy"]
    assert headers["strict-transport-security"].startswith("max-age=")


async def test_strict_transport_is_not_promised_without_https(tmp_path: Path) -> None:
    app = make_app(Settings(data_dir=tmp_path, base_url="http://localhost:8000"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        headers = (await client.get("/page")).headers
    assert "strict-transport-security" not in headers
    assert "content-security-policy" in headers


KIB = 1024


@pytest.mark.parametrize(
    ("path", "size_bytes", "status"),
    [
        ("/api/v1/bytes", 256 * KIB, 200),
        ("/api/v1/bytes", 256 * KIB + 1, 413),
        ("/api/v1/sync", 4096 * KIB + 1, 413),
        ("/w/paddepoel", 2048 * KIB, 200),
        ("/w/paddepoel", 60_000 * KIB, 413),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_is_bounded_announced_or_not(
    browser: httpx.AsyncClient, path: str, size_bytes: int, status: int, announced: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        left = size_bytes
        while left:
            piece = min(left, 64 * KIB)
            left -= piece
            yield bytes(piece)

    body: Any = bytes(size_bytes) if announced else pieces()
    answer = await browser.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"n": size_bytes}
    elif path.startswith("/api"):
        assert answer.json()["type"] == "/problems/too-large"


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "9" * 30])
async def test_a_length_that_is_no_number_is_refused(
    browser: httpx.AsyncClient, length: str
) -> None:
    answer = await browser.post("/api/v1/bytes", content=b"", headers={"Content-Length": length})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/broken", "/broken"])
async def test_what_nobody_expected_is_answered_without_a_word_of_content(
    browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await browser.get(path)
    assert answer.status_code == 500
    assert SECRET_WORDS not in answer.text
    assert SECRET_WORDS not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "test_security.py" in caplog.text
    if path.startswith("/api"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "about:blank",
            "title": "Internal error",
            "status": 500,
        }
    else:
        assert answer.headers["content-type"].startswith("text/html")


async def test_problems_are_told_as_rfc_9457_says(browser: httpx.AsyncClient) -> None:
    gone = await browser.get("/api/v1/refused/gone")
    assert gone.status_code == 410
    assert gone.headers["content-type"] == "application/problem+json"
    assert gone.json() == {
        "type": "/problems/gone",
        "title": "No longer there",
        "status": 410,
        "detail": "Removed.",
    }
    many = await browser.get("/api/v1/refused/many")
    assert (many.status_code, many.headers["retry-after"]) == (429, "9")
    out = await browser.get("/api/v1/refused/out")
    assert out.headers["clear-site-data"] == '"cache", "storage"'


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/v1/nothing", 404, "/problems/not-found"),
        ("GET", "/api/", 404, "/problems/not-found"),
        ("DELETE", "/api/v1/thing", 405, "/problems/method"),
    ],
)
async def test_what_the_api_does_not_have_is_a_problem_too(
    browser: httpx.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = await browser.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == kind


async def test_wrong_input_is_named_by_field_and_never_echoed(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/api/v1/thing", json={"text": 5, "count": SECRET_WORDS})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["field"] for one in answer.json()["errors"]] == ["text", "count"]
    assert SECRET_WORDS not in answer.text
    broken = await browser.post(
        "/api/v1/thing",
        content=b'{"text": "' + SECRET_WORDS.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert broken.status_code == 400
    assert SECRET_WORDS not in broken.text


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.1"),
    ],
)
async def test_an_address_counts_only_as_far_as_our_proxies_saw_it(
    app: FastAPI, peer: str, forwarded: str | None, address: str
) -> None:
    transport = httpx.ASGITransport(app, client=(peer, 1))
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        assert (await client.get("/api/v1/whence", headers=headers)).json() == address


class TestRateLimits:
    """Counted in the database, in windows, by address."""

    @pytest.fixture
    def app(self, settings: Settings, database: Database, clock: SetClock) -> FastAPI:
        app = make_app(settings)
        app.state.db = database
        app.state.clock = clock

        @app.post("/api/v1/limited")
        async def limited(request: Request) -> None:
            await limit(request, "form", times=2, period_s=60)
            raise NotFound

        return app

    async def ask(self, app: FastAPI, peer: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return await client.post("/api/v1/limited")

    async def test_the_third_waits_until_the_window_has_passed(
        self, app: FastAPI, database: Database, clock: SetClock
    ) -> None:
        codes = [(await self.ask(app, "192.0.2.7")).status_code for _ in range(3)]
        assert codes == [404, 404, 429], "what fails counts as well"
        refused = await self.ask(app, "192.0.2.7")
        clock.forward(s=int(refused.headers["retry-after"]))
        assert (await self.ask(app, "192.0.2.7")).status_code == 404
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT key FROM rate_count").fetchall()
        assert len(rows) == 1, "windows that have passed are forgotten"
        assert "192.0.2.7" not in rows[0][0]

    async def test_a_neighbour_is_not_counted_along_but_a_subscriber_is_one(
        self, app: FastAPI
    ) -> None:
        for _ in range(2):
            await self.ask(app, "2001:db8:1:1::1")
        assert (await self.ask(app, "2001:db8:1:1:ffff::9")).status_code == 429
        assert (await self.ask(app, "2001:db8:1:2::1")).status_code == 404


async def test_the_middleware_costs_next_to_nothing(settings: Settings) -> None:
    """Every pull pays it: the bound is ten times what it takes, to hold on a busy machine."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b""})

    guarded = Security(inner, settings)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    def scope() -> Scope:
        return {
            "type": "http",
            "method": "POST",
            "path": "/api/v1/sync",
            "headers": [
                (b"host", b"stoep.example.nl"),
                (b"cookie", COOKIE.encode()),
                (b"content-length", b"90"),
                (b"sec-fetch-site", b"same-origin"),
            ],
        }

    async def best_of(app: Any) -> float:
        took = []
        for _ in range(20):
            begun = time.perf_counter()
            for _ in range(100):
                await app(scope(), receive, send)
            took.append((time.perf_counter() - begun) / 100)
        return min(took)

    assert await best_of(guarded) - await best_of(inner) < 100e-6

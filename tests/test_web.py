"""Pages and files with the right headers: the shell, the worker, static files, the theme."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import i18n, paths, web
from app.clock import SetClock
from tests.support.visitor import Visitor, open_app


@pytest.fixture
def visitor(sqlite_url: str, tmp_path: Path, clock: SetClock) -> Visitor:
    """Somebody who comes by."""
    return Visitor(open_app(sqlite_url, tmp_path, clock))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/c/01890a5d-ac96-774b-bcce-b302099a8057",
        "/new",
        "/outbox",
        "/phone",
        "/oncall",
        "/rules",
    ],
)
async def test_every_address_of_the_app_is_the_same_shell(visitor: Visitor, path: str) -> None:
    front, page = await visitor.get("/"), await visitor.get(path)
    assert page.status_code == 200
    assert page.content == front.content
    assert page.headers["ETag"] == front.headers["ETag"]
    assert page.headers["Cache-Control"] == "no-cache"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    again = await visitor.http.get(path, headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_shell_is_the_same_for_who_is_signed_in(visitor: Visitor) -> None:
    plain = await visitor.get("/")
    known = await visitor.http.get(
        "/", headers={"Cookie": "stoep_session=x", "Accept-Language": "en"}
    )
    assert known.content == plain.content
    assert "set-cookie" not in known.headers


async def test_a_built_file_is_kept_for_a_year_and_comes_compressed(visitor: Visitor) -> None:
    path = web.asset("css/pages.css")
    for accepted, encoding in (
        ("br, gzip", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("identity", None),
    ):
        answer = await visitor.http.get(path, headers={"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.headers["Content-Type"].startswith("text/css")
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/static/manifest.json",
        "/static/../../pyproject.toml",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static/..%2f..%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/icons",
        "/static/",
        "/static/%00",
        "/static/" + "a" * 5000,
    ],
)
async def test_nothing_but_the_listed_files_is_handed_out(visitor: Visitor, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code == 404
    assert b"[project]" not in answer.content


@given(st.text(max_size=60))
def test_no_path_leads_out_of_the_build(path: str) -> None:
    listed = {file["path"] for file in paths.front_end()["files"]}
    assert web.is_listed(path) == (path in listed)


async def test_the_worker_is_asked_for_at_each_visit(visitor: Visitor) -> None:
    answer = await visitor.get("/service-worker.js")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Type"].startswith("text/javascript")


async def test_the_manifest_lets_a_phone_install_the_app(visitor: Visitor) -> None:
    answer = await visitor.get("/manifest.webmanifest")
    assert answer.headers["Content-Type"] == "application/manifest+json"
    manifest = json.loads(answer.content)
    assert manifest["name"] == "Stoep Groningen"
    assert manifest["display"] == "standalone"
    sizes = {icon["sizes"] for icon in manifest["icons"]}
    assert {"192x192", "512x512"} <= sizes
    for icon in manifest["icons"]:
        assert (await visitor.get(icon["src"])).status_code == 200


async def test_a_municipality_hangs_its_own_theme(visitor: Visitor, tmp_path: Path) -> None:
    assert (await visitor.get("/theme.css")).status_code == 404
    for page in ("/", "/w"):
        assert "/theme.css" not in (await visitor.get(page)).text
    (tmp_path / "theme.css").write_text(":root { --stoep-accent-color: #00508c }")
    answer = await visitor.get("/theme.css")
    assert answer.headers["Content-Type"].startswith("text/css")
    for page in ("/", "/w"):
        assert '<link rel="stylesheet" href="/theme.css"' in (await visitor.get(page)).text


async def test_search_engines_find_the_form_only(visitor: Visitor) -> None:
    assert (await visitor.get("/robots.txt")).text == "User-agent: *\nAllow: /w\nDisallow: /\n"


async def test_a_page_that_is_not_there_says_so_in_a_sentence(visitor: Visitor) -> None:
    answer = await visitor.get("/w/nergens")
    assert answer.status_code == 404
    assert '<html lang="nl">' in answer.text
    assert "Deze pagina is er niet" in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "language"),
    [
        ("en", "nl", "nl", "en"),
        ("fr", "en", "nl", "en"),
        (None, None, "en-GB,en;q=0.9,nl;q=0.8", "en"),
        (None, None, "de, nl;q=0.5, en;q=0.4", "nl"),
        (None, None, "en;q=0", "nl"),
        (None, None, "en;q=x,,;;", "nl"),
        (None, None, "", "nl"),
        (None, None, "*", "nl"),
    ],
)
def test_the_language_is_asked_for_or_remembered_or_the_browsers(
    asked: str | None, remembered: str | None, accepted: str, language: str
) -> None:
    assert i18n.choose(asked, remembered, accepted, "nl") == language


@given(st.text(max_size=200))
def test_no_accept_language_breaks_a_page(accepted: str) -> None:
    assert i18n.choose(None, None, accepted, "nl") in i18n.LANGUAGES


def test_every_sentence_fills_in_the_same_names_in_both_languages() -> None:
    for key, (dutch, english) in i18n.texts().items():
        assert i18n.names_in(dutch) == i18n.names_in(english), key


def test_an_instant_is_told_as_people_say_it() -> None:
    now_ms = 1_793_606_400_000
    assert i18n.moment("nl", now_ms, now_ms) == "vandaag 09:00"
    assert i18n.moment("en", now_ms - 3 * 86_400_000, now_ms) == "Friday 30 October, 09:00"
    assert i18n.moment("nl", now_ms - 9 * 86_400_000, now_ms) == "zaterdag 24 oktober, 10:00"
    assert i18n.moment("nl", 1_700_000_000_000, now_ms) == "dinsdag 14 november 2023, 23:13"
    assert i18n.iso(now_ms) == "2026-11-02T08:00:00Z"

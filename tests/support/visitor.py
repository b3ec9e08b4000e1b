"""A resident at her browser, without JavaScript: opens pages, fills in forms, sends them."""

import io
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import httpx
from fastapi import FastAPI
from PIL import Image

from app.clock import SetClock
from app.config import Settings
from app.main import create_app

ORIGIN = "http://localhost:8000"
Files = Mapping[str, tuple[str, bytes, str]]


def open_app(database_url: str, data_dir: Path, clock: SetClock, **settings: object) -> FastAPI:
    """Return the whole application on a migrated database, without its background work."""
    return create_app(
        Settings(
            data_dir=data_dir,
            database_url=database_url,
            base_url=ORIGIN,
            worker=False,
            municipality="Groningen",
            **settings,  # type: ignore[arg-type]
        ),
        clock=clock,
    )


class Visitor:
    """One browser: its own address, cookies and language. Redirects are not followed by itself."""

    def __init__(self, app: FastAPI, *, peer: str = "203.0.113.7", language: str = "nl") -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(peer, 50_000), raise_app_exceptions=True),
            base_url=ORIGIN,
            headers={"Accept-Language": language, "Sec-Fetch-Site": "same-origin"},
        )

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return await self.http.get(path)

    async def form(self, path: str, action: str = "") -> "Form":
        """Open a page and return its form whose action holds `action`."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return form_in(answer.text, action)

    async def send(
        self, form: "Form", files: Files | None = None, /, **typed: str
    ) -> httpx.Response:
        """Send a form with what was typed, as a browser does: multipart, empty photo and all."""
        given = files or (
            {"photo": ("", b"", "application/octet-stream")} if form.multipart else {}
        )
        return await self.http.post(form.action, data=form.fields | typed, files=given or None)


class Form(HTMLParser):
    """A form as a browser would send it back untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.multipart = False
        self.fields: dict[str, str] = {}
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Gather fields with their values."""
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = has["action"]
            self.multipart = has.get("enctype") == "multipart/form-data"
        elif tag == "input" and has.get("type") == "checkbox" and "checked" not in has:
            return
        elif tag == "input" and has.get("type") != "file":
            self.fields[has["name"]] = has.get("value", "")
        elif tag == "textarea":
            self._area = has["name"]
            self.fields[self._area] = ""

    def handle_data(self, data: str) -> None:
        """Gather what stands in a text field; a browser drops the first newline."""
        if self._area:
            self.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        """Leave a text field."""
        if tag == "textarea":
            self.fields[self._area] = self.fields[self._area].removeprefix("\n")
            self._area = ""


def form_in(html: str, action: str = "") -> Form:
    """Return the first form of a page whose action holds `action`."""
    for piece in html.split("<form ")[1:]:
        form = Form()
        form.feed("<form " + piece.partition("</form>")[0])
        if action in form.action:
            return form
    raise AssertionError(f"no form for {action!r}")


def photo(width: int = 640, height: int = 480, kind: str = "JPEG", colour: str = "teal") -> bytes:
    """Return a photo as a telephone would make it."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind)
    return out.getvalue()

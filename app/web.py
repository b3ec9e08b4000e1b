"""Pages and files: Jinja, the app's shell, its manifest and worker, and all that is static.

Nothing here is personal. The shell is the same bytes for everybody, whether signed in or not; who
is signed in, the app on the phone knows.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Coroutine, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.exceptions import HTTPException

from app import i18n, paths, web_texts  # noqa: F401 - importing it adds its words
from app.config import Settings
from app.errors import NotFound, Problem

A_YEAR_S = 31_536_000
A_DAY_S = 86_400

SHELL_PATHS = (
    *("/", "/c/{rest:path}", "/new", "/outbox", "/phone", "/oncall", "/rules", "/offline"),
    "/listening",
    *("/channels", "/channels/{rest:path}"),
    *("/meetings", "/meetings/{rest:path}"),
)
"""Addresses inside the app; which view belongs to one is the app's to know."""

_HASHED = re.compile(r"-[A-Z0-9]{8}\.(js|css|svg|woff2)$")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


class PageRoute(APIRoute):
    """A route that makes pages: a problem is told in a sentence on a page, never as JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that FastAPI calls, with problems caught."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                return error_page(request, problem.status, problem.headers)
            except HTTPException as error:
                return error_page(request, error.status_code, error.headers)
            except RequestValidationError:
                return error_page(request, 400)

        return handle_page


router = APIRouter(route_class=PageRoute, include_in_schema=False)


def language_of(request: Request) -> str:
    """Return the language of this page: asked for in the address, remembered, or the browser's."""
    return i18n.choose(
        request.query_params.get("lang"),
        request.cookies.get(i18n.COOKIE),
        request.headers.get("accept-language", ""),
        request.app.state.settings.language,
    )


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return a page in the reader's language.

    Templates have `say(key, …)`, `moment(ms)`, `iso(ms)`, `asset(source)`, `language`,
    `municipality`, `themed` and what is given here. A language in the address is remembered.
    """
    settings: Settings = request.app.state.settings
    language = language_of(request)
    other = i18n.LANGUAGES[1 - i18n.LANGUAGES.index(language)]
    page = environment().get_template(template)
    html = page.render(
        language=language,
        other_language=other,
        other_language_url=str(request.url.include_query_params(lang=other).query),
        municipality=settings.municipality,
        themed=theme_file(settings).is_file(),
        now_ms=request.app.state.clock.now_ms(),
        **context,
    )
    response = HTMLResponse(html, status, dict(headers or {}))
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") == language:
        secure = settings.origin.startswith("https://")
        response.set_cookie(
            i18n.COOKIE, language, max_age=A_YEAR_S, secure=secure, httponly=True, samesite="lax"
        )
    return response


def error_page(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page that tells an error in one sentence."""
    known = (
        status if status in {400, 403, 404, 410, 413, 429, 503} else 500 if status >= 500 else 400
    )
    return render(request, "error.html", status=status, headers=headers, sentence=f"error.{known}")


@cache
def environment() -> Environment:
    """Return Jinja as all pages use it: escaping always, an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(paths.templates()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"say": _say, "moment": _moment, "day": _day, "iso": i18n.iso, "asset": asset}
    return made


@pass_context
def _say(context: Context, key: str, **values: object) -> str:
    return i18n.say(context["language"], key, **values)


@pass_context
def _moment(context: Context, at_ms: int) -> str:
    return i18n.moment(context["language"], at_ms, context["now_ms"])


@pass_context
def _day(context: Context, at_ms: int) -> str:
    return i18n.day(context["language"], at_ms)


def asset(source: str) -> str:
    """Return the address of a built file by its source, as in `css/pages.css`."""
    return f"/static/{paths.front_end()['entries'][source]['file']}"


def preloads(source: str) -> list[str]:
    """Return the addresses of what an entry imports at once."""
    return [f"/static/{file}" for file in paths.front_end()["entries"][source]["preload"]]


def theme_file(settings: Settings) -> Path:
    """Return where a municipality puts its own stylesheet."""
    return settings.data_dir / "theme.css"


async def shell(request: Request) -> Response:
    """Return the app's one page. It is the same for everybody and changes only with the build."""
    settings: Settings = request.app.state.settings
    body, packed, etag = _shell(
        paths.front_end()["build"], settings.language, settings.municipality,
        theme_file(settings).is_file(),
    )  # fmt: skip
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Content-Language": settings.language,
        "Vary": "Accept-Encoding",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = packed
    return HTMLResponse(body, headers=headers)


for _path in SHELL_PATHS:
    router.add_api_route(_path, shell, methods=["GET", "HEAD"])


@lru_cache(maxsize=4)
def _shell(build: str, language: str, municipality: str, themed: bool) -> tuple[bytes, bytes, str]:
    html = (
        environment()
        .get_template("shell.html")
        .render(
            language=language,
            municipality=municipality,
            themed=themed,
            build=build,
            preloads=preloads,
        )
    )
    body = html.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return body, gzip.compress(body, 9, mtime=0), etag


@router.get("/manifest.webmanifest")
async def manifest(request: Request) -> Response:
    """Return what a phone needs to install the app."""
    settings: Settings = request.app.state.settings
    body = {
        "id": "/",
        "name": f"Stoep {settings.municipality}",
        "short_name": "Stoep",
        "description": i18n.say(settings.language, "manifest.description"),
        "lang": settings.language,
        "dir": "ltr",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b5a48",
        "categories": ["productivity"],
        "icons": _icons(paths.dist()),
        "share_target": {
            "action": "/share",
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {
                "title": "title",
                "text": "text",
                "url": "url",
                "files": [{"name": "photos", "accept": ["image/*"]}],
            },
        },
        "shortcuts": [
            {"name": i18n.say(settings.language, "manifest.new"), "url": "/new"},
            {"name": i18n.say(settings.language, "manifest.outbox"), "url": "/outbox"},
        ],
    }
    return Response(
        json.dumps(body, ensure_ascii=False),
        media_type="application/manifest+json",
        headers={"Cache-Control": "no-cache"},
    )


@router.post("/share")
async def share() -> Response:
    """Answer where no worker did: it keeps what is shared; here nobody knows whose it is.

    The body is not read. What was shared is still in the app that it came from.
    """
    return RedirectResponse("/new?shared=failed", 303)


def _icons(dist: Path) -> list[dict[str, str]]:
    """Return the icons there are; the name tells the size and the purpose: `maskable-512.png`."""
    found = []
    for path in sorted((dist / "icons").glob("*")):
        if path.suffix not in {".png", ".svg"}:
            continue
        size = re.search(r"(\d{2,4})\.png$", path.name)
        if path.suffix == ".png" and size is None:
            continue
        purpose = next((one for one in ("maskable", "monochrome") if one in path.name), "any")
        found.append(
            {
                "src": f"/static/icons/{path.name}",
                "type": _TYPES[path.suffix],
                "sizes": f"{size[1]}x{size[1]}" if size else "any",
                "purpose": purpose,
            }
        )
    return found


@router.api_route("/service-worker.js", methods=["GET", "HEAD"])
async def service_worker(request: Request) -> Response:
    """Return the worker; browsers ask for it again at each visit, so that an update is seen."""
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/"}
    return _file(request, "service-worker.js", headers)


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(request: Request, path: str) -> Response:
    """Return one file of the build. Only what the build's list names exists."""
    if not is_listed(path):
        raise NotFound
    kept = f"public, max-age={A_YEAR_S}, immutable"
    if not _HASHED.search(path):
        kept = f"public, max-age={A_DAY_S}"
    return _file(request, path, {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"})


def is_listed(path: str) -> bool:
    """Say whether a path below /static/ is a file of the build."""
    return path in _names(paths.front_end()["build"])


@lru_cache(maxsize=2)
def _names(build: str) -> frozenset[str]:
    return frozenset(file["path"] for file in paths.front_end()["files"])


def _file(request: Request, path: str, headers: dict[str, str]) -> Response:
    """Return a file as it is, or the smaller one beside it that the browser can read."""
    plain = paths.dist() / path
    media_type = _TYPES.get(plain.suffix)
    if media_type is None or not plain.is_file():
        raise NotFound
    accepted = _encodings(request.headers.get("accept-encoding", ""))
    for encoding, ending in (("br", ".br"), ("gzip", ".gz")):
        packed = plain.with_name(plain.name + ending)
        if packed.is_file():
            headers["Vary"] = "Accept-Encoding"
            if encoding in accepted:
                headers["Content-Encoding"] = encoding
                plain = packed
                break
    return FileResponse(plain, headers=headers, media_type=media_type)


def _encodings(accepted: str) -> set[str]:
    """Return the encodings that are wanted; `br;q=0` is not."""
    wanted = set()
    for part in accepted.lower().split(","):
        name, _, weight = part.strip().partition(";q=")
        if weight.strip("0.") or not weight:
            wanted.add(name.strip())
    return wanted


@router.get("/theme.css")
async def theme(request: Request) -> Response:
    """Return the municipality's own stylesheet, when it put one in the data folder."""
    path = theme_file(request.app.state.settings)
    if not path.is_file():
        raise NotFound
    return FileResponse(path, media_type=_TYPES[".css"], headers={"Cache-Control": "no-cache"})


@router.get("/robots.txt")
async def robots() -> Response:
    """Let search engines find the form, and nothing else."""
    return Response("User-agent: *\nAllow: /w\nDisallow: /\n", media_type="text/plain")


@router.get("/offline.html")
async def offline(request: Request) -> Response:
    """Return the notice that a worker can keep for pages that it does not have."""
    return render(request, "offline.html")

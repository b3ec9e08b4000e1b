"""How errors are told: problem+json to programs (RFC 9457), one plain sentence on a page.

Never an echo of what was sent: it can hold a resident's words.
"""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app import web
from app.errors import BadRequest, Problem

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20

_SENTENCES = {
    403: ("Dat mag hier niet.", "That is not allowed here."),
    413: ("Dat is te groot om te versturen.", "That is too large to send."),
    421: (
        "Deze server is niet onder deze naam bekend. Gebruik het gewone adres.",
        "This server is not known by this name. Use the usual address.",
    ),
}
_UNEXPECTED = (
    "Er ging iets mis bij ons. Probeer het straks nog eens.",
    "Something went wrong on our side. Try again later.",
)


def install(app: FastAPI) -> None:
    """Have every expected error of this application answered here.

    What nobody expected is answered by `app.security.Security`, outside of all handlers.
    """
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def answer(problem: Problem, scope: Scope) -> Response:
    """Return what tells a problem that was found outside the routes.

    On a page it is a bare sentence, which needs no template, no database and no built front end.
    """
    if _is_api(scope):
        return _json(problem.body(), problem.headers)
    sentence = _SENTENCES.get(problem.status, _UNEXPECTED)[_reads_english(scope)]
    page = f'<!doctype html><meta charset="utf-8"><title>Stoep</title><p>{sentence}</p>'
    return Response(page, problem.status, problem.headers, "text/html")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if _is_api(request.scope):
        return _json(error.body(), error.headers)
    return web.error_page(request, error.status, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [
        # The first of `loc` says body, query or path; the input itself stays out.
        {"field": ".".join(map(str, one["loc"][1:]))[:100], "message": str(one["msg"])[:200]}
        for one in error.errors()[:MAX_ERRORS]
    ]
    return await _problem(request, BadRequest("See the errors, by field.", errors=wrong))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if not _is_api(request.scope):
        return web.error_page(request, error.status_code, error.headers)
    kind = _kind(error.status_code)
    body = {"type": kind.type, "title": kind.title, "status": error.status_code}
    if error.status_code == 405:
        body |= {"type": "/problems/method", "title": "This method is not possible here"}
    return _json(body, error.headers or {})


def _kind(status: int) -> type[Problem]:
    """The first class that has this status; 401 has two, of which the milder comes first."""
    kinds = (kind for kind in Problem.__subclasses__() if kind.status == status)
    return next(kinds, BadRequest if status < 500 else Problem)


def _json(body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    content = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(content.encode(), body["status"], headers, MEDIA_TYPE)


def _is_api(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(("/api/", "/hooks/"))


def _reads_english(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    accepted: bytes = headers.get(b"accept-language", b"")
    return accepted[:2].lower() == b"en"

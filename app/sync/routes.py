"""The phone's door: push and pull in one request, the first filling, search, and the stream."""

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ValidationError
from sqlmodel import Session
from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.accounts.policy import RIGHTS, Principal
from app.accounts.service import current
from app.errors import BadRequest, Conflict, NotFound, Problem, TooLarge
from app.ids import is_uuid
from app.inbox import search
from app.inbox.models import Conversation
from app.sync import feed, operations, payloads, replica
from app.sync.stream import StreamResponse

MAX_INFLATED_BYTES = 4 * 1024 * 1024
COMPRESS_FROM_BYTES = 1400
"""Smaller answers fit one packet as they are."""

MEDIA_TYPE = "application/x-ndjson"
_PLAIN = {"Content-Type": MEDIA_TYPE}
_PACKED = {"Content-Type": MEDIA_TYPE, "Content-Encoding": "gzip"}
_SQUEEZED = {"Content-Type": MEDIA_TYPE, "Content-Encoding": "br"}


def _parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    """Describe a query's fields for OpenAPI."""
    shape = query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": name in shape["required"], "schema": schema}
        for name, schema in shape["properties"].items()
    ]


router = APIRouter(prefix="/api/v1", tags=["sync"])
Who = Annotated[Principal, Depends(current)]


@router.post(
    "/sync",
    summary="Push operations and pull changes",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": payloads.Request.model_json_schema()}},
        }
    },
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A header line, then rows."}},
)
async def sync(request: Request) -> Response:
    """Carry out a batch of operations in order, then answer with what changed after a cursor.

    One request is all that a phone needs when it comes back. The body may be gzip. Each operation
    gets one result; whatever is not answered stays in the phone's outbox.
    """
    who = await current(request)
    state = request.app.state
    asked = _parse(_inflate(request, await _body(request)))
    results: list[dict[str, Any]] = []
    if asked.ops:
        now_ms = state.clock.now_ms()
        results = await state.db.write(
            lambda session: operations.apply(session, who, asked.ops, now_ms=now_ms)
        )
    scope = scope_of(request, who)
    (head,) = (await state.db.all(replica.HEAD, {}))[0]
    if asked.after == head and asked.scope == scope["hash"] and not results:
        return Response(_nothing_new(head, state.build), headers=_PLAIN)
    header: dict[str, Any] = {"v": 1, "results": results}
    if asked.after > head:
        # A cursor from a database that is no more (a restored backup): the phone starts anew.
        return _answer(header | {"reset": True, "to": 0, "head": head}, [], request)
    rows: Any = []
    if asked.after < head:
        rows = await state.db.read(
            lambda session: feed.pull(session, who.scopes, asked.after, asked.limit + 1)
        )
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    # Without `more` the cursor comes to the head that was read before the rows were: nothing up to
    # there can appear later, and anything beyond it is in the rows themselves.
    to = rows[-1][0] if more else max([head, *(row[0] for row in rows[-1:])])
    header |= {"to": to, "head": max(head, to)} | ({"more": True} if more else {})
    if asked.scope != scope["hash"]:
        header["scope"] = scope
    return _answer(header, rows, request)


class ShortCut:
    """Takes what phones ask all day straight to its function, past the framework.

    A plain ASGI middleware. The request passes no dependency, no validation and no exit stack that
    it does not use; who is asking is looked up in the function itself, as on the longer way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a push or pull; pass on anything else."""
        goal = _SHORT_CUTS.get((scope.get("method"), scope.get("path")))
        if goal is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTES[
            scope["path"]
        ]  # what the log may say of where something went wrong
        try:
            answer = await goal(Request(scope, receive))
        except Problem as problem:
            answer = problems.answer(problem, scope)
        await answer(scope, receive, send)


@lru_cache(maxsize=4)
def _nothing_new(head: int, build: str) -> bytes:
    """Return the answer to most pulls; it is the same for every phone that is up to date."""
    header = {"v": 1, "results": [], "to": head, "head": head, "rows": 0, "build": build}
    return replica.frame(header, "")


def _answer(header: dict[str, Any], rows: Any, request: Request) -> Response:
    state = request.app.state
    header |= {"rows": len(rows), "build": state.build}
    return _framed(request, replica.frame(header, replica.row_lines(rows)))


def _framed(request: Request, body: bytes) -> Response:
    if len(body) < COMPRESS_FROM_BYTES:
        return Response(body, headers=_PLAIN)
    if _takes(request, "br"):
        return Response(replica.squeeze(body), headers=_SQUEEZED)
    if _takes(request, "gzip"):
        return Response(replica.compress(body), headers=_PACKED)
    return Response(body, headers=_PLAIN)


def _takes(request: Request, encoding: str) -> bool:
    accepted = request.headers.get("accept-encoding", "").split(",")
    return encoding in (one.partition(";")[0].strip() for one in accepted)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_INFLATED_BYTES:
            raise TooLarge("A request to sync carries at most 4 MiB.")
    return bytes(body)


def _inflate(request: Request, body: bytes) -> bytes:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise BadRequest("Only gzip is taken as a content encoding.")
    inflater = zlib.decompressobj(31)
    try:
        plain = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error:
        raise BadRequest("The body is not valid gzip.") from None
    if inflater.unconsumed_tail:
        raise TooLarge("A request to sync carries at most 4 MiB.")
    if not inflater.eof:
        raise BadRequest("The body was cut short.")
    return plain


def _parse(body: bytes) -> payloads.Request:
    try:
        return payloads.Request.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where}: {first['msg']}"[:300]) from None


def scope_of(request: Request, who: Principal) -> dict[str, Any]:
    """Return what this person sees and may do; `hash` tells a phone whether hers is still right."""
    settings = request.app.state.settings
    return _scope(
        who, settings.window_days, settings.undo_s, settings.municipality, demo=settings.demo
    )


@lru_cache(maxsize=1024)
def _scope(
    who: Principal, window_days: int, undo_s: int, municipality: str, *, demo: bool
) -> dict[str, Any]:
    """Asked at every pull, and the same until somebody's place here changes; never changed."""
    said = {
        "areas": sorted(who.areas),
        "rota": sorted(who.rota),
        "me": {
            "id": who.person_id,
            "name": who.name,
            "role": who.role,
            "language": who.language,
            "rights": sorted(RIGHTS.get(who.role, frozenset())),
        },
        "window_days": window_days,
        "undo_s": undo_s,
        "municipality": municipality,
        "demo": demo,
    }
    return {"hash": hashlib.sha256(feed.dump(said).encode()).hexdigest()[:12]} | said


def _check_scope(request: Request, who: Principal, scope: str | None) -> None:
    if scope is not None and scope != scope_of(request, who)["hash"]:
        raise Conflict("What you may see has changed; pull first.")


@router.get(
    "/replica",
    summary="Fill a new phone",
    openapi_extra={"parameters": _parameters(payloads.Filling)},
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A header line, then lines."}},
)
async def fill(request: Request) -> Response:
    """Return the newest conversations (`first`), all of them page by page (`walk`), or read marks.

    `scopes` narrows a walk to areas that a person has just been given; those that are not hers are
    left out in silence. `scope` is the hash that the phone knows: when it is no longer hers, a page
    or read marks would have holes and are refused (409), so that she pulls first.
    """
    who = await current(request)
    asked = _filling(request)
    state = request.app.state
    cutoff_ms = replica.cutoff(state.clock.now_ms(), state.settings.window_days)
    areas = who.areas if who.may("read") or who.may("meet") else frozenset()
    if asked.part == "personal":
        _check_scope(request, who, asked.scope)
        body = await state.db.read(lambda session: replica.personal(session, who))
        return _framed(request, body)
    if asked.part == "first":
        header = {"build": state.build, "scope": scope_of(request, who)}
        gzip = _takes(request, "gzip")
        body = await replica.first_page(
            state.db,
            state.pages,
            areas=areas,
            who=who,
            cutoff_ms=cutoff_ms,
            header=header,
            gzip=gzip,
        )
        return Response(body, headers=_PACKED if gzip else _PLAIN)
    before = asked.before
    if before is None:
        raise BadRequest("before: a walk needs the number to go down from.")
    _check_scope(request, who, asked.scope)
    wanted = areas if asked.scopes is None else areas & set(asked.scopes.split(","))
    page = await replica.kept_page(
        state.db, state.pages, wanted, before=before, cutoff_ms=cutoff_ms
    )
    if page is None:
        page = await state.db.read(
            lambda session: replica.walk_page(
                session, state.pages, wanted, before=before, cutoff_ms=cutoff_ms
            )
        )
    if _takes(request, "gzip"):
        return Response(page, headers=_PACKED)
    return Response(zlib.decompress(page, 31), headers=_PLAIN)


def _filling(request: Request) -> payloads.Filling:
    try:
        return payloads.Filling.model_validate(dict(request.query_params))
    except ValidationError as error:
        wrong = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"][:200]}
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise BadRequest("See the errors, by field.", errors=wrong) from None


_SHORT_CUTS: dict[tuple[Any, Any], Callable[[Request], Awaitable[Response]]] = {
    ("POST", "/api/v1/sync"): sync,
    ("GET", "/api/v1/replica"): fill,
}
_ROUTES = {path: SimpleNamespace(path=path) for _, path in _SHORT_CUTS}


@router.get(
    "/conversations/{conversation_id}",
    summary="One conversation, whole",
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A header line, then one line."}},
)
async def conversation(
    request: Request,
    who: Who,
    conversation_id: str,
    scope: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return one conversation in the shape of the first filling.

    With `scope` the phone means to keep it: under another scope than hers now it is refused (409).
    """
    _check_scope(request, who, scope)
    found = None
    if is_uuid(conversation_id) and who.may("read"):
        found = await request.app.state.db.read(
            lambda session: replica.one(session, who.areas, conversation_id)
        )
    if found is None:
        raise NotFound("There is no such conversation.")
    return _framed(request, found)


@router.get("/search", summary="Search all conversations")
async def find(
    request: Request,
    who: Who,
    q: Annotated[str, Query(min_length=1, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> Response:
    """Return conversations whose words match, the best first, of those that she may see."""
    areas = who.areas if who.may("read") else frozenset()
    results = await request.app.state.db.read(lambda session: search.find(session, areas, q, limit))
    return Response(feed.dump({"results": results}), media_type="application/json")


@router.post("/conversations/{conversation_id}/writing", status_code=204, summary="I am writing")
async def writing(request: Request, who: Who, conversation_id: str) -> Response:
    """Tell colleagues who see this conversation that somebody is writing in it."""
    state = request.app.state
    look: Callable[[Session], Any] = lambda session: session.get(Conversation, conversation_id)  # noqa: E731
    found = await state.db.read(look) if is_uuid(conversation_id) else None
    if found is None or not who.sees(found.area):
        raise NotFound("There is no such conversation.")
    state.hub.writing(who, conversation_id, found.area)
    return Response(status_code=204)


@router.get(
    "/stream",
    summary="Hear at once that something changed",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def stream(request: Request, who: Who) -> Any:
    """Open a stream of pokes; it carries no data, the phone pulls."""
    state = request.app.state
    state.hub.attach(asyncio.get_running_loop())
    (head,) = (await state.db.all(replica.HEAD, {}))[0]
    return StreamResponse(state.hub, who, head, lambda: current(request))

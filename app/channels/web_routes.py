"""The resident's doors: the form of an area, and her own page behind a secret address.

All of it works without JavaScript. No cookie says who she is: whoever has the address has the page.
"""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from app import media, ratelimit, web
from app.channels import (
    web_form,
    web_service,
    web_spam,
    web_texts,  # noqa: F401 - importing it adds its words
)
from app.channels.web import MAX_CHARS
from app.channels.web_form import Sent, Wrong
from app.channels.web_service import Form, Page, Question
from app.config import Settings
from app.errors import BadRequest, Gone, NotFound, TooMany
from app.inbox import attachments

PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
# The back button may show the form as it was, with its own id: sent again it is one message.
FORM = {"Cache-Control": "private, no-cache"}

PERIOD_S = 600
PER_ADDRESS = 10
"""Messages in ten minutes from one household or library."""
FROM_ALL = 300
"""Messages in ten minutes from everybody together: more than a neighbourhood ever writes."""
TAPS = 60

router = APIRouter(route_class=web.PageRoute, include_in_schema=False)


@router.get("/w")
async def areas(request: Request) -> Response:
    """List the areas that have a form."""
    found = await request.app.state.db.read(web_service.forms)
    return web.render(request, "areas.html", forms=found, headers=FORM)


@router.get("/w/{area}")
async def form(request: Request, area: str) -> Response:
    """Show the form of an area."""
    return _form_page(request, await _form(request, area))


@router.post("/w/{area}")
async def ask(request: Request, area: str) -> Response:
    """Take a question in, once, and lead to the resident's own page."""
    state = request.app.state
    form = await _form(request, area)
    sent = await web_form.read(request, state.settings.max_photo_bytes)
    stamp = web_spam.read_stamp(state.settings, _purpose(form), sent.stamp)
    secret = message = ""
    if stamp is not None:
        secret = web_spam.page_secret(state.settings, stamp.form_id)
        message = web_service.external_id(stamp.form_id, sent.question, sent.photo)
        if await _known(state, form.account_id, message):
            return _to_page(request, secret, "sent")
    wrong = web_form.check(sent.question)
    photos, status, headers = await _judge(request, sent, stamp, wrong)
    if wrong or stamp is None:
        return _form_page(request, form, sent, wrong, status, headers)
    await state.db.write(
        lambda session: web_service.submit(
            session,
            form,
            sent.question,
            photos,
            form_id=stamp.form_id,
            message=message,
            secret=secret,
            now_ms=state.clock.now_ms(),
        )
    )
    return _to_page(request, secret, "sent")


@router.get("/v/{secret}")
async def own_page(
    request: Request, secret: str, done: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """Show a resident her conversation; what was sent to her is thereby delivered."""
    state = request.app.state
    page = await _page(request, secret)
    if page.erased:
        return _erased_page(request)
    # A browser that looks ahead has shown nothing to anybody.
    if page.unseen and "prefetch" not in request.headers.get("sec-purpose", ""):
        await state.db.write(
            lambda session: web_service.opened(
                session, page.conversation_id, now_ms=state.clock.now_ms()
            )
        )
    return _own_page(request, secret, page, done=done)


@router.get("/v/{secret}/version")
async def version(request: Request, secret: str) -> Response:
    """Tell whether the page has changed, for the script that looks now and then."""
    page = await _page(request, secret)
    return PlainTextResponse(page.version, headers=PRIVATE)


@router.post("/v/{secret}/messages")
async def write_again(request: Request, secret: str) -> Response:
    """Take in what a resident adds, once."""
    state = request.app.state
    page = await _living(request, secret)
    sent = await web_form.read(request, state.settings.max_photo_bytes)
    stamp = web_spam.read_stamp(state.settings, f"v {page.conversation_id}", sent.stamp)
    message = ""
    if stamp is not None:
        message = web_service.external_id(stamp.form_id, sent.question, sent.photo)
        if await _known(state, page.account_id, message):
            return _to_page(request, secret, "added")
    wrong = web_form.check(sent.question)
    photos, status, headers = await _judge(request, sent, stamp, wrong)
    if wrong or stamp is None:
        return _own_page(
            request, secret, page, sent=sent, wrong=wrong, status=status, headers=headers
        )
    taken = await state.db.write(
        lambda session: web_service.write_again(
            session,
            secret,
            sent.question,
            photos,
            message=message,
            now_ms=state.clock.now_ms(),
        )
    )
    if not taken:
        raise Gone
    return _to_page(request, secret, "added")


@router.post("/v/{secret}/rating")
async def rate(request: Request, secret: str) -> Response:
    """Keep in one tap whether the answer helped."""
    state = request.app.state
    await _living(request, secret)
    await ratelimit.limit(request, "web tap", times=TAPS, period_s=PERIOD_S)
    async with request.form(max_files=0, max_fields=5) as form:
        rating = {"1": 1, "-1": -1}.get(str(form.get("rating")))
    if rating is None:
        raise BadRequest
    if not await state.db.write(lambda session: web_service.rate(session, secret, rating)):
        raise Gone
    return _to_page(request, secret, "rated")


@router.get("/v/{secret}/deletion")
async def ask_deletion(request: Request, secret: str) -> Response:
    """Explain what erasing means, before it is done."""
    page = await _page(request, secret)
    if page.erased:
        return _erased_page(request)
    return web.render(request, "deletion.html", headers=PRIVATE, page=page, secret=secret)


@router.post("/v/{secret}/deletion")
async def erase(request: Request, secret: str) -> Response:
    """Erase the conversation now."""
    state = request.app.state
    await ratelimit.limit(request, "web tap", times=TAPS, period_s=PERIOD_S)
    found = await state.db.write(
        lambda session: web_service.erase(session, secret, now_ms=state.clock.now_ms())
    )
    if not found:
        raise NotFound
    return _to_page(request, secret)


@router.get("/v/{secret}/photo/{attachment_id}")
async def photo(
    request: Request,
    secret: str,
    attachment_id: str,
    size: Annotated[str, Query(max_length=10)] = "full",
) -> Response:
    """Return a photo or file of this conversation."""
    part = "thumb" if size == "thumb" else "full"
    found = await request.app.state.db.read(
        lambda session: web_service.photo(session, secret, attachment_id, part)
    )
    if found is None:
        raise NotFound
    response = attachments.answer(*found)
    response.headers.update(PRIVATE)
    return response


async def _form(request: Request, area: str) -> Form:
    found: Form | None = await request.app.state.db.read(
        lambda session: web_service.form_of(session, area)
    )
    if found is None:
        raise NotFound
    return found


async def _page(request: Request, secret: str) -> Page:
    found: Page | None = await request.app.state.db.read(
        lambda session: web_service.page(session, secret)
    )
    if found is None:
        raise NotFound
    return found


async def _living(request: Request, secret: str) -> Page:
    page = await _page(request, secret)
    if page.erased:
        raise Gone
    return page


async def _known(state: Any, account_id: str, message: str) -> bool:
    found: bool = await state.db.read(
        lambda session: web_service.known(session, account_id, message)
    )
    return found


async def _judge(
    request: Request, sent: Sent, stamp: web_spam.Stamp | None, wrong: list[Wrong]
) -> tuple[list[media.Stored], int, dict[str, str]]:
    """Check what costs something only when all else is right; add to `wrong` what is not.

    Returns the photos made anew, and status and headers for when something is wrong.
    """
    state = request.app.state
    if wrong:
        return [], 422, {}
    verdict = web_spam.judge(stamp, sent.trap, state.clock.now_ms())
    if verdict != "fine":
        wrong.append(Wrong("", f"wrong.{verdict}"))
        return [], 422, {}
    for purpose, times, everybody, key in (
        ("web message", PER_ADDRESS, False, "wrong.too_many"),
        ("web messages", FROM_ALL, True, "wrong.busy"),
    ):
        try:
            await ratelimit.limit(
                request, purpose, times=times, period_s=PERIOD_S, everybody=everybody
            )
        except TooMany as problem:
            wait_s = int(problem.headers["Retry-After"])
            wrong.append(Wrong("", key, {"minutes": math.ceil(wait_s / 60)}))
            return [], problem.status, dict(problem.headers)
    if not sent.photo and not sent.photo_name:
        return [], 422, {}
    try:
        most = state.settings.max_photo_bytes
        return [await media.photo(sent.photo, sent.photo_name, max_bytes=most)], 422, {}
    except media.MediaError as error:
        wrong.append(Wrong("photo", f"photo.{error.code}", {"megabytes": most // 1_000_000}))
        return [], 413 if error.code in {"too_large", "too_many_pixels"} else 415, {}


def _purpose(form: Form) -> str:
    return f"w {form.area}"


def _form_page(
    request: Request,
    form: Form,
    sent: Sent | None = None,
    wrong: list[Wrong] | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return web.render(
        request,
        "form.html",
        status=status,
        headers=FORM | (headers or {}),
        form=form,
        **_fields(request, _purpose(form), sent, wrong),
    )


def _own_page(
    request: Request,
    secret: str,
    page: Page,
    *,
    sent: Sent | None = None,
    wrong: list[Wrong] | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    done: str = "",
) -> Response:
    return web.render(
        request,
        "resident.html",
        status=status,
        headers=PRIVATE | (headers or {}),
        page=page,
        secret=secret,
        email=web_service.masked(page.email) if page.email and page.mailed else None,
        done=done,
        **_fields(request, f"v {page.conversation_id}", sent, wrong),
    )


def _erased_page(request: Request) -> Response:
    return web.render(request, "erased.html", status=410, headers=PRIVATE)


def _fields(
    request: Request, purpose: str, sent: Sent | None, wrong: list[Wrong] | None
) -> dict[str, Any]:
    """Return what both forms are drawn from: what was typed, and what is wrong with it."""
    state = request.app.state
    settings: Settings = state.settings
    return {
        "stamp": _stamp(settings, purpose, sent, state.clock.now_ms()),
        "values": sent.question if sent else Question(text=""),
        "had_photo": bool(sent and sent.photo_name),
        "wrong": wrong or [],
        "trap": web_spam.TRAP,
        "max_chars": MAX_CHARS,
        "megabytes": settings.max_photo_bytes // 1_000_000,
        "photo_types": ",".join(media.PHOTO_TYPES),
    }


def _stamp(settings: Settings, purpose: str, sent: Sent | None, now_ms: int) -> str:
    """Return the stamp of the next try: the same while it holds, so that its time goes on."""
    known = web_spam.read_stamp(settings, purpose, sent.stamp) if sent else None
    if sent and web_spam.judge(known, "", now_ms) != "expired":
        return sent.stamp
    return web_spam.new_stamp(settings, purpose, now_ms, known.form_id if known else None)


def _to_page(request: Request, secret: str, done: str = "") -> Response:
    language = request.query_params.get("lang")
    asked = [f"done={done}"] if done else []
    asked += [f"lang={language}"] if language in {"nl", "en"} else []
    query = f"?{'&'.join(asked)}" if asked else ""
    return RedirectResponse(f"/v/{secret}{query}", 303, headers=PRIVATE)

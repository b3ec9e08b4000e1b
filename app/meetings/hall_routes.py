"""The hall's doors: a meeting on residents' own phones, and its board on a projector.

All of it is public to whoever has the code, and all of it works without JavaScript; a script only
brings what is new by itself. A cookie tells one phone from another, nothing more.
"""

import asyncio
import io
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from app import ratelimit, web
from app.channels import web_form, web_service, web_spam
from app.channels.web_form import Sent, Wrong
from app.channels.web_service import Question
from app.errors import NotFound, TooMany
from app.ids import fingerprint, new_secret
from app.meetings import hall, minutes, policy, queries, words  # noqa: F401 - adds its words
from app.meetings.queries import Hall
from app.meetings.service import Refused
from app.meetings.streams import HallStream

COOKIE = "stoep_hall"
A_DAY_S = 86_400
MAX_CHARS = 500
"""A question that is read aloud; longer ones have the form."""

PERIOD_S = 600
PER_ADDRESS = 200
"""Questions in ten minutes through one address: a hall of eighty shares one."""
TAPS_PER_ADDRESS = 4_000

PUBLIC = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}

router = APIRouter(route_class=web.PageRoute, include_in_schema=False)


@router.get("/m/{code}")
async def page(
    request: Request, code: str, done: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """Show a meeting to somebody who is there."""
    return await _page(request, await _hall(request, code), done=done)


@router.post("/m/{code}")
async def ask(request: Request, code: str) -> Response:
    """Take a question in, once."""
    state = request.app.state
    meeting = await _hall(request, code)
    sent = await web_form.read(request, 0)
    item = _item(str((await request.form()).get("agenda", "")), meeting)
    phone = request.cookies.get(COOKIE)
    stamp = web_spam.read_stamp(state.settings, _purpose(meeting), sent.stamp)
    wrong = _check(sent.question)
    if not wrong:
        verdict = web_spam.judge(stamp, sent.trap, state.clock.now_ms())
        if phone is None:
            wrong.append(Wrong("", "hall.cookie"))
        elif verdict != "fine":
            wrong.append(Wrong("", f"wrong.{verdict}"))
    if wrong or stamp is None or phone is None:
        return await _page(request, meeting, sent=sent, wrong=wrong, status=422)
    try:
        await ratelimit.limit(request, "hall question", times=PER_ADDRESS, period_s=PERIOD_S)
        await state.db.write(
            lambda session: hall.ask(
                session,
                meeting,
                sent.question,
                agenda=item,
                form_id=stamp.form_id,
                message=web_service.external_id(stamp.form_id, sent.question, b""),
                secret=web_spam.page_secret(state.settings, stamp.form_id),
                phone=fingerprint(phone),
                now_ms=state.clock.now_ms(),
            )
        )
    except Refused as error:
        wrong = [Wrong("", f"hall.{error.reason}")]
        status = 409 if error.reason == "closed" else 429
        return await _page(request, meeting, sent=sent, wrong=wrong, status=status)
    except TooMany as problem:
        wrong = [Wrong("", "hall.busy")]
        headers = dict(problem.headers)
        return await _page(request, meeting, sent=sent, wrong=wrong, status=429, headers=headers)
    return _back(request, meeting, "sent")


@router.post("/m/{code}/questions/{question_id}/support")
async def support(request: Request, code: str, question_id: str) -> Response:
    """Count the support of one phone for a question, once."""
    state = request.app.state
    meeting = await _hall(request, code)
    await ratelimit.limit(request, "hall tap", times=TAPS_PER_ADDRESS, period_s=PERIOD_S)
    phone = request.cookies.get(COOKIE)
    if phone is None:
        wrong = [Wrong("", "hall.cookie")]
        return await _page(request, meeting, wrong=wrong, status=422)
    counted = await state.db.write(
        lambda session: hall.support(
            session, meeting, question_id, fingerprint(phone), now_ms=state.clock.now_ms()
        )
    )
    if not counted:
        raise NotFound
    return _back(request, meeting, anchor=f"q-{question_id}")


@router.get("/m/{code}/board")
async def board(request: Request, code: str) -> Response:
    """Show the questions to a whole hall, with the way to join in."""
    meeting = await _hall(request, code)
    shown = await request.app.state.db.read(lambda session: queries.board(session, meeting))
    return web.render(
        request,
        "board.html",
        headers=PUBLIC,
        meeting=meeting,
        questions=list(reversed(shown)),
        address=_address(request, meeting),
    )


@router.get("/m/{code}/qr.svg")
async def qr(request: Request, code: str) -> Response:
    """Return the code that a phone's camera reads."""
    import segno

    meeting = await _hall(request, code)
    drawn = io.BytesIO()
    made = segno.make(f"{_origin(request)}/m/{meeting.code}", error="m", micro=False)
    # Dark on light in both themes: a camera wants it so.
    made.save(drawn, kind="svg", scale=10, border=3, dark="#000", light="#fff", xmldecl=False)
    return Response(drawn.getvalue(), media_type="image/svg+xml", headers=PUBLIC)


@router.get("/m/{code}/stream")
async def stream(
    request: Request,
    code: str,
    after: Annotated[int, Query(ge=0, le=1 << 53)] = 0,
) -> Any:
    """Tell an open page what changes on the board."""
    meeting = await _hall(request, code)
    halls = request.app.state.halls
    halls.attach(asyncio.get_running_loop())
    last = request.headers.get("last-event-id", "")
    known = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else after
    return HallStream(halls, meeting.id, min(known, meeting.seq))


@router.get("/m/{code}/minutes")
async def minutes_page(request: Request, code: str) -> Response:
    """Show the minutes, once they were given out."""
    meeting = await _hall(request, code)
    if not meeting.minutes:
        raise NotFound
    told = await request.app.state.db.read(lambda session: minutes.gather(session, meeting.id))
    address = f"/m/{meeting.code}/minutes"
    return web.render(request, "minutes.html", headers=PUBLIC, told=told, address=address)


@router.get("/m/{code}/minutes.pdf")
async def minutes_pdf(request: Request, code: str) -> Response:
    """Return the minutes as an accessible PDF."""
    meeting = await _hall(request, code)
    if not meeting.minutes:
        raise NotFound
    return await minutes.answer_pdf(request, meeting.id)


@router.get("/m/{code}/photo/{attachment_id}")
async def photo(request: Request, code: str, attachment_id: str) -> Response:
    """Return a photo that stands in the minutes."""
    meeting = await _hall(request, code)
    if not meeting.minutes:
        raise NotFound
    return await minutes.answer_photo(request, meeting.id, attachment_id)


async def _hall(request: Request, code: str) -> Hall:
    clean = policy.clean_code(code[:40])
    if not policy.is_code(clean):
        raise NotFound
    found: Hall | None = await request.app.state.db.read(
        lambda session: queries.hall(session, clean)
    )
    if found is None:
        raise NotFound
    return found


async def _page(
    request: Request,
    meeting: Hall,
    *,
    sent: Sent | None = None,
    wrong: list[Wrong] | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    done: str = "",
) -> Response:
    state = request.app.state
    phone = request.cookies.get(COOKIE)
    mark = fingerprint(phone) if phone else ""
    shown, own, supported = await state.db.read(
        lambda session: (
            queries.board(session, meeting),
            queries.own(session, meeting.id, mark) if mark else [],
            queries.supported(session, meeting.id, mark) if mark else set(),
        )
    )
    response = web.render(
        request,
        "hall.html",
        status=status,
        headers=PUBLIC | (headers or {}),
        meeting=meeting,
        questions=list(reversed(shown)),
        own=own,
        supported=supported,
        pages={
            one.id: web_spam.page_secret(state.settings, one.conversation_id)
            for one in own
            if one.conversation_id
        },
        stamp=_stamp(request, meeting, sent),
        values=sent.question if sent else Question(text=""),
        wrong=wrong or [],
        trap=web_spam.TRAP,
        max_chars=MAX_CHARS,
        done=done,
    )
    if phone is None:
        response.set_cookie(
            COOKIE,
            new_secret(),
            max_age=A_DAY_S,
            path="/m/",
            secure=_origin(request).startswith("https://"),
            httponly=True,
            samesite="lax",
        )
    return response


def _check(question: Question) -> list[Wrong]:
    wrong = web_form.check(question)
    if len(question.text) > MAX_CHARS:
        wrong = [one for one in wrong if one.about != "question"]
        values: dict[str, object] = {"most": MAX_CHARS, "have": len(question.text)}
        wrong.insert(0, Wrong("question", "wrong.too_long", values))
    return wrong


def _stamp(request: Request, meeting: Hall, sent: Sent | None) -> str:
    state = request.app.state
    now_ms = state.clock.now_ms()
    purpose = _purpose(meeting)
    known = web_spam.read_stamp(state.settings, purpose, sent.stamp) if sent else None
    if sent and web_spam.judge(known, "", now_ms) != "expired":
        return sent.stamp
    form_id = known.form_id if known else None
    return web_spam.new_stamp(state.settings, purpose, now_ms, form_id)


def _purpose(meeting: Hall) -> str:
    return f"m {meeting.id}"


def _item(text: str, meeting: Hall) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        return None
    return int(text) if int(text) < len(meeting.agenda) else None


def _origin(request: Request) -> str:
    origin: str = request.app.state.settings.origin
    return origin


def _address(request: Request, meeting: Hall) -> str:
    """Return what somebody types who has no camera."""
    return f"{_origin(request).partition('://')[2]}/m/{meeting.code}"


def _back(request: Request, meeting: Hall, done: str = "", anchor: str = "") -> Response:
    language = request.query_params.get("lang")
    asked = [f"done={done}"] if done else []
    asked += [f"lang={language}"] if language in {"nl", "en"} else []
    query = f"?{'&'.join(asked)}" if asked else ""
    end = f"#{anchor}" if anchor else ""
    return RedirectResponse(f"/m/{meeting.code}{query}{end}", 303, headers=PUBLIC)

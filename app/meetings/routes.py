"""What only the server can do for a meeting: inviting help, giving the minutes out; and the pages
of an invitation. All else that a tablet does is an operation.
"""

import io
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from app import ratelimit, web
from app.accounts import cookies
from app.accounts.policy import Principal
from app.accounts.service import current, device_name
from app.errors import NotAllowed, NotFound
from app.ids import is_uuid
from app.meetings import helpers, mailing, minutes, service
from app.meetings.models import Meeting

PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}

router = APIRouter(prefix="/api/v1", tags=["meetings"])
pages = APIRouter(route_class=web.PageRoute, include_in_schema=False)
Who = Annotated[Principal, Depends(current)]


class HelperWish(BaseModel):
    """Who is invited."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]


class Invitation(BaseModel):
    """A link that works on one device, and the same as a picture (SVG) for its camera."""

    url: str
    qr: str
    until_ms: int


class GivenOut(BaseModel):
    """How many were mailed now, of how many who want the minutes; whether there is a mailbox."""

    mailed: int
    wanted: int
    mailbox: bool
    url: str


@router.post("/meetings/{meeting_id}/helpers", summary="Invite an assistant", status_code=201)
async def invite(request: Request, who: Who, meeting_id: str, wish: HelperWish) -> Invitation:
    """Make an invitation for one evening; whoever opens it sees this meeting and nothing else."""
    state = request.app.state
    _host(who, meeting_id)
    secret, until_ms = await state.db.write(
        lambda session: helpers.invite(
            session, who, meeting_id, wish.name, now_ms=state.clock.now_ms()
        )
    )
    url = f"{state.settings.origin}/help/{secret}"
    return Invitation(url=url, qr=_picture(url), until_ms=until_ms)


@router.delete(
    "/meetings/{meeting_id}/helpers/{helper_id}",
    summary="End an assistant's evening",
    status_code=204,
)
async def dismiss(request: Request, who: Who, meeting_id: str, helper_id: str) -> Response:
    """Take an assistant's access away; her device clears itself at its next contact."""
    state = request.app.state
    _host(who, meeting_id)
    await state.db.write(
        lambda session: helpers.dismiss(
            session, who, meeting_id, helper_id, now_ms=state.clock.now_ms()
        )
    )
    return Response(status_code=204)


@router.post("/meetings/{meeting_id}/minutes", summary="Give the minutes out")
async def give_out(request: Request, who: Who, meeting_id: str) -> GivenOut:
    """Publish the minutes on the hall's page, and mail who asked for them; nobody twice."""
    state = request.app.state
    _host(who, meeting_id)

    def work(session: Any) -> tuple[dict[str, Any], str]:
        done = mailing.give_out(
            session, state.settings, who, meeting_id, now_ms=state.clock.now_ms()
        )
        return done, session.get_one(Meeting, meeting_id).code

    done, code = await state.db.write(work)
    return GivenOut(**done, url=f"{state.settings.origin}/m/{code}/minutes")


@pages.get("/minutes/{meeting_id}")
async def draft(request: Request, who: Who, meeting_id: str) -> Response:
    """Show the minutes to a colleague, before they are given out."""
    await _seen(request, who, meeting_id)
    told = await request.app.state.db.read(lambda session: minutes.gather(session, meeting_id))
    address = f"/minutes/{meeting_id}"
    return web.render(request, "minutes.html", headers=PRIVATE, told=told, address=address)


@pages.get("/minutes/{meeting_id}/pdf")
async def draft_pdf(request: Request, who: Who, meeting_id: str) -> Response:
    """Return the minutes as a PDF to a colleague."""
    await _seen(request, who, meeting_id)
    return await minutes.answer_pdf(request, meeting_id)


@pages.get("/minutes/{meeting_id}/photo/{attachment_id}")
async def draft_photo(request: Request, who: Who, meeting_id: str, attachment_id: str) -> Response:
    """Return a photo of the minutes to a colleague."""
    await _seen(request, who, meeting_id)
    return await minutes.answer_photo(request, meeting_id, attachment_id)


@pages.get("/help/{secret}")
async def invited(request: Request, secret: str) -> Response:
    """Show an invitation; looking does not use it."""
    state = request.app.state
    found = await state.db.read(
        lambda session: helpers.invited(session, secret, now_ms=state.clock.now_ms())
    )
    return web.render(request, "helper.html", headers=PRIVATE, invited=found, secret=secret)


@pages.post("/help/{secret}")
async def begin(request: Request, secret: str) -> Response:
    """Let an assistant in on this device, once."""
    state = request.app.state
    await ratelimit.limit(request, "helper", times=30, period_s=600)
    name = device_name(request.headers.get("user-agent", ""))
    begun, meeting_id = await state.db.write(
        lambda session: helpers.begin(
            session, secret, device_name=name, now_ms=state.clock.now_ms()
        )
    )
    response = RedirectResponse(f"/meetings/{meeting_id}?signed-in", 303, headers=PRIVATE)
    cookies.put(response, state.settings, begun.secret, max_age_s=helpers.SESSION_DAYS * 86_400)
    return response


def _host(who: Principal, meeting_id: str) -> None:
    if not who.may("host"):
        raise NotAllowed("Your role holds no meetings.")
    if not is_uuid(meeting_id):
        raise NotFound("There is no such meeting.")


async def _seen(request: Request, who: Principal, meeting_id: str) -> None:
    """Raise NotFound unless she sees this meeting."""

    def look(session: Any) -> bool:
        found = session.get(Meeting, meeting_id) if is_uuid(meeting_id) else None
        return found is not None and service.sees(who, found)

    if not await request.app.state.db.read(look):
        raise NotFound


def _picture(url: str) -> str:
    import segno

    drawn = io.BytesIO()
    made = segno.make(url, error="m", micro=False)
    made.save(drawn, kind="svg", scale=6, border=3, dark="#000", light="#fff", xmldecl=False)
    return drawn.getvalue().decode()

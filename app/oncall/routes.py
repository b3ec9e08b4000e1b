"""The rota over HTTP: plan, hand over, preview, follow in a calendar, and what an alert came to."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from sqlmodel import Session

from app.accounts.policy import Principal
from app.accounts.service import current
from app.errors import BadRequest, NotFound
from app.i18n import say
from app.oncall import addresses, alerts, calendar, queries, service, words  # noqa: F401
from app.oncall.payloads import (
    AlertHistory,
    AreaCode,
    Calendar,
    Escalation,
    HandOver,
    Id,
    Made,
    MadeShifts,
    NewAbsence,
    NewShift,
    OnCall,
    Preview,
    QuietHours,
    ShiftChange,
    Uuid,
)
from app.openapi import refusals
from app.push import service as push
from app.ratelimit import limit

_refusals = refusals(
    {
        400: "This cannot be planned; `reason` says why.",
        409: "Over, begun, or the name of something else.",
    }
)


Who = Annotated[Principal, Depends(current)]
router = APIRouter(prefix="/api/v1", tags=["on-call"])


@router.get("/oncall", summary="My settings and my teams' agreements", responses=_refusals(401))
async def overview(request: Request, who: Who) -> OnCall:
    """Return quiet hours, the calendar's address, and for each of her teams what is agreed."""
    state = request.app.state
    found = await state.db.read(lambda session: queries.overview(session, state.settings, who))
    return OnCall(**found)


@router.get("/oncall/preview", summary="Who would be woken now", responses=_refusals(400, 401, 404))
async def preview(
    request: Request,
    who: Who,
    area: Annotated[AreaCode | None, Query()] = None,
    conversation: Annotated[Uuid | None, Query()] = None,
) -> Preview:
    """Return the steps for an area, or for one conversation as it stands."""
    state = request.app.state
    now_ms = state.clock.now_ms()
    if (area is None) == (conversation is None):
        raise BadRequest("Ask for an area or for a conversation.")

    def look(session: Session) -> list[dict[str, Any]]:
        if area is not None:
            return queries.preview(session, who, area, _reach(now_ms), now_ms=now_ms)
        found = queries.conversation_for(session, who, conversation or "")
        return queries.preview_of(session, found, _reach(now_ms), now_ms=now_ms)

    return Preview(rows=await state.db.read(look))


def _reach(now_ms: int) -> Any:
    return lambda session, person_id: push.reach(session, person_id, now_ms=now_ms)


@router.get(
    "/conversations/{conversation_id}/alert",
    summary="What was done about an urgent conversation",
    responses=_refusals(400, 401, 404),
)
async def alert(
    request: Request, who: Who, conversation_id: Annotated[Uuid, Path()]
) -> AlertHistory:
    """Return every step of the latest alert with its clock."""
    state = request.app.state
    now_ms = state.clock.now_ms()

    def look(session: Session) -> AlertHistory:
        found = queries.conversation_for(session, who, conversation_id)
        running = alerts.newest(session, found.id)
        following = (
            queries.preview_of(session, found, _reach(now_ms), now_ms=now_ms)
            if running is not None and running.state == "open"
            else []
        )
        return AlertHistory.model_validate(
            {
                "alert": alerts.heads(session, [found.id], living_only=False).get(found.id),
                "steps": queries.history(session, found),
                "next": following,
            }
        )

    found: AlertHistory = await state.db.read(look)
    return found


@router.post(
    "/shifts",
    status_code=status.HTTP_201_CREATED,
    summary="Put somebody on call",
    responses=_refusals(400, 401, 403, 404, 409, 413),
)
async def plan(request: Request, who: Who, new: NewShift) -> MadeShifts:
    """Plan one shift, or the same one for some weeks after it too."""
    state = request.app.state
    made = await state.db.write(
        lambda session: service.plan_shifts(
            session,
            who,
            team_id=new.team,
            area=new.area,
            person_id=new.person,
            span=service.Span(new.from_ms, new.to_ms),
            repeat_weeks=new.repeat_weeks,
            shift_id=new.id,
            now_ms=state.clock.now_ms(),
        )
    )
    return MadeShifts(ids=[shift.id for shift in made])


@router.patch(
    "/shifts/{shift_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Change a shift",
    responses=_refusals(400, 401, 403, 404, 409, 413),
)
async def change(
    request: Request, who: Who, shift_id: Annotated[Id, Path()], said: ShiftChange
) -> None:
    """Change who and when; of a shift that has begun only its end."""
    state = request.app.state
    await state.db.write(
        lambda session: service.change_shift(
            session,
            who,
            shift_id,
            person_id=said.person,
            from_ms=said.from_ms,
            to_ms=said.to_ms,
            now_ms=state.clock.now_ms(),
        )
    )


@router.delete(
    "/shifts/{shift_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Take a shift off the rota",
    responses=_refusals(400, 401, 403, 404, 409),
)
async def remove(request: Request, who: Who, shift_id: Annotated[Id, Path()]) -> None:
    """Remove a shift; one that has begun ends now."""
    state = request.app.state
    await state.db.write(
        lambda session: service.remove_shift(session, who, shift_id, now_ms=state.clock.now_ms())
    )


@router.post(
    "/shifts/{shift_id}/handover",
    status_code=status.HTTP_201_CREATED,
    summary="Give the rest of a shift to somebody else",
    responses=_refusals(400, 401, 403, 404, 409, 413),
)
async def hand_over(
    request: Request, who: Who, shift_id: Annotated[Id, Path()], said: HandOver
) -> Made:
    """Hand over; an alert that runs wakes the new one at its next step."""
    state = request.app.state
    given = await state.db.write(
        lambda session: service.hand_over(
            session,
            who,
            shift_id,
            person_id=said.person,
            from_ms=said.from_ms,
            new_id=said.id,
            now_ms=state.clock.now_ms(),
        )
    )
    return Made(id=given.id)


@router.post(
    "/absences",
    status_code=status.HTTP_201_CREATED,
    summary="Write down that somebody is away",
    responses=_refusals(400, 401, 403, 404, 409, 413),
)
async def go_away(request: Request, who: Who, new: NewAbsence) -> Made:
    """Whoever is away is not woken, whatever the rota says."""
    state = request.app.state
    absence = await state.db.write(
        lambda session: service.add_absence(
            session,
            who,
            person_id=new.person or who.person_id,
            span=service.Span(new.from_ms, new.to_ms),
            absence_id=new.id,
            now_ms=state.clock.now_ms(),
        )
    )
    return Made(id=absence.id)


@router.delete(
    "/absences/{absence_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Take an absence back",
    responses=_refusals(400, 401, 403, 404, 409),
)
async def come_back(request: Request, who: Who, absence_id: Annotated[Id, Path()]) -> None:
    """Remove an absence; one that has begun ends now."""
    state = request.app.state
    await state.db.write(
        lambda session: service.remove_absence(
            session, who, absence_id, now_ms=state.clock.now_ms()
        )
    )


@router.put(
    "/people/{person_id}/quiet-hours",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Set my quiet hours",
    responses=_refusals(400, 401, 403, 404, 413),
)
async def be_quiet(
    request: Request, who: Who, person_id: Annotated[Id, Path()], said: QuietHours
) -> None:
    """Set one's own quiet hours; no weekdays is none. Her own shifts go through them."""
    state = request.app.state
    await state.db.write(
        lambda session: service.set_quiet_hours(session, who, person_id, **said.model_dump())
    )


@router.put(
    "/teams/{team_id}/escalation",
    summary="Agree what happens when nobody reacts",
    responses=_refusals(400, 401, 403, 404, 413),
)
async def agree(
    request: Request, who: Who, team_id: Annotated[Id, Path()], said: Escalation
) -> Escalation:
    """Set the team's lead, the addresses, and the minutes between two steps."""
    state = request.app.state
    ladder = service.Ladder(**said.model_dump())
    agreed = await state.db.write(
        lambda session: service.set_ladder(
            session, who, team_id, ladder, now_ms=state.clock.now_ms()
        )
    )
    return Escalation(**queries.ladder_json(agreed))


@router.post(
    "/oncall/calendar",
    status_code=status.HTTP_201_CREATED,
    summary="Make a new calendar address",
    responses=_refusals(401, 403),
)
async def open_calendar(request: Request, who: Who) -> Calendar:
    """Make an address for her calendar program; the one she had stops working."""
    state = request.app.state
    url = await state.db.write(
        lambda session: addresses.renew(session, state.settings, who.person_id)
    )
    return Calendar(url=url)


@router.delete(
    "/oncall/calendar",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Let my calendar address open nothing any more",
    responses=_refusals(401, 403),
)
async def close_calendar(request: Request, who: Who) -> None:
    """Revoke the address."""
    await request.app.state.db.write(lambda session: addresses.revoke(session, who.person_id))


@router.get(
    "/oncall/{token}.ics",
    summary="The rota as a calendar",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {}}, "description": "RFC 5545."},
        304: {"description": "Nothing new."},
        **_refusals(404, 429),
    },
)
async def follow(request: Request, token: str) -> Response:
    """Return the shifts of somebody's teams; whoever holds the address needs no session."""
    await limit(request, "calendar", times=600, period_s=600)
    state = request.app.state
    now_ms = state.clock.now_ms()
    if len(token) != 40 or not token.isascii():
        raise NotFound

    def look(session: Session) -> bytes:
        person = addresses.owner_of(session, token)
        name = say(
            person.language, "oncall.calendar_name", municipality=state.settings.municipality
        )
        events = queries.events_for(session, state.settings, person, now_ms)
        return calendar.write(name, events)

    body = await state.db.read(look)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="text/calendar; charset=utf-8")

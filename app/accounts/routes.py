"""Signing in and out, invitations, devices: the API, and the two pages that use it."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from sqlmodel import Session

from app import web
from app.accounts import cookies, demonstration, passkeys, people, service, words
from app.accounts.models import Person
from app.accounts.policy import RIGHTS, Principal
from app.accounts.service import SignIn, current
from app.errors import NotAllowed, NotFound, Problem
from app.openapi import Strict, refusals
from app.ratelimit import limit

Who = Annotated[Principal, Depends(current)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
TEN_MINUTES_S = 600

_refusals = refusals(
    {
        410: "The invitation was used or has expired.",
    }
)

api = APIRouter(prefix="/api/v1", tags=["accounts"])
pages = APIRouter(route_class=web.PageRoute, include_in_schema=False)


class Me(BaseModel):
    """Who is signed in, on which device; `areas` are the scopes of the conversations she sees."""

    person_id: str
    device_id: str
    name: str
    role: str
    language: str
    rights: list[str]
    areas: list[str]
    municipality: str


class SignedInDevice(BaseModel):
    """A device that is signed in; `current` marks the one that asks."""

    id: str
    name: str
    signed_in_ms: int
    last_seen_ms: int
    current: bool


class Begun(BaseModel):
    """A session that has begun; its secret is in the cookie."""

    person_id: str
    device_id: str


class Ceremony(BaseModel):
    """What to hand to `navigator.credentials`, in the JSON form of WebAuthn level 3."""

    options: dict[str, Any]


class Invited(BaseModel):
    """A link for one person, and the same as a picture. It is shown once and not kept."""

    person_id: str
    link: str
    qr_svg: str
    expires_at_ms: int


class InvitationToken(Strict):
    """The secret part of an invitation's link."""

    invitation: str = Field(pattern=r"^[0-9a-f]{40}$")


class Registration(InvitationToken):
    """A new passkey, as the browser made it."""

    credential: dict[str, Any]


class Assertion(Strict):
    """A passkey's answer to the challenge."""

    credential: dict[str, Any]


class NewPerson(Strict):
    """Somebody to let in."""

    name: str = Field(min_length=1, max_length=100)
    email: str = Field(min_length=3, max_length=254)
    role: Literal["coordinator", "webcare", "coach", "archivist", "manager", "admin", "assistant"]
    teams: list[Id] = Field(default=[], max_length=50)
    language: Literal["nl", "en"] = "nl"


@api.get("/me", summary="Who is signed in here", responses=_refusals(401))
async def me(request: Request, who: Who) -> Me:
    """Return the person, the device and what she may."""
    return Me(
        person_id=who.person_id,
        device_id=who.device_id,
        name=who.name,
        role=who.role,
        language=who.language,
        rights=sorted(RIGHTS.get(who.role, ())),
        areas=sorted(who.areas),
        municipality=request.app.state.settings.municipality,
    )


@api.get("/devices", summary="Devices that are signed in", responses=_refusals(400, 401, 403))
async def devices(
    request: Request, who: Who, person: Annotated[Id | None, Query()] = None
) -> list[SignedInDevice]:
    """Return one's own devices, last used first; an administrator may ask for another person's."""
    if person not in {None, who.person_id} and not who.may("admin"):
        raise NotAllowed("Only an administrator sees other people's devices.")
    state = request.app.state
    found = await state.db.read(
        lambda session: service.devices_of(
            session, person or who.person_id, now_ms=state.clock.now_ms()
        )
    )
    return [SignedInDevice(**one, current=one["id"] == who.device_id) for one in found]


@api.delete(
    "/devices/{device_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Take a device's access away",
    responses=_refusals(400, 401, 403, 404),
)
async def revoke_device(request: Request, who: Who, device_id: Annotated[Id, Path()]) -> None:
    """End a device's sessions and streams; at its next contact it clears what it holds."""
    state = request.app.state
    await state.db.write(
        lambda session: service.revoke_device(session, device_id, who, now_ms=state.clock.now_ms())
    )
    for hook in state.on_revoke:
        hook(device_id)


@api.post(
    "/invitations",
    status_code=status.HTTP_201_CREATED,
    summary="Let somebody in",
    responses=_refusals(400, 401, 403, 404, 409, 413),
)
async def invite(request: Request, who: Who, new: NewPerson) -> Invited:
    """Add a person and return the link by which she makes her passkey. For administrators."""
    _require_admin(who)
    state = request.app.state
    now_ms = state.clock.now_ms()

    def add(session: Session) -> tuple[str, str, int]:
        person = people.add_person(session, **new.model_dump(), now_ms=now_ms)
        return person.id, *people.invite(session, person, state.settings, now_ms=now_ms)

    return _invited(*await state.db.write(add))


@api.post(
    "/people/{person_id}/invitations",
    status_code=status.HTTP_201_CREATED,
    summary="Let somebody in on another device",
    responses=_refusals(400, 401, 403, 404, 409),
)
async def invite_again(request: Request, who: Who, person_id: Annotated[Id, Path()]) -> Invited:
    """Return a new link for somebody who is here already. For administrators."""
    _require_admin(who)
    state = request.app.state

    def again(session: Session) -> tuple[str, str, int]:
        person = session.get(Person, person_id)
        if person is None:
            raise NotFound("There is no such person.")
        link, expires_at_ms = people.invite(
            session, person, state.settings, now_ms=state.clock.now_ms()
        )
        return person_id, link, expires_at_ms

    return _invited(*await state.db.write(again))


def _require_admin(who: Principal) -> None:
    if not who.may("admin"):
        raise NotAllowed("Only an administrator can do this.")


def _invited(person_id: str, link: str, expires_at_ms: int) -> Invited:
    import segno

    picture = segno.make(link, error="m").svg_inline(scale=4, border=4, light="white")
    return Invited(person_id=person_id, link=link, qr_svg=picture, expires_at_ms=expires_at_ms)


@api.post(
    "/session/registration",
    summary="Ask how to make a passkey",
    responses=_refusals(400, 403, 404, 410, 413, 429),
)
async def ask_to_register(request: Request, asked: InvitationToken) -> Ceremony:
    """Return the options for making a passkey with an invitation, which is not used up by it."""
    await limit(request, "invitation", times=60, period_s=TEN_MINUTES_S)
    state = request.app.state
    now_ms = state.clock.now_ms()

    def ask(session: Session) -> dict[str, Any]:
        person = people.invited(session, asked.invitation, now_ms=now_ms)
        return passkeys.ask_to_register(session, person, state.settings, now_ms=now_ms)

    return Ceremony(options=await state.db.write(ask))


@api.post(
    "/session/passkey",
    status_code=status.HTTP_201_CREATED,
    summary="Register a passkey and sign in",
    responses=_refusals(400, 403, 404, 409, 410, 413, 429),
)
async def register(request: Request, response: Response, answer: Registration) -> Begun:
    """Use an invitation up: keep the passkey and begin a session on this device."""
    await limit(request, "invitation", times=60, period_s=TEN_MINUTES_S)
    state = request.app.state
    now_ms = state.clock.now_ms()
    asked = await state.db.write(
        lambda session: passkeys.use_challenge(
            session, answer.credential, passkeys.REGISTER, now_ms=now_ms
        )
    )

    def keep(session: Session) -> SignIn:
        person = people.use_invitation(session, answer.invitation, now_ms=now_ms)
        passkey = passkeys.judge_registration(
            answer.credential, asked, person.id, state.settings, now_ms=now_ms
        )
        passkey.name = _device_name(request)
        passkeys.keep(session, passkey)
        return _begin(session, request, person.id, now_ms)

    return _begun(request, response, await state.db.write(keep))


@api.post(
    "/session/challenge",
    summary="Ask how to sign in",
    responses=_refusals(403, 413, 429),
)
async def ask_to_sign_in(request: Request) -> Ceremony:
    """Return the options for signing in with a passkey that is on the device."""
    await limit(request, "challenge", times=200, period_s=TEN_MINUTES_S)
    state = request.app.state
    return Ceremony(
        options=await state.db.write(
            partial(passkeys.ask_to_sign_in, settings=state.settings, now_ms=state.clock.now_ms())
        )
    )


@api.post(
    "/session",
    status_code=status.HTTP_201_CREATED,
    summary="Sign in",
    responses=_refusals(400, 401, 403, 409, 413, 429),
)
async def sign_in(request: Request, response: Response, answer: Assertion) -> Begun:
    """Begin a session for whose passkey signed the challenge. An earlier one here ends."""
    await limit(request, "sign-in", times=60, period_s=TEN_MINUTES_S)
    state = request.app.state
    now_ms = state.clock.now_ms()
    asked = await state.db.write(
        lambda session: passkeys.use_challenge(
            session, answer.credential, passkeys.SIGN_IN, now_ms=now_ms
        )
    )

    def begin(session: Session) -> SignIn:
        passkey = passkeys.judge_sign_in(
            session, answer.credential, asked, state.settings, now_ms=now_ms
        )
        return _begin(session, request, passkey.person_id, now_ms)

    return _begun(request, response, await state.db.write(begin))


@api.delete(
    "/session",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Sign out",
    responses=_refusals(403),
)
async def sign_out(request: Request, response: Response) -> None:
    """End this session. What the phone holds it clears itself, after asking about unsent work."""
    state = request.app.state
    secret = _secret(request)
    if secret is not None:
        await state.db.write(
            lambda session: service.end_session(session, secret, now_ms=state.clock.now_ms())
        )
    cookies.take(response, state.settings)


@pages.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """Ask for the passkey; in the demonstration also offer its people."""
    state = request.app.state
    try:
        who = await current(request)
    except Problem:
        who = None
    cast = await state.db.read(demonstration.people) if demonstration.is_allowed(request) else []
    return _page(request, "sign-in.html", signed_in=who and who.name, cast=cast)


@pages.post("/demo/sign-in")
async def demo_sign_in(request: Request, person: Annotated[Id, Form()]) -> Response:
    """Sign in as somebody of the demonstration, without proof; 404 everywhere else."""
    demonstration.require(request)
    state = request.app.state
    now_ms = state.clock.now_ms()

    def begin(session: Session) -> SignIn:
        if person not in {one["id"] for one in demonstration.people(session)}:
            raise NotFound
        return _begin(session, request, person, now_ms)

    begun = await state.db.write(begin)
    response = RedirectResponse(
        "/?signed-in", status.HTTP_303_SEE_OTHER, {"Cache-Control": "no-store"}
    )
    cookies.put(response, state.settings, begun.secret)
    return response


@pages.get("/invite/{token}")
async def invitation_page(request: Request, token: str) -> Response:
    """Welcome somebody and offer to make her passkey; looking at it uses nothing up."""
    await limit(request, "invitation", times=60, period_s=TEN_MINUTES_S)
    state = request.app.state
    try:
        person = await state.db.read(
            lambda session: people.invited(session, token, now_ms=state.clock.now_ms())
        )
    except Problem as problem:
        reason = problem.extra["reason"]
        sentence = (
            "account.error_no_invitation" if reason == "unknown" else f"account.error_{reason}"
        )
        return _page(request, "invite.html", problem.status, name="", token="", sentence=sentence)
    return _page(request, "invite.html", name=person.name, token=token, sentence="")


def _page(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    return web.render(
        request,
        template,
        status=status,
        headers={"Cache-Control": "no-store", "X-Robots-Tag": "noindex"},
        errors=words.ERRORS,
        **context,
    )


def _begin(session: Session, request: Request, person_id: str, now_ms: int) -> SignIn:
    return service.begin_session(
        session,
        person_id,
        now_ms=now_ms,
        session_days=request.app.state.settings.session_days,
        device_name=_device_name(request),
        earlier_secret=_secret(request),
    )


def _begun(request: Request, response: Response, begun: SignIn) -> Begun:
    cookies.put(response, request.app.state.settings, begun.secret)
    return Begun(person_id=begun.person_id, device_id=begun.device_id)


def _device_name(request: Request) -> str:
    return service.device_name(request.headers.get("user-agent", ""))


def _secret(request: Request) -> str | None:
    name = cookies.name(request.app.state.settings)
    return cookies.find(request.scope["headers"], name.encode())


router = APIRouter()
router.include_router(api)
router.include_router(pages)

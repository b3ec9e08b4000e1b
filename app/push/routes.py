"""The API around notifications: our key, this device's subscription, tests, reports, health."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, status
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from app.accounts.policy import Principal
from app.accounts.service import current
from app.openapi import refusals
from app.push import health, service
from app.push.endpoints import MAX_ENDPOINT_CHARS
from app.push.vapid import server_key
from app.ratelimit import limit

Who = Annotated[Principal, Depends(current)]
State = Literal["none", "new", "proven", "silent", "gone"]
Browser = Literal["chrome", "edge", "firefox", "safari", "samsung", "other"]
Platform = Literal["android", "ios", "desktop"]
MINUTE_S = 60
TESTS_A_MINUTE = 20

_refusals = refusals(
    {
        400: "The request cannot be understood; see `reason`.",
        403: "Sent by another site.",
        404: "There is no such push.",
        409: "Not possible in this state; see `reason`.",
        429: "Asked too often; see `Retry-After`.",
    }
)

router = APIRouter(prefix="/api/v1/push", tags=["push"])


class Shape(BaseModel):
    """Strict about what it knows, silent about the rest: a server may meet newer phones."""

    model_config = ConfigDict(extra="ignore")


class ServerKey(BaseModel):
    """Our public key, for `applicationServerKey`, and a short name for it."""

    key: str
    fingerprint: str


class Keys(Shape):
    """The subscription's own keys, base64url."""

    p256dh: str = Field(min_length=80, max_length=100)
    auth: str = Field(min_length=16, max_length=40)


class NewSubscription(Shape):
    """What `PushSubscription.toJSON()` says, and on what it was made.

    `fingerprint` is that of the key of ours it was made with, when the phone knows it.
    """

    endpoint: str = Field(min_length=1, max_length=MAX_ENDPOINT_CHARS)
    keys: Keys
    browser: Browser = "other"
    platform: Platform = "desktop"
    fingerprint: str | None = Field(default=None, max_length=64)


class Subscribed(BaseModel):
    """This device's subscription; `gone` means: unsubscribe in the browser and subscribe anew."""

    id: str
    state: State


class Queued(BaseModel):
    """A push that is on its way."""

    push: str


class Report(Shape):
    """A push that a phone has shown, with the token that came in it."""

    push: str = Field(pattern=r"^[0-9a-f-]{36}$")
    report: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")


class DeviceHealth(BaseModel):
    """What is known of waking one device; `none` is a device that never subscribed.

    `current` is the one that asks.
    """

    device_id: str
    current: bool
    name: str
    state: State
    browser: Browser | None = None
    platform: Platform | None = None
    proven_ms: int | None = None
    tested_ms: int | None = None
    error: str | None = None


class PersonHealth(BaseModel):
    """Whether a colleague can be woken."""

    person_id: str
    name: str
    reach: Literal["proven", "unproven", "none"]


class Health(BaseModel):
    """One's own devices, and the people one looks after."""

    devices: list[DeviceHealth]
    team: list[PersonHealth]


@router.get("/key", summary="The key to subscribe with", responses=_refusals(401))
async def key(request: Request, _who: Who) -> ServerKey:
    """Return our public key. A fingerprint other than last time means: subscribe anew."""
    ours = server_key(request.app.state.settings)
    return ServerKey(key=ours.public, fingerprint=ours.fingerprint)


@router.put(
    "/subscription",
    summary="Have this device woken",
    responses=_refusals(400, 401, 403, 409, 413),
)
async def subscribe(request: Request, who: Who, new: NewSubscription) -> Subscribed:
    """Keep the subscription of this device, in place of an earlier one.

    Problems: 400 with `reason` unreadable, unknown_service, not_https or keys; 409 with `reason`
    key_changed when it was made with another key than ours is now.
    """
    state = request.app.state
    kept = await state.db.write(
        lambda session: service.subscribe(
            session,
            who,
            state.settings,
            endpoint=new.endpoint,
            p256dh=new.keys.p256dh,
            auth=new.keys.auth,
            browser=new.browser,
            platform=new.platform,
            fingerprint=new.fingerprint,
            now_ms=state.clock.now_ms(),
        )
    )
    return Subscribed(id=kept.id, state=kept.state)


@router.delete(
    "/subscription",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Do not wake this device any more",
    responses=_refusals(401, 403),
)
async def unsubscribe(request: Request, who: Who) -> None:
    """Forget the subscription of this device; what is queued for it goes with it."""
    await request.app.state.db.write(lambda session: service.unsubscribe(session, who.device_id))


@router.post(
    "/tests",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Try whether this device can be woken",
    responses=_refusals(401, 403, 409, 429),
)
async def test(request: Request, who: Who) -> Queued:
    """Queue a test for this device; its report shows in the health. 409 when not subscribed."""
    await limit(request, f"push test {who.person_id}", times=TESTS_A_MINUTE, period_s=MINUTE_S)
    state = request.app.state
    push_id = await state.db.write(
        lambda session: service.test(session, who.device_id, now_ms=state.clock.now_ms())
    )
    return Queued(push=push_id)


@router.get("/health", summary="Whether people can be woken", responses=_refusals(401))
async def push_health(request: Request, who: Who) -> Health:
    """Return one's own devices, and the colleagues that one looks after."""
    state = request.app.state
    now_ms = state.clock.now_ms()

    def look(session: Session) -> Health:
        leads: Collection[str] = state.teams_led_by(session, who.person_id)
        return Health(
            devices=[
                DeviceHealth(**one, current=one["device_id"] == who.device_id)
                for one in health.devices(session, who.person_id, state.settings, now_ms=now_ms)
            ],
            team=[PersonHealth(**one) for one in health.team(session, who, leads, now_ms=now_ms)],
        )

    answer: Health = await state.db.read(look)
    return answer


@router.post(
    "/reports",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Say that a push was shown",
    responses=_refusals(400, 403, 404, 413),
)
async def report(request: Request, told: Report) -> None:
    """Take a service worker's word that it showed a push. The token stands for the session.

    Repeats are fine. A token that does not belong to the push is answered before the database is
    asked.
    """
    state = request.app.state
    service.Reports(state.settings).check(told.push, told.report)
    await state.db.write(
        lambda session: service.shown(session, told.push, now_ms=state.clock.now_ms())
    )

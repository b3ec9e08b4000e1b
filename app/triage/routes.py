"""The rules of urgency: looked at, edited, tried out, made live."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from pydantic import Field

from app.accounts.policy import Principal
from app.accounts.service import current
from app.errors import NotAllowed
from app.openapi import Strict, refusals
from app.ratelimit import limit
from app.triage import drafts, trials
from app.triage.rules import ruleset
from app.triage.shapes import Body

Who = Annotated[Principal, Depends(current)]
Count = Annotated[int, Field(ge=0, le=1 << 31)]

TRIALS = 60
PERIOD_S = 600

_refusals = refusals(
    {
        400: "The rules cannot be judged by; see `errors`.",
        403: "Signed in, but without the right `rules`.",
        404: "There is no such version.",
        409: "Somebody was first: `reason` is draft_changed, live_changed or no_draft,"
        " `by` her name.",
        429: "Too many trials; see `Retry-After`.",
    }
)

router = APIRouter(prefix="/api/v1/triage", tags=["triage"])


class Seen(Strict):
    """What its writer had before her: the live version, and the draft's revision (0 is none)."""

    version: Count
    revision: Count


class Draft(Seen):
    """Rules to store."""

    body: Body


class Trial(Strict):
    """Rules to try."""

    body: Body


@router.get("/rules", summary="The rules of urgency", responses=_refusals(401, 403))
async def rules(request: Request, response: Response, who: Who) -> dict[str, Any]:
    """Return the live rules, the draft (for who may edit), the versions before, and the counts."""
    if not who.may("read"):
        raise NotAllowed
    response.headers["Cache-Control"] = "no-store"
    state = request.app.state
    found: dict[str, Any] = await state.db.read(
        lambda session: drafts.overview(
            session, may_edit=who.may("rules"), now_ms=state.clock.now_ms()
        )
    )
    return found


@router.get(
    "/rules/versions/{version}", summary="Earlier rules", responses=_refusals(400, 401, 403, 404)
)
async def version(
    request: Request, who: Who, version: Annotated[int, Path(ge=0, le=1 << 31)]
) -> dict[str, Any]:
    """Return the rules of a version that is or was live; 0 is what Stoep comes with."""
    if not who.may("read"):
        raise NotAllowed
    body: dict[str, Any] = await request.app.state.db.read(
        lambda session: drafts.body_of(session, version)
    )
    return {"version": version, "body": body}


@router.put("/rules/draft", summary="Store the draft", responses=_refusals(400, 401, 403, 409, 413))
async def store(request: Request, who: Who, draft: Draft) -> dict[str, Any]:
    """Store the draft, which everybody with the right shares."""
    _editor(who)
    state = request.app.state
    stored: dict[str, Any] = await state.db.write(
        lambda session: drafts.store(
            session,
            draft.body,
            version=draft.version,
            revision=draft.revision,
            by=who.person_id,
            now_ms=state.clock.now_ms(),
        )
    )
    return stored


@router.delete(
    "/rules/draft",
    summary="Throw the draft away",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_refusals(400, 401, 403, 409),
)
async def discard(
    request: Request,
    who: Who,
    version: Annotated[int, Query(ge=0, le=1 << 31)],
    revision: Annotated[int, Query(ge=0, le=1 << 31)],
) -> None:
    """Throw the draft away; the live rules stay as they are."""
    _editor(who)
    await request.app.state.db.write(
        lambda session: drafts.discard(session, version=version, revision=revision)
    )


@router.post(
    "/rules",
    summary="Let the draft hold from now on",
    status_code=status.HTTP_201_CREATED,
    responses=_refusals(400, 401, 403, 409),
)
async def go_live(request: Request, who: Who, seen: Seen) -> dict[str, Any]:
    """Make the draft the live rules; the earlier ones are kept as a version."""
    _editor(who)
    state = request.app.state
    made: dict[str, Any] = await state.db.write(
        lambda session: drafts.go_live(
            session,
            version=seen.version,
            revision=seen.revision,
            by=who.person_id,
            now_ms=state.clock.now_ms(),
        )
    )
    return made


@router.post(
    "/trials", summary="Try rules on past messages", responses=_refusals(400, 401, 403, 413, 429)
)
async def try_out(request: Request, response: Response, who: Who, trial: Trial) -> dict[str, Any]:
    """Return what these rules would have made of the newest messages she may see; keep nothing."""
    _editor(who)
    await limit(request, f"trial {who.person_id}", times=TRIALS, period_s=PERIOD_S)
    response.headers["Cache-Control"] = "no-store"
    state = request.app.state
    tried = ruleset(trial.body.model_dump(mode="json"))
    outcome: dict[str, Any] = await state.db.read(
        lambda session: trials.run(session, who, tried, now_ms=state.clock.now_ms())
    )
    return outcome


def _editor(who: Principal) -> None:
    if not who.may("rules"):
        raise NotAllowed

"""The listening list, and what is listened for."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlmodel import Session, func, select

from app.accounts.policy import Principal
from app.accounts.service import current
from app.channels.models import Account
from app.errors import BadRequest, Conflict, NotAllowed, NotFound
from app.ids import uuid7
from app.listening import queries
from app.listening.models import Muted, SavedSearch
from app.openapi import refusals

MAX_SEARCHES = 50
"""In one area; each is a request to somebody else's server, again and again."""

Who = Annotated[Principal, Depends(current)]
Id = Annotated[str, Path(pattern="^[0-9a-f-]{36}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_refusals = refusals(
    {
        403: "Signed in, but without the right.",
        404: "Not there, or not in one of her areas.",
        409: "It exists already, or there are too many.",
    }
)

router = APIRouter(prefix="/api/v1/listening", tags=["listening"])


class Wanted(BaseModel):
    """Words to listen for, in one area, by one account."""

    model_config = ConfigDict(extra="forbid")

    area: Name
    account: Name
    query: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            min_length=2,
            max_length=200,
            pattern=r"^[^\x00-\x1f]+$",
        ),
    ]


@router.get("", summary="What was heard", responses=_refusals(400, 401, 403))
async def heard(
    request: Request,
    response: Response,
    who: Who,
    before: Annotated[str | None, Query(pattern="^[0-9a-f-]{36}$")] = None,
) -> dict[str, Any]:
    """Return what was heard in her areas, the newest first; `next` is the `before` of the rest."""
    if not who.may("read"):
        raise NotAllowed
    response.headers["Cache-Control"] = "no-store"
    state = request.app.state
    found: dict[str, Any] = await state.db.read(
        lambda session: queries.overview(
            session, who.areas, before=before, can_search=state.can_search
        )
    )
    return found


@router.post(
    "/searches",
    summary="Listen for words",
    status_code=status.HTTP_201_CREATED,
    responses=_refusals(400, 401, 403, 404, 409, 413),
)
async def listen(request: Request, who: Who, wanted: Wanted) -> dict[str, str]:
    """Begin to look for words with one of the accounts that can."""
    _may(who)
    now_ms = request.app.state.clock.now_ms()

    def add(session: Session) -> str:
        account = session.get(Account, wanted.account)
        seen = account is not None and who.sees(f"team:{account.team_id}")
        if account is None or not seen or not who.sees(wanted.area):
            raise NotFound
        if not request.app.state.can_search(account.kind):
            raise BadRequest("This channel cannot be searched.", reason="cannot_search")
        same = select(SavedSearch).where(SavedSearch.scope == wanted.area)
        if session.exec(select(func.count()).select_from(same.subquery())).one() >= MAX_SEARCHES:
            raise Conflict("There are too many searches here.", reason="too_many")
        known = same.where(
            SavedSearch.account_id == wanted.account, SavedSearch.query == wanted.query
        )
        if session.exec(known).first() is not None:
            raise Conflict("This is listened for already.", reason="known")
        search = SavedSearch(
            id=uuid7(now_ms),
            scope=wanted.area,
            account_id=account.id,
            query=wanted.query,
            made_by=who.person_id,
            made_at_ms=now_ms,
        )
        session.add(search)
        return search.id

    return {"id": await request.app.state.db.write(add)}


@router.delete(
    "/searches/{search_id}",
    summary="Listen no longer",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_refusals(400, 401, 403, 404),
)
async def stop(request: Request, who: Who, search_id: Id) -> None:
    """End a search; what it found stays."""
    _may(who)

    def remove(session: Session) -> None:
        _drop(session, who, session.get(SavedSearch, search_id))

    await request.app.state.db.write(remove)


@router.delete(
    "/muted/{muted_id}",
    summary="Listen to a source again",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_refusals(400, 401, 403, 404),
)
async def unmute(request: Request, who: Who, muted_id: Id) -> None:
    """Listen again to what was muted."""
    _may(who)

    def remove(session: Session) -> None:
        _drop(session, who, session.get(Muted, muted_id))

    await request.app.state.db.write(remove)


def _drop(session: Session, who: Principal, found: SavedSearch | Muted | None) -> None:
    if found is None or not who.sees(found.scope):
        raise NotFound
    session.delete(found)


def _may(who: Principal) -> None:
    if not who.may("assign"):
        raise NotAllowed

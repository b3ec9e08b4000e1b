"""The municipality's accounts over the API: which kinds there are, added, tested, switched, ended.

For managers and administrators. No answer carries a secret, not even to whoever typed it.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response, status
from pydantic import AfterValidator, Field, JsonValue
from sqlmodel import Session

from app.accounts.policy import Principal
from app.accounts.service import current
from app.channels import accounts, reached, sign_in, trial
from app.channels.accounts import Candidate, Tried
from app.channels.contract import ChannelError, Permanent
from app.channels.models import Account, ChannelTest
from app.channels.sentences import SENTENCES, sentence
from app.channels.setup import Values, WrongValues, read
from app.channels.told import account_told, accounts_told, kinds_told, said
from app.errors import BadRequest, Conflict, NotAllowed, StoepError
from app.openapi import Strict, refusals
from app.ratelimit import limit

CHECKS = 60
PERIOD_S = 600

_refusals = refusals(
    {
        400: "Something that was typed cannot be used; see `errors`.",
        403: "Signed in, but without the right `channels`.",
        404: "No such kind, account, team or area.",
        409: "The platform does not let us in, or the account cannot become so: `reason` says why,"
        " `detail` in the asker's language.",
    }
)


async def _keeper(who: Annotated[Principal, Depends(current)]) -> Principal:
    if not who.may("channels"):
        raise NotAllowed
    return who


Who = Annotated[Principal, Depends(_keeper)]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

router = APIRouter(prefix="/api/v1/channels", tags=["channels"])


def _a_name(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("is no name")
    return text.strip()


class Where(Strict):
    """As colleagues know the account, who answers, and where its questions belong."""

    name: Annotated[str, AfterValidator(_a_name), Field(min_length=1, max_length=100)]
    team: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    area: str | None = Field(default=None, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")


class Changed(Where):
    """Other values for an account; what is left out stays as it was."""

    values: dict[str, JsonValue] = Field(default={}, max_length=60)


class New(Changed):
    """An account to add."""

    kind: str = Field(min_length=1, max_length=40, pattern=r"^[a-z0-9_]+$")


class SignIn(New):
    """An account that is signed in to on the platform's page; `account` is one to sign in again."""

    account: str | None = Field(default=None, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")


class Switch(Strict):
    """Whether an account fetches and sends."""

    enabled: bool


class Consent(Strict):
    """What the platform's page gave back."""

    state: str = Field(min_length=1, max_length=200, pattern=r"^[0-9a-f]+$")
    code: str = Field(min_length=1, max_length=4000, pattern=r"^[\x21-\x7e]+$")


@router.get("/kinds", summary="What can be added", responses=_refusals(401, 403))
async def kinds(who: Who) -> list[dict[str, Any]]:
    """Return each kind of channel with the fields it asks for; all words as [Dutch, English]."""
    return kinds_told()


@router.get("", summary="The accounts", responses=_refusals(401, 403))
async def overview(request: Request, who: Who) -> list[dict[str, Any]]:
    """Return all accounts with how they are doing and what they were given, but for secrets."""
    state = request.app.state
    found: list[dict[str, Any]] = await state.db.read(accounts_told)
    return found


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Add an account",
    responses=_refusals(400, 401, 403, 404, 409, 413, 429),
)
async def add(request: Request, who: Who, new: New) -> dict[str, Any]:
    """Sign in at the platform with what was typed; keep the account only when that works."""
    state = request.app.state
    values = _read(request, new.kind, new.values, who)
    candidate = _candidate(new.kind, new, values)
    await state.db.read(lambda session: _not_known(session, state.settings, candidate))
    tried = await _let_in(request, who, candidate)

    def keep(session: Session) -> dict[str, Any]:
        now_ms = state.clock.now_ms()
        account = accounts.add(session, state.settings, candidate, now_ms=now_ms)
        return account_told(session, account)

    return _with_hook(request, await state.db.write(keep), tried)


@router.put(
    "/{account_id}",
    summary="Change an account",
    responses=_refusals(400, 401, 403, 404, 409, 413, 429),
)
async def change(request: Request, who: Who, account_id: Id, changed: Changed) -> dict[str, Any]:
    """Give an account another name, place or other values, which are tried first as when adding."""
    state = request.app.state

    def known(session: Session) -> tuple[str, Values]:
        account = accounts.find(session, account_id)
        return account.kind, accounts.values_of(account, state.settings)

    kind, before = await state.db.read(known)
    values = _read(request, kind, changed.values, who, before) if changed.values else before
    candidate = _candidate(kind, changed, values)
    tried = await _let_in(request, who, candidate)

    def keep(session: Session) -> dict[str, Any]:
        account = accounts.find(session, account_id)
        now_ms = state.clock.now_ms()
        accounts.change(session, state.settings, account, candidate, now_ms=now_ms)
        return account_told(session, account)

    return _with_hook(request, await state.db.write(keep), tried)


@router.put(
    "/{account_id}/enabled",
    summary="Switch an account off or on",
    responses=_refusals(400, 401, 403, 404, 409),
)
async def switch(request: Request, who: Who, account_id: Id, wanted: Switch) -> dict[str, Any]:
    """Stop or go on fetching and sending there; nothing that came in goes away."""
    return await _changes(
        request, account_id, lambda session, account: accounts.switch(
            session, account, wanted.enabled
        )
    )  # fmt: skip


@router.delete(
    "/{account_id}",
    summary="End an account, and keep its history",
    responses=_refusals(400, 401, 403, 404, 409),
)
async def end(request: Request, who: Who, account_id: Id) -> dict[str, Any]:
    """Make the channel read-only for good and forget its password; all that was said stays."""
    now_ms = request.app.state.clock.now_ms()
    return await _changes(
        request, account_id, lambda session, account: accounts.end(session, account, now_ms=now_ms)
    )


@router.post(
    "/{account_id}/checks",
    status_code=status.HTTP_201_CREATED,
    summary="See whether the platform lets us in",
    responses=_refusals(400, 401, 403, 404, 429),
)
async def check(request: Request, who: Who, account_id: Id) -> dict[str, Any]:
    """Sign in at the platform now, without sending anything."""
    await _limit(request, who)
    state = request.app.state

    def known(session: Session) -> Candidate:
        account = accounts.find(session, account_id)
        values = accounts.values_of(account, state.settings)
        return Candidate(
            account.kind, account.name, account.team_id, account.area, values.config, values.opened
        )

    candidate = await state.db.read(known)
    tried = await accounts.try_out(candidate, candidate.secret, state.clock.now_ms)
    told: dict[str, Any] = {"fine": tried.error is None, "at_ms": state.clock.now_ms()}
    if tried.error is not None:
        told |= {"code": tried.error.code, "words": said(tried.error.code)}
    return _with_hook(request, told | {"id": account_id}, tried)


@router.post(
    "/{account_id}/tests",
    status_code=status.HTTP_201_CREATED,
    summary="Make a code to send to the account",
    responses=_refusals(400, 401, 403, 404, 409),
)
async def test(request: Request, who: Who, account_id: Id) -> dict[str, Any]:
    """Return a code; `seen_ms` is filled in as soon as a message with it comes in."""
    state = request.app.state

    def begin(session: Session) -> ChannelTest:
        account = accounts.find(session, account_id)
        if not account.enabled:
            raise Conflict("Nothing is fetched here.", reason="off")
        return trial.begin(session, account, now_ms=state.clock.now_ms())

    return trial.told(await state.db.write(begin))


@router.get(
    "/{account_id}/tests",
    summary="Whether the code came in",
    responses=_refusals(400, 401, 403, 404),
)
async def tests(request: Request, who: Who, account_id: Id) -> list[dict[str, Any]]:
    """Return the last test, if there was one."""

    def find(session: Session) -> list[dict[str, Any]]:
        accounts.find(session, account_id)
        found = session.get(ChannelTest, account_id)
        return [trial.told(found)] if found is not None else []

    told: list[dict[str, Any]] = await request.app.state.db.read(find)
    return told


@router.get(
    "/{account_id}/residents",
    summary="Who wrote here, and how else they are reached",
    responses=_refusals(400, 401, 403, 404),
)
async def residents(request: Request, who: Who, account_id: Id) -> dict[str, Any]:
    """Return the residents of an account that this person may see, with their other addresses."""

    def find(session: Session) -> dict[str, Any]:
        return reached.residents(session, accounts.find(session, account_id), who)

    found: dict[str, Any] = await request.app.state.db.read(find)
    return found


@router.get(
    "/{account_id}/residents.csv",
    summary="The same as a table to take along",
    response_class=Response,
    responses=_refusals(400, 401, 403, 404) | {200: {"content": {"text/csv": {}}}},
)
async def residents_csv(request: Request, who: Who, account_id: Id) -> Response:
    """Return the residents of an account as CSV, in which no cell is a formula."""

    def find(session: Session) -> str:
        found = reached.residents(session, accounts.find(session, account_id), who)
        return reached.as_csv(found, who.language)

    table = await request.app.state.db.read(find)
    name = f'attachment; filename="inwoners-{account_id}.csv"'
    return Response(table, media_type="text/csv", headers={"Content-Disposition": name})


@router.post(
    "/sign-ins",
    status_code=status.HTTP_201_CREATED,
    summary="Begin to sign in on the platform's own page",
    responses=_refusals(400, 401, 403, 404, 409, 413, 429),
)
async def begin_sign_in(request: Request, who: Who, new: SignIn) -> dict[str, Any]:
    """Return the page to open; what comes back from it is bound to this person and this device."""
    await _limit(request, who)
    known = await _known_values(request, new)
    candidate = _candidate(new.kind, new, _read(request, new.kind, new.values, who, known))
    candidate.renews = new.account
    try:
        page = await sign_in.begin(request.app.state, who, candidate)
    except ChannelError as error:
        raise _refused(error, who) from None
    return {"page": page, "expires_in_s": sign_in.LIFE_MS // 1000}


@router.post(
    "/consents",
    status_code=status.HTTP_201_CREATED,
    summary="Finish signing in on the platform's own page",
    responses=_refusals(400, 401, 403, 404, 409, 413, 429)
    | {202: {"description": "Another request of hers is still finishing it: ask again."}},
)
async def finish_sign_in(
    request: Request, response: Response, who: Who, consent: Consent
) -> dict[str, Any]:
    """Exchange the code and keep the account. Each state works once; asked again, it is told again.

    That may take longer than a phone waits: whoever lost the answer asks until it is there.
    """
    state = request.app.state
    taken = await sign_in.take(state, who, consent.state)
    if taken.outcome is not None:
        return await _told_again(request, who, taken.outcome)
    if not taken.sealed:
        response.status_code = status.HTTP_202_ACCEPTED
        return {"pending": True}
    try:
        candidate = await sign_in.finish(state, taken.sealed, consent.code)
        tried = await accounts.try_out(candidate, candidate.secret, state.clock.now_ms)
        if tried.error is not None:
            raise tried.error
        candidate.is_known_as(tried.known_as)
    except ChannelError as error:
        refused = {"code": error.code, "detail": error.detail[:300]}
        await state.db.write(
            lambda session: sign_in.settle(session, consent.state, {"refused": refused})
        )
        raise _refused(error, who) from None

    def keep(session: Session) -> dict[str, Any]:
        now_ms = state.clock.now_ms()
        account = sign_in.keep(session, state.settings, candidate, now_ms=now_ms)
        outcome = {"account": account.id, "called": tried.called}
        sign_in.settle(session, consent.state, outcome)
        return account_told(session, account)

    try:
        return _with_hook(request, await state.db.write(keep), tried)
    except StoepError:
        # A team that is gone, an account that is there already: nothing was kept, and never will.
        await state.db.write(lambda session: sign_in.give_up(session, consent.state))
        raise


async def _told_again(request: Request, who: Principal, outcome: dict[str, Any]) -> dict[str, Any]:
    """Answer as the first time."""
    if "refused" in outcome:
        code, detail = (outcome["refused"][key] for key in ("code", "detail"))
        raise _refused(Permanent(code, detail), who)
    told: dict[str, Any] = await request.app.state.db.read(
        lambda session: account_told(session, accounts.find(session, outcome["account"]))
    )
    return _with_hook(request, told, Tried(None, bool(outcome["called"])))


async def _known_values(request: Request, new: SignIn) -> Values | None:
    """Return the config of an account that is signed in again; no form shows all of it."""
    state, again = request.app.state, new.account
    if again is None:
        return None

    def known(session: Session) -> Values:
        account = accounts.find(session, again)
        if account.kind != new.kind:
            raise Conflict("That account is of another kind.", reason="other_kind")
        return Values(dict(account.config), {})

    values: Values = await state.db.read(known)
    return values


async def _changes(
    request: Request, account_id: str, work: Callable[[Session, Account], None]
) -> dict[str, Any]:
    def carry_out(session: Session) -> dict[str, Any]:
        account = accounts.find(session, account_id)
        work(session, account)
        return account_told(session, account)

    told: dict[str, Any] = await request.app.state.db.write(carry_out)
    return told


def _read(
    request: Request,
    kind: str,
    given: dict[str, JsonValue],
    who: Principal,
    known: Values | None = None,
) -> Values:
    private_hosts = request.app.state.settings.private_hosts
    try:
        return read(accounts.setup_of(kind), given, known, private_hosts=private_hosts)
    except WrongValues as error:
        column = 0 if who.language == "nl" else 1
        errors = [{"field": one.field, "message": one.words[column]} for one in error.wrong]
        raise BadRequest(errors[0]["message"], errors=errors) from None


def _candidate(kind: str, where: Where, values: Values) -> Candidate:
    return Candidate(kind, where.name, where.team, where.area, values.config, values.opened)


def _not_known(session: Session, settings: Any, candidate: Candidate) -> None:
    """Refuse a second copy before anybody is asked for anything."""
    accounts.place(session, candidate.team_id, candidate.area)
    known = accounts.same(session, settings, candidate)
    if known is not None and known.ended_at_ms is None:
        raise Conflict("This account was added before.", reason="known", account=known.id)
    if known is not None:
        accounts.carry_over(known, candidate)


async def _limit(request: Request, who: Principal) -> None:
    await limit(request, f"channel check {who.person_id}", times=CHECKS, period_s=PERIOD_S)


async def _let_in(request: Request, who: Principal, candidate: Candidate) -> Tried:
    await _limit(request, who)
    tried = await accounts.try_out(candidate, candidate.secret, request.app.state.clock.now_ms)
    if tried.error is not None:
        raise _refused(tried.error, who)
    candidate.is_known_as(tried.known_as)
    return tried


def _refused(error: ChannelError, who: Principal) -> Conflict:
    code = error.code if error.code in SENTENCES else "bad_config"
    words = sentence(code, "nl" if who.language == "nl" else "en", setup=True)
    # What exactly the platform said is for whoever keeps the account; it is nobody's message.
    return Conflict(words, reason=error.code, technical=error.detail[:300])


def _with_hook(request: Request, told: dict[str, Any], tried: Tried) -> dict[str, Any]:
    if tried.called:
        told["hook_url"] = f"{request.app.state.settings.origin}/hooks/{told['id']}"
    return told

"""The rules as they are edited: one draft for all, which goes live as a new version.

Two people may edit at once. Whoever stores second without having seen the first is refused
(Conflict), and nothing of either is lost. Works inside the caller's transaction.
"""

from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Person
from app.errors import Conflict, NotFound
from app.ids import uuid7
from app.triage.defaults import BODY
from app.triage.models import TriageRules, TriageVerdict
from app.triage.shapes import Body

VERSIONS = 20
COUNTED_DAYS = 90
DAY_MS = 24 * 60 * 60 * 1000

DEFAULT_BODY: dict[str, Any] = Body.model_validate(BODY).model_dump(mode="json")


def overview(session: Session, *, may_edit: bool, now_ms: int) -> dict[str, Any]:
    """Return the rules that hold, the draft for who may edit, earlier versions, and the counts."""
    live, draft = _current(session, "live"), _current(session, "draft")
    names = _names(session)
    return {
        "live": _told(live, names) if live else _default(),
        "draft": _told(draft, names) if draft and may_edit else None,
        "versions": [_told(row, names) | {"body": None} for row in _versions(session)],
        "counts": counts(session, now_ms=now_ms),
        "counted_days": COUNTED_DAYS,
        "may_edit": may_edit,
    }


def _default() -> dict[str, Any]:
    return {
        "version": 0,
        "revision": 0,
        "body": DEFAULT_BODY,
        "made_by": None,
        "made_at_ms": None,
        "live_by": None,
        "live_at_ms": None,
    }


def _told(row: TriageRules, names: dict[str, str]) -> dict[str, Any]:
    return {
        "version": row.version,
        "revision": row.revision,
        "body": row.body,
        "made_by": names.get(row.made_by or ""),
        "made_at_ms": row.made_at_ms,
        "live_by": names.get(row.live_by or ""),
        "live_at_ms": row.live_at_ms,
    }


def _names(session: Session) -> dict[str, str]:
    wanted = select(TriageRules.made_by).union(select(TriageRules.live_by))
    people = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wanted)))
    return dict(people.all())


def _current(session: Session, state: str, *, lock: bool = False) -> TriageRules | None:
    query = select(TriageRules).where(TriageRules.state == state)
    return session.exec(query.with_for_update() if lock else query).first()


def _versions(session: Session) -> list[TriageRules]:
    query = select(TriageRules).where(col(TriageRules.state) == "old")
    return list(session.exec(query.order_by(col(TriageRules.version).desc()).limit(VERSIONS)))


def body_of(session: Session, version: int) -> dict[str, Any]:
    """Return the rules of a version that was live once. Raises NotFound."""
    if version == 0:
        return DEFAULT_BODY
    row = session.exec(
        select(TriageRules).where(TriageRules.version == version, TriageRules.state != "draft")
    ).first()
    if row is None:
        raise NotFound("There is no such version.")
    return row.body


def counts(session: Session, *, now_ms: int) -> dict[str, dict[str, int]]:
    """Return for each rule how often it made urgent, and how often a person said otherwise.

    Under "" stands what no rule had found: `corrected` counts what a person made urgent.
    """
    rows = session.exec(
        select(TriageVerdict.rule, TriageVerdict.urgent, TriageVerdict.corrected_to).where(
            TriageVerdict.at_ms > now_ms - COUNTED_DAYS * DAY_MS
        )
    )
    counted: dict[str, dict[str, int]] = {}
    for rule, urgent, corrected_to in rows:
        one = counted.setdefault(rule or "", {"urgent": 0, "corrected": 0, "missed": 0})
        one["urgent"] += urgent
        one["corrected"] += urgent and corrected_to is False
        one["missed"] += not urgent and corrected_to is True
    return counted


def store(
    session: Session, body: Body, *, version: int, revision: int, by: str, now_ms: int
) -> dict[str, Any]:
    """Store the draft; `version` and `revision` say what its writer had before her (0 = no draft).

    Raises Conflict with `reason` draft_changed or live_changed and `by`, the name of who did.
    """
    live, draft = _locked(session)
    _check(session, live, draft, version, revision)
    stored = body.model_dump(mode="json")
    if draft is None:
        draft = TriageRules(
            id=uuid7(now_ms), version=version, state="draft", body=stored, made_at_ms=now_ms
        )
    draft.body, draft.made_by, draft.made_at_ms = stored, by, now_ms
    draft.revision += 1
    session.add(draft)
    session.flush()
    return {"version": version, "revision": draft.revision, "body": stored}


def discard(session: Session, *, version: int, revision: int) -> None:
    """Throw the draft away. Raises Conflict as `store` does; nothing to do is fine."""
    live, draft = _locked(session)
    if draft is not None:
        _check(session, live, draft, version, revision)
        session.delete(draft)


def go_live(
    session: Session, *, version: int, revision: int, by: str, now_ms: int
) -> dict[str, Any]:
    """Let the draft hold from now on, as a new version. Raises Conflict as `store` does."""
    live, draft = _locked(session)
    _check(session, live, draft, version, revision)
    if draft is None:
        raise Conflict("There is no draft.", reason="no_draft")
    if live is not None:
        live.state = "old"
        session.flush()
    draft.state, draft.version = "live", version + 1
    draft.live_by, draft.live_at_ms = by, now_ms
    session.flush()
    return {"version": draft.version}


def _locked(session: Session) -> tuple[TriageRules | None, TriageRules | None]:
    return _current(session, "live", lock=True), _current(session, "draft", lock=True)


def _check(
    session: Session,
    live: TriageRules | None,
    draft: TriageRules | None,
    version: int,
    revision: int,
) -> None:
    if (live.version if live else 0) != version:
        raise _conflict(session, "live_changed", live.live_by if live else None)
    if (draft.revision if draft else 0) != revision:
        raise _conflict(session, "draft_changed", draft.made_by if draft else None)


def _conflict(session: Session, reason: str, person_id: str | None) -> Conflict:
    person = session.get(Person, person_id) if person_id else None
    sentences = {
        "live_changed": "Other rules went live meanwhile. Look at those first.",
        "draft_changed": "Somebody changed the draft meanwhile. Look at that first.",
    }
    return Conflict(sentences[reason], reason=reason, by=person.name if person else None)

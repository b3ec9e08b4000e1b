"""What is true of one town: read from the tables, not from the feed that the phones were told.

The feed is held against the same tables, so that a change which was stored and never published is
found even when no phone could know of it.
"""

from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from app.accounts.models import Membership, TeamArea
from app.accounts.policy import areas_of
from app.db import Database
from app.delivery.attempts import LOOK_AGAIN_MS
from app.inbox.models import Conversation, Message, ReadMark
from app.oncall.models import Alert, AlertStep
from app.sync import entities
from app.sync.feed import dump
from app.sync.models import Change, Operation

REFERENCE = {"area": "areas", "team": "teams", "person": "people", "account": "accounts"}


def of_town(db: Database, town: dict[str, Any]) -> dict[str, Any]:
    """Return everything that a check of this town's history needs."""
    return db.read_now(lambda session: _of_town(session, town))


def unsettled(db: Database) -> list[tuple[int, str]]:
    """Return when each delivery is due that the worker will still touch, and how it stands."""
    still = (
        "SELECT CASE WHEN state = 'sending' THEN coalesce(leased_until_ms, 0) ELSE due_at_ms END,"
        " state FROM delivery WHERE state IN ('queued', 'sending')"
        " OR (state = 'uncertain' AND attempts <= :looks)"
    )
    return [
        (int(due_ms), str(state))
        for due_ms, state in db.read_now(
            lambda session: session.execute(text(still), {"looks": len(LOOK_AGAIN_MS)}).all()
        )
    ]


def _of_town(session: Session, town: dict[str, Any]) -> dict[str, Any]:
    # A conversation can be moved only within the town: its areas and its teams' own lists.
    scopes = [
        *town["areas"].values(),
        *(f"team:team-{person}" for person in town["people"].values()),
    ]
    found = session.exec(select(Conversation).where(col(Conversation.area).in_(scopes))).all()
    ids = [conversation.id for conversation in found]
    told = {
        change.key: change
        for change in session.exec(
            select(Change).where(col(Change.conversation_id).in_(ids) | (Change.scope == "all"))
        )
    }
    wrong: list[str] = []

    def stated(row: dict[str, Any]) -> dict[str, Any]:
        change = told.get(row["key"])
        seq = change.seq if change is not None else -1
        state: dict[str, Any] = {"s": seq} | row["state"]
        if change is None or change.body != dump(state) or change.scope != row["scope"]:
            wrong.append(row["key"])
        return state

    heads = {row["conversation_id"]: stated(row) for row in entities.conversations(session, ids)}
    message_ids = session.exec(
        select(Message.id).where(col(Message.conversation_id).in_(ids))
    ).all()
    messages: dict[str, list[dict[str, Any]]] = {conversation: [] for conversation in ids}
    for row in entities.messages(session, list(message_ids)):
        row["scope"] = heads[row["conversation_id"]]["area"]
        messages[row["conversation_id"]].append(stated(row))
    for timeline in messages.values():
        timeline.sort(key=lambda message: int(message["position"]))
    people = list(town["people"].values())
    marks: dict[str, dict[str, int]] = {person: {} for person in people}
    for mark in session.exec(select(ReadMark).where(col(ReadMark.person_id).in_(people))):
        marks[mark.person_id][mark.conversation_id] = mark.position
    ledger = session.exec(select(Operation).where(col(Operation.person_id).in_(people))).all()
    return {
        "head": _head_of(session),
        "heads": heads,
        "messages": messages,
        "marks": marks,
        "scopes": {person: sorted(_scopes(session, person)) for person in people},
        "ledger": {
            entry.op_id: {"kind": entry.kind, "person": entry.person_id, **entry.result}
            for entry in ledger
        },
        "alerts": _alerts(session, ids),
        "refs": _references(session, stated),
        "wrong": wrong,
    }


def _alerts(session: Session, conversations: list[str]) -> list[dict[str, Any]]:
    """Return every alert that these conversations had, with who stopped it."""
    found = session.exec(select(Alert).where(col(Alert.conversation_id).in_(conversations))).all()
    steps = select(AlertStep).where(
        col(AlertStep.alert_id).in_([alert.id for alert in found]),
        AlertStep.kind == "acknowledged",
    )
    stopped: dict[str, list[str | None]] = {alert.id: [] for alert in found}
    for step in session.exec(steps.order_by(col(AlertStep.number))):
        stopped[step.alert_id].append(step.person_id)
    return [
        {
            "id": alert.id,
            "c": alert.conversation_id,
            "state": alert.state,
            "by": alert.acknowledged_by,
            "stopped": stopped[alert.id],
        }
        for alert in found
    ]


def _head_of(session: Session) -> int:
    return int(session.execute(text("SELECT seq FROM feed_head WHERE id = 1")).one().seq)


def _scopes(session: Session, person: str) -> frozenset[str]:
    teams = session.exec(select(Membership.team_id).where(Membership.person_id == person)).all()
    areas = session.exec(select(TeamArea.area).where(col(TeamArea.team_id).in_(teams))).all()
    return areas_of(teams, areas)


def _references(session: Session, stated: Any) -> dict[str, Any]:
    refs = {}
    for kind, plural in REFERENCE.items():
        keys = session.exec(select(Change.key).where(Change.kind == kind)).all()
        ids = [key.partition(":")[2] for key in keys]
        for row in entities.REFERENCES[kind](session, ids):
            refs[f"{plural}:{row['key'].partition(':')[2]}"] = stated(row)
    return refs

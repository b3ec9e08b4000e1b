"""What an entity looks like on the phone: its body in the feed, built from the newest rows.

Each function takes ids and returns one row an entity: {key, scope, kind, conversation_id, state}.
The shapes are described in `static/js/types.js`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import inspect
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.accounts.policy import rota_scope
from app.channels.models import Account
from app.channels.registry import approved_of, capabilities_of, private_of, title_of
from app.delivery.models import Delivery
from app.inbox.models import (
    Attachment,
    Conversation,
    Message,
    ReadMark,
    ReplyTemplate,
    Resident,
)
from app.meetings import entities as meeting_entities
from app.oncall.alerts import heads
from app.oncall.models import Absence, Shift
from app.sync import pairs
from app.sync.models import Change

Row = dict[str, Any]

CHUNK = 500
"""Ids in one query: SQLite refuses more than some thousands of parameters."""


_CONVERSATION = inspect(Conversation).local_table
_MESSAGE = inspect(Message).local_table
_DELIVERY = inspect(Delivery).local_table


def _newest(session: Session, query: Any) -> Any:
    """Run a query for what is stored now, over what this session read earlier.

    All that this transaction changed must have been flushed.
    """
    return session.exec(query, execution_options={"populate_existing": True})


def chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list of ids into pieces that fit one query."""
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def row(kind: str, key: str, scope: str, state: Row, conversation_id: str = "") -> Row:
    """Return a feed row that has no sequence number yet."""
    return {
        "key": key,
        "scope": scope,
        "kind": kind,
        "conversation_id": conversation_id,
        "state": state,
    }


def tombstone(conversation_id: str, scope: str) -> Row:
    """Return the row that takes a conversation off the phones of a scope it has left."""
    state = {"c": conversation_id, "scope": scope}
    return row("gone", f"x:{conversation_id}:{scope}", scope, state, conversation_id)


def conversations(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return the heads of conversations: all that a list shows."""
    rows = []
    for some in chunks(ids):
        # Columns, not objects: what is read here is written out and forgotten.
        query = (
            sql_select(
                _CONVERSATION,
                col(Resident.name).label("resident_name"),
                col(Resident.kind).label("resident_kind"),
                col(Account.kind).label("channel"),
            )
            .join(Resident, col(Resident.id) == col(Conversation.resident_id))
            .join(Account, col(Account.id) == col(Conversation.account_id))
            .where(col(Conversation.id).in_(some))
        )
        found = session.execute(query).all()
        urgent = [conversation.id for conversation in found if conversation.urgent]
        alerts = heads(session, urgent) if urgent else {}
        for conversation in found:
            state = _head(conversation)
            state["alert"] = alerts.get(conversation.id)
            key = f"c:{conversation.id}"
            rows.append(row("conversation", key, conversation.area, state, conversation.id))
    return rows


def _head(conversation: Any) -> Row:
    state = {
        "id": conversation.id,
        "number": conversation.number,
        "account": conversation.account_id,
        "channel": conversation.channel,
        "area": conversation.area,
        "subject": conversation.subject,
        "resident": {
            "id": conversation.resident_id,
            "name": conversation.resident_name,
            "kind": conversation.resident_kind,
            # Who left no address is reached on her own page, and its id says nothing to people.
            "address": None if conversation.address == conversation.id else conversation.address,
        },
        "status": conversation.status,
        "assignee": conversation.assignee_id,
        "topics": conversation.topics,
        "urgent": conversation.urgent,
        "urgent_reason": conversation.urgent_reason,
        "verdict": conversation.verdict,
        "created_ms": conversation.created_at_ms,
        "activity_ms": conversation.activity_at_ms,
        "waiting_since_ms": conversation.waiting_since_ms,
        "preview": conversation.preview,
        "preview_by": conversation.preview_by,
        "count": conversation.position,
        "position": conversation.position,
        "in_position": conversation.in_position,
        "place": conversation.place,
        "can_reply": conversation.why_not is None,
        "why_not": conversation.why_not,
        "rating": conversation.rating,
        "erased": conversation.erased_at_ms is not None,
    }
    # Only some channels have these.
    if conversation.public is not None:
        state["public"] = conversation.public
    if conversation.answer_by_ms is not None:
        state["answer_by_ms"] = conversation.answer_by_ms
    return state


def messages(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return messages with their photos and the state of their delivery; scope is left empty."""
    rows = []
    for some in chunks(ids):
        photos: dict[str, list[Row]] = defaultdict(list)
        taken = select(Attachment).where(col(Attachment.message_id).in_(some))
        for photo in _newest(session, taken.order_by(col(Attachment.id))):
            photos[str(photo.message_id)].append(_photo(photo))
        sent = sql_select(_DELIVERY).where(col(Delivery.message_id).in_(some))
        found = session.execute(sent.order_by(col(Delivery.notice)))
        deliveries = _deliveries(one._mapping for one in found)
        for message in session.execute(sql_select(_MESSAGE).where(col(Message.id).in_(some))):
            said = message._mapping
            rows.append(_message_row(said, photos[said["id"]], deliveries.get(said["id"])))
    return rows


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of messages and deliveries as this transaction inserted them."""

    message_rows: Sequence[Row]
    delivery_rows: Sequence[Row]

    def messages(self, marks: Mapping[tuple[str, str], int]) -> dict[str, Row]:
        """Return by id, as `messages` would, those that nothing touched since.

        Whoever changes a message, its photos or its delivery later in the same transaction touches
        it once more (or the change would never reach a phone).
        """
        deliveries = _deliveries(sorted(self.delivery_rows, key=lambda one: bool(one["notice"])))
        return {
            said["id"]: _message_row(said, [], deliveries.get(said["id"]))
            for said in self.message_rows
            if marks.get(("message", said["id"])) == 1
        }


def _deliveries(found: Iterable[Mapping[Any, Any]]) -> dict[str, Row]:
    """Return the state of each message's delivery; the one of a notice comes after the reply's."""
    deliveries: dict[str, Row] = {}
    for delivery in found:
        if delivery["notice"]:
            deliveries[delivery["message_id"]]["notice"] = delivery["state"]
        else:
            deliveries[delivery["message_id"]] = _delivery(delivery)
    return deliveries


def _message_row(said: Mapping[Any, Any], photos: list[Row], delivery: Row | None) -> Row:
    state = _message(said, photos, delivery)
    return row("message", f"m:{said['id']}", "", state, said["conversation_id"])


def _message(message: Mapping[Any, Any], photos: list[Row], delivery: Row | None) -> Row:
    state = {
        "id": message["id"],
        "c": message["conversation_id"],
        "position": message["position"],
        "d": message["direction"],
        "by": message["author_id"],
        "name": message["sender_name"],
        "text": message["text"],
        "quoted": message["quoted"],
        "written_ms": message["written_at_ms"],
        "accepted_ms": message["accepted_at_ms"],
        # What a resident took away is kept for the archive, and shown to nobody.
        "attachments": photos if message.get("deleted_at_ms") is None else [],
        "delivery": delivery,
        "event": message["event"],
        "erased": message["erased_at_ms"] is not None,
    }
    # Rare, and left out of all the others.
    if message["sender_address"]:
        state["from"] = message["sender_address"]
    if message["notices"]:
        state["notices"] = message["notices"]
    for name in ("public", "link", "changed_at_ms", "deleted_at_ms"):
        if (value := message.get(name)) is not None:
            state[name.replace("_at_ms", "_ms")] = value
    return state


def _photo(photo: Attachment) -> Row:
    state: Row = {
        "id": photo.id,
        "type": photo.media_type,
        "name": photo.name,
        "bytes": photo.size_bytes,
        "width": photo.width,
        "height": photo.height,
    }
    if photo.alt:
        state["alt"] = photo.alt
    return state


def _delivery(delivery: Mapping[Any, Any]) -> Row:
    return {
        "state": delivery["state"],
        "sent_ms": delivery.get("sent_at_ms"),
        "delivered_ms": delivery.get("delivered_at_ms"),
        "error": delivery.get("error"),
    }


def read_marks(session: Session, pairs: Sequence[str]) -> list[Row]:
    """Return read marks; each id is `person/conversation`."""
    rows = []
    for pair in pairs:
        person, conversation = pair.split("/")
        mark = session.get(ReadMark, (person, conversation))
        if mark is not None:
            state = {"c": conversation, "position": mark.position}
            key = f"r:{conversation}:{person}"
            rows.append(row("read", key, f"person:{person}", state, conversation))
    return rows


def _areas(session: Session, ids: Sequence[str]) -> list[Row]:
    return [
        row(
            "area",
            f"area:{area.code}",
            "all",
            {"code": area.code, "name": area.name, "kind": area.kind, "parent": area.parent},
        )
        for area in _newest(session, select(Area).where(col(Area.code).in_(ids)))
    ]


def _teams(session: Session, ids: Sequence[str]) -> list[Row]:
    areas: dict[str, list[str]] = defaultdict(list)
    for link in _newest(session, select(TeamArea).where(col(TeamArea.team_id).in_(ids))):
        areas[link.team_id].append(link.area)
    return [
        row(
            "team",
            f"team:{team.id}",
            "all",
            {"id": team.id, "name": team.name, "areas": sorted(areas[team.id])},
        )
        for team in _newest(session, select(Team).where(col(Team.id).in_(ids)))
    ]


def _people(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return people, and their absences: those go where their teams are."""
    away = select(Absence.id).where(
        col(Absence.person_id).in_(ids), col(Absence.filed_at_ms).is_(None)
    )
    absences = session.exec(away.order_by(col(Absence.id))).all()
    return [*_persons(session, ids), *_absences(session, absences)]


def _persons(session: Session, ids: Sequence[str]) -> list[Row]:
    teams: dict[str, list[str]] = defaultdict(list)
    for link in _newest(session, select(Membership).where(col(Membership.person_id).in_(ids))):
        teams[link.person_id].append(link.team_id)
    return [
        row(
            "person",
            f"person:{person.id}",
            "all",
            {
                "id": person.id,
                "name": person.name,
                "role": person.role,
                "teams": sorted(teams[person.id]),
                "active": person.active,
            },
        )
        for person in _newest(session, select(Person).where(col(Person.id).in_(ids)))
    ]


def _accounts(session: Session, ids: Sequence[str]) -> list[Row]:
    rows = []
    for account in _newest(session, select(Account).where(col(Account.id).in_(ids))):
        can = capabilities_of(account.kind)
        state = {
            "id": account.id,
            "kind": account.kind,
            "name": account.name,
            "title": list(title_of(account.kind)),
            "team": account.team_id,
            "public": can.public,
            "max_chars": can.max_chars,
            "counts": can.counts,
            "attachments": can.attachments,
            "enabled": account.enabled,
            "undo": can.undo,
            "window_s": can.reply_window_s,
            "health": {
                "state": account.health,
                "since_ms": account.health_since_ms,
                "detail": account.health_detail,
                "until_ms": account.limited_until_ms,
                "gaps": account.gaps or [],
            },
            "ended_ms": account.ended_at_ms,
        }
        if private := private_of(account.kind):
            state["private"] = {
                "max_chars": private.max_chars,
                "counts": private.counts,
                "attachments": private.attachments,
            }
        if approved := approved_of(account):
            state["approved"] = [asdict(one) for one in approved]
        rows.append(row("account", f"account:{account.id}", "all", state))
    return rows


def _templates(session: Session, ids: Sequence[str]) -> list[Row]:
    return [
        row(
            "template",
            f"template:{template.id}",
            "all",
            {
                "id": template.id,
                "title": template.title,
                "text": template.text,
                "language": template.language,
            },
        )
        for template in _newest(
            session, select(ReplyTemplate).where(col(ReplyTemplate.id).in_(ids))
        )
    ]


def _rota_scope(entry: Shift | Absence, team: str) -> str:
    """What is long over reaches no new phone: years of it must not slow down its first screen."""
    return rota_scope(team) if entry.filed_at_ms is None else "past"


def _shifts(session: Session, ids: Sequence[str]) -> list[Row]:
    rows = []
    for shift in _newest(session, select(Shift).where(col(Shift.id).in_(ids))):
        state: Row = {
            "id": shift.id,
            "team": shift.team_id,
            "area": shift.area,
            "person": shift.person_id,
            "from_ms": shift.starts_at_ms,
            "to_ms": shift.ends_at_ms,
        }
        if shift.removed_at_ms is not None:
            state = {"id": shift.id, "team": shift.team_id, "gone": True}
        rows.append(row("shift", f"shift:{shift.id}", _rota_scope(shift, shift.team_id), state))
    return rows


def _absences(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return one row for each team that somebody who is away is in: `absence:<id>@<team>`.

    Where it stood for a team that she left, it goes; that comes first, because a colleague of both
    teams keeps what came last.
    """
    left: list[Row] = []
    rows: list[Row] = []
    every_team = session.exec(select(Team.id).order_by(col(Team.id))).all() if ids else []
    for absence in _newest(session, select(Absence).where(col(Absence.id).in_(ids))):
        hers = set(
            session.exec(
                select(Membership.team_id).where(Membership.person_id == absence.person_id)
            )
        )
        state: Row = {
            "id": absence.id,
            "person": absence.person_id,
            "from_ms": absence.starts_at_ms,
            "to_ms": absence.ends_at_ms,
        }
        gone: Row = {"id": absence.id, "gone": True}
        keys = {f"absence:{absence.id}@{team}": team for team in every_team}
        standing = session.exec(
            select(Change.key).where(col(Change.key).in_(keys), col(Change.body).not_like(_GONE))
        )
        left += [
            row("absence", key, _rota_scope(absence, keys[key]), gone)
            for key in sorted(standing)
            if keys[key] not in hers
        ]
        said = state if absence.removed_at_ms is None else gone
        rows += [
            row("absence", key, _rota_scope(absence, team), said)
            for key, team in keys.items()
            if team in hers
        ]
    return left + rows


_GONE = '%"gone":true%'

REFERENCES: dict[str, Callable[[Session, Sequence[str]], list[Row]]] = {
    "area": _areas,
    "team": _teams,
    "person": _people,
    "account": _accounts,
    "template": _templates,
    "shift": _shifts,
    "absence": _absences,
    "same": pairs.rows,
    **meeting_entities.BUILDERS,
}
"""The small things beside the conversations: all see them but for rota, meetings, pairs."""

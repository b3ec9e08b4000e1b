"""The residents of an account and the other ways to reach them, for when a platform is no more."""

import csv
import io
from collections import defaultdict
from typing import Any

from sqlalchemy import select as sql_select
from sqlmodel import Session, col, func, select

from app.accounts.policy import Principal
from app.channels import registry
from app.channels.models import Account
from app.inbox.models import Conversation, Resident, ResidentAddress
from app.residents import service as same

MOST = 5000
_CHUNK = 500


def residents(session: Session, account: Account, who: Principal) -> dict[str, Any]:
    """Return {residents, unreachable, cut}: who wrote here, in conversations that `who` may see.

    The newest come first. `other` are addresses in channels that are still alive, those of
    residents whom somebody said to be the same among them.
    """
    query = (
        sql_select(
            col(Resident.id),
            col(Resident.name),
            func.max(Conversation.address),
            func.max(Conversation.activity_at_ms),
            func.count(col(Conversation.id)),
        )
        .join(Conversation, col(Conversation.resident_id) == col(Resident.id))
        .where(
            col(Conversation.account_id) == account.id,
            col(Conversation.area).in_(sorted(who.areas)),
            col(Conversation.erased_at_ms).is_(None),
        )
        .group_by(col(Resident.id), col(Resident.name))
        .order_by(func.max(Conversation.activity_at_ms).desc(), col(Resident.id))
        .limit(MOST + 1)
    )
    found = session.execute(query).all()
    cut, found = len(found) > MOST, found[:MOST]
    other = _other_addresses(session, [one[0] for one in found], account, who)
    told = [
        {
            "id": resident_id,
            "name": name,
            "address": address or "",
            "last_ms": last_ms,
            "conversations": count,
            "other": other.get(resident_id, []),
        }
        for resident_id, name, address, last_ms, count in found
    ]
    return {
        "residents": told,
        "unreachable": sum(not one["other"] for one in told),
        "cut": cut,
    }


def _other_addresses(
    session: Session, ids: list[str], account: Account, who: Principal
) -> dict[str, list[dict[str, str]]]:
    of = {one: {one} for one in ids}
    for known, others in same.joined(session, ids, who.areas).items():
        for joined in others:
            of.setdefault(joined, set()).add(known)
    ids = sorted(of)
    alive = set(
        session.exec(
            select(Account.kind).where(col(Account.enabled), Account.id != account.id).distinct()
        )
    )
    other: dict[str, list[dict[str, str]]] = defaultdict(list)
    for start in range(0, len(ids), _CHUNK):
        query = select(ResidentAddress).where(
            col(ResidentAddress.resident_id).in_(ids[start : start + _CHUNK])
        )
        for one in session.exec(query.order_by(col(ResidentAddress.channel))):
            # What was typed into a form or a contact note is answered by mail.
            channel = "email" if one.channel in {"web", "contact"} else one.channel
            reaches = channel in alive and registry.KINDS.get(channel) is not None
            way = {"channel": channel, "address": one.address}
            if channel == account.kind or not (reaches or channel == "phone"):
                continue
            for resident_id in sorted(of[one.resident_id]):
                if way not in other[resident_id]:
                    other[resident_id].append(way)
    return other


def as_csv(found: dict[str, Any], language: str) -> str:
    """Return the same as a table; no cell begins with what a spreadsheet would calculate."""
    heads = (
        ("Naam", "Adres hier", "Andere adressen", "Gesprekken")
        if language == "nl"
        else ("Name", "Address here", "Other addresses", "Conversations")
    )
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(heads)
    for one in found["residents"]:
        other = "; ".join(f"{entry['channel']}: {entry['address']}" for entry in one["other"])
        writer.writerow(
            [_cell(one["name"]), _cell(one["address"]), _cell(other), one["conversations"]]
        )
    # Spreadsheets take a file without this mark for another alphabet than it is in.
    return "\ufeff" + table.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in set("=+-@\t\r") else text

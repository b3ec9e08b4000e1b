"""What has to be true when a history is over: the promises of `app/delivery` and the channels."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlmodel import Session, col, select

from app.delivery.models import Delivery
from app.delivery.states import STATES
from app.inbox.models import Message
from tests.torture.channels import history as played
from tests.torture.channels.history import STOCK, History, pictures_of

ROOT = Path(__file__).resolve().parents[3]
SETTLED = set(STATES) - {"queued", "sending"}


@dataclass(frozen=True, slots=True)
class Row:
    """One accepted reply, and what its writer is shown."""

    id: str
    account: str
    to: str
    text: str
    pictures: tuple[str, ...]
    state: str
    error: str
    external_id: str
    conversation: str
    position: int


def judge(history: History) -> list[str]:
    """Return what was broken, in sentences; nothing is as it should be."""
    rows = history.database.read_now(lambda session: _rows(session, list(history.places)))
    wrong = [*dict.fromkeys(history.diary.wrong)]
    wrong += [f"the program logged: {said}" for said in dict.fromkeys(played.errors)]
    wrong += [f"the peer broke: {said}" for line in history.lines.values() for said in line.broke]
    wrong += _counted(history, rows)
    wrong += _shown(history, rows)
    wrong += _ordered(history, rows)
    return wrong


def _rows(session: Session, accounts: list[str]) -> list[Row]:
    query = (
        select(Delivery, Message)
        .join(Message, col(Message.id) == col(Delivery.message_id))
        .where(col(Delivery.account_id).in_(accounts))
        .order_by(col(Delivery.id))
    )
    return [
        Row(d.id, d.account_id, d.recipient, m.text, pictures_of(session, m.id), d.state,
            d.error or "", d.external_id, m.conversation_id, m.position)
        for d, m in session.exec(query).all()
    ]  # fmt: skip


def _counted(history: History, rows: list[Row]) -> list[str]:
    """Hold what stands at each platform against what its writers are told."""
    told: dict[tuple[str, str, str, tuple[str, ...]], list[Row]] = defaultdict(list)
    for row in rows:
        told[row.account, row.to, row.text, row.pictures].append(row)
    stands: dict[tuple[str, str, str, tuple[str, ...]], int] = defaultdict(int)
    for account, place in history.places.items():
        for one in place.said():
            stands[account, one.to, one.text, one.pictures] += 1
    wrong = []
    for key in sorted({*told, *stands}):
        states = [row.state for row in told[key]]
        there = stands[key]
        sent = sum(state in {"sent", "delivered"} for state in states)
        perhaps = sent + states.count("uncertain")
        said = f"{key[2]!r} with {' and '.join(key[3]) or 'no picture'}"
        what = f"{key[0]}: {said} to {key[1]} stands there {there} times, told {states}"
        if not states:
            wrong.append(f"nobody said this: {what}")
        elif there > perhaps and there > len(states):
            wrong.append(f"twice: {what}")
        elif there > perhaps:
            wrong.append(f"it stands there and its writer is told that it does not: {what}")
        elif there < sent:
            wrong.append(f"lost: {what}")
    names = defaultdict(list)
    for row in rows:
        if row.state in {"sent", "delivered"} and row.external_id:
            names[row.account, row.external_id].append(row.text)
    return wrong + [
        f"{account}: two replies are taken for one, {texts}"
        for (account, _), texts in names.items()
        if len(texts) > 1
    ]


def _shown(history: History, rows: list[Row]) -> list[str]:
    """See that every writer is told something, and that it can be understood."""
    wrong = []
    for row in rows:
        if row.state not in SETTLED:
            wrong.append(f"{row.account}: {row.text!r} is still {row.state}")
        if row.state == "failed" and row.error and row.error not in _sentences():
            wrong.append(f"{row.account}: no sentence says what {row.error!r} means")
        if row.state == "uncertain" and not history.diary.looks[row.id]:
            wrong.append(f"{row.account}: {row.text!r} is uncertain and was never looked for")
    return wrong


@cache
def _sentences() -> set[str]:
    """Return the causes that the app has words for."""
    folder = ROOT / "static" / "js" / "i18n"
    words = "".join(path.read_text() for path in sorted(folder.glob("nl*.js")))
    return set(re.findall(r"\bcause_(\w+)", words))


def _ordered(history: History, rows: list[Row]) -> list[str]:
    """See that replies in one conversation stand there in their order.

    One that was in doubt or failed holds up none that come after it.
    """
    doubted = {
        step.delivery_id
        for step in history.diary.steps
        if {step.before, step.after} & {"uncertain", "failed"}
    }
    stood = {
        (one.account_id, one.to, one.text): at
        for at, one in reversed(list(enumerate(history.diary.effects)))
    }
    last: dict[tuple[str, str], tuple[int, str]] = {}
    wrong = []
    for row in sorted(rows, key=lambda row: row.position):
        at = stood.get((row.account, row.to, row.text))
        if at is None or row.text in STOCK or row.id in doubted:
            continue
        before = last.get((row.account, row.conversation), (-1, ""))
        if at < before[0]:
            wrong.append(f"{row.account}: {row.text!r} stands before {before[1]!r}")
        last[row.account, row.conversation] = max(before, (at, row.text))
    return wrong

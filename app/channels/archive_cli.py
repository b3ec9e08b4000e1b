"""`stoep channel import`: the history of a platform that closed, read only and searchable."""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Area, Team
from app.channels import archive_import
from app.channels.models import Account
from app.clock import SystemClock
from app.config import Settings
from app.db import flush_rows, touch
from app.errors import StoepError
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.residents import service as residents

Write = Callable[..., Any]

KIND = "archive"
BATCH = 50
"""Conversations in one transaction: whoever waits to write waits no longer than that."""


def register(commands: Any, write: Write) -> None:
    """Add the command to those of `stoep channel`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="take in the archive of a platform that closed",
        description="A zip with archive.json, messages.csv, a Mastodon export (outbox.json) or "
        "HTML pages with microformats (h-entry). It becomes a read-only channel. Imported again, "
        "only what is new is added.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--team", required=True, help="name or id of the team that keeps it")
    parser.add_argument("--area", help="CBS code of where its conversations belong")
    parser.add_argument("--name", default="", help="as colleagues know it; the platform otherwise")
    parser.add_argument(
        "--ours", action="append", default=[], metavar="AUTHOR",
        help="on HTML pages: a name under which the municipality wrote; may be repeated",
    )  # fmt: skip
    parser.set_defaults(run=lambda args, settings: _run(args, settings, write))


def _run(args: argparse.Namespace, settings: Settings, write: Write) -> int:
    now_ms = SystemClock().now_ms()
    try:
        archive = archive_import.read(args.file, now_ms, args.ours)
    except archive_import.BadArchive as error:
        raise StoepError(str(error)) from None
    name = args.name or archive.platform
    if not name:
        raise StoepError("The file does not say which platform it is of: give --name.")
    account_id = write(settings, lambda s: _account(s, args, name, archive.platform, now_ms))
    begun = added = 0
    for start in range(0, len(archive.threads), BATCH):
        some = archive.threads[start : start + BATCH]
        counts = write(settings, lambda s, some=some: _keep(s, account_id, some, now_ms))
        begun, added = begun + counts[0], added + counts[1]
    print(f"{name}: {begun} conversations and {added} messages are added.")
    if archive.left_out:
        print(f"{archive.left_out} entries without a date or without words were left out.")
    return 0


def _account(
    session: Session, args: argparse.Namespace, name: str, platform: str, now_ms: int
) -> str:
    query = select(Team).where((col(Team.name) == args.team) | (col(Team.id) == args.team))
    team = session.exec(query).first()
    if team is None:
        raise StoepError(f"There is no team {args.team}; see `stoep team list`.")
    if args.area and session.get(Area, args.area) is None:
        raise StoepError(f"There is no area {args.area}; see `stoep area import`.")
    known = session.exec(
        select(Account).where(
            Account.kind == KIND, Account.name == name, Account.team_id == team.id
        )
    ).first()
    if known is not None:
        return known.id
    account = Account(
        id=uuid7(now_ms),
        kind=KIND,
        name=name,
        team_id=team.id,
        area=args.area or None,
        config={"platform": platform},
        enabled=False,
        health_since_ms=now_ms,
    )
    session.add(account)
    session.flush()
    touch(session, "account", account.id)
    return account.id


def _keep(
    session: Session, account_id: str, threads: list[archive_import.Thread], now_ms: int
) -> tuple[int, int]:
    """Store what is not there yet; return how many conversations and messages that were."""
    account = session.get_one(Account, account_id)
    begun = added = 0
    for thread in threads:
        conversation_id = _uuid(account_id, "conversation", thread.id)
        conversation = session.get(Conversation, conversation_id, with_for_update=True)
        if conversation is not None and conversation.erased_at_ms is not None:
            continue  # what was erased does not come back
        fresh = [old for old in thread.messages if not _is_there(session, account_id, old)]
        if not fresh:
            continue
        if conversation is None:
            conversation = _begin(session, account, thread, conversation_id)
            begun += 1
        for old in fresh:
            inbox.append(session, conversation, _entry(account_id, old))
            if not old.ours:
                conversation.in_position = conversation.position
        added += len(fresh)
        flush_rows(session)
        hers = [old for old in fresh if not old.ours]
        for i, old in enumerate(hers):
            message_id = _uuid(account_id, "message", old.id)
            told = residents.Heard(message_id, KIND, old.text, name=old.author)
            first = i == 0 and len(fresh) == conversation.position
            residents.notice(session, conversation, told, now_ms=now_ms, begins=first)
    return begun, added


def _begin(
    session: Session, account: Account, thread: archive_import.Thread, conversation_id: str
) -> Conversation:
    first = next((old for old in thread.messages if not old.ours), thread.messages[0])
    address = f"{account.id}:{first.author}"
    resident = inbox.resident_at(
        session, KIND, address, name=first.author, kind="resident", now_ms=first.at_ms
    )
    session.flush()
    conversation = inbox.start(
        session,
        resident,
        conversation_id=conversation_id,
        account_id=account.id,
        subject=thread.subject,
        area=account.area or f"team:{account.team_id}",
        address=None,
        why_not="channel_closed",
        now_ms=thread.messages[0].at_ms,
    )
    conversation.status = "closed"
    return conversation


def _entry(account_id: str, old: archive_import.Old) -> inbox.Entry:
    return inbox.Entry(
        id=_uuid(account_id, "message", old.id),
        direction="out" if old.ours else "in",
        sender_name=old.author or None,
        text=old.text,
        external_id=_external(old),
        account_id=account_id,
        notices=("text_cut",) if old.cut else (),
        written_at_ms=old.at_ms,
        accepted_at_ms=old.at_ms,
    )


def _is_there(session: Session, account_id: str, old: archive_import.Old) -> bool:
    return session.get(Message, _uuid(account_id, "message", old.id)) is not None


def _external(old: archive_import.Old) -> str:
    # An id can be an address of any length; the index of names is for short ones.
    if len(old.id) <= 200:
        return old.id
    return hashlib.sha256(old.id.encode()).hexdigest()


def _uuid(account_id: str, what: str, name: str) -> str:
    """Return the same UUID (version 8, RFC 9562) for the same thing, whenever it is imported."""
    value = int.from_bytes(hashlib.sha256(f"{account_id} {what} {name}".encode()).digest()[:16])
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

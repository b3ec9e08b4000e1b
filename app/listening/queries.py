"""The listening list of a person: hits of her areas, the newest first."""

from collections.abc import Callable, Collection
from typing import Any

from sqlmodel import Session, col, exists, select

from app.channels.models import Account
from app.listening.models import Hit, Muted, SavedSearch

PAGE = 100


def overview(
    session: Session,
    areas: Collection[str],
    *,
    before: str | None = None,
    can_search: Callable[[str], bool] = lambda _kind: False,
) -> dict[str, Any]:
    """Return a page of what was heard in these areas, with what is listened for and silenced."""
    scopes = sorted(areas)
    accounts = session.exec(select(Account).order_by(Account.name)).all()
    names = {one.id: (one.name, one.kind) for one in accounts}
    muted = exists().where(col(Muted.scope) == col(Hit.scope), col(Muted.source) == col(Hit.source))
    query = select(Hit).where(col(Hit.scope).in_(scopes), ~muted)
    if before is not None:
        query = query.where(col(Hit.id) < before)
    # Ids are in the order in which things were said.
    found = session.exec(query.order_by(col(Hit.id).desc()).limit(PAGE + 1)).all()
    searches = select(SavedSearch).where(col(SavedSearch.scope).in_(scopes))
    silenced = select(Muted).where(col(Muted.scope).in_(scopes))
    return {
        "hits": [_hit(hit, *names[hit.account_id]) for hit in found[:PAGE]],
        "next": found[PAGE - 1].id if len(found) > PAGE else None,
        "accounts": [
            {"id": one.id, "name": one.name}
            for one in accounts
            if one.enabled and can_search(one.kind) and f"team:{one.team_id}" in areas
        ],
        "searches": [
            {
                "id": one.id,
                "area": one.scope,
                "account": one.account_id,
                "account_name": names[one.account_id][0],
                "query": one.query,
                "trouble": one.trouble,
            }
            for one in session.exec(searches.order_by(col(SavedSearch.query)))
        ],
        "muted": [
            {"id": one.id, "area": one.scope, "label": one.label, "at_ms": one.muted_at_ms}
            for one in session.exec(silenced.order_by(col(Muted.muted_at_ms).desc()))
        ],
    }


def _hit(hit: Hit, name: str, kind: str) -> dict[str, Any]:
    return {
        "id": hit.id,
        "area": hit.scope,
        "channel": kind,
        "account_name": name,
        "title": hit.title,
        "text": hit.text,
        "author": hit.author,
        "link": hit.link,
        "said_ms": hit.said_at_ms,
        "conversation": hit.conversation_id,
    }

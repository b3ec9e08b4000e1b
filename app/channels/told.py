"""What the API tells of kinds and accounts: all but the secrets."""

from typing import Any

from sqlmodel import Session, col, func, select

from app.channels import registry, trial
from app.channels.contract import Setup, SetupField
from app.channels.models import Account, ChannelTest
from app.channels.sentences import SENTENCES
from app.delivery.models import Delivery


def kinds_told() -> list[dict[str, Any]]:
    """Return the kinds that can be added, in the registry's order."""
    return [
        {
            "kind": name,
            "title": list(kind.title),
            "intro": list(kind.setup.intro),
            "sign_in": kind.setup.sign_in,
            "public": kind.capabilities.public,
            "answers": kind.capabilities.max_chars > 0,
            "fields": [_field(field) for field in kind.setup.fields],
        }
        for name, kind in registry.KINDS.items()
        if kind.setup is not None
    ]


def _field(field: SetupField) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": list(field.label),
        "kind": field.kind,
        "help": list(field.help),
        "required": field.required,
        "choices": [{"value": value, "label": list(label)} for value, label in field.choices],
    }


def accounts_told(session: Session) -> list[dict[str, Any]]:
    """Return every account, those that were added first and then what each team has anyway."""
    found = session.exec(select(Account).order_by(col(Account.name), col(Account.id))).all()
    told = [account_told(session, account) for account in found]
    return sorted(told, key=lambda one: not one["can_change"])


def account_told(session: Session, account: Account) -> dict[str, Any]:
    """Return one account; of its config only what its kind asks for."""
    kind = registry.KINDS.get(account.kind)
    setup = kind.setup if kind else None
    test = session.get(ChannelTest, account.id)
    waiting = session.exec(
        select(func.count()).where(
            Delivery.account_id == account.id, col(Delivery.state).in_(["queued", "uncertain"])
        )
    ).one()
    return {
        "id": account.id,
        "kind": account.kind,
        "name": account.name,
        "team": account.team_id,
        "area": account.area,
        "enabled": account.enabled,
        "ended_ms": account.ended_at_ms,
        "can_change": setup is not None,
        "values": _shown(setup, account) if setup else {},
        "not_asked": [
            field.name
            for field in (setup.fields if setup else ())
            if not field.is_asked(account.config)
        ],
        "waiting": waiting,
        "test": trial.told(test) if test else None,
        "health": {
            "state": account.health,
            "since_ms": account.health_since_ms,
            "until_ms": account.limited_until_ms,
            "gaps": account.gaps or [],
            "code": account.health_detail,
            "words": said(account.health_detail),
        },
    }


def _shown(setup: Setup, account: Account) -> dict[str, Any]:
    names = [field.name for field in setup.fields if field.kind != "secret"]
    return {name: account.config[name] for name in names if name in account.config}


def said(code: str) -> list[str]:
    """Return the sentence of a code in Dutch and English; empty when there is none."""
    return list(SENTENCES.get(code, ()))

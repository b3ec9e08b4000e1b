"""Which kinds of channel there are, and how to make the adapter of an account.

A kind that is not here (its platform died, its adapter was removed) stays readable: its
conversations and their history remain, and nothing can be sent there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.channels import (
    bluesky,
    bluesky_chat,
    email,
    email_setup,
    feed,
    forum,
    forum_discourse,
    forum_nodebb,
    mastodon,
    mastodon_text,
    matrix,
    open311,
    signalen,
    telegram,
    web,
    whatsapp,
    x,
    x_text,
)
from app.channels.contract import Adapter, Capabilities, Permanent, Setup, Words
from app.text.approved import Approved
from app.text.graphemes import graphemes

Config = Mapping[str, Any]
NowMs = Callable[[], int]


class AccountLike(Protocol):
    """What the registry reads of an account."""

    kind: str
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Private:
    """What a platform takes where not everybody reads along."""

    capabilities: Capabilities
    length: Callable[[str], int] = len


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of channel. `build` is None where there is nothing to talk to."""

    capabilities: Capabilities
    external_id: Callable[[Config, str], str]
    """(config, delivery id) → the id our message will have there; pure."""
    build: Callable[[Config, str, NowMs], Adapter] | None = None
    """(config, opened secret, now_ms) → an adapter. Raises Permanent when the config is wrong."""
    length: Callable[[str], int] = len
    """How long the platform finds a text, in the unit of `capabilities.max_chars`."""
    private: Private | None = None
    """What it takes in a conversation that not everybody can read; None is the same."""
    title: Words = ("", "")
    """What people call the platform."""
    setup: Setup | None = None
    """How an account of this kind is added; None where only the command line can, or nobody."""
    poll_s: float = 20.0
    """How long between two looks at an account that cannot wait for news."""
    approved: Callable[[Config], Sequence[Approved]] = lambda _config: ()
    """The texts that may still be sent when the channel's reply window is over."""
    listens: bool = False
    """What comes in is not said to us: it goes to the listening list, never to the inbox."""
    searches: bool = False
    """The adapter is a `Searching`: saved searches may name an account of this kind."""


def _own_id(config: Config, delivery_id: str) -> str:
    return delivery_id


KINDS: Mapping[str, Kind] = {
    "email": Kind(
        email.CAPABILITIES,
        email.external_id,
        email.build,
        title=("E-mail", "E-mail"),
        setup=email_setup.SETUP,
    ),
    "web": Kind(web.CAPABILITIES, web.external_id, web.build, title=("Webformulier", "Web form")),
    "matrix": Kind(
        matrix.CAPABILITIES,
        matrix.external_id,
        matrix.build,
        title=("Matrix", "Matrix"),
        setup=matrix.SETUP,
    ),
    "mastodon": Kind(
        mastodon.CAPABILITIES,
        mastodon.external_id,
        mastodon.build,
        length=mastodon_text.length,
        title=("Mastodon", "Mastodon"),
        setup=mastodon.SETUP,
        poll_s=60.0,
        searches=True,
    ),
    "bluesky": Kind(
        bluesky.CAPABILITIES,
        bluesky.external_id,
        bluesky.build,
        length=graphemes,
        private=Private(bluesky_chat.CAPABILITIES, graphemes),
        title=("Bluesky", "Bluesky"),
        setup=bluesky.SETUP,
        searches=True,
    ),
    "whatsapp": Kind(
        whatsapp.CAPABILITIES,
        whatsapp.external_id,
        whatsapp.build,
        title=("WhatsApp", "WhatsApp"),
        setup=whatsapp.SETUP,
        approved=whatsapp.approved,
    ),
    "telegram": Kind(
        telegram.CAPABILITIES,
        telegram.external_id,
        telegram.build,
        title=("Telegram", "Telegram"),
        setup=telegram.SETUP,
    ),
    "x": Kind(
        x.CAPABILITIES,
        x.external_id,
        x.build,
        length=x_text.weight,
        private=Private(x.MESSAGES),
        title=("X", "X"),
        setup=x.SETUP,
        poll_s=120.0,
    ),
    "feed": Kind(
        feed.CAPABILITIES,
        feed.external_id,
        feed.build,
        title=("Nieuwsfeed (RSS)", "News feed (RSS)"),
        setup=feed.SETUP,
        poll_s=feed.POLL_S,
        listens=True,
    ),
    "open311": Kind(
        open311.CAPABILITIES,
        open311.external_id,
        open311.build,
        title=("Meldingen (Open311)", "Reports (Open311)"),
        setup=open311.SETUP,
        poll_s=open311.POLL_S,
        listens=True,
    ),
    "signalen": Kind(
        signalen.CAPABILITIES,
        signalen.external_id,
        signalen.build,
        title=("Meldingen (Signalen)", "Reports (Signalen)"),
        setup=signalen.SETUP,
        poll_s=signalen.POLL_S,
        listens=True,
    ),
    "discourse": Kind(
        forum.CAPABILITIES,
        forum.external_id,
        forum_discourse.build,
        title=("Forum (Discourse)", "Forum (Discourse)"),
        setup=forum_discourse.SETUP,
        poll_s=forum.POLL_S,
        searches=True,
    ),
    "nodebb": Kind(
        forum.CAPABILITIES,
        forum.external_id,
        forum_nodebb.build,
        title=("Forum (NodeBB)", "Forum (NodeBB)"),
        setup=forum_nodebb.SETUP,
        poll_s=forum.POLL_S,
        searches=True,
    ),
    "archive": Kind(
        Capabilities(max_chars=0, public=True),
        _own_id,
        title=("Archief", "Archive"),
    ),
    "contact": Kind(
        Capabilities(max_chars=0, threads=False),
        _own_id,
        title=("Contactmomenten", "Contact notes"),
    ),
}

_GONE = Kind(Capabilities(max_chars=0, threads=False), _own_id)


def capabilities_of(kind: str, *, public: bool | None = None) -> Capabilities:
    """Return what the composer must know of this kind of channel.

    `public` is what is known of the conversation: in one that is not, a platform may take other
    things.
    """
    known = KINDS.get(kind, _GONE)
    return known.private.capabilities if public is False and known.private else known.capabilities


def fits(kind: str, text: str, *, public: bool | None = None) -> bool:
    """Say whether the platform takes a reply of this text there, counted as it counts."""
    known = KINDS.get(kind, _GONE)
    at = known.private if public is False and known.private else known
    return at.length(text) <= at.capabilities.max_chars


def private_of(kind: str) -> Capabilities | None:
    """Return what is other where not everybody reads along; None when nothing is."""
    private = KINDS.get(kind, _GONE).private
    return private.capabilities if private else None


def title_of(kind: str) -> Words:
    """Return what people call the platform; of one that is gone, what it was called here."""
    title = KINDS.get(kind, _GONE).title
    return title if any(title) else (kind, kind)


def poll_s_of(kind: str) -> float:
    """Return how long to leave between two looks at an account of this kind."""
    return KINDS.get(kind, _GONE).poll_s


def approved_of(account: AccountLike) -> Sequence[Approved]:
    """Return the texts that may still be sent when the reply window is over."""
    return KINDS.get(account.kind, _GONE).approved(account.config)


def listens(kind: str) -> bool:
    """Say whether what comes in there is only listened to."""
    return KINDS.get(kind, _GONE).listens


def can_search(kind: str) -> bool:
    """Say whether an account of this kind can listen for words."""
    return KINDS.get(kind, _GONE).searches


def external_id_of(account: AccountLike, delivery_id: str) -> str:
    """Return the id that a reply will have in the channel, frozen when the reply is accepted."""
    return KINDS.get(account.kind, _GONE).external_id(account.config, delivery_id)


def adapter_of(account: AccountLike, secret: str, now_ms: NowMs) -> Adapter | None:
    """Make the adapter of an account; `secret` is the opened one, never the sealed text.

    None when this kind needs no adapter. The caller closes it. Raises Permanent("bad_config").
    """
    kind = KINDS.get(account.kind)
    if kind is None:
        raise Permanent("channel_gone", account.kind)
    return kind.build(account.config, secret, now_ms) if kind.build else None

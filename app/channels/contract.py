"""What a channel is, as far as the rest of the house knows.

An adapter turns one platform's habits into the shapes below and nothing more: it holds no database
session, knows no conversation, and keeps no state of its own beyond a connection. What must survive
a restart (the cursor, the external id of a reply) is handed to it and handed back.

    ChannelError                one `code` each: `app.channels.sentences` has the words for people
    ├── Temporary               try again after `retry_after_s`; nothing was sent
    ├── Permanent               trying again cannot help; nothing was sent
    ├── Unconfirmed             it may have been sent: `find()` first, and never simply send again
    └── SignedOut               the account's credentials were refused: a person must act
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from app.text.approved import Form

IncomingKind = Literal["new", "edit", "delete"]
SenderKind = Literal["resident", "professional", "organisation"]
Counting = Literal["characters", "graphemes", "bytes", "weighted"]
Words = tuple[str, str]
"""The same thing said in Dutch and in English."""


class ChannelError(Exception):
    """`code` names the sentence for people; `detail` is technical, without a resident's words.

    `account_wide` says whether the account is at fault (its health changes) or only this one reply.
    """

    account_wide = False

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Temporary(ChannelError):
    """Nothing was sent. Trying again after `retry_after_s` may work."""

    def __init__(
        self, code: str, detail: str = "", retry_after_s: float = 60.0, account_wide: bool = False
    ) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
        self.account_wide = account_wide


class Permanent(ChannelError):
    """Nothing was sent, and sending the same again cannot work."""


class Unconfirmed(ChannelError):
    """The platform may or may not have taken it: the answer was lost after the content was out."""


class SignedOut(ChannelError):
    """The platform refuses the account's credentials. Nothing was sent."""

    account_wide = True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the composer must know about a channel while it is offline."""

    max_chars: int
    counts: Counting = "characters"
    public: bool = False
    threads: bool = True
    """False in a chat: what somebody writes goes on with what she wrote before."""
    attachments: int = 0
    """How many attachments one reply may carry."""
    max_attachment_bytes: int = 0
    """All attachments of one reply together."""
    reply_window_s: int | None = None
    """How long after the resident's last message a reply is allowed; None is for ever."""
    undo: bool = False
    """A reply waits a few seconds before it goes, because it cannot be taken back in public."""


@dataclass(frozen=True, slots=True)
class SetupField:
    """One thing that whoever adds an account types in or chooses."""

    name: str
    """Its key in the account's config, or in the secret for the kind "secret"."""
    label: Words
    kind: Literal["text", "url", "secret", "number", "lines", "choice"] = "text"
    """`lines` is a list of strings, one a line."""
    help: Words = ("", "")
    required: bool = True
    choices: tuple[tuple[str, Words], ...] = ()
    unless: tuple[str, tuple[str, ...]] = ("", ())
    """(key of the config, values) with which it is not asked: it signs in another way."""
    server: bool = False
    """It says to which server the secret is brought; a "url" always does."""

    def is_asked(self, config: Mapping[str, Any]) -> bool:
        """Say whether an account with this config has to do with this field."""
        key, values = self.unless
        return config.get(key) not in values


@dataclass(frozen=True, slots=True)
class Setup:
    """How an account of one kind is added on a phone or at the command line.

    What is typed into fields of the kind "secret" is sealed as one JSON object; the rest is config.
    """

    intro: Words
    """Where on the platform the things asked for are found, in a few sentences."""
    fields: tuple[SetupField, ...]
    sign_in: bool = False
    """The adapter is a `SigningIn`: the platform itself asks for consent, and gives a code."""


@dataclass(frozen=True, slots=True)
class IncomingAttachment:
    name: str
    media_type: str
    content: bytes
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing a resident did: a new message, or the edit or deletion of an earlier one.

    `(account, external_id)` is unique: the same message fetched twice has the same external id.
    """

    external_id: str
    address: str
    """The resident's address in this channel, in the one form that compares equal."""
    sender_name: str
    text: str
    sent_at_ms: int
    """When the resident sent it, clamped: never later than it was fetched."""
    kind: IncomingKind = "new"
    sender_kind: SenderKind = "resident"
    subject: str = ""
    quoted: str | None = None
    """What she quoted, kept apart for the screen only; `raw` has the whole."""
    attachments: tuple[IncomingAttachment, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    """External ids of messages this one answers, nearest first."""
    token: str | None = None
    """The conversation token that the resident's address line carried back."""
    automatic: bool = False
    """A robot wrote this: it is shown, and never answered by a machine."""
    notices: tuple[str, ...] = ()
    """Codes of what could not be kept whole (`attachments_dropped`, `text_cut`, …)."""
    public: bool | None = None
    """Whether anybody can read it there, and so our reply; None is what the channel is like."""
    link: str = ""
    """Where it can be seen on the platform, https only; "" where it has no page of its own."""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """The channel says later what became of a reply of ours."""

    external_id: str | None
    """Of our own message. None when the channel named only the token."""
    token: str | None
    state: Literal["sent", "delivered", "failed", "delayed"]
    """`sent` proves that a reply whose answer was lost took effect."""
    detail: str
    """Technical: a status code and the far side's diagnostic, at most 500 characters."""
    at_ms: int
    code: str = ""
    """The sentence for people."""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time in which messages may have been missed, because the platform forgets."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`cursor` covers exactly `items`: store both in one transaction. `more`: ask again at once."""

    items: tuple[Incoming | DeliveryReport, ...]
    cursor: str | None
    more: bool = False
    echoes: tuple[str, ...] = ()
    """External ids of our own replies seen in this batch: each proves that a send took effect."""
    gap: Gap | None = None
    remark: str = ""
    """Of a search: the code of what it cannot promise, though nothing went wrong."""


@dataclass(frozen=True, slots=True)
class OutgoingAttachment:
    name: str
    media_type: str
    content: bytes
    alt: str = ""
    """What it shows, for who cannot see it, in the writer's words; at most 1,000 characters."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One reply. All of it was frozen when the reply was accepted, so a retry is identical."""

    delivery_id: str
    external_id: str
    """`adapter.new_external_id(delivery_id)`, stored at acceptance; "" if a platform makes it."""
    recipient: str
    subject: str
    text: str
    created_at_ms: int
    token: str = ""
    """The conversation's token, by which an answer is recognised."""
    from_name: str = ""
    in_reply_to: str | None = None
    """External id of the resident's message that is answered."""
    references: tuple[str, ...] = ()
    """External ids of the conversation, oldest first."""
    others: tuple[str, ...] = ()
    """External ids of our other replies in the conversation, earlier and later: not one of them is
    this one, also when it says the same."""
    attachments: tuple[OutgoingAttachment, ...] = ()
    form: Form | None = None
    """The approved text that `text` is, where the platform wants it sent as that."""

    def caption(self, max_chars: int) -> str:
        """Return the text and, in brackets, what the picture shows, where both have room.

        For platforms on which a picture has a caption, and no words for who cannot see it.
        """
        shown = "\n\n".join(f"[{file.alt}]" for file in self.attachments if file.alt)
        both = "\n\n".join(part for part in (self.text, shown) if part)
        return both if len(both) <= max_chars else self.text


@dataclass(frozen=True, slots=True)
class Receipt:
    external_id: str
    state: Literal["sent", "delivered"]
    at_ms: int


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A webhook call, before anything in it is believed. Header names are lower case."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Adapter(Protocol):
    """What every adapter has, whichever of the three roles below it plays."""

    @property
    def capabilities(self) -> Capabilities: ...

    def new_external_id(self, delivery_id: str) -> str:
        """The id our message will have on the platform, or "" where only the platform can make it.

        Pure: the same delivery always gets the same id.
        """
        ...

    async def check(self) -> None:
        """Reach the platform and sign in, send nothing. Raises Temporary or SignedOut."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Source(Protocol):
    async def fetch(self, cursor: str | None) -> Batch:
        """Everything after `cursor`, oldest first, a bounded number at a time.

        None is the beginning. A cursor the platform no longer knows starts over; repeats are
        harmless because of `(account, external_id)`. Raises Temporary or SignedOut.
        """
        ...


@runtime_checkable
class Waiting(Protocol):
    async def wait(self, timeout_s: float) -> bool:
        """Return as soon as there may be something to fetch (True), or after `timeout_s` (False).

        Raises Temporary or SignedOut. A source without this is polled.
        """
        ...


@runtime_checkable
class Searching(Protocol):
    """A platform on which can be listened for words, whoever they are said to."""

    async def search(self, query: str, cursor: str | None) -> Batch:
        """Everything public that matches and is newer than `cursor`, oldest first, bounded.

        None is the newest that the platform gives. `query` is words, a #hashtag, or a phrase in
        double quotes. Found items are nobody's question to us. Raises Temporary, SignedOut, or
        Permanent for a query that the platform does not take.
        """
        ...


@runtime_checkable
class Receiver(Protocol):
    def parse(self, request: InboundRequest) -> list[Incoming | DeliveryReport]:
        """Verify the signature over the raw body, then read. Raises Permanent("bad_signature")."""
        ...


@runtime_checkable
class Challenging(Protocol):
    """A receiver whose platform first asks, with a GET, whether the address is ours."""

    def challenge(self, request: InboundRequest) -> str | None:
        """Return what to answer: plain text, or JSON when it begins with "{".

        None, or Permanent("bad_signature"), when the platform did not show what it has to know.
        """
        ...


@runtime_checkable
class Completing(Protocol):
    """A receiver whose calls only name the files that came along."""

    async def complete(
        self, items: list[Incoming | DeliveryReport]
    ) -> list[Incoming | DeliveryReport]:
        """Fetch what the call that was parsed last only names.

        Raises Temporary or SignedOut when the platform had better call again.
        """
        ...


class Purse(Protocol):
    """What an account has spent, counted for all processes that act for it."""

    async def spend(self, month: str, millionths: int) -> int:
        """Count an amount and return what the month (`2026-11`) has cost by now.

        0 only asks; less gives back what was set aside and not used.
        """
        ...


@runtime_checkable
class Paying(Protocol):
    """An account at a platform that is paid for by use."""

    def pay_from(self, purse: Purse) -> None:
        """Count there, from now on, what is spent. Without one only this process is counted."""
        ...


@runtime_checkable
class Known(Protocol):
    """An account that the platform itself has one lasting name for."""

    async def known_as(self) -> str:
        """Return that name: the same whatever was typed, whichever token opens it. "" is unknown.

        Asked after `check`. Raises Temporary or SignedOut.
        """
        ...


@runtime_checkable
class SigningIn(Protocol):
    """An account that is connected on the platform's own page (OAuth 2 authorization code)."""

    async def begin(self, redirect_uri: str, state: str) -> tuple[str, str]:
        """Register with the platform where that is needed; return (page to open, what to keep).

        What is kept is handed to `finish`, sealed in between. Raises Temporary or Permanent.
        """
        ...

    async def finish(self, kept: str, redirect_uri: str, code: str) -> str:
        """Exchange the code; return the secret of the account. Raises Temporary or SignedOut."""
        ...


@runtime_checkable
class Sender(Protocol):
    async def send(self, reply: Outgoing) -> Receipt:
        """Hand one reply to the platform. Too long is refused (Permanent), never split.

        Raises Temporary, Permanent, SignedOut (nothing was sent) or Unconfirmed (it may have been).
        """
        ...

    async def find(self, reply: Outgoing) -> Receipt | None:
        """Did an earlier `send` of this reply take effect after all?

        None means "not seen", which proves nothing: on a channel without idempotency the delivery
        stays uncertain and a person decides. Raises Temporary or SignedOut.
        """
        ...

"""What an e-mail account needs to know: two servers, an address, a password or a token."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any, Literal, get_args

from app.channels.contract import Permanent

Tls = Literal["tls", "starttls", "none"]
Auth = Literal["password", "xoauth2", "none"]

_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """One mailbox. Everything but `secret` stands readable in the account's config.

    `since_ms` is the floor: older mail is never taken in, so that joining a mailbox of ten years
    does not make ten years of questions. `sent_folder`, where given, is where the copies of our own
    replies and the reports about them are moved; without it they stay where they are.
    """

    address: str
    imap_host: str
    smtp_host: str
    imap_port: int = 993
    imap_tls: Tls = "tls"
    smtp_port: int = 465
    smtp_tls: Tls = "tls"
    smtp_auth: bool = True
    username: str = ""
    auth: Auth = "password"
    oauth: Mapping[str, str] = field(default_factory=dict)
    """For xoauth2: token_url, client_id, scope (Microsoft 365 and Google)."""
    ca_file: str = ""
    folder: str = "INBOX"
    sent_folder: str = ""
    since_ms: int = 0
    plus_addressing: bool = True
    delivery_reports: bool = False
    """Ask for a report on success too, so that "delivered" is a server's word (RFC 3461). It puts
    one more mail in the mailbox for each reply, and many providers only say "relayed"."""
    max_message_bytes: int = 30_000_000
    timeout_s: float = 15.0
    """For connecting and for each answer of a server."""
    envelope_timeout_s: float = 45.0
    body_timeout_s: float = 30.0
    answer_timeout_s: float = 40.0
    """From the first byte to the server's word on the whole mail, a send takes at most the sum of
    these and one more answer: less than the two minutes for which a delivery is leased. RFC 5321
    (4.5.3.2.6) lets a server think for ten minutes after the last dot; a mail whose answer takes
    longer than this is looked up afterwards."""
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`password`, or for xoauth2 `access_token`, `refresh_token`, `client_secret`."""

    def __post_init__(self) -> None:
        """Refuse what cannot work. Raises Permanent("bad_config") that names the setting."""
        if not _PLAIN_ADDRESS.fullmatch(self.address):
            raise _wrong("address", "is not an e-mail address")
        for name in ("imap_host", "smtp_host"):
            if not re.fullmatch(r"[A-Za-z0-9._:-]{1,253}", getattr(self, name)):
                raise _wrong(name, "is not the name of a server")
        for name in ("imap_port", "smtp_port"):
            if not 0 < getattr(self, name) < 65536:
                raise _wrong(name, "is not a port")
        for host, tls in (("imap_host", "imap_tls"), ("smtp_host", "smtp_tls")):
            if getattr(self, tls) not in get_args(Tls):
                raise _wrong(tls, f"must be one of {', '.join(get_args(Tls))}")
            if getattr(self, tls) == "none" and not _is_loopback(getattr(self, host)):
                raise _wrong(tls, "may be none only for a server on this machine")
        if self.auth not in get_args(Auth):
            raise _wrong("auth", f"must be one of {', '.join(get_args(Auth))}")
        for name in ("folder", "sent_folder", "username"):
            if any(ord(character) < 32 for character in getattr(self, name)):
                raise _wrong(name, "has a control character")

    @property
    def login(self) -> str:
        """The name to sign in with; the address unless another was given."""
        return self.username or self.address

    @property
    def local_part(self) -> str:
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()

    def plus(self, token: str) -> str:
        """Return our address with a token in it, by which an answer finds its conversation."""
        if not token or not self.plus_addressing:
            return self.address
        return f"{self.local_part}+{token}@{self.domain}"


def settings_of(config: Mapping[str, Any], secret: str) -> MailSettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    known = {entry.name: entry for entry in fields(MailSettings) if entry.name != "secret"}
    values = {name: value for name, value in config.items() if name in known}
    for name, value in values.items():
        if not isinstance(value, _TYPES[str(known[name].type)]):
            raise _wrong(name, "has the wrong type")
    try:
        opened = json.loads(secret) if secret else {}
        for name, port in (("imap", 143), ("smtp", 587)):
            if values.get(f"{name}_tls") == "starttls":
                values.setdefault(f"{name}_port", port)
        return MailSettings(**values, secret={str(k): str(v) for k, v in opened.items()})
    except (TypeError, ValueError, AttributeError):
        missing = [n for n in ("address", "imap_host", "smtp_host") if n not in values]
        raise _wrong(missing[0] if missing else "secret", "is missing or unreadable") from None


_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "Tls": (str,),
    "Auth": (str,),
    "Mapping[str, str]": (dict,),
}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(name: str, why: str) -> Permanent:
    return Permanent("bad_config", f"{name} {why}")

"""What somebody typed to add an account, read and judged by the fields that its kind asks for.

Pure: nothing is reached and nothing is stored here.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from app.channels.contract import Setup, SetupField, Words
from app.errors import StoepError

MAX_CHARS = {"text": 500, "url": 2000, "secret": 8000, "number": 20, "choice": 100}
MAX_LINES = 200
_HOST = re.compile(r"[a-z0-9._-]+\.[a-z0-9-]+|localhost|[0-9a-f:.]+", re.IGNORECASE)
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_UNSTORABLE_IN_SECRETS = re.compile("[\x00\ud800-\udfff]")
"""A private key has line breaks."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one field, in both languages."""

    field: str
    words: Words


class WrongValues(StoepError):
    """Not all that was typed can be used; nothing was kept."""

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__(" ".join(one.words[1] for one in wrong))
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Values:
    """What was typed, apart as it is kept: `config` for all to see, `secret` to be sealed."""

    config: dict[str, Any]
    secret: dict[str, str]

    @property
    def opened(self) -> str:
        """The secret as an adapter is given it: one JSON object, "" when there is none."""
        return json.dumps(self.secret) if self.secret else ""


def read(
    setup: Setup,
    given: Mapping[str, Any],
    known: Values | None = None,
    *,
    private_hosts: str = "",
) -> Values:
    """Return what was given over what was `known` of the account.

    A field that is left out keeps what it had; an empty one is emptied, but for a secret, which
    nobody is shown and so is never typed again to be kept. `private_hosts` is the setting of that
    name: whoever keeps the accounts does not reach, through us, what else listens on this machine,
    unless who runs it says so. Raises WrongValues.
    """
    config = dict(known.config) if known else {}
    secret = dict(known.secret) if known else {}
    fields = {field.name: field for field in setup.fields}
    wrong = [
        Wrong(name[:100], ("Dit veld bestaat hier niet.", "There is no such field here."))
        for name in given
        if name not in fields
    ]
    asked = {name: field for name, field in fields.items() if field.is_asked(config)}
    wrong += [
        Wrong(name, (f"‘{field.label[0]}’ hoort niet bij hoe dit account zich aanmeldt.",
                     f"“{field.label[1]}” is not how this account signs in."))
        for name, field in fields.items()
        if name not in asked and given.get(name)
    ]  # fmt: skip
    for name, field in asked.items():
        kept = secret if field.kind == "secret" else config
        if name in given and not (field.kind == "secret" and given[name] in ("", None)):
            value = _value(field, given[name], private_hosts)
            if isinstance(value, Wrong):
                wrong.append(value)
                continue
            kept.pop(name, None)
            if value not in ("", []):
                kept[name] = value
        if field.required and name not in kept:
            nl, en = field.label
            wrong.append(Wrong(name, (f"Vul ‘{nl}’ in.", f"Fill in “{en}”.")))
    if known and known.secret and _is_moved(asked.values(), known.config, config):
        wrong += _forgotten(asked, secret, given)
    if wrong:
        raise WrongValues(wrong)
    return Values(config, secret)


def _is_moved(
    fields: Iterable[SetupField], before: Mapping[str, Any], after: Mapping[str, Any]
) -> bool:
    """Say whether the secret would from now on be brought to another server."""
    names = [field.name for field in fields if field.server or field.kind == "url"]
    return any(before.get(name) != after.get(name) for name in names)


def _forgotten(
    asked: Mapping[str, SetupField], secret: dict[str, str], given: Mapping[str, Any]
) -> list[Wrong]:
    """Forget what was not typed for the new server; return what has to be typed.

    Whoever changes the server of an account need not know its password, and could otherwise have it
    sent to a server of her own.
    """
    typed = {name for name in asked if given.get(name) and asked[name].kind == "secret"}
    left = [name for name in secret if name not in typed]
    for name in left:
        del secret[name]
    known = [name for name in left if name in asked]
    missing = [name for name in known if asked[name].required] or ([] if typed else known[:1])
    return [
        Wrong(name, (f"Vul ‘{asked[name].label[0]}’ opnieuw in: het gaat naar een andere server.",
                     f"Fill in “{asked[name].label[1]}” again: it goes to another server."))
        for name in missing
    ]  # fmt: skip


def _value(field: SetupField, given: Any, private_hosts: str) -> Any:
    if given is None:
        return ""
    if field.kind == "lines":
        return _lines(field, given)
    if field.kind == "number" and isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str):
        return _wrong(field, "is geen tekst", "is no text")
    text = given.strip()
    most = MAX_CHARS[field.kind]
    if len(text) > most:
        return _wrong(field, f"is langer dan {most} tekens", f"is longer than {most} characters")
    barred = _UNSTORABLE_IN_SECRETS if field.kind == "secret" else _UNSTORABLE
    if barred.search(text):
        return _wrong(
            field,
            "bevat een teken dat hier niet kan",
            "holds a character that is not possible here",
        )
    if field.kind in {"text", "url"} and _is_barred(text, private_hosts):
        return _wrong(
            field,
            "is een server op deze machine; die moet in STOEP_PRIVATE_HOSTS staan",
            "is a server on this machine; it has to stand in STOEP_PRIVATE_HOSTS",
        )
    if not text or field.kind in {"text", "secret"}:
        return text
    return {"url": _url, "number": _number, "choice": _choice}[field.kind](field, text)


def _lines(field: SetupField, given: Any) -> Any:
    lines = given.splitlines() if isinstance(given, str) else given
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return _wrong(field, "is geen lijst", "is no list")
    kept = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(kept) > MAX_LINES or any(len(line) > MAX_CHARS["text"] for line in kept):
        return _wrong(field, "is te lang", "is too long")
    if any(_UNSTORABLE.search(line) for line in kept):
        return _wrong(
            field,
            "bevat een teken dat hier niet kan",
            "holds a character that is not possible here",
        )
    return kept


def _is_barred(text: str, private_hosts: str) -> bool:
    """Say whether this is an address on this machine, without https, that was not let through."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        return False
    if parts.scheme != "http" or not _is_loopback(host):
        return False
    # IPv6 stands in brackets in the setting, and in no host.
    named = {one.strip("[] ").replace("]:", ":") for one in private_hosts.split(",")}
    return not {host, f"{host}:{port}"} & named


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _url(field: SetupField, text: str) -> Any:
    if "://" not in text:
        # On a phone people type only the name.
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host or ""))
    if not host or not safe or not _HOST.fullmatch(host) or " " in text:
        return _wrong(
            field,
            "is geen webadres dat met https:// begint",
            "is no web address that begins with https://",
        )
    if parts.username or parts.password:
        return _wrong(
            field,
            "mag geen naam of wachtwoord bevatten",
            "must hold no name or password",
        )
    return text.rstrip("/") if parts.path in {"", "/"} and not parts.query else text


def _number(field: SetupField, text: str) -> Any:
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        return _wrong(field, "is geen heel getal", "is no whole number")
    return int(text)


def _choice(field: SetupField, text: str) -> Any:
    if text in {value for value, _ in field.choices}:
        return text
    possible = ", ".join(value for value, _ in field.choices)
    return _wrong(field, f"kan alleen zijn: {possible}", f"can only be: {possible}")


def _wrong(field: SetupField, nl: str, en: str) -> Wrong:
    return Wrong(field.name, (f"‘{field.label[0]}’ {nl}.", f"“{field.label[1]}” {en}."))


def identity(setup: Setup, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells one account of a kind from another: what must be filled in and is shown."""
    return tuple(
        str(config.get(field.name, "")).lower().rstrip("/")
        for field in setup.fields
        if field.required and field.kind in {"text", "url"}
    )

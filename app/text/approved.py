"""Texts that a platform approved beforehand, with blanks that whoever sends one fills in. Pure.

Source: Meta, WhatsApp Business Platform, "Template components" (body: 1,024 characters; blanks are
`{{1}}`, `{{2}}`, … or named `{{first_name}}`) and its refusal of a value with a line break, a tab
or more than four spaces in a row (read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_CHARS = 1024
"""Of the whole text, filled in."""

_BLANK = re.compile(r"\{\{([^{}]*)\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}|[1-9]\d?", re.ASCII)
_UNFIT = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]| {5}")


@dataclass(frozen=True, slots=True)
class Approved:
    """One approved text of an account, in one language."""

    name: str
    language: str
    text: str

    @property
    def blanks(self) -> tuple[str, ...]:
        """What has to be filled in, each once: numbers in their order, names as they come."""
        found = tuple(dict.fromkeys(_BLANK.findall(self.text)))
        return tuple(sorted(found, key=int)) if all(map(str.isdigit, found)) else found

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text as the resident will read it.

        Raises ValueError when a value is missing, superfluous or not taken by the platform.
        """
        if set(values) != set(self.blanks):
            raise ValueError("other blanks")
        if any(not value.strip() or _UNFIT.search(value) for value in values.values()):
            raise ValueError("a value that is not taken")
        whole = _BLANK.sub(lambda blank: values[blank[1]], self.text)
        if len(whole) > MAX_CHARS:
            raise ValueError("too long")
        return whole


@dataclass(frozen=True, slots=True)
class Form:
    """An approved text with its blanks filled in, frozen when the reply is accepted."""

    name: str
    language: str
    values: tuple[tuple[str, str], ...] = ()
    """(blank, what stands there), in the order of `Approved.blanks`."""


def read(line: str) -> Approved:
    """Read `name | language | the whole text`. Raises ValueError."""
    name, _, rest = line.partition("|")
    language, _, text = rest.partition("|")
    one = Approved(name.strip(), language.strip(), text.strip())
    if not re.fullmatch(r"[a-z0-9_]{1,512}", one.name) or not one.text:
        raise ValueError("a template must be: name | language | text")
    blanks = one.blanks
    left = _BLANK.sub("", one.text)
    stray = re.search(r"\{\{|\}\}", left) or re.search(r"\{{3}|\}{3}", one.text)
    if stray or not all(map(_NAME.fullmatch, blanks)):
        raise ValueError("a blank must be {{1}} or {{name}}")
    numbers = [int(blank) for blank in blanks if blank.isdigit()]
    if numbers and numbers != list(range(1, len(blanks) + 1)):
        raise ValueError("blanks are {{1}}, {{2}} and so on, or all have names")
    return one

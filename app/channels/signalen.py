"""Open reports on public space from Signalen, as its public map shows them; read only.

The map tells of each report what it is about, where, and since when: no text, no number, no status.
What is on it is open; what is handled, cancelled or split is not on it. So each round reads the
whole area, and what has been gone for two rounds is taken out of the list.

Source: Signalen, github.com/Amsterdam/signals, `GET /signals/v1/public/signals/geography` (its
OpenAPI description, filters, pagination and tests), read November 2026: `bbox` is required (min
lon, min lat, max lon, max lat); `geopage` counts from 1, a `Link` header says whether there is a
next; `features` is null when there are none.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from app.channels.contract import (
    Batch,
    Incoming,
    Permanent,
    Setup,
    SetupField,
    Temporary,
)
from app.channels.feed_only import CAPABILITIES, ReadOnly, external_id
from app.channels.open311 import Box, at_ms, box_of
from app.channels.safe_http import fetch

__all__ = ["CAPABILITIES", "SETUP", "OpenReports", "build", "external_id"]

POLL_S = 900.0
PATH = "/signals/v1/public/signals/geography"
MAX_BYTES = 5_000_000
MAX_PAGES = 5
"""Of 4,000 reports each, as Signalen is set up by itself."""
MAX_ITEMS = 200
MAX_SEEN = 4_000
FIRST_MS = 7 * 24 * 3600 * 1000
"""What was made longer ago than this is old news when it is seen for the first time."""
KEEP_MS = 30 * 24 * 3600 * 1000
"""For so long the listening list keeps it; after that it need not be known any more."""

SETUP = Setup(
    intro=(
        (
            "Vul het adres in van de API van Signalen, zoals https://api.meldingen.gemeente.nl, en "
            "het gebied. Wat openstaat en op de openbare kaart mag, komt in Meeluisteren."
        ),
        (
            "Enter the address of Signalen's API, such as https://api.meldingen.gemeente.nl, and "
            "the area. What is open and may be on the public map goes to Listening."
        ),
    ),
    fields=(
        SetupField(
            "url",
            ("Adres van de API", "Address of the API"),
            "url",
            ("Zonder /signals", "Without /signals"),
        ),
        SetupField(
            "box", ("Gebied", "Area"),
            help=(
                "Zuid, west, noord, oost in graden, zoals 53.22,6.52,53.25,6.56",
                "South, west, north, east in degrees, such as 53.22,6.52,53.25,6.56",
            ),
        ),
    ),
)  # fmt: skip


def build(config: Mapping[str, Any], _secret: str, now_ms: Callable[[], int]) -> "OpenReports":
    """Make the adapter. Raises Permanent("bad_config")."""
    return OpenReports(config, now_ms)


class OpenReports(ReadOnly):
    """Reads the open reports of one area."""

    def __init__(self, config: Mapping[str, Any], now_ms: Callable[[], int]) -> None:
        super().__init__(config, now_ms)
        self._url = self._url.rstrip("/")
        try:
            box = box_of(str(config.get("box") or ""))
        except ValueError:
            raise Permanent("bad_config", "box") from None
        if box is None:
            raise Permanent("bad_config", "box is missing")
        self._box = box

    async def fetch(self, cursor: str | None) -> Batch:
        """Return reports that are new, were put in another category, or are open no more.

        Raises Permanent("area_too_large") for an area in which more is open than can be kept up.
        """
        now_ms = self._now_ms()
        known = _known(cursor)
        found = await self._sweep(now_ms)
        items: list[Incoming] = []
        for item in sorted(found.values(), key=lambda one: one.sent_at_ms):
            said = _Seen(item.sent_at_ms, _digest(item))
            before = known.get(item.external_id)
            if before is None and item.sent_at_ms < now_ms - FIRST_MS:
                continue
            if before is None or before.digest != said.digest:
                if len(items) == MAX_ITEMS:
                    return _batch(items, known, more=True)  # the next round goes on from here
                items.append(item if before is None else replace(item, kind="edit"))
            known[item.external_id] = said
        for name, before in list(known.items()):
            if before.at_ms < now_ms - KEEP_MS:
                del known[name]
            elif name not in found and not before.missed:
                # While the map is made anew it may be empty: it is looked at once more.
                known[name] = _Seen(before.at_ms, before.digest, missed=True)
            elif name not in found:
                items.append(_gone(name, now_ms))
                del known[name]
        if len(known) > MAX_SEEN:
            raise Permanent("area_too_large", f"{len(known)} of {MAX_SEEN}")
        return _batch(items, known)

    async def _sweep(self, now_ms: int) -> dict[str, Incoming]:
        """Return everything that is open in the area, by its id."""
        south, west, north, east = self._box
        found: dict[str, Incoming] = {}
        for page in range(1, MAX_PAGES + 1):
            asked = urlencode({"bbox": f"{west},{south},{east},{north}", "geopage": page})
            try:
                got = await fetch(
                    f"{self._url}{PATH}?{asked}",
                    max_bytes=MAX_BYTES,
                    accept="application/json",
                    private_hosts=self._private_hosts,
                )
            except Permanent as error:
                if page > 1 and error.code == "page_gone":
                    return found  # there are fewer than a moment ago
                raise
            for item in _read(got.body, self._box, now_ms):
                found[item.external_id] = item
            # Only whether there is more is believed: where it lies is ours to say.
            if 'rel="next"' not in got.headers.get("link", ""):
                return found
        raise Permanent("area_too_large", f"more than {MAX_PAGES} pages")


def _read(body: bytes, box: Box, now_ms: int) -> list[Incoming]:
    try:
        features = json.loads(body)["features"] or []
        items = [_item(one, box, now_ms) for one in features]
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
        RecursionError,
        OverflowError,
    ):
        raise Temporary("unreadable_there", "no reports", account_wide=True) from None
    return [item for item in items if item is not None]


def _item(feature: Mapping[str, Any], box: Box, now_ms: int) -> Incoming | None:
    place = feature["geometry"]["coordinates"]
    lon, lat = float(place[0]), float(place[1])
    south, west, north, east = box
    made = str(feature["properties"]["created_at"])
    made_ms = at_ms(made)
    inside = south <= lat <= north and west <= lon <= east
    if not (math.isfinite(lon) and math.isfinite(lat)) or not inside or not made_ms:
        return None
    category = feature["properties"].get("category") or {}
    name = str(category.get("name") or "")
    parent = str((category.get("parent") or {}).get("name") or "")
    where = f"{lat:.5f}, {lon:.5f}"
    # The map gives no number: when it was made, to the microsecond, and where, never change.
    identity = hashlib.sha256(f"{lon:.7f}:{lat:.7f}:{made}".encode("utf-8", "surrogatepass"))
    return Incoming(
        external_id=identity.hexdigest()[:20],
        address="",
        sender_name="",
        text=f"{parent}\n{where}".strip()[:1_000],
        sent_at_ms=min(made_ms, now_ms),
        sender_kind="organisation",
        subject=name[:300],
        public=True,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a report: when it was made, what it said, and whether it was missing."""

    at_ms: int
    digest: str
    missed: bool = False


def _digest(item: Incoming) -> str:
    said = f"{item.subject}\n{item.text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(said).hexdigest()[:8]


def _gone(name: str, now_ms: int) -> Incoming:
    return Incoming(name, "", "", "", now_ms, kind="delete", sender_kind="organisation")


def _batch(items: list[Incoming], known: Mapping[str, _Seen], *, more: bool = False) -> Batch:
    seen = {name: [one.at_ms, one.digest, int(one.missed)] for name, one in known.items()}
    cursor = json.dumps({"v": 1, "seen": seen}, separators=(",", ":"))
    return Batch(tuple(items), cursor, more=more)


def _known(cursor: str | None) -> dict[str, _Seen]:
    """Return what a cursor of ours says; anything else is the beginning."""
    try:
        state = json.loads(cursor or "")
        if state["v"] != 1:
            return {}
        return {
            str(name): _Seen(int(made_ms), str(digest), missed=bool(missed))
            for name, (made_ms, digest, missed) in state["seen"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}

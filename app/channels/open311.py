"""Reports on public space in the area (Open311 GeoReport v2), read only.

They are reports to the department that repairs things, not questions to the coordinator: they go to
the listening list. Only what lies within the box of the area is taken, when one is given.

Source: Open311 GeoReport v2, "GET Service Requests" (wiki.open311.org/GeoReport_v2), read November
2026. At most 1,000 requests or 90 days come in one answer; there is no cursor, so each round asks
from a little before the last and tells the known from the new by id and by what they say.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
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
from app.channels.safe_http import fetch

__all__ = ["CAPABILITIES", "SETUP", "Reports", "build", "external_id"]

Box = tuple[float, float, float, float]
"""South, west, north, east in degrees."""

POLL_S = 600.0
MAX_BYTES = 5_000_000
MAX_ITEMS = 200
MAX_SEEN = 1_000
FIRST_MS = 7 * 24 * 3600 * 1000
OVERLAP_MS = 24 * 3600 * 1000
"""A report may come out later than it was made: it was checked first."""

SETUP = Setup(
    intro=(
        (
            "Vul het adres in van de Open311-dienst van de gemeente (GeoReport v2). De meldingen "
            "komen in Meeluisteren; afhandelen gebeurt in het meldingensysteem zelf."
        ),
        (
            "Enter the address of the municipality's Open311 service (GeoReport v2). Its reports "
            "go to Listening; they are handled in the system for reports itself."
        ),
    ),
    fields=(
        SetupField(
            "url",
            ("Adres van de dienst", "Address of the service"),
            "url",
            ("Zonder /requests.json", "Without /requests.json"),
        ),
        SetupField(
            "jurisdiction_id", ("Jurisdictie", "Jurisdiction"), required=False,
            help=("Als de dienst daarom vraagt", "When the service asks for it"),
        ),
        SetupField(
            "box", ("Gebied", "Area"), required=False,
            help=(
                "Zuid, west, noord, oost in graden, zoals 53.22,6.52,53.25,6.56",
                "South, west, north, east in degrees, such as 53.22,6.52,53.25,6.56",
            ),
        ),
    ),
)  # fmt: skip


def build(config: Mapping[str, Any], _secret: str, now_ms: Callable[[], int]) -> "Reports":
    """Make the adapter. Raises Permanent("bad_config")."""
    return Reports(config, now_ms)


def box_of(text: str) -> Box | None:
    """Read south, west, north, east; None when there is none. Raises ValueError."""
    if not text.strip():
        return None
    south, west, north, east = (float(part) for part in text.split(","))
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        raise ValueError("no box")
    return south, west, north, east


class Reports(ReadOnly):
    """Reads the reports of one service."""

    def __init__(self, config: Mapping[str, Any], now_ms: Callable[[], int]) -> None:
        super().__init__(config, now_ms)
        self._url = self._url.rstrip("/")
        self._jurisdiction = str(config.get("jurisdiction_id") or "")
        try:
            self._box = box_of(str(config.get("box") or ""))
        except ValueError:
            raise Permanent("bad_config", "box") from None

    async def fetch(self, cursor: str | None) -> Batch:
        """Return reports that are new or say something else than before, oldest first."""
        from_ms, seen = _past(cursor)
        now_ms = self._now_ms()
        asked = {"start_date": _iso((from_ms or now_ms - FIRST_MS) - OVERLAP_MS)}
        if self._jurisdiction:
            asked["jurisdiction_id"] = self._jurisdiction
        got = await fetch(
            f"{self._url}/requests.json?{urlencode(asked)}",
            max_bytes=MAX_BYTES,
            accept="application/json",
            private_hosts=self._private_hosts,
        )
        found = sorted(self._read(got.body, now_ms), key=lambda item: item.sent_at_ms)
        items: list[Incoming] = []
        last_ms = from_ms
        for item in found:
            digest = _digest(item)
            known = seen.get(item.external_id)
            if known != digest and len(items) == MAX_ITEMS:
                break  # the next round goes on from here
            if known != digest:
                items.append(item if known is None else _edit(item))
            seen.pop(item.external_id, None)
            seen[item.external_id] = digest
            last_ms = max(last_ms, item.sent_at_ms)
        # Never less than one answer holds: what was forgotten would be new again, and no round end.
        kept = dict(list(seen.items())[-(len(found) + MAX_SEEN) :])
        state = {"v": 1, "from": last_ms, "seen": kept}
        return Batch(
            tuple(items), json.dumps(state, separators=(",", ":")), more=len(items) == MAX_ITEMS
        )

    def _read(self, body: bytes, now_ms: int) -> list[Incoming]:
        try:
            told = json.loads(body)
            items = [self._item(one, now_ms) for one in told]
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
            raise Temporary("unreadable_there", "no reports", account_wide=True) from None
        return [item for item in items if item is not None]

    def _item(self, said: Mapping[str, Any], now_ms: int) -> Incoming | None:
        # Some services give a token first, and the id when the report was accepted.
        number = str(said.get("service_request_id") or "")[:200]
        if not number or not self._is_inside(said):
            return None
        title = str(said.get("service_name") or "")
        lines = [said.get("description"), said.get("address"), said.get("status_notes")]
        text = "\n".join(str(line).strip() for line in lines if line)
        media = str(said.get("media_url") or "")
        stamp = str(said.get("requested_datetime") or "")
        return Incoming(
            external_id=number,
            address="",
            sender_name="",
            text=f"{text}\n{_status(said)}".strip(),
            sent_at_ms=min(at_ms(stamp) or now_ms, now_ms),
            sender_kind="organisation",
            subject=title[:300],
            public=True,
            link=media if media.startswith("https://") else "",
        )

    def _is_inside(self, said: Mapping[str, Any]) -> bool:
        if self._box is None:
            return True
        south, west, north, east = self._box
        try:
            lat, long = float(said["lat"]), float(said["long"])
        except (KeyError, TypeError, ValueError):
            return False
        return south <= lat <= north and west <= long <= east


def _status(said: Mapping[str, Any]) -> str:
    status = str(said.get("status") or "").lower()
    return {"open": "(open)", "closed": "(gesloten)"}.get(status, "")


def _edit(item: Incoming) -> Incoming:
    return replace(item, kind="edit")


def _digest(item: Incoming) -> str:
    said = f"{item.subject}\n{item.text}\n{item.link}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _iso(since_ms: int) -> str:
    return datetime.fromtimestamp(max(since_ms, 0) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at_ms(stamp: str) -> int:
    """Return an ISO 8601 instant, UTC when it names no zone; 0 when it is none."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _past(cursor: str | None) -> tuple[int, dict[str, str]]:
    """Return what a cursor of ours says; anything else is the beginning."""
    try:
        state = json.loads(cursor or "")
        seen = state["seen"]
        if state["v"] == 1 and type(state["from"]) is int and isinstance(seen, dict):
            return state["from"], {str(name): str(value) for name, value in seen.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return 0, {}

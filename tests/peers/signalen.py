"""Signalen's public map, written from Signalen's own description and tests, not from our adapter.

Source: github.com/Amsterdam/signals, `GET /signals/v1/public/signals/geography` (the OpenAPI schema
in its view, `PublicSignalGeographyFilter`, `LinkHeaderPagination` and the tests of the endpoint);
read November 2026. Of the filters it knows `bbox` and `geopage`. Not covered: `lat` and `lon`,
categories, `group_by`, `page_size`, that the map is made anew only now and then, and everything
that needs a sign-in. No real Signalen was run.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.site import Visit, says

CLOSED = {"o", "ao", "a", "s", "reopen requested"}
"""States that are not on the map: handled, handled elsewhere, cancelled, split, to be reopened."""


@dataclass
class Signal:
    """One report as Signalen keeps it; of most of this the map says nothing."""

    lon: float
    lat: float
    made_at: str
    category: str
    parent: str
    text: str = ""
    state: str = "m"
    is_public: bool = True


@dataclass
class SignalenPeer:
    """What was reported, and how many fit on a page of the map."""

    signals: list[Signal] = field(default_factory=list)
    page_size: int = 4_000
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def reports(self, category: str, *, at_ms: int, **given: Any) -> Signal:
        """Let somebody report something."""
        made = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="microseconds")
        signal = Signal(6.54, 53.23, made, category, "Afval")
        for name, value in given.items():
            setattr(signal, name, value)
        self.signals.append(signal)
        return signal

    async def answer(self, visit: Visit, out: asyncio.StreamWriter) -> None:
        """Answer one request."""
        parts = urlsplit(visit.path)
        query = parse_qs(parts.query)
        self.asked.append(query)
        if parts.path != "/signals/v1/public/signals/geography":
            await says(b'{"detail":"Niet gevonden."}', "404 Not Found")(visit, out)
            return
        if "bbox" not in query:
            said = {"non_field_errors": ["Either bbox or lon/lat must be filled in"]}
            await says(json.dumps(said).encode(), "400 Bad Request")(visit, out)
            return
        west, south, east, north = map(float, query["bbox"][0].split(","))
        shown = sorted(
            (
                one
                for one in self.signals
                if west <= one.lon <= east and south <= one.lat <= north
                if one.is_public and one.state not in CLOSED
            ),
            key=lambda one: (one.lon, one.lat),
        )
        page = int(query.get("geopage", ["1"])[0])
        first = (page - 1) * self.page_size
        if page < 1 or (page > 1 and first >= len(shown)):
            await says(b'{"detail":"Ongeldige pagina."}', "404 Not Found")(visit, out)
            return
        features = [_feature(one) for one in shown[first : first + self.page_size]]
        links = [f'<http://signalen.invalid{visit.path}>; rel="self"']
        if first + self.page_size < len(shown):
            # Where a stranger would have us go is not where we go.
            links.append('<http://169.254.169.254/?geopage=2>; rel="next"')
        shape: dict[str, Any] = {"type": "FeatureCollection", "features": features or None}
        headers = {"Link": ",".join(links), "X_Total_Count": str(len(shown))}
        await says(json.dumps(shape).encode(), **headers)(visit, out)


def _feature(one: Signal) -> dict[str, Any]:
    parent = {"name": one.parent, "slug": one.parent.lower()}
    category = {"name": one.category, "slug": one.category.lower(), "parent": parent}
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [one.lon, one.lat]},
        "properties": {"category": category, "created_at": one.made_at},
    }

"""A service of reports on public space, written from Open311 GeoReport v2 and not from our adapter.

Source: wiki.open311.org/GeoReport_v2, "GET Service Requests"; read November 2026. Of the filters
only `start_date` and `jurisdiction_id` are known. Not covered: XML, discovery, and requests that
have only a token yet. No real service was run.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.site import Visit, says

MOST = 1_000
"""Requests in one answer, as the specification says."""


@dataclass
class Open311Peer:
    """What was reported, newest last."""

    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    jurisdiction: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def reports(self, text: str, *, at_ms: int, **given: Any) -> str:
        """Let somebody report something; return its number."""
        number = f"SIG-{len(self.requests) + 1}"
        stamp = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        self.requests[number] = {
            "service_request_id": number,
            "status": "open",
            "service_name": "Afval",
            "description": text,
            "requested_datetime": stamp,
            "lat": 53.23,
            "long": 6.54,
            "address": "",
            "media_url": "",
        } | given
        return number

    async def answer(self, visit: Visit, out: asyncio.StreamWriter) -> None:
        """Answer one request."""
        parts = urlsplit(visit.path)
        query = parse_qs(parts.query)
        self.asked.append(query)
        if parts.path != "/requests.json":
            await says(b"[]", "404 Not Found")(visit, out)
        elif query.get("jurisdiction_id", [""]) != [self.jurisdiction]:
            error = [{"code": 404, "description": "jurisdiction_id not found"}]
            await says(json.dumps(error).encode(), "404 Not Found")(visit, out)
        else:
            since = datetime.fromisoformat(query["start_date"][0])
            found = [
                one
                for one in reversed(self.requests.values())
                if datetime.fromisoformat(one["requested_datetime"]) >= since
            ]
            await says(json.dumps(found[:MOST]).encode())(visit, out)

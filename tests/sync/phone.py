"""A phone as far as the wire goes: signs in, pushes, pulls and checks what it is given."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from app.accounts import cookies, service
from app.accounts.policy import Principal

ORIGIN = "http://localhost:8000"


@dataclass(frozen=True)
class Answer:
    """One parsed answer: its header, and its lines split at tabs."""

    header: dict[str, Any]
    lines: list[list[str]] = field(default_factory=list)


def parse(body: bytes) -> Answer:
    """Take an answer apart as a phone does, and hold it against its own sum and counts."""
    first, _, rest = body.partition(b"\n")
    header = json.loads(first)
    assert header["sum"] == hashlib.sha256(rest).hexdigest()[:16]
    lines = [line.split("\t") for line in rest.decode().split("\n")[:-1]]
    counted = header.get("rows", header.get("refs", 0) + header.get("conversations", 0))
    assert len(lines) == counted
    return Answer(header, lines)


def sign_in(app: FastAPI, who: Principal) -> httpx.AsyncClient:
    """Return a browser in which this person is signed in."""
    state = app.state
    began = state.db.write_now(
        lambda session: service.begin_session(
            session,
            who.person_id,
            now_ms=state.clock.now_ms(),
            session_days=30,
            device_name="Android, Chrome",
        )
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=ORIGIN,
        headers={"Origin": ORIGIN},
        cookies={cookies.name(state.settings): began.secret},
    )

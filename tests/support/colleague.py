"""A colleague at another machine: signed in to the demonstration, without a browser."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from app.ids import uuid7
from tests.support.browser import Office

HOUR_MS = 3_600_000


class Colleague:
    """Somebody of the demonstration, by the first name."""

    def __init__(self, office: Office, name: str) -> None:
        self._office = office
        address = office.server.url.replace("127.0.0.1", "localhost")
        self._http = httpx.Client(base_url=address, headers={"Origin": address}, timeout=30)
        signed_in = self._http.post("/demo/sign-in", data={"person": self.id_of(name)})
        assert signed_in.is_redirect, signed_in.text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        self._http.close()

    def id_of(self, name: str) -> str:
        """Return a person's id."""
        ((found,),) = self._office.ask("SELECT id FROM person WHERE name LIKE ? || '%'", name)
        return str(found)

    def puts_on_call(self, name: str, conversation: str) -> None:
        """Give somebody the shift that it is now, for the team that answers a conversation."""
        ((team,),) = self._office.ask(
            "SELECT t.team_id FROM team_area t JOIN conversation c ON c.area = t.area"
            " JOIN membership m ON m.team_id = t.team_id WHERE c.id = ? AND m.person_id = ?",
            conversation,
            self.id_of(name),
        )
        now_ms = int(time.time() * 1000)
        shift = {
            "team": team,
            "area": None,
            "person": self.id_of(name),
            "from_ms": now_ms,
            "to_ms": now_ms + HOUR_MS,
            "repeat_weeks": 0,
        }
        planned = self._http.post("/api/v1/shifts", json=shift)
        assert planned.status_code == 201, planned.text

    def does(self, kind: str, conversation: str, **payload: Any) -> None:
        """Carry out one operation; it must be applied."""
        op = {
            "op_id": uuid7(),
            "kind": kind,
            "conversation_id": conversation,
            "based_on": None,
            "payload": payload,
            "written_at_ms": int(time.time() * 1000),
            "v": 1,
        }
        asked = {"v": 1, "ops": [op], "after": 0, "scope": "", "limit": 1}
        answer = self._http.post("/api/v1/sync", json=asked)
        assert answer.status_code == 200, answer.text
        assert '"outcome":"applied"' in answer.text.partition("\n")[0].replace(" ", ""), answer.text

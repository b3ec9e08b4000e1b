"""A real Matrix server for tests: Synapse, in a process and an environment of its own.

It listens on a free port of this machine, keeps everything in memory, federates with nobody, and is
gone with the tests. Synapse is AGPL; it is only ever started as a program, never imported.
`scripts/machine.py` installs it from PyPI.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from scripts.machine import SYNAPSE
from tests.peers.mail import free_ports, listens, until

SERVER = "buurt.test"
SHARED_SECRET = "sleutel-onder-de-mat"
PASSWORD = "deur-op-een-kier"
CLIENT = "/_matrix/client/v3"


def missing() -> str | None:
    """Say what keeps the server from running here; None when nothing does."""
    found = (SYNAPSE / "installed").exists()
    return None if found else "Synapse (PyPI: matrix-synapse; `make test` installs it)"


class Synapse:
    """One server; `person` makes somebody who has an account there."""

    def __init__(self) -> None:
        self._dir = Path(tempfile.mkdtemp(prefix="synapse-"))
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: Person | None = None

    def start(self) -> Synapse:
        config = self._dir / "homeserver.yaml"
        config.write_text(self._config())
        command = [str(SYNAPSE / "bin" / "python"), "-m", "synapse.app.homeserver", "-c"]
        command.append(str(config))
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*command, "--generate-keys"], check=True, cwd=self._dir, **quiet)
        self._process = subprocess.Popen(command, cwd=self._dir, **quiet)
        until(lambda: listens(self.port), patience_s=60)
        self._admin = self.person(admin=True)
        return self

    def stop(self) -> None:
        self.http.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._dir, ignore_errors=True)

    def person(self, name: str = "Fatma Yıldız", *, admin: bool = False) -> Person:
        """Register somebody (Synapse, "Shared-Secret Registration")."""
        path, user = "/_synapse/admin/v1/register", f"bewoner-{uuid.uuid4().hex[:10]}"
        nonce = self.http.get(path).json()["nonce"]
        role = "admin" if admin else "notadmin"
        signed = "\0".join([nonce, user, PASSWORD, role])
        mac = hmac.new(SHARED_SECRET.encode(), signed.encode(), hashlib.sha1).hexdigest()
        known = {"nonce": nonce, "username": user, "password": PASSWORD, "displayname": name}
        made = self.http.post(path, json=known | {"admin": admin, "mac": mac}).raise_for_status()
        return Person(self, made.json()["user_id"], made.json()["access_token"])

    def sign_out(self, user: str) -> None:
        """End every token and device of somebody but the first, as an administrator does it."""
        assert self._admin is not None
        path = f"/_synapse/admin/v2/users/{quote(user)}/devices"
        for device in self._admin.ask("GET", path)["devices"]:
            if device["device_id"].startswith("STOEP"):
                self._admin.ask("DELETE", f"{path}/{device['device_id']}")

    def devices(self, user: str) -> list[str]:
        """Return the devices that somebody is signed in on through the adapter."""
        assert self._admin is not None
        found = self._admin.ask("GET", f"/_synapse/admin/v2/users/{quote(user)}/devices")
        names = [device["device_id"] for device in found["devices"]]
        return [name for name in names if name.startswith("STOEP")]

    def _config(self) -> str:
        plenty = "{per_second: 10000, burst_count: 10000}"
        return f"""
server_name: {SERVER}
listeners:
  - {{port: {self.port}, bind_addresses: ["127.0.0.1"], type: http, tls: false,
      resources: [{{names: [client, media], compress: false}}]}}
database: {{name: sqlite3, args: {{database: ":memory:"}}}}
media_store_path: {self._dir}/media
signing_key_path: {self._dir}/signing.key
pid_file: {self._dir}/pid
registration_shared_secret: {SHARED_SECRET}
macaroon_secret_key: deurmat
form_secret: deurbel
report_stats: false
bcrypt_rounds: 4
caches: {{sync_response_cache_duration: 0s}}
trusted_key_servers: []
rc_message: {plenty}
rc_registration: {plenty}
rc_admin_redaction: {plenty}
rc_joins: {{local: {plenty}, remote: {plenty}}}
rc_joins_per_room: {plenty}
rc_invites: {{per_room: {plenty}, per_user: {plenty}, per_issuer: {plenty}}}
rc_room_creation: {plenty}
rc_login: {{address: {plenty}, account: {plenty}, failed_attempts: {plenty}}}
"""


@dataclass
class Person:
    """Somebody with an account, and with an app of her own in hand."""

    server: Synapse = field(repr=False)
    user: str
    token: str

    def ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask the server as this person."""
        headers = {"Authorization": f"Bearer {self.token}"} | request.pop("headers", {})
        answer = self.server.http.request(method, path, headers=headers, **request)
        answer.raise_for_status()
        return dict(answer.json())

    def chat_with(self, *users: str, **options: Any) -> str:
        """Start a private chat; return its room."""
        wanted = {"preset": "private_chat", "is_direct": True, "invite": list(users)} | options
        return str(self.ask("POST", f"{CLIENT}/createRoom", json=wanted)["room_id"])

    def join(self, room: str) -> None:
        self.ask("POST", f"{CLIENT}/rooms/{quote(room)}/join", json={})

    def leave(self, room: str) -> None:
        self.ask("POST", f"{CLIENT}/rooms/{quote(room)}/leave", json={})

    def invite(self, room: str, user: str) -> None:
        self.ask("POST", f"{CLIENT}/rooms/{quote(room)}/invite", json={"user_id": user})

    def says(self, room: str, content: dict[str, Any] | str, kind: str = "m.room.message") -> str:
        """Send an event, or a text; return its id."""
        if isinstance(content, str):
            content = {"msgtype": "m.text", "body": content}
        path = f"{CLIENT}/rooms/{quote(room)}/send/{kind}/{uuid.uuid4().hex}"
        return str(self.ask("PUT", path, json=content)["event_id"])

    def edits(self, room: str, event: str, text: str) -> str:
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event}
        return self.says(
            room, new | {"body": f"* {text}", "m.new_content": new, "m.relates_to": relation}
        )

    def takes_back(self, room: str, event: str) -> None:
        path = f"{CLIENT}/rooms/{quote(room)}/redact/{quote(event)}/{uuid.uuid4().hex}"
        self.ask("PUT", path, json={"reason": "vergissing"})

    def reads(self, room: str, event: str) -> None:
        self.ask("POST", f"{CLIENT}/rooms/{quote(room)}/receipt/m.read/{quote(event)}", json={})

    def uploads(self, content: bytes, media_type: str) -> str:
        """Upload a file; return its mxc address."""
        headers = {"Content-Type": media_type}
        answer = self.ask("POST", "/_matrix/media/v3/upload", headers=headers, content=content)
        return str(answer["content_uri"])

    def downloads(self, mxc: str) -> bytes:
        place = mxc.removeprefix("mxc://")
        answer = self.server.http.get(
            f"/_matrix/client/v1/media/download/{place}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return answer.raise_for_status().content

    def sets(self, room: str, kind: str, content: dict[str, Any]) -> None:
        """Change something about a room."""
        self.ask("PUT", f"{CLIENT}/rooms/{quote(room)}/state/{kind}", json=content)

    def sees(self, room: str, sender: str = "") -> list[dict[str, Any]]:
        """Return the messages in a room, oldest first; of one person, if given."""
        query = {"dir": "b", "limit": "1000"}
        found = self.ask("GET", f"{CLIENT}/rooms/{quote(room)}/messages", params=query)["chunk"]
        return [
            event
            for event in reversed(found)
            if event["type"] == "m.room.message" and sender in {"", event["sender"]}
        ]

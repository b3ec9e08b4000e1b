"""A real Bluesky for tests: the platform's own data server, directory and app view, on loopback.

They come from npm, as their makers publish them; `atproto/network.mjs` starts them in one process,
and they keep what they index in a PostgreSQL database. Not covered: other people's data servers,
relays, moderation services, the entryway and the picture service of bsky.social.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from scripts.machine import ATPROTO, has
from tests.peers.mail import until
from tests.support.proxy import Asked, FaultProxy, Upstream

PATIENCE_S = 90.0
PASSWORD = "deur-op-een-kier"
POSTS = "app.bsky.feed.post"
JWT_SECRET = b"jwt-secret"
"""What the data server signs its tokens with (`dist/const.js` of the package)."""

_NETWORK = Path(__file__).with_name("atproto") / "network.mjs"


def missing() -> str | None:
    """Say what keeps the servers from running here; None when nothing does."""
    return None if has("atproto") else "@atproto/dev-env (npm; `make test` installs it)"


@dataclass(frozen=True)
class Person:
    did: str
    handle: str
    token: str
    app_password: str


@dataclass(frozen=True)
class Post:
    uri: str
    cid: str


class Bluesky:
    """The servers, and what people do there."""

    def __init__(self, postgres_url: str) -> None:
        # The packages are looked up from where the program lies.
        program = shutil.copy(_NETWORK, ATPROTO)
        # The data server keeps repositories and blobs in folders of its own making.
        self._dir = tempfile.mkdtemp(prefix="stoep-atproto-")
        address = postgres_url.replace("postgresql+psycopg://", "postgresql://")
        self._process = subprocess.Popen(
            [str(ATPROTO / "bin" / "node"), str(program), address],
            cwd=ATPROTO,
            env={**os.environ, "TMPDIR": self._dir},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.port = self._started()
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = httpx.Client(base_url=f"{self.url}/xrpc/", timeout=20)
        self._count = itertools.count(1)

    def stop(self) -> None:
        self._http.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._dir, ignore_errors=True)

    def person(self, name: str) -> Person:
        """Make somebody with an account; everybody's name gets a number of its own."""
        handle = f"{name}{next(self._count)}.test"
        made = self._call(
            "com.atproto.server.createAccount",
            json={"email": f"{handle}@voorbeeld.example", "handle": handle, "password": PASSWORD},
        )
        app = self._call(
            "com.atproto.server.createAppPassword", made["accessJwt"], json={"name": "stoep"}
        )
        return Person(made["did"], handle, made["accessJwt"], app["password"])

    def names_herself(self, person: Person, name: str) -> None:
        """Give somebody a display name."""
        record = {"$type": "app.bsky.actor.profile", "displayName": name}
        self._put(person, "app.bsky.actor.profile", "self", record)

    def post(
        self,
        person: Person,
        text: str,
        *,
        names: tuple[Person, ...] = (),
        answers: Post | None = None,
        root: Post | None = None,
        quotes: Post | None = None,
        images: tuple[tuple[bytes, str], ...] = (),
        ago_s: float = 0,
        **more: Any,
    ) -> Post:
        """Let somebody post; whom `names` has stands as `@handle` in the text."""
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": text,
            "createdAt": _written(datetime.now(UTC) - timedelta(seconds=ago_s)),
            **more,
        }
        marked = [_mention(text, named) for named in names]
        if marked:
            record["facets"] = [*marked, *more.get("facets", [])]
        if answers:
            record["reply"] = {"root": _ref(root or answers), "parent": _ref(answers)}
        if quotes:
            record["embed"] = {"$type": "app.bsky.embed.record", "record": _ref(quotes)}
        if images:
            record["embed"] = {
                "$type": "app.bsky.embed.images",
                "images": [
                    {"image": self._upload(person, content), "alt": alt} for content, alt in images
                ],
            }
        made = self._call(
            "com.atproto.repo.createRecord",
            person.token,
            json={"repo": person.did, "collection": POSTS, "record": record},
        )
        post = Post(made["uri"], made["cid"])
        self.wait_for(post)
        return post

    def ask(self, person: Person, team: Person, text: str, **more: Any) -> Post:
        """Let somebody mention the team."""
        return self.post(person, f"@{team.handle} {text}", names=(team,), **more)

    def rewrite(self, person: Person, post: Post, text: str) -> None:
        """Put another record in the place of a post, as some apps do to edit one."""
        record = {**self.record(post), "text": text}
        made = self._put(person, POSTS, post.uri.rpartition("/")[2], record)
        until(lambda: self._view(post).get("cid") == made["cid"], patience_s=PATIENCE_S)

    def delete(self, person: Person, post: Post) -> None:
        rkey = post.uri.rpartition("/")[2]
        self._call(
            "com.atproto.repo.deleteRecord",
            person.token,
            json={"repo": person.did, "collection": POSTS, "rkey": rkey},
        )
        until(lambda: not self._view(post), patience_s=PATIENCE_S)

    def takes_no_replies(self, person: Person, post: Post) -> None:
        """Close a thread, as its author can."""
        rkey = post.uri.rpartition("/")[2]
        record = {
            "$type": "app.bsky.feed.threadgate",
            "post": post.uri,
            "allow": [],
            "createdAt": _written(datetime.now(UTC)),
        }
        self._put(person, "app.bsky.feed.threadgate", rkey, record)
        until(lambda: "threadgate" in self._view(post), patience_s=PATIENCE_S)

    def by(self, person: Person) -> list[dict[str, Any]]:
        """Return the records in somebody's repository: uri, cid and value, oldest key first."""
        found = self._call(
            "com.atproto.repo.listRecords",
            params={"repo": person.did, "collection": POSTS, "reverse": "true"},
        )
        return list(found["records"])

    def record(self, post: Post) -> dict[str, Any]:
        did, collection, rkey = post.uri.removeprefix("at://").split("/")
        params = {"repo": did, "collection": collection, "rkey": rkey}
        return dict(self._call("com.atproto.repo.getRecord", params=params)["value"])

    def wait_for(self, post: Post) -> None:
        """Return when the app view shows a post."""
        until(lambda: self._view(post), patience_s=PATIENCE_S)

    def view(self, post: Post) -> dict[str, Any]:
        """Return a post as apps get it."""
        return until(lambda: self._view(post), patience_s=PATIENCE_S)

    def ended_token(self, person: Person) -> str:
        """Return a token of somebody whose time is over, signed as the server itself does."""
        now = int(time.time())
        said = {
            "scope": "com.atproto.appPass",
            "sub": person.did,
            "aud": "did:web:localhost",
            "iat": now - 9000,
            "exp": now - 1800,
        }
        head = {"typ": "at+jwt", "alg": "HS256"}
        signed = b".".join(_base64(json.dumps(part).encode()) for part in (head, said))
        digest = hmac.new(JWT_SECRET, signed, hashlib.sha256).digest()
        return (signed + b"." + _base64(digest)).decode()

    def revoke(self, person: Person) -> None:
        """Take the app password away."""
        self._call(
            "com.atproto.server.revokeAppPassword", person.token, json={"name": "stoep"}, empty=True
        )

    def _view(self, post: Post) -> dict[str, Any]:
        token = self._reader().token
        found = self._call("app.bsky.feed.getPosts", token, params={"uris": post.uri})
        return dict(found["posts"][0]) if found["posts"] else {}

    def _reader(self) -> Person:
        if not hasattr(self, "_somebody"):
            self._somebody = self.person("lezer")
        return self._somebody

    def _upload(self, person: Person, content: bytes) -> dict[str, Any]:
        answer = self._http.post(
            "com.atproto.repo.uploadBlob",
            content=content,
            headers={"authorization": f"Bearer {person.token}", "content-type": "image/png"},
        )
        return dict(answer.raise_for_status().json()["blob"])

    def _put(self, person: Person, collection: str, rkey: str, record: dict[str, Any]) -> Any:
        return self._call(
            "com.atproto.repo.putRecord",
            person.token,
            json={"repo": person.did, "collection": collection, "rkey": rkey, "record": record},
        )

    def _call(self, name: str, token: str = "", *, empty: bool = False, **what: Any) -> Any:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        verb = "POST" if "json" in what else "GET"
        answer = self._http.request(verb, name, headers=headers, **what)
        assert answer.is_success, f"{name}: {answer.status_code} {answer.text}"
        return None if empty else answer.json()

    def _started(self) -> int:
        assert self._process.stdout is not None
        watchdog = threading.Timer(PATIENCE_S, self._process.kill)
        watchdog.start()
        try:
            for line in self._process.stdout:
                if line.startswith('{"pds"'):
                    return int(json.loads(line)["pds"])
        finally:
            watchdog.cancel()
        raise AssertionError(f"the servers ended with {self._process.wait()}")


class Line(FaultProxy):
    """A line to the servers that can also answer in their place, or spoil a token on its way."""

    def __init__(self, server: Bluesky) -> None:
        super().__init__(server.port)
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        """Name of a call → the status and headers that the next one gets; nothing is passed on."""
        self.ended: dict[str, str] = {}
        """Name of a call → the token that the next one arrives with."""
        self.heard: list[str] = []

    async def _pass_on(self, asked: Asked, upstream: Upstream, writer: Any) -> None:
        name = asked.path.removeprefix("/xrpc/").partition("?")[0]
        self.heard.append(name)
        if name in self.answers:
            status, headers = self.answers.pop(name)
            lines = [
                f"HTTP/1.1 {status} No",
                *(f"{key}: {value}" for key, value in headers.items()),
            ]
            head = "\r\n".join([*lines, "content-type: application/json", "content-length: 2"])
            writer.write(head.encode() + b"\r\n\r\n{}")
            await writer.drain()
            return
        if name in self.ended:
            token = self.ended.pop(name).encode()
            raw = re.sub(rb"(?i)(authorization: Bearer )[^\r]+", rb"\1" + token, asked.raw, count=1)
            asked = replace(asked, raw=raw)
        await super()._pass_on(asked, upstream, writer)


def _mention(text: str, person: Person) -> dict[str, Any]:
    start = len(text[: text.index(f"@{person.handle}")].encode())
    return {
        "index": {"byteStart": start, "byteEnd": start + len(f"@{person.handle}")},
        "features": [{"$type": "app.bsky.richtext.facet#mention", "did": person.did}],
    }


def _ref(post: Post) -> dict[str, str]:
    return {"uri": post.uri, "cid": post.cid}


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")

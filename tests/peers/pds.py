"""A Bluesky data server in small, written from the lexicons and from nothing else.

Sources, read 2026-11: the lexicons com.atproto.server (createSession, refreshSession),
com.atproto.repo (putRecord, getRecord, uploadBlob), com.atproto.identity.resolveHandle and
app.bsky.feed.getPosts as docs.bsky.app shows them; atproto.com/specs/xrpc for errors and
atproto.com/specs/tid for record keys.

It is for simulations of thousands of histories, which would take the real servers hours; the tests
of the adapter play against those. Not covered: notifications, what becomes of blobs, other people's
repositories, the delay with which the app view follows, labels, and limits of any kind.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.peers.api_server import Request, Response

US = "did:plc:gemeente"
HANDLE = "gemeente.bsky.example"
POSTS = "app.bsky.feed.post"
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")


@dataclass
class Record:
    """One post, ours or a resident's."""

    uri: str
    cid: str
    value: dict[str, Any]


class Pds:
    """The server, with one account of ours; everybody else is moved by the test."""

    def __init__(self, now_ms: Callable[[], int], password: str = "abcd-efgh-ijkl-mnop") -> None:
        self.password = password
        self.records: dict[str, Record] = {}
        """All posts by their address, in the order in which they appeared."""
        self.blobs: dict[str, bytes] = {}
        """What was uploaded, by its address."""
        self.access: set[str] = set()
        self.refresh: set[str] = set()
        self._now_ms = now_ms
        self._count = itertools.count(1)

    # -- what people do ----------------------------------------------------------------

    def posts(self, did: str, text: str, answers: Record | None = None) -> Record:
        """Let somebody post."""
        value: dict[str, Any] = {"$type": POSTS, "text": text}
        if answers:
            parent = {"uri": answers.uri, "cid": answers.cid}
            root = answers.value.get("reply", {}).get("root", parent)
            value["reply"] = {"root": root, "parent": parent}
        return self._keep(f"at://{did}/{POSTS}/3k{next(self._count):011}", value)

    def rewrites(self, uri: str, text: str) -> None:
        self._keep(uri, {**self.records[uri].value, "text": text})

    def deletes(self, uri: str) -> None:
        self.records.pop(uri, None)

    def end_access(self) -> None:
        """Let the time of every access token be over."""
        self.access.clear()

    def sign_out(self) -> None:
        """End every session."""
        self.access.clear()
        self.refresh.clear()

    def _keep(self, uri: str, value: dict[str, Any]) -> Record:
        cid = "bafy" + hashlib.sha256(repr(value).encode()).hexdigest()[:40]
        self.records[uri] = Record(uri, cid, value)
        return self.records[uri]

    # -- what the account asks -----------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        name = request.path.removeprefix("/xrpc/")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if name == "com.atproto.server.createSession":
            said = request.json
            if said.get("identifier") != HANDLE or said.get("password") != self.password:
                return _error(401, "AuthenticationRequired")
            return self._session()
        if name == "com.atproto.server.refreshSession":
            if token not in self.refresh:
                return _error(400, "ExpiredToken")
            self.refresh.remove(token)
            return self._session()
        if name == "com.atproto.repo.getRecord" and not token:
            return self._record(request.query)
        if token not in self.access:
            return _error(400, "ExpiredToken")
        match request.method, name:
            case "GET", "com.atproto.repo.getRecord":
                return self._record(request.query)
            case "GET", "app.bsky.feed.getPosts":
                return Response(200, {"posts": self._views(request.query["uris"])})
            case "GET", "com.atproto.identity.resolveHandle":
                return _error(400, "HandleNotFound")
            case "POST", "com.atproto.repo.putRecord":
                return self._put(request.json)
            case "POST", "com.atproto.repo.uploadBlob":
                return self._upload(request)
        return _error(501, "MethodNotImplemented")

    def _session(self) -> Response:
        access, refresh = f"a{next(self._count)}", f"r{next(self._count)}"
        self.access.add(access)
        self.refresh.add(refresh)
        said = {"did": US, "handle": HANDLE, "accessJwt": access, "refreshJwt": refresh}
        return Response(200, said | {"active": True})

    def _record(self, query: Any) -> Response:
        record = self.records.get(f"at://{query['repo']}/{query['collection']}/{query['rkey']}")
        if record is None:
            return _error(400, "RecordNotFound")
        return Response(200, {"uri": record.uri, "cid": record.cid, "value": record.value})

    def _views(self, uri: str) -> list[dict[str, Any]]:
        record = self.records.get(uri)
        if record is None:
            return []
        did = uri.removeprefix("at://").partition("/")[0]
        author = {"did": did, "handle": f"{did[8:]}.bsky.example"}
        view = {"uri": uri, "cid": record.cid, "author": author, "record": record.value}
        return [view | {"viewer": {}}]

    def _upload(self, request: Request) -> Response:
        cid = "bafk" + hashlib.sha256(request.body).hexdigest()[:40]
        self.blobs[cid] = request.body
        kind, size = request.headers["content-type"], len(request.body)
        blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": size}
        return Response(200, {"blob": blob})

    def _put(self, said: dict[str, Any]) -> Response:
        if said["repo"] != US or said["collection"] != POSTS:
            return _error(400, "InvalidRequest")
        if not _TID.fullmatch(said["rkey"]):
            return _error(400, "InvalidRequest")
        if len(said["record"]["text"]) > 300:
            return _error(400, "InvalidRecord")
        if any(cid not in self.blobs for cid in pictures_of(said["record"])):
            return _error(400, "InvalidRequest")
        record = self._keep(f"at://{US}/{POSTS}/{said['rkey']}", said["record"])
        return Response(200, {"uri": record.uri, "cid": record.cid})


def pictures_of(record: dict[str, Any]) -> list[str]:
    """Return the addresses of the pictures in a post."""
    images = record.get("embed", {}).get("images", [])
    return [one["image"]["ref"]["$link"] for one in images]


def _error(status: int, name: str) -> Response:
    return Response(status, {"error": name, "message": name})

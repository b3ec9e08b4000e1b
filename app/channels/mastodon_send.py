"""One reply on Mastodon: as visible as the question was, to whoever asked it, and once.

`Idempotency-Key` keeps Mastodon itself from taking a reply twice for an hour, and is unknown to
other servers. So our own posts are looked through before anything is published, each time.
Source: docs.joinmastodon.org, methods/statuses and methods/media, read November 2026.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from app.channels.contract import Outgoing, Permanent, Receipt, SignedOut, Temporary, Unconfirmed
from app.channels.doubt import after_all
from app.channels.mastodon_read import Mark, Me, full_address, walk
from app.channels.mastodon_settings import CAPABILITIES, Instance, MastodonSettings
from app.channels.mastodon_text import length, plain_text, same_words
from app.channels.social_http import Caller, instant_ms

SKEW_MS = 10 * 60 * 1000
"""How far a server's clock may be off when its posts are compared with the time of a reply."""

SOURCES = 3
PREPARE_S = 60.0
"""All that comes before a reply is published; with the publishing it stays under the two minutes
for which a delivery is leased."""

MEDIA_S = 40.0
MEDIA_POLL_S = 1.0
VISIBILITIES = {"public", "unlisted", "private", "direct"}
_NAMES = re.compile(r"^(\s*@[\w.@:-]+)+\s*")


class Sending:
    """Publishes and looks up the replies of one account."""

    def __init__(
        self,
        caller: Caller,
        settings: MastodonSettings,
        me: Me,
        instance: Instance,
        now_ms: Callable[[], int],
    ) -> None:
        self._caller = caller
        self._token = settings.token
        self._me = me
        self._instance = instance
        self._now_ms = now_ms

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender."""
        check(reply)
        try:
            async with asyncio.timeout(PREPARE_S):
                ready = await self._prepare(reply)
        except TimeoutError:
            raise Temporary("platform_busy", f"over {PREPARE_S} s", account_wide=True) from None
        if isinstance(ready, Receipt):
            return ready
        try:
            answer = await self._caller.publish(
                "POST",
                "/api/v1/statuses",
                token=self._token,
                json={name: value for name, value in ready.items() if value},
                headers={"idempotency-key": reply.delivery_id},
            )
        except Temporary as error:
            busy = error.code == "platform_busy"
            there = await after_all(self.find(reply)) if busy else None
            if there is None:
                raise
            return there
        if not answer.ok:
            raise _refusal(answer.status)
        status_id = answer.table().get("id")
        if not status_id:
            raise Unconfirmed("answer_lost", "published, without an id")
        return Receipt(str(status_id), "sent", self._now_ms())

    async def _prepare(self, reply: Outgoing) -> dict[str, Any] | Receipt:
        """Return what is to be published, or the proof that it was. Nobody sees any of this."""
        there = await self.find(reply)
        if there is not None:
            return there
        post = self._post(reply, await self._question(reply))
        # A content warning takes room of the same post.
        if length(post["status"] + post["spoiler_text"]) > self._instance.max_chars:
            raise Permanent("too_long", f"the server takes {self._instance.max_chars}")
        post["media_ids"] = [await self._upload(reply, at) for at in range(len(reply.attachments))]
        return post

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. Looks through our own posts since the reply was accepted.

        Some servers leave direct messages out of that list, so what was answered to the question is
        looked through too.
        """
        rows, _ = await walk(
            self._caller,
            f"/api/v1/accounts/{self._me.id}/statuses",
            {"exclude_reblogs": "true"},
            Mark(),
            token=self._token,
            floor_ms=reply.created_at_ms - SKEW_MS,
        )
        found = await self._matching(rows, reply)
        if found is None and reply.in_reply_to:
            found = await self._matching(await self._answers(reply), reply)
        return found

    async def _answers(self, reply: Outgoing) -> list[dict[str, Any]]:
        """Return our answers to the question, as many as were made since the reply was accepted."""
        answer = await self._caller.ask(
            "GET", f"/api/v1/statuses/{reply.in_reply_to}/context", token=self._token
        )
        said = answer.value()
        below = said.get("descendants") if answer.ok and isinstance(said, dict) else None
        return [
            row
            for row in (below if isinstance(below, list) else [])
            if isinstance(row, dict)
            and row.get("id")
            and isinstance(row.get("account"), dict)
            and str(row["account"].get("id")) == self._me.id
            and (instant_ms(row.get("created_at")) or 0) >= reply.created_at_ms - SKEW_MS
        ]

    async def _matching(self, rows: list[dict[str, Any]], reply: Outgoing) -> Receipt | None:
        candidates = [row for row in rows if self._may_be(row, reply)]
        words = _NAMES.sub("", reply.text)
        for row in candidates:
            if same_words(_NAMES.sub("", plain_text(str(row.get("content") or ""))), words):
                return self._receipt(row)
        for row in candidates[:SOURCES]:
            # A server may have made something of the words; what it was given it still has.
            answer = await self._caller.ask(
                "GET", f"/api/v1/statuses/{row['id']}/source", token=self._token
            )
            said = answer.value()
            text = str(said.get("text") or "") if answer.ok and isinstance(said, dict) else ""
            if text and same_words(_NAMES.sub("", text), words):
                return self._receipt(row)
        return None

    def _may_be(self, row: dict[str, Any], reply: Outgoing) -> bool:
        answers = row.get("in_reply_to_id")
        media = row.get("media_attachments")
        # When a question is deleted, the answer to it stands alone; others were told the same.
        answered = self._names(row, reply) if answers is None else str(answers) == reply.in_reply_to
        return (
            answered
            and str(row["id"]) not in {*reply.references, *reply.others}
            and len(media if isinstance(media, list) else []) == len(reply.attachments)
        )

    def _names(self, row: dict[str, Any], reply: Outgoing) -> bool:
        named = row.get("mentions")
        return any(
            isinstance(one, dict) and full_address(one, self._instance.domain) == reply.recipient
            for one in (named if isinstance(named, list) else [])
        )

    def _receipt(self, row: dict[str, Any]) -> Receipt:
        return Receipt(str(row["id"]), "sent", instant_ms(row.get("created_at")) or self._now_ms())

    async def _question(self, reply: Outgoing) -> dict[str, Any]:
        """Return the post that is answered, as it is now. Raises Permanent when it is gone."""
        if not reply.in_reply_to:
            return {}
        answer = await self._caller.ask(
            "GET", f"/api/v1/statuses/{reply.in_reply_to}", token=self._token
        )
        if answer.status in {404, 410}:
            raise Permanent("question_gone", f"answered {answer.status}")
        if answer.status == 403:
            raise SignedOut("not_allowed_there", "reading a post answered 403")
        return answer.table()

    def _post(self, reply: Outgoing, question: dict[str, Any]) -> dict[str, Any]:
        """Return what is published: never more visible than the question was."""
        account = question.get("account")
        asker = full_address(account if isinstance(account, dict) else {}, self._instance.domain)
        visibility = str(question.get("visibility") or "direct")
        if visibility not in VISIBILITIES:
            visibility = "direct"
        names = [asker or reply.recipient]
        if visibility in {"public", "unlisted"} and reply.recipient not in names:
            names.append(reply.recipient)
        told = reply.text.lower()
        missing = [f"@{name}" for name in names if name and f"@{name}" not in told]
        return {
            "status": " ".join([*missing, reply.text]),
            "in_reply_to_id": reply.in_reply_to,
            "visibility": visibility,
            "spoiler_text": str(question.get("spoiler_text") or ""),
            "sensitive": question.get("sensitive") is True,
        }

    async def _upload(self, reply: Outgoing, at: int) -> str:
        """Hand over one file and wait until it can be attached; nobody sees it before that."""
        file = reply.attachments[at]
        for path in ("/api/v2/media", "/api/v1/media"):
            answer = await self._caller.ask(
                "POST",
                path,
                token=self._token,
                files={"file": (file.name, file.content, file.media_type)},
                data={"description": file.alt} if file.alt else {},
            )
            if answer.status != 404:
                break
        if answer.status in {400, 413, 415, 422}:
            raise Permanent("picture_refused", f"answered {answer.status}")
        if not answer.ok:
            raise _refusal(answer.status)
        media_id = str(answer.table().get("id") or "")
        if not media_id:
            raise Temporary("platform_unreachable", "no medium", account_wide=True)
        if answer.status == 202:
            await self._until_ready(media_id)
        return media_id

    async def _until_ready(self, media_id: str) -> None:
        try:
            async with asyncio.timeout(MEDIA_S):
                while True:
                    answer = await self._caller.ask(
                        "GET", f"/api/v1/media/{media_id}", token=self._token
                    )
                    if answer.status == 200:
                        return
                    if answer.status != 206:
                        raise Permanent("picture_refused", f"answered {answer.status}")
                    await asyncio.sleep(MEDIA_POLL_S)
        except TimeoutError:
            raise Temporary("platform_busy", "a picture is not ready") from None


def check(reply: Outgoing) -> None:
    """Refuse what no server takes, before one is asked. Raises Permanent."""
    if length(reply.text) > CAPABILITIES.max_chars:
        raise Permanent("too_long", f"{length(reply.text)} of {CAPABILITIES.max_chars}")
    if len(reply.attachments) > CAPABILITIES.attachments:
        raise Permanent("too_many_attachments", str(len(reply.attachments)))
    size_bytes = sum(len(file.content) for file in reply.attachments)
    if size_bytes > CAPABILITIES.max_attachment_bytes:
        raise Permanent("picture_refused", f"{size_bytes} bytes")


def _refusal(status: int) -> Permanent | SignedOut:
    """Return what a refusal means: the server has judged, and published nothing."""
    if status in {404, 410}:
        return Permanent("question_gone", f"answered {status}")
    if status == 403:
        return SignedOut("not_allowed_there", "answered 403")
    return Permanent("reply_refused", f"answered {status}")

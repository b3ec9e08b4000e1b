"""The verdicts on what phones did, kept for ever: asked again, an operation is told its first."""

import hashlib
from typing import Any

from app.accounts.policy import Principal
from app.db import insert_later
from app.sync import feed, payloads
from app.sync.desk import Desk
from app.sync.models import Operation

WITHDRAWN = ""
"""The digest of an operation that was withdrawn before it arrived: it is refused when it comes."""


def digest(who: Principal, op: payloads.Op) -> str:
    """Return what tells this operation from another under the same id."""
    said = feed.dump([who.person_id, op.kind, op.conversation_id, op.based_on, op.payload])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def record(desk: Desk, op: payloads.Op, digest: str, result: dict[str, Any]) -> None:
    """Keep a verdict, with the effect and in the same transaction."""
    # What was said in between is looked up afresh by the phone; the ledger keeps only the verdict.
    insert_later(
        desk.session,
        Operation,
        {
            "op_id": op.op_id,
            "person_id": desk.who.person_id,
            "device_id": desk.who.device_id,
            "conversation_id": op.conversation_id,
            "kind": op.kind[:40],
            "digest": digest,
            "result": result,
            "written_at_ms": desk.clamp(op.written_at_ms),
            "applied_at_ms": desk.now_ms,
        },
    )


def withdraw_earlier(desk: Desk, op: payloads.Op, earlier: list[str]) -> list[str]:
    """See to it that earlier operations of hers never take effect.

    Returns those that did already; then nothing is withdrawn. Her requests to one conversation
    wait for each other, so nothing slips in between.
    """
    for op_id in earlier:
        if op_id not in desk.ledger:
            stored = desk.session.get(Operation, op_id)
            if stored is not None:
                desk.ledger[op_id] = (stored.digest, dict(stored.result))
    unknown = [op_id for op_id in earlier if op_id not in desk.ledger]
    known = [op_id for op_id in earlier if op_id in desk.ledger]
    sent = [op_id for op_id in known if desk.ledger[op_id][1]["outcome"] == "applied"]
    for op_id in () if sent else unknown:
        result = {"op_id": op_id, "outcome": "rejected", "duplicate": False, "seq": 0}
        result |= {"reason": "withdrawn"}
        desk.ledger[op_id] = (WITHDRAWN, result)
        record(desk, op.model_copy(update={"op_id": op_id, "kind": "withdrawn"}), "", result)
    return sent

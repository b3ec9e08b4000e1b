"""What is left of deliveries when a conversation is erased: their states, without an address."""

from sqlmodel import Session, col, select

from app.delivery.models import Delivery
from app.delivery.service import move
from app.delivery.states import may_become
from app.inbox.models import Message


def forget(session: Session, conversation_id: str, *, now_ms: int) -> None:
    """Cancel what has not left yet and remove the recipient from all.

    What a worker is sending at this moment it sends; its lease is gone, so it writes nothing down.
    """
    query = (
        select(Delivery)
        .join(Message, col(Message.id) == col(Delivery.message_id))
        .where(Message.conversation_id == conversation_id)
        .with_for_update(of=Delivery)
    )
    for delivery in session.exec(query).all():
        for state in ("cancelled", "failed"):
            if delivery.state in {"queued", "sending", "uncertain"} and may_become(
                delivery.state, state
            ):
                move(session, delivery, state, now_ms=now_ms, error="erased")
        delivery.recipient = ""
    session.flush()

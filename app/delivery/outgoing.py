"""What a reply is made of when it leaves: gathered from what is stored, the same at every try."""

from sqlmodel import Session, col, select

from app.channels.contract import Outgoing, OutgoingAttachment
from app.channels.models import Account
from app.delivery.models import Delivery
from app.inbox.models import Attachment, AttachmentData, Conversation, Message
from app.text.approved import Form


def outgoing(
    session: Session,
    delivery: Delivery,
    message: Message,
    conversation: Conversation,
    account: Account,
) -> Outgoing:
    """Gather a reply from what is stored; the same every time it is tried."""
    before = session.exec(
        select(Message)
        .where(
            Message.conversation_id == conversation.id,
            Message.position < message.position,
            col(Message.direction).in_(["in", "out"]),
        )
        .order_by(col(Message.position).desc())
        .limit(20)
    ).all()
    ours = {
        row.message_id: row.external_id
        for row in session.exec(
            select(Delivery).where(
                col(Delivery.message_id).in_([row.id for row in before]),
                Delivery.account_id == account.id,
            )
        )
    }
    names = [ours.get(row.id) or row.external_id for row in reversed(before)]
    references = tuple(name for name in names if name)
    theirs = [row.external_id for row in before if row.direction == "in" and row.external_id]
    others = session.exec(
        select(Delivery.external_id)
        .join(Message, col(Message.id) == col(Delivery.message_id))
        .where(
            Message.conversation_id == conversation.id,
            Delivery.account_id == account.id,
            Delivery.id != delivery.id,
            Delivery.external_id != "",
            col(Delivery.sent_at_ms).is_not(None),
        )
        .order_by(col(Message.position).desc())
        .limit(100)
    ).all()
    files = session.exec(
        select(Attachment, AttachmentData.content)
        .join(AttachmentData, col(AttachmentData.attachment_id) == col(Attachment.id))
        .where(Attachment.message_id == message.id, AttachmentData.part == "full")
        .order_by(col(Attachment.id))
    ).all()
    return Outgoing(
        delivery_id=delivery.id,
        external_id=delivery.external_id,
        recipient=delivery.recipient,
        subject=conversation.subject,
        text=message.text,
        created_at_ms=message.accepted_at_ms,
        token=conversation.token or "",
        from_name=account.name,
        in_reply_to=theirs[0] if theirs else None,
        references=references,
        others=tuple(others),
        attachments=tuple(
            OutgoingAttachment(file.name or "foto.jpg", file.media_type, content, file.alt)
            for file, content in files
        ),
        form=_form(delivery),
    )


def _form(delivery: Delivery) -> Form | None:
    if delivery.form is None:
        return None
    name, language = delivery.form["name"], delivery.form["language"]
    return Form(name, language, tuple((blank, value) for blank, value in delivery.form["values"]))

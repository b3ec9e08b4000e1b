"""The mail that tells a resident of an answer: that there is one and where, never what it says."""

import dataclasses

from sqlmodel import Session

from app import i18n
from app.channels import web_texts  # noqa: F401 - importing it adds its words
from app.channels.contract import Outgoing
from app.channels.web_spam import page_secret
from app.config import Settings
from app.delivery.models import Delivery
from app.inbox.models import Message

_RULE = "\n\n--\n\n"


def write_notice(
    settings: Settings, session: Session, delivery: Delivery, reply: Outgoing
) -> Outgoing:
    """Return the mail in place of the reply itself, in both languages: we do not know hers."""
    message = session.get_one(Message, delivery.message_id)
    url = f"{settings.origin}/v/{page_secret(settings, message.conversation_id)}"
    said = {"municipality": settings.municipality, "url": url}
    first = settings.language
    second = i18n.LANGUAGES[1 - i18n.LANGUAGES.index(first)]
    return dataclasses.replace(
        reply,
        subject=i18n.say(first, "notice.subject", **said),
        text=_RULE.join(i18n.say(language, "notice.text", **said) for language in (first, second)),
        attachments=(),
        in_reply_to=None,
        references=(),
    )

"""What somebody in the hall does on her own phone: ask, and support what another asked.

Works inside the caller's transaction.
"""

from sqlmodel import Session, col, select

from app.channels import web_service
from app.channels.models import Account
from app.channels.web_service import Form, Question
from app.inbox.models import Conversation
from app.meetings import policy, queries, service
from app.meetings.models import Meeting, MeetingQuestion, MeetingSupport
from app.meetings.queries import Hall
from app.meetings.service import Refused


def ask(
    session: Session,
    hall: Hall,
    question: Question,
    *,
    agenda: int | None,
    form_id: str,
    message: str,
    secret: str,
    phone: str,
    now_ms: int,
) -> None:
    """Take a question in, once: it waits until somebody lets it through to the board.

    It is followed like a question of the area's form, on a page of its own. Raises Refused when
    this phone asks too much (`too_many`), or nobody keeps up (`busy`).
    """
    found = _account(session, hall)
    if found is None:
        raise Refused("closed")
    account, has_page = found
    if web_service.known(session, account, message):
        return
    since_ms = now_ms - policy.PHONE_PERIOD_MS
    if queries.asked_since(session, hall.id, phone, since_ms) >= policy.PER_PHONE:
        raise Refused("too_many")
    if queries.waiting(session, hall.id) >= policy.WAITING_AT_MOST:
        raise Refused("busy")
    form = Form(hall.area, hall.area_name, account, mails=False)
    conversation = web_service.submit(
        session,
        form,
        question,
        [],
        form_id=form_id,
        message=message,
        secret=secret,
        now_ms=now_ms,
    )
    begun = session.get(Conversation, conversation)
    if begun is not None and not has_page and not question.email:
        # Kept as a contact note: there is nowhere to answer to.
        begun.address, begun.why_not = None, "no_address"
        session.add(begun)
    meeting = _locked(session, hall.id)
    if meeting is None or meeting.state != "open":
        raise Refused("closed")
    if session.get(MeetingQuestion, form_id) is not None:
        return  # changed with the back button and sent again: it is in the conversation
    service.hear(
        session,
        meeting,
        MeetingQuestion(
            id=form_id,
            meeting_id=hall.id,
            conversation_id=conversation,
            text=question.text,
            asked_at_ms=now_ms,
            source="phone",
            phone=phone,
            name=question.name,
            answer_by="email" if question.email else "none",
            contact=question.email.lower(),
            agenda_item=agenda,
            minutes=bool(question.email),
            moderation="waiting",
            received_at_ms=now_ms,
        ),
    )


def _account(session: Session, hall: Hall) -> tuple[str, bool] | None:
    """Return where a question is kept, and whether that gives its writer a page to read answers on.

    That is where questions of this area's form land; without one, where the team keeps its notes.
    """
    form = web_service.form_of(session, hall.area)
    if form is not None:
        return form.account_id, True
    kept = select(Account.id).where(Account.kind == "contact", Account.team_id == hall.team_id)
    account = session.exec(kept.order_by(col(Account.id))).first()
    return None if account is None else (account, False)


def support(session: Session, hall: Hall, question_id: str, phone: str, *, now_ms: int) -> bool:
    """Count this phone's support, once; False when there is no such question on the board."""
    meeting = _locked(session, hall.id)
    asked = session.get(MeetingQuestion, question_id)
    if (
        meeting is None
        or meeting.state != "open"
        or asked is None
        or asked.meeting_id != hall.id
        or asked.moderation != "shown"
    ):
        return False
    if session.get(MeetingSupport, (question_id, phone)) is None:
        session.add(MeetingSupport(question_id=question_id, phone=phone, at_ms=now_ms))
        asked.support += 1
        service.tell_hall(session, meeting, asked)
        service.tell_question(session, asked)
    return True


def _locked(session: Session, meeting_id: str) -> Meeting | None:
    return session.exec(select(Meeting).where(Meeting.id == meeting_id).with_for_update()).first()

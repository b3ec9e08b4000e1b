"""What an escalating mail or text message says: where, since when, why; no resident's words."""

from sqlmodel import Session

from app.accounts.models import Area, Team
from app.config import Settings
from app.i18n import moment, say
from app.inbox.models import Conversation
from app.oncall import words  # noqa: F401 - importing it adds its words
from app.oncall.models import Alert


def place_of(session: Session, area: str) -> str:
    """Return what people call an area, or a team's own list."""
    team_id = area.removeprefix("team:")
    if team_id != area:
        team = session.get(Team, team_id)
        return team.name if team else team_id
    found = session.get(Area, area)
    return found.name if found else area


def alert_letter(
    session: Session, settings: Settings, conversation: Conversation, alert: Alert, now_ms: int
) -> tuple[str, str]:
    """Return subject and text of the mail about an alert."""
    said = _said(session, settings, conversation, alert, now_ms)
    language = settings.language
    return (
        say(language, "oncall.mail_subject", **said),
        say(language, "oncall.mail_text", **said),
    )


def alert_sms(
    session: Session, settings: Settings, conversation: Conversation, alert: Alert, now_ms: int
) -> str:
    """Return the text message about an alert."""
    said = _said(session, settings, conversation, alert, now_ms)
    return say(settings.language, "oncall.sms_text", **said)


def _said(
    session: Session, settings: Settings, conversation: Conversation, alert: Alert, now_ms: int
) -> dict[str, str]:
    return {
        "municipality": settings.municipality,
        "area": place_of(session, conversation.area),
        "since": moment(settings.language, alert.opened_at_ms, now_ms),
        "reason": say(settings.language, f"oncall.reason_{alert.reason}"),
        "link": f"{settings.origin}/c/{conversation.id}",
    }

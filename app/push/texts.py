"""What a notification says before the phone has looked: no resident's words, no name."""

from app import i18n

i18n.add(
    {
        "push.urgent": ("Spoed", "Urgent"),
        "push.urgent_in": ("Spoed in {area}", "Urgent in {area}"),
        "push.because": ("Reden: {reason}", "Reason: {reason}"),
        "push.closed": ("Spoed is opgepakt", "Urgent question taken up"),
        "push.closed_in": ("Spoed in {area} is opgepakt", "Urgent in {area}: taken up"),
        "push.news": ("Nieuw bericht bij jouw spoed", "New message in your urgent conversation"),
        "push.news_in": (
            "Nieuw bericht in {area}, bij de spoed die jij oppakte",
            "New message in {area}, about the urgent question you took",
        ),
        "push.test": ("Proefmelding", "Test notification"),
        "push.test_body": (
            "Deze telefoon kan worden gewekt.",
            "This phone can be woken.",
        ),
        "push.warning": ("Stoep: kijk even", "Stoep: have a look"),
    }
)

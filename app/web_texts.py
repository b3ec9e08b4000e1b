"""The words of the pages that belong to no feature: errors, the offline notice, the manifest."""

from app import i18n

i18n.add(
    {
        "error.400": (
            "Wij begrijpen dit verzoek niet. Ga terug en probeer het nog eens.",
            "We do not understand this request. Go back and try again.",
        ),
        "error.403": ("Dat mag hier niet.", "That is not allowed here."),
        "error.404": (
            "Deze pagina is er niet. Controleer het adres, of stel opnieuw uw vraag.",
            "This page does not exist. Check the address, or ask your question again.",
        ),
        "error.410": ("Deze pagina is er niet meer.", "This page is no longer there."),
        "error.413": (
            "Dit is te groot om te versturen. Ga terug en kies een kleinere foto.",
            "This is too large to send. Go back and choose a smaller photo.",
        ),
        "error.429": (
            "Dat waren veel pogingen achter elkaar. Wacht even en probeer het nog eens.",
            "Those were many attempts in a row. Wait a moment and try again.",
        ),
        "error.500": (
            "Er ging iets mis bij ons. Probeer het straks nog eens.",
            "Something went wrong on our side. Try again later.",
        ),
        "error.503": (
            "Dat kan op dit moment niet. Probeer het straks nog eens.",
            "That is not possible right now. Try again later.",
        ),
        "error.title": ("Dat lukte niet", "That did not work"),
        "error.start": ("Naar het vraagformulier", "To the question form"),
        "page.skip": ("Naar de inhoud", "Skip to the content"),
        "page.in_other_language": (
            "Read this page in English",
            "Lees deze pagina in het Nederlands",
        ),
        "page.other_language": ("English", "Nederlands"),
        "page.municipality": ("Gemeente {name}", "Municipality of {name}"),
        "offline.title": ("Geen verbinding", "No connection"),
        "offline.text": (
            "Deze pagina heeft het netwerk nodig. Probeer het opnieuw zodra u verbinding heeft.",
            "This page needs the network. Try again when you are connected.",
        ),
        "offline.again": ("Opnieuw proberen", "Try again"),
        "manifest.description": (
            "Vragen van bewoners lezen en beantwoorden, ook zonder netwerk.",
            "Read and answer residents' questions, also without a network.",
        ),
        "manifest.new": ("Nieuw contactmoment", "New contact note"),
        "manifest.outbox": ("In wachtrij", "Waiting"),
    }
)

"""How a mailbox is added: what the app and the command line ask for."""

from app.channels.contract import Setup, SetupField, Words

_TLS: tuple[tuple[str, Words], ...] = (
    ("tls", ("Versleuteld vanaf het begin (TLS)", "Encrypted from the start (TLS)")),
    ("starttls", ("Versleuteld na STARTTLS", "Encrypted after STARTTLS")),
    ("none", ("Niet versleuteld (alleen op deze machine)", "Not encrypted (this machine only)")),
)

_INTRO_NL = (
    "Een mailbox die bewoners al kennen. Vraag de beheerder van de mail om de namen van de servers "
    "en, bij Microsoft 365 of Google, om een app-wachtwoord. Wat voor vandaag is binnengekomen "
    "blijft in de mailbox en komt niet in Stoep."
)
_INTRO_EN = (
    "A mailbox that residents know already. Ask whoever runs the mail for the names of the servers "
    "and, with Microsoft 365 or Google, for an app password. What came in before today stays in "
    "the mailbox and does not come into Stoep."
)

SETUP = Setup(
    intro=(_INTRO_NL, _INTRO_EN),
    fields=(
        SetupField("address", ("E-mailadres", "E-mail address")),
        SetupField(
            "password", ("Wachtwoord", "Password"), "secret",
            unless=("auth", ("xoauth2", "none")),
        ),
        SetupField(
            "imap_host",
            ("Server voor inkomende mail (IMAP)", "Server for incoming mail (IMAP)"),
            help=("Bijvoorbeeld imap.gemeente.nl", "For example imap.gemeente.nl"),
            server=True,
        ),
        SetupField(
            "smtp_host",
            ("Server voor uitgaande mail (SMTP)", "Server for outgoing mail (SMTP)"),
            help=("Bijvoorbeeld smtp.gemeente.nl", "For example smtp.gemeente.nl"),
            server=True,
        ),
        SetupField(
            "username",
            ("Gebruikersnaam", "User name"),
            help=("Alleen als het niet het adres is", "Only when it is not the address"),
            required=False,
        ),
        SetupField(
            "imap_tls", ("Beveiliging IMAP", "Security of IMAP"), "choice",
            required=False, choices=_TLS,
        ),
        SetupField(
            "imap_port", ("Poort IMAP", "Port of IMAP"), "number",
            help=("Leeg is 993, of 143 bij STARTTLS", "Empty is 993, or 143 with STARTTLS"),
            required=False,
        ),
        SetupField(
            "smtp_tls", ("Beveiliging SMTP", "Security of SMTP"), "choice",
            required=False, choices=_TLS,
        ),
        SetupField(
            "smtp_port", ("Poort SMTP", "Port of SMTP"), "number",
            help=("Leeg is 465, of 587 bij STARTTLS", "Empty is 465, or 587 with STARTTLS"),
            required=False,
        ),
        SetupField(
            "folder", ("Map", "Folder"),
            help=("Leeg is INBOX", "Empty is INBOX"),
            required=False,
        ),
        SetupField(
            "sent_folder", ("Map voor onze antwoorden", "Folder for our replies"),
            help=(
                "Leeg laat de kopieën staan waar ze binnenkomen",
                "Empty leaves the copies where they come in",
            ),
            required=False,
        ),
    ),
)  # fmt: skip

"""What the sign-in and invitation pages say."""

from app import i18n

ERRORS = (
    "unsupported",
    "cancelled",
    "registered",
    "unknown",
    "refused",
    "challenge_expired",
    "used",
    "expired",
    "no_invitation",
    "closed",
    "too_many",
    "network",
)
"""What can go wrong in the browser; each has a sentence `account.error_…` that says what to do."""

i18n.add(
    {
        "account.sign_in": ("Aanmelden", "Sign in"),
        "account.sign_in_lead": (
            (
                "Meld je aan met de passkey van dit apparaat: vingerafdruk, gezicht of pincode."
                " Een wachtwoord is er niet."
            ),
            "Sign in with this device's passkey: fingerprint, face or PIN. There is no password.",
        ),
        "account.sign_in_button": ("Aanmelden met passkey", "Sign in with passkey"),
        "account.sign_in_field": ("Of kies je passkey hier", "Or choose your passkey here"),
        "account.signed_in_as": ("Je bent aangemeld als {name}.", "You are signed in as {name}."),
        "account.go_on": ("Naar de gesprekken", "To the conversations"),
        "account.no_passkey": (
            "Nog geen passkey op dit apparaat? Vraag je beheerder om een uitnodiging.",
            "No passkey on this device yet? Ask your administrator for an invitation.",
        ),
        "account.demo": ("Demonstratie", "Demonstration"),
        "account.demo_lead": (
            "Dit is een voorbeeld met verzonnen inwoners. Tik op een naam om mee te kijken.",
            "This is an example with made-up residents. Tap a name to look around.",
        ),
        "account.invite": ("Uitnodiging", "Invitation"),
        "account.welcome": ("Welkom, {name}", "Welcome, {name}"),
        "account.invite_lead": (
            (
                "Maak op dit apparaat een passkey. Daarmee meld je je aan met je vingerafdruk,"
                " gezicht of pincode."
            ),
            "Make a passkey on this device. You then sign in with your fingerprint, face or PIN.",
        ),
        "account.invite_once": (
            "Deze uitnodiging werkt één keer. Open hem op het apparaat waarop je werkt.",
            "This invitation works once. Open it on the device that you work on.",
        ),
        "account.invite_button": ("Passkey maken", "Make a passkey"),
        "account.not_possible": ("Deze uitnodiging werkt niet", "This invitation does not work"),
        "account.no_script": (
            "Aanmelden met een passkey kan alleen met JavaScript aan.",
            "Signing in with a passkey needs JavaScript.",
        ),
        "account.busy": (
            "Even geduld: volg de vraag van je apparaat.",
            "One moment: follow what your device asks.",
        ),
        "account.error_unsupported": (
            "Deze browser kan geen passkeys gebruiken. Werk de browser bij of neem een andere.",
            "This browser cannot use passkeys. Update it or take another one.",
        ),
        "account.error_cancelled": (
            "Het is afgebroken of duurde te lang. Probeer het nog een keer.",
            "It was cancelled or took too long. Try again.",
        ),
        "account.error_registered": (
            "Op dit apparaat staat je passkey al. Meld je ermee aan.",
            "Your passkey is on this device already. Sign in with it.",
        ),
        "account.error_unknown": (
            "Deze passkey is hier niet bekend. Vraag je beheerder om een uitnodiging.",
            "This passkey is not known here. Ask your administrator for an invitation.",
        ),
        "account.error_refused": (
            "De passkey kon niet worden gecontroleerd. Probeer het nog een keer.",
            "The passkey could not be checked. Try again.",
        ),
        "account.error_challenge_expired": (
            "Dat duurde te lang. Probeer het nog een keer.",
            "That took too long. Try again.",
        ),
        "account.error_used": (
            "Deze uitnodiging is al gebruikt. Meld je aan, of vraag een nieuwe.",
            "This invitation was used already. Sign in, or ask for a new one.",
        ),
        "account.error_expired": (
            "Deze uitnodiging is verlopen. Vraag je beheerder om een nieuwe.",
            "This invitation has expired. Ask your administrator for a new one.",
        ),
        "account.error_no_invitation": (
            "Deze uitnodiging bestaat niet. Vraag je beheerder om een nieuwe.",
            "This invitation does not exist. Ask your administrator for a new one.",
        ),
        "account.error_closed": (
            "Dit account is gesloten. Vraag je beheerder wat er is.",
            "This account is closed. Ask your administrator about it.",
        ),
        "account.error_too_many": (
            "Dat waren veel pogingen. Wacht een paar minuten.",
            "Those were many attempts. Wait a few minutes.",
        ),
        "account.error_network": (
            "Er is geen verbinding met de server. Probeer het nog een keer.",
            "The server cannot be reached. Try again.",
        ),
        "role.coordinator": ("stadsdeelcoördinator", "coordinator"),
        "role.webcare": ("webcare", "webcare"),
        "role.coach": ("coach", "coach"),
        "role.archivist": ("informatiebeheer", "archivist"),
        "role.assistant": ("assistent voor één avond", "assistant for one evening"),
        "role.manager": ("manager", "manager"),
        "role.admin": ("beheerder", "administrator"),
    }
)

"""Passkeys: what is asked of the browser, and the judgement of what it answers (WebAuthn level 3).

A challenge is a row: made for one ceremony, and used up by the first answer that names it, right or
wrong. The library is imported when somebody signs in: it takes 14 MB, and most days nobody does.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlmodel import Session, col, delete, select

from app.accounts.models import Challenge, Passkey, Person
from app.config import Settings
from app.errors import BadRequest, Conflict, SignedOut

CHALLENGE_MS = 10 * 60 * 1000
"""How long an answer is waited for; the sign-in page may lie open for a while."""

SIGN_IN = "sign-in"
REGISTER = "register"


def ask_to_register(
    session: Session, person: Person, settings: Settings, *, now_ms: int
) -> dict[str, Any]:
    """Return the options for `navigator.credentials.create()` as JSON, with a fresh challenge.

    The passkey is discoverable, so that signing in asks for no name. Passkeys that the person has
    are excluded: one phone never holds two.
    """
    from webauthn import generate_registration_options
    from webauthn.helpers import base64url_to_bytes, options_to_json_dict
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=_rp_id(settings),
        rp_name=f"Stoep {settings.municipality}",
        user_id=person.id.encode(),
        user_name=person.email or person.name,
        user_display_name=person.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(held))
            for held in session.exec(
                select(Passkey.credential_id).where(Passkey.person_id == person.id)
            )
        ],
    )
    _remember(session, options.challenge, REGISTER, person.id, now_ms)
    return options_to_json_dict(options)


def ask_to_sign_in(session: Session, settings: Settings, *, now_ms: int) -> dict[str, Any]:
    """Return the options for `navigator.credentials.get()` as JSON, with a fresh challenge."""
    from webauthn import generate_authentication_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=_rp_id(settings), user_verification=UserVerificationRequirement.PREFERRED
    )
    _remember(session, options.challenge, SIGN_IN, None, now_ms)
    return options_to_json_dict(options)


def _remember(
    session: Session, challenge: bytes, purpose: str, person_id: str | None, now_ms: int
) -> None:
    from webauthn.helpers import bytes_to_base64url

    session.exec(delete(Challenge).where(col(Challenge.expires_at_ms) <= now_ms))
    session.add(
        Challenge(
            value=bytes_to_base64url(challenge),
            purpose=purpose,
            person_id=person_id,
            expires_at_ms=now_ms + CHALLENGE_MS,
        )
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge of ours that an answer named; it is used up."""

    challenge: bytes
    person_id: str | None


def use_challenge(
    session: Session, credential: dict[str, Any], purpose: str, *, now_ms: int
) -> Asked:
    """Use up the challenge that this answer names.

    Commit this before the answer is judged: whoever fails must ask for a new challenge. Raises
    BadRequest for what is no answer, Conflict for a challenge that is not (or no longer) ours.
    """
    from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json

    try:
        said = base64url_to_bytes(credential["response"]["clientDataJSON"])
        challenge = parse_client_data_json(said).challenge
    except Exception as error:
        # The library raises whatever its parts raise on a malformed answer.
        raise BadRequest("This is not an answer of a passkey.", reason="malformed") from error
    used = session.execute(
        delete(Challenge)
        .where(col(Challenge.value) == bytes_to_base64url(challenge))
        .where(col(Challenge.purpose) == purpose)
        .where(col(Challenge.expires_at_ms) > now_ms)
        .returning(col(Challenge.person_id))
    ).one_or_none()
    if used is None:
        raise Conflict("That took too long. Try again.", reason="challenge_expired")
    return Asked(challenge, used[0])


def judge_registration(
    credential: dict[str, Any], asked: Asked, person_id: str, settings: Settings, *, now_ms: int
) -> Passkey:
    """Return the passkey that this answer proves, not yet stored; raises BadRequest for any other.

    Touches nothing: the caller stores it in the transaction that uses up the invitation.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url

    if asked.person_id != person_id:
        raise BadRequest("The passkey was made for another invitation.", reason="refused")
    try:
        proved = verify_registration_response(
            credential=credential,
            expected_challenge=asked.challenge,
            expected_rp_id=_rp_id(settings),
            expected_origin=settings.origin,
        )
    except Exception as error:
        raise BadRequest("The passkey could not be checked.", reason="refused") from error
    transports = credential["response"].get("transports")
    known = {"usb", "nfc", "ble", "internal", "cable", "hybrid", "smart-card"}
    return Passkey(
        credential_id=bytes_to_base64url(proved.credential_id),
        person_id=person_id,
        public_key=bytes_to_base64url(proved.credential_public_key),
        sign_count=proved.sign_count,
        transports=[t for t in transports if t in known] if isinstance(transports, list) else [],
        created_at_ms=now_ms,
    )


def keep(session: Session, passkey: Passkey) -> None:
    """Store a passkey; raises Conflict when it is registered already."""
    if session.get(Passkey, passkey.credential_id) is not None:
        raise Conflict("This passkey is registered already. Sign in with it.", reason="registered")
    session.add(passkey)


def judge_sign_in(
    session: Session, credential: dict[str, Any], asked: Asked, settings: Settings, *, now_ms: int
) -> Passkey:
    """Return the passkey that signed the challenge, with its counter moved on.

    Raises SignedOut for a passkey that is not known here or an answer that does not hold.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers import base64url_to_bytes

    passkey = session.get(Passkey, str(credential.get("id")))
    if passkey is None:
        raise SignedOut("This passkey is not known here.", reason="unknown")
    try:
        proved = verify_authentication_response(
            credential=credential,
            expected_challenge=asked.challenge,
            expected_rp_id=_rp_id(settings),
            expected_origin=settings.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
        )
        handle = credential["response"].get("userHandle")
        whose = base64url_to_bytes(handle).decode() if handle else passkey.person_id
    except Exception as error:
        raise _refused() from error
    if whose != passkey.person_id:
        raise _refused()
    passkey.sign_count = proved.new_sign_count
    passkey.used_at_ms = now_ms
    session.add(passkey)
    return passkey


def _refused() -> SignedOut:
    return SignedOut("The passkey could not be checked. Try again.", reason="refused")


def _rp_id(settings: Settings) -> str:
    return urlsplit(settings.origin).hostname or "localhost"

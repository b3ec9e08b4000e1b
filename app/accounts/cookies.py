"""The session's cookie: read from raw headers on the busiest path, and written at sign-in."""

from collections.abc import Iterable

from starlette.responses import Response

from app.config import Settings

NAME = "stoep_session"


def name(settings: Settings) -> str:
    """Return the cookie's name: over HTTPS with the prefix that ties it to its host."""
    return f"__Host-{NAME}" if settings.origin.startswith("https://") else NAME


def find(headers: Iterable[tuple[bytes, bytes]], cookie: bytes) -> str | None:
    """Return the value of `cookie` from ASGI headers, or None; of two the first counts."""
    for header, value in headers:
        if header == b"cookie":
            for pair in value.split(b";"):
                key, _, secret = pair.strip().partition(b"=")
                if key == cookie:
                    return secret.decode("latin-1")
    return None


def put(
    response: Response, settings: Settings, secret: str, *, max_age_s: int | None = None
) -> None:
    """Hand the browser its session's secret, for as long as a session lasts or shorter."""
    response.set_cookie(
        name(settings),
        secret,
        max_age=settings.session_days * 86_400 if max_age_s is None else max_age_s,
        path="/",
        secure=settings.origin.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def take(response: Response, settings: Settings) -> None:
    """Have the browser forget the secret."""
    response.delete_cookie(
        name(settings),
        path="/",
        secure=settings.origin.startswith("https://"),
        httponly=True,
        samesite="lax",
    )

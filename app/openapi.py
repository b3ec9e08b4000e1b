"""What routes declare alike: bodies in which nothing unknown may stand, and their refusals."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

Responses = dict[int | str, dict[str, Any]]

_USUAL = {
    400: "The request cannot be understood.",
    401: "Not signed in, or no longer.",
    403: "Signed in, but without the right; or sent by another site.",
    404: "Not there, or not yours to know of.",
    409: "Not possible in this state.",
    413: "The body is too large.",
    429: "Too many attempts; see `Retry-After`.",
}


class Strict(BaseModel):
    """A body in which nothing unknown may stand."""

    model_config = ConfigDict(extra="forbid")


def refusals(own: dict[int, str]) -> Callable[..., Responses]:
    """Return a function from statuses to `responses=`: problem+json (RFC 9457) in words.

    `own` says what a status means in this feature, where it is not what it usually means.
    """
    said = _USUAL | own

    def described(*statuses: int) -> Responses:
        content: dict[str, Any] = {"application/problem+json": {}}
        return {one: {"description": said[one], "content": content} for one in statuses}

    return described

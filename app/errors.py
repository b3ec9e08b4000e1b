"""The errors that Stoep itself raises, and how they are told (RFC 9457, problem+json).

StoepError
├── ConfigError            wrong configuration: one sentence, exit 2
└── Problem                an answer to a request; carries status and type
    ├── BadRequest         400  the request cannot be understood
    ├── SignedOut          401  no session, or one that has ended: the phone keeps its outbox
    ├── Revoked            401  this device was revoked: the phone clears itself
    ├── NotAllowed         403  signed in, but without the right
    ├── NotFound           404  not there, or not for this person to know of
    ├── Conflict           409  the state of the thing does not allow it
    ├── Gone               410  it was there and has been removed
    ├── TooLarge           413  more than is taken
    ├── Unsupported        415  a kind of content that is not taken
    ├── TooMany            429  asked too often; `retry_after_s` says when to come back
    └── Unavailable        503  not now
"""

from typing import Any, ClassVar


class StoepError(Exception):
    """Any error that Stoep raises on purpose."""


class ConfigError(StoepError):
    """The configuration is wrong; the message is one sentence for the person who wrote it."""


class Problem(StoepError):
    """An error that is told to whoever asked. `detail` never carries a resident's words."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "about:blank"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """Return the members of the problem+json object."""
        members: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            members["detail"] = self.detail
        return members | self.extra


class BadRequest(Problem):
    """The request cannot be understood."""

    status, type, title = 400, "/problems/bad-request", "The request cannot be understood"


class SignedOut(Problem):
    """There is no session, or it has ended."""

    status, type, title = 401, "/problems/signed-out", "Sign in again"


class Revoked(Problem):
    """This device's access was taken away; the phone clears what it holds."""

    status, type, title = 401, "/problems/revoked", "This device no longer has access"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail, **extra)
        # Not "cookies": that takes those of every site under the municipality's domain.
        self.headers["Clear-Site-Data"] = '"cache", "storage"'


class NotAllowed(Problem):
    """Signed in, but without the right to do this."""

    status, type, title = 403, "/problems/not-allowed", "Not allowed"


class NotFound(Problem):
    """It does not exist, or this person may not know that it does."""

    status, type, title = 404, "/problems/not-found", "Not found"


class Conflict(Problem):
    """The state of the thing does not allow it."""

    status, type, title = 409, "/problems/conflict", "Not possible in this state"


class Gone(Problem):
    """It was there and has been removed."""

    status, type, title = 410, "/problems/gone", "No longer there"


class TooLarge(Problem):
    """More than is taken."""

    status, type, title = 413, "/problems/too-large", "Too large"


class Unsupported(Problem):
    """A kind of content that is not taken."""

    status, type, title = 415, "/problems/unsupported", "This kind of file is not taken"


class TooMany(Problem):
    """Asked too often."""

    status, type, title = 429, "/problems/too-many", "Too many requests"

    def __init__(self, detail: str = "", *, retry_after_s: int = 60, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.headers["Retry-After"] = str(retry_after_s)


class Unavailable(Problem):
    """Not at this moment."""

    status, type, title = 503, "/problems/unavailable", "Not available now"

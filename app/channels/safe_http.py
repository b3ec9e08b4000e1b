"""Fetching from an address that somebody else chose: a feed, an avatar, a picture in a post.

Bounded on every side: only http and https, only public addresses (`safe_transport`), few redirects
that are each checked again, one limit of time for all of it, and one of size that also holds for
what comes out of a compressed body. No cookies, no password in an address, and the caller's headers
go to the origin that was asked for and to no other.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.channels.contract import Permanent, Temporary

if TYPE_CHECKING:
    import ssl

    import httpx

    from app.channels.safe_transport import Resolve

MAX_REDIRECTS = 3
MAX_URL_CHARS = 2_048
TIMEOUT_S = 15.0
MAX_RETRY_AFTER_S = 3_600.0
USER_AGENT = "Stoep/1.0"

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LATER = frozenset({408, 425, 500, 502, 503, 504})
GONE = frozenset({404, 410})

MAX_MEMBERS = 100
"""Of one gzip body. Half a million empty ones fit into ten megabytes, and hold up all else."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer in full: 200 to 299, or 304 without a body."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a header that came more than once, the values with commas."""
    body: bytes
    url: str
    """Where it was found, after redirects."""


async def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_s: float = TIMEOUT_S,
    accept: str = "",
    headers: Mapping[str, str] | None = None,
    private_hosts: Collection[str] = (),
    resolve: "Resolve | None" = None,
    tls: "ssl.SSLContext | None" = None,
) -> Fetched:
    """Fetch one address. `private_hosts` (`host` or `host:port`) may lie inside the own network.

    Raises Permanent for an address that is refused (`bad_link`, `private_address`), an answer that
    is too large (`site_too_large`) or not there (`page_gone`, `page_refused`), and Temporary for
    the rest (`site_unreachable`, `site_slow`, `site_busy`, `rate_limited`, …).
    """
    import httpx

    from app.channels import safe_transport

    transport = safe_transport.SafeTransport(
        private_hosts=private_hosts, resolve=resolve or safe_transport.resolve, tls=tls
    )
    own = {"user-agent": USER_AGENT, "accept-encoding": "gzip, deflate"}
    own |= {"accept": accept} if accept else {"accept": "*/*"}
    async with transport:
        try:
            async with asyncio.timeout(timeout_s):
                return await _follow(transport, url, own, headers or {}, max_bytes)
        except TimeoutError:
            raise Temporary("site_slow", f"over {timeout_s} s", account_wide=True) from None
        except httpx.HTTPError as error:
            raise safe_transport.as_channel_error(error) from None


async def _follow(
    transport: "httpx.AsyncBaseTransport",
    url: str,
    own: dict[str, str],
    theirs: Mapping[str, str],
    max_bytes: int,
) -> Fetched:
    import httpx

    first = here = checked_url(url)
    for _ in range(MAX_REDIRECTS + 1):
        at_home = _origin(here) == _origin(first)
        request = httpx.Request(
            "GET",
            here,
            headers=own | (dict(theirs) if at_home else {}),
            extensions={"timeout": {"connect": 10.0, "read": None, "write": 10.0, "pool": None}},
        )
        answer = await transport.handle_async_request(request)
        try:
            if answer.status_code not in REDIRECTS:
                _judge(answer.status_code, answer.headers)
                body = await read_bounded(answer, max_bytes)
                names = {name.lower(): value for name, value in answer.headers.items()}
                return Fetched(answer.status_code, names, body, here)
            here = checked_url(_joined(here, answer.headers.get("location", "")))
        finally:
            await answer.aclose()
    raise Permanent("too_many_redirects")


def checked_url(url: str) -> str:
    """Return an address as it will be fetched. Raises Permanent("bad_link") for any other kind."""
    import httpx

    if len(url) > MAX_URL_CHARS:
        raise Permanent("bad_link")
    try:
        parsed = httpx.URL(url.strip()).copy_with(fragment=None)
        # Its name is decoded here: one that means no letters ("xn--") is only noticed then.
        port, host = parsed.port, parsed.host
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Permanent("bad_link") from None
    fine = parsed.scheme in {"http", "https"} and host and not parsed.userinfo
    if not fine or (port is not None and not 0 < port < 65_536):
        raise Permanent("bad_link")
    return str(parsed)


def _joined(here: str, location: str) -> str:
    import httpx

    try:
        return str(httpx.URL(here).join(location)) if location else ""
    except (httpx.InvalidURL, ValueError):
        raise Permanent("bad_link") from None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _judge(status: int, headers: "httpx.Headers") -> None:
    if 200 <= status < 300 or status == 304:
        return
    told = f"status {status}"
    wait_s = retry_after_s(headers.get("retry-after", ""))
    if status == 429:
        raise Temporary("rate_limited", told, wait_s or 300.0, account_wide=True)
    if status in LATER or status > 504:
        raise Temporary("site_busy", told, wait_s or 120.0, account_wide=True)
    raise Permanent("page_gone" if status in GONE else "page_refused", told)


def retry_after_s(value: str, *, now_s: float | None = None) -> float | None:
    """Return the seconds of a Retry-After, at most an hour; None when it says nothing usable.

    A date (RFC 9110, section 10.2.3) counts only where the caller gives the time.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(float(value[:9]), MAX_RETRY_AFTER_S)
    if now_s is None or not value:
        return None
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - now_s
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


async def read_bounded(answer: "httpx.Response", max_bytes: int) -> bytes:
    """Return the body, never holding more than the limit and one chunk."""
    declared = answer.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and int(declared[:15]) > max_bytes:
        raise Permanent("site_too_large", "declared")
    coding = answer.headers.get("content-encoding", "").strip().lower()
    chunks = _bounded(answer.aiter_raw(), max_bytes)
    if coding in {"gzip", "x-gzip", "deflate"}:
        chunks = _bounded(_inflated(chunks, max_bytes), max_bytes)
    elif coding not in {"", "identity"}:
        raise Permanent("unreadable_there", "content-encoding")
    return b"".join([chunk async for chunk in chunks])


async def _bounded(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise Permanent("site_too_large")
        yield chunk


async def _inflated(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    """Decompress; each step gives at most one byte more than the limit, however small it came.

    A kilobyte can hold a megabyte, so the decompressor is told where to stop, not asked afterwards.
    """
    inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever the first bytes say
    state = "first"
    members = 1
    async for chunk in chunks:
        while chunk:
            if inflate.eof:  # gzip of several members after one another (RFC 1952, 2.2)
                inflate, state = zlib.decompressobj(wbits=47), "next"
                members += 1
                if members > MAX_MEMBERS:
                    raise Permanent("unreadable_there", "members")
            try:
                out = inflate.decompress(chunk, max_bytes + 1)
            except zlib.error:
                if state == "next":
                    return  # padding behind the last member: browsers pass over it too
                if state == "within":
                    raise Permanent("unreadable_there", "compression") from None
                # Some servers mean bare deflate by "deflate" (RFC 9110, 8.4.1.2, note).
                inflate, state = zlib.decompressobj(wbits=-15), "within"
                continue
            state = "within"
            yield out
            chunk = inflate.unconsumed_tail or inflate.unused_data
    if state != "first" and not inflate.eof:
        raise Temporary("site_unreachable", "cut while compressed", account_wide=True)

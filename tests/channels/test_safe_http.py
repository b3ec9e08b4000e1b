"""An address that somebody else chose leads nowhere inside, and costs no more than was agreed."""

import asyncio
import gzip
import ssl
import zlib
from pathlib import Path

import pytest

from app.channels.contract import Permanent, Temporary
from app.channels.safe_http import Fetched, fetch, retry_after_s
from app.channels.safe_transport import Resolve, is_public
from tests.peers.certificates import make_certificate
from tests.support.site import Answerer, Site, Visit, says, site

HERE = ("127.0.0.1",)


def names(**known: list[str]) -> Resolve:
    """A name server that knows these; `_` stands for a dot."""

    async def resolve(host: str, port: int) -> list[str]:
        if host.replace(".", "_") not in known:
            raise OSError
        return known[host.replace(".", "_")]

    return resolve


async def get(site: Site, path: str = "/", *, max_bytes: int = 10_000) -> Fetched:
    return await fetch(site.url(path), max_bytes=max_bytes, private_hosts=HERE)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1"),
        *("192.0.2.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1", "2002:7f00:1::"),
        *("2002:5db8:d822::", "2001:0:4136:e378::1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
        *("64:ff9b:1::5db8:d822", "2001:db8::1", "3fff::1", "5f00::1", "fec0::1", "geen"),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2a00:1450:400e::1", "64:ff9b::5db8:d822"])
def test_a_public_address_is_let_through(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:7f00:1]"]
)
async def test_no_spelling_of_this_machine_is_fetched(host: str) -> None:
    async with site(says(b"secret")) as here:
        with pytest.raises(Permanent, match="private_address"):
            await fetch(here.url(host=host), max_bytes=100)
        assert here.visits == []


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://example.nl/", "gopher://example.nl/", "//example.nl/", ""),
        *("http://", "http://name:secret@example.nl/", "http://example.nl:0/", "javascript:1"),
        "https://example.nl/" + "a" * 3_000,
        *("https://xn--/", "https://xn--a/", "https://xn--ls8h.la/a.png", "http://[::1"),
    ],
)
async def test_only_a_plain_web_address_is_fetched(url: str) -> None:
    with pytest.raises(Permanent, match="bad_link"):
        await fetch(url, max_bytes=100)


async def test_a_page_comes_with_its_headers_and_the_address_where_it_was() -> None:
    async with site(says(b"hallo", ETag='"1"', content_type="text/plain")) as here:
        got = await get(here, "/a?b=c#d")
        assert (got.status, got.body, got.url) == (200, b"hallo", here.url("/a?b=c"))
        assert got.headers["etag"] == '"1"'
        assert here.visits[0].path == "/a?b=c"
        assert "cookie" not in here.visits[0].headers


async def test_a_name_with_an_address_inside_is_refused_whole() -> None:
    async with site(says(b"secret")) as here:
        with pytest.raises(Permanent, match="private_address"):
            await fetch(
                here.url(host="buurt.example"),
                max_bytes=100,
                resolve=names(buurt_example=["93.184.216.34", "127.0.0.1"]),
            )
        assert here.visits == []


async def test_the_connection_goes_to_the_address_that_was_judged_under_the_name() -> None:
    asked: list[str] = []

    async def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    async with site(says(b"hallo")) as here:
        await fetch(
            here.url(host="buurt.example"),
            max_bytes=100,
            private_hosts=["buurt.example"],
            resolve=once,
        )
        assert asked == ["buurt.example"]
        assert here.visits[0].headers["host"] == f"buurt.example:{here.port}"


async def test_the_next_address_of_a_name_is_tried_when_the_first_is_dead() -> None:
    async with site(says(b"hallo")) as here:
        got = await fetch(
            here.url(host="buurt.example"),
            max_bytes=100,
            private_hosts=[f"buurt.example:{here.port}"],
            resolve=names(buurt_example=["127.0.0.2", "127.0.0.1"]),
        )
        assert got.body == b"hallo"


async def test_a_host_that_was_let_through_opens_no_other_port() -> None:
    async with site(says(b"hallo")) as here:
        with pytest.raises(Permanent, match="private_address"):
            await fetch(here.url(), max_bytes=100, private_hosts=[f"127.0.0.1:{here.port + 1}"])


async def test_a_certificate_is_held_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    trusted = make_certificate(tmp_path)
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(trusted, tmp_path / "server.key")
    seen: list[str | None] = []
    ours.sni_callback = lambda _socket, name, _context: seen.append(name)
    theirs = ssl.create_default_context(cafile=str(trusted))
    resolve = names(localhost=["127.0.0.1"], buurt_example=["127.0.0.1"])

    async def over_tls(host: str) -> Fetched:
        return await fetch(
            f"https://{host}:{here.port}/",
            max_bytes=100,
            private_hosts=[host],
            resolve=resolve,
            tls=theirs,
        )

    async with site(says(b"hallo"), ours) as here:
        assert (await over_tls("localhost")).body == b"hallo"
        with pytest.raises(Temporary, match="site_certificate_wrong"):
            await over_tls("buurt.example")
    assert seen == ["localhost", "buurt.example"]


def sends_on(location: str, status: str = "302 Found") -> Answerer:
    return says(status=status, Location=location)


@pytest.mark.parametrize("inside", ["http://127.0.0.2:{port}/", "http://[::1]:{port}/"])
async def test_a_redirect_to_the_inside_is_not_followed(inside: str) -> None:
    async with site(says(b"secret")) as hidden:
        async with site(sends_on(inside.format(port=hidden.port))) as here:
            with pytest.raises(Permanent, match="private_address"):
                await get(here)
        assert hidden.visits == []


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://a:b@127.0.0.1/", ""])
async def test_a_redirect_to_something_else_than_a_page_is_not_followed(to: str) -> None:
    async with site(sends_on(to)) as here:
        with pytest.raises(Permanent, match="bad_link"):
            await get(here)


async def test_three_redirects_are_followed_and_the_fourth_is_not() -> None:
    async def onward(visit: Visit, out: asyncio.StreamWriter) -> None:
        left = int(visit.path[1:])
        await (sends_on(f"/{left - 1}") if left else says(b"hier"))(visit, out)

    async with site(onward) as here:
        assert (await get(here, "/3")).url == here.url("/0")
        with pytest.raises(Permanent, match="too_many_redirects"):
            await get(here, "/4")


async def test_what_the_caller_sends_along_stays_with_the_site_that_was_asked() -> None:
    async with site(says(b"hallo")) as other, site(sends_on(other.url("/x"))) as here:
        await fetch(
            here.url(),
            max_bytes=100,
            headers={"Authorization": "Bearer geheim"},
            accept="text/html",
            private_hosts=HERE,
        )
        assert here.visits[0].headers["authorization"] == "Bearer geheim"
        assert "authorization" not in other.visits[0].headers
        assert other.visits[0].headers["accept"] == "text/html"


async def test_a_slow_drip_ends_at_the_agreed_time() -> None:
    async def drip(_visit: Visit, out: asyncio.StreamWriter) -> None:
        out.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            out.write(b".")
            await out.drain()
            await asyncio.sleep(0.02)

    begun = asyncio.get_running_loop().time()
    async with site(drip) as here:
        with pytest.raises(Temporary, match="site_slow"):
            await fetch(here.url(), max_bytes=100_000, timeout_s=0.4, private_hosts=HERE)
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_site_that_never_answers_ends_at_the_agreed_time() -> None:
    async def silent(_visit: Visit, _out: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with site(silent) as here:
        with pytest.raises(Temporary, match="site_slow"):
            await fetch(here.url(), max_bytes=100, timeout_s=0.3, private_hosts=HERE)


async def test_a_body_without_end_is_left_at_the_agreed_size() -> None:
    sent = 0

    async def endless(_visit: Visit, out: asyncio.StreamWriter) -> None:
        nonlocal sent
        out.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            out.write(b"x" * 10_000)
            sent += 10_000
            await out.drain()

    async with site(endless) as here:
        with pytest.raises(Permanent, match="site_too_large"):
            await get(here, max_bytes=50_000)
    assert sent < 20_000_000


async def test_a_body_that_says_it_is_too_large_is_not_begun() -> None:
    async with site(says(b"x" * 200)) as here:
        with pytest.raises(Permanent, match="declared"):
            await get(here, max_bytes=199)
        assert len((await get(here, max_bytes=200)).body) == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_comes_out_of_a_compressed_body_is_held_to_the_size_too(coding: str) -> None:
    squeeze = gzip.compress if coding == "gzip" else zlib.compress
    bomb = squeeze(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    async with site(says(bomb, content_encoding=coding)) as here:
        with pytest.raises(Permanent, match="site_too_large"):
            await get(here, max_bytes=60_000)


async def test_a_bomb_within_a_bomb_is_no_coding_that_we_take() -> None:
    twice = gzip.compress(gzip.compress(b"\0" * 1_000_000))
    async with site(says(twice, content_encoding="gzip, gzip")) as here:
        with pytest.raises(Permanent, match="unreadable_there"):
            await get(here)


async def test_a_body_of_countless_empty_parts_is_not_unpacked_one_by_one() -> None:
    # Nothing comes out of it, so no limit of size ends it; nothing else would run meanwhile.
    countless = gzip.compress(b"") * 20_000
    async with site(says(countless, content_encoding="gzip")) as here:
        with pytest.raises(Permanent, match="unreadable_there"):
            await get(here, max_bytes=len(countless))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hallo ") + gzip.compress(b"buurt")),
        ("gzip", gzip.compress(b"hallo buurt") + b"\0" * 9),
        ("deflate", zlib.compress(b"hallo buurt")),
        ("deflate", zlib.compress(b"hallo buurt", wbits=-15)),
    ],
    # A gzip holds the second it was made in: as a name it would differ between two test processes.
    ids=["gzip in parts", "gzip padded", "deflate", "deflate bare"],
)
async def test_compressed_pages_are_read_as_servers_write_them(coding: str, body: bytes) -> None:
    async with site(says(body, content_encoding=coding)) as here:
        assert (await get(here)).body == b"hallo buurt"


async def test_a_compressed_page_that_was_cut_is_not_taken_for_a_whole_one() -> None:
    async with site(says(gzip.compress(b"hallo buurt" * 99)[:-9], content_encoding="gzip")) as here:
        with pytest.raises(Temporary, match="cut"):
            await get(here)


async def test_a_page_that_was_cut_is_not_taken_for_a_whole_one() -> None:
    async def cut(_visit: Visit, out: asyncio.StreamWriter) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await out.drain()

    async with site(cut) as here:
        with pytest.raises(Temporary, match="site_unreachable"):
            await get(here)


async def test_nonsense_instead_of_an_answer_is_said_as_unreachable() -> None:
    async def nonsense(_visit: Visit, out: asyncio.StreamWriter) -> None:
        out.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await out.drain()

    async with site(nonsense) as here:
        with pytest.raises(Temporary, match="site_unreachable"):
            await get(here)


async def test_a_name_that_nobody_knows_is_said_as_unreachable() -> None:
    with pytest.raises(Temporary, match="site_unreachable"):
        await fetch("http://buurt.example/", max_bytes=100, resolve=names())


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("404 Not Found", Permanent, "page_gone"),
        ("410 Gone", Permanent, "page_gone"),
        ("403 Forbidden", Permanent, "page_refused"),
        ("401 Unauthorized", Permanent, "page_refused"),
        ("500 Internal Server Error", Temporary, "site_busy"),
        ("503 Service Unavailable", Temporary, "site_busy"),
    ],
)
async def test_a_refusal_says_whether_it_is_for_ever(
    status: str, error: type[Exception], code: str
) -> None:
    async with site(says(status=status)) as here:
        with pytest.raises(error, match=code):
            await get(here)


async def test_a_site_that_says_when_to_come_back_is_believed() -> None:
    async with site(says(status="429 Too Many Requests", Retry_After="77")) as here:
        with pytest.raises(Temporary, match="rate_limited") as caught:
            await get(here)
    assert caught.value.retry_after_s == 77


async def test_what_did_not_change_comes_without_a_body() -> None:
    async def unchanged(_visit: Visit, out: asyncio.StreamWriter) -> None:
        out.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        await out.drain()

    async with site(unchanged) as here:
        got = await get(here)
        assert (got.status, got.body) == (304, b"")


def test_a_time_to_come_back_is_read_in_both_forms_and_never_believed_beyond_an_hour() -> None:
    assert retry_after_s("120") == 120
    assert retry_after_s("999999999999") == 3_600
    assert retry_after_s("Thu, 01 Jan 1970 00:02:00 GMT", now_s=60) == 60
    assert retry_after_s("Thu, 01 Jan 1970 00:02:00 GMT", now_s=600) == 0
    assert retry_after_s("-5") is None
    assert retry_after_s("straks", now_s=0) is None

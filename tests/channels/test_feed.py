"""A neighbourhood's site is read along with: each item once, whatever its publisher does."""

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import Callable

import pytest

from app.channels.contract import Incoming, Permanent, Temporary
from app.channels.feed import Feed, build
from app.channels.feed_items import MAX_ITEMS, Item, read
from app.text.html import MAX_HTML_CHARS
from tests.support.site import Site, Visit, says, site

NOW_MS = 1_793_610_000_000


def rss(*items: str, head: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>Buurtkrant</title>{head}{''.join(items)}</channel></rss>"
    ).encode()


def item(title: str = "Feest", *, guid: str = "", link: str = "", more: str = "") -> str:
    named = f'<guid isPermaLink="false">{guid}</guid>' if guid else ""
    linked = f"<link>{link}</link>" if link else ""
    return f"<item><title>{title}</title>{named}{linked}{more}</item>"


class Publisher:
    """A site whose feed the test rewrites; counts what it was asked for."""

    def __init__(self) -> None:
        self.body = rss()
        self.etag = ""

    async def answer(self, visit: Visit, out: asyncio.StreamWriter) -> None:
        if self.etag and visit.headers.get("if-none-match") == self.etag:
            out.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            return
        tag = {"ETag": self.etag} if self.etag else {}
        await says(self.body, **tag)(visit, out)


def feed_of(here: Site, path: str = "/feed") -> Feed:
    config = {"url": here.url(path), "private_hosts": [f"127.0.0.1:{here.port}"]}
    return build(config, "", lambda: NOW_MS)


async def news(feed: Feed, cursor: str | None = None) -> tuple[list[Incoming], str | None]:
    batch = await feed.fetch(cursor)
    return [one for one in batch.items if isinstance(one, Incoming)], batch.cursor


async def after(first: bytes, second: bytes) -> list[Incoming]:
    """Return what a second visit brings."""
    publisher = Publisher()
    async with site(publisher.answer) as here:
        publisher.body = first
        _, cursor = await news(feed_of(here))
        publisher.body = second
        return (await news(feed_of(here), cursor))[0]


async def test_an_item_comes_with_who_when_where_and_what() -> None:
    more = (
        "<description>&lt;p&gt;Om &lt;b&gt;acht&lt;/b&gt; uur.&lt;/p&gt;"
        "&lt;script&gt;x()&lt;/script&gt;</description>"
        "<pubDate>Sun, 01 Nov 2026 09:00:00 GMT</pubDate>"
        '<enclosure url="/affiche.pdf" type="application/pdf" length="1"/>'
    )
    async with site(says(rss(item(guid="1", link="https://krant.example/1", more=more)))) as here:
        (got,), _ = await news(feed_of(here))
    assert (got.subject, got.sender_name, got.sender_kind) == (
        "Feest",
        "Buurtkrant",
        "organisation",
    )
    assert got.text == f"Om acht uur.\n\nhttp://127.0.0.1:{here.port}/affiche.pdf"
    assert (got.link, got.public, got.address) == ("https://krant.example/1", True, "")
    assert got.sent_at_ms == 1_793_523_600_000


async def test_atom_is_read_too_and_the_longest_text_is_taken() -> None:
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>School</title><entry><id>urn:a</id>'
        b"<title>Open dag</title><updated>2026-11-01T09:00:00Z</updated><summary>Kort</summary>"
        b'<content type="html">&lt;p&gt;Kom langs op zaterdag&lt;/p&gt;</content>'
        b'<link href="https://school.example/a"/></entry></feed>'
    )
    async with site(says(atom)) as here:
        (got,), _ = await news(feed_of(here))
    assert (got.text, got.link) == ("Kom langs op zaterdag", "https://school.example/a")


async def test_what_did_not_change_is_not_sent_again() -> None:
    publisher = Publisher()
    publisher.body, publisher.etag = rss(item(guid="1")), '"v1"'
    async with site(publisher.answer) as here:
        found, cursor = await news(feed_of(here))
        assert len(found) == 1
        assert await news(feed_of(here), cursor) == ([], cursor)
        assert here.visits[1].headers["if-none-match"] == '"v1"'


async def test_a_publisher_without_etags_says_nothing_new_twice() -> None:
    same = rss(item(guid="1"), item("Markt", guid="2"))
    assert await after(same, same) == []


async def test_an_item_whose_id_changes_at_every_visit_comes_once() -> None:
    link = "https://krant.example/1"
    first = rss(item(guid="123", link=link + "?utm_source=a"))
    assert await after(first, rss(item(guid="456", link=link + "?utm_source=b"))) == []


async def test_two_items_with_one_address_and_ids_of_their_own_are_two() -> None:
    link = "https://krant.example/live"
    (got,) = await after(
        rss(item("Om acht", guid="1", link=link)),
        rss(item("Om negen", guid="2", link=link), item("Om acht", guid="1", link=link)),
    )
    assert (got.subject, got.kind) == ("Om negen", "new")


async def test_an_item_without_an_id_is_known_by_its_address_and_without_that_by_its_words() -> (
    None
):
    first = rss(
        item(link="https://krant.example/1"), item("Markt", more="<description>a</description>")
    )
    assert await after(first, first) == []
    (got,) = await after(first, rss(item("Nieuw", more="<description>b</description>")))
    assert got.subject == "Nieuw"


async def test_what_its_publisher_changed_comes_as_an_edit_of_the_same_item() -> None:
    said = "<description>{}</description>"
    before = rss(item(guid="1", more=said.format("Om acht uur")))
    publisher = Publisher()
    async with site(publisher.answer) as here:
        publisher.body = before
        (first,), cursor = await news(feed_of(here))
        publisher.body = rss(item(guid="1", more=said.format("Om negen uur")))
        (edit,), cursor = await news(feed_of(here), cursor)
        assert (edit.kind, edit.external_id) == ("edit", first.external_id)
        assert edit.text == "Om negen uur"
        assert (await news(feed_of(here), cursor))[0] == []


async def test_items_come_oldest_first_and_no_more_than_the_newest() -> None:
    many = [
        item(
            str(n),
            guid=str(n),
            more=f"<pubDate>Sun, 01 Nov 2026 0{n // 60}:{n % 60:02}:00 GMT</pubDate>",
        )
        for n in range(MAX_ITEMS + 20)
    ]
    async with site(says(rss(*reversed(many)))) as here:
        found, _ = await news(feed_of(here))
    assert [one.subject for one in found] == [str(n) for n in range(20, MAX_ITEMS + 20)]


async def test_the_feed_that_a_page_names_is_read_and_remembered() -> None:
    page = b'<!doctype html><link rel="alternate" type="application/rss+xml" href="/nieuws.xml">'

    async def answer(visit: Visit, out: asyncio.StreamWriter) -> None:
        await says(rss(item(guid="1")) if visit.path == "/nieuws.xml" else page)(visit, out)

    async with site(answer) as here:
        found, cursor = await news(feed_of(here, "/"))
        assert len(found) == 1
        await news(feed_of(here, "/"), cursor)
        assert [visit.path for visit in here.visits] == ["/", "/nieuws.xml", "/nieuws.xml"]


@pytest.mark.parametrize("inside", ["http://127.0.0.2:9/feed", "http://169.254.169.254/latest"])
async def test_a_page_cannot_name_a_feed_inside(inside: str) -> None:
    page = f'<link rel="alternate" type="application/rss+xml" href="{inside}">'.encode()
    async with site(says(page)) as here:
        with pytest.raises(Permanent, match="private_address"):
            await feed_of(here).fetch(None)


@pytest.mark.parametrize("body", [b"", b"<!doctype html><p>Onderhoud", b"{}", b"\x00\xff" * 50])
async def test_what_is_no_feed_is_said_to_be_none(body: bytes) -> None:
    async with site(says(body)) as here:
        with pytest.raises(Permanent, match="not_a_feed"):
            await feed_of(here).fetch(None)


@pytest.mark.parametrize("cursor", ["", "onzin", "[]", '{"v":1}', '{"v":1,"seen":{"a":1}}', "1:2"])
async def test_a_cursor_that_nobody_knows_starts_over(cursor: str) -> None:
    async with site(says(rss(item(guid="1")))) as here:
        assert len((await news(feed_of(here), cursor))[0]) == 1


async def test_the_cursor_stays_small_however_long_a_feed_is_followed() -> None:
    publisher = Publisher()
    cursor: str | None = None
    async with site(publisher.answer) as here:
        for turn in range(12):
            publisher.body = rss(*(item(f"{turn}-{n}", guid=f"{turn}-{n}") for n in range(100)))
            found, cursor = await news(feed_of(here), cursor)
            assert len(found) == 100
    assert cursor is not None
    assert len(cursor) < 100_000
    assert json.loads(cursor)["v"] == 1


HOSTILE: dict[str, Callable[[], bytes]] = {
    "entities": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
        + b"]>"
        + rss(item("&j;", guid="1"))[38:]
    ),
    "file": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        + rss(item("&x;", guid="1"))[38:]
    ),
    "deep": lambda: rss(
        item(guid="1", more="<description>" + "&lt;div&gt;" * 40_000 + "</description>")
    ),
    "unclosed": lambda: b"<rss><channel>" + b"<item><title>a" * 40_000,
    "long": lambda: rss(item("x" * 900_000, guid="y" * 900_000)),
    "comment": lambda: rss("<!--" * 100_000, item(guid="1")),
    "open": lambda: b"<rss><channel>" + b"<a>" * 900_000,
    "no end": lambda: b"<rss><channel>" + b"<" * 2_900_000,
}


def test_tags_in_a_text_are_no_tags_of_the_feed() -> None:
    told = "<description><![CDATA[" + "<b>x</b>" * 60_000 + "]]></description>"
    (found,) = read(rss(item(guid="1", more=told)), "https://krant.example/feed", NOW_MS)
    assert found.text.startswith("x")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_feed_costs_little_and_brings_no_more_than_text(kind: str) -> None:
    items: list[Item] = []
    began = time.process_time()
    with contextlib.suppress(Permanent):
        items = read(HOSTILE[kind](), "https://krant.example/feed", NOW_MS)
    assert time.process_time() - began < 8
    told = "".join(one.title + one.text + one.author for one in items)
    assert "root:" not in told
    assert all(len(one.title) <= 300 for one in items)
    assert all(len(one.text) <= 10_000 for one in items)
    assert len(items) <= MAX_ITEMS
    assert len(told) < MAX_HTML_CHARS


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "http://[", "//", ""])
def test_a_link_that_is_none_is_left_out(link: str) -> None:
    (one,) = read(rss(item(guid="1", link=link)), "https://krant.example/feed", NOW_MS)
    assert one.link in {"", "https://krant.example/feed"}


def test_a_date_in_the_future_or_none_at_all_is_now() -> None:
    later = item(guid="1", more="<pubDate>Fri, 01 Jan 2100 00:00:00 GMT</pubDate>")
    never = item("Markt", guid="2", more="<pubDate>morgen</pubDate>")
    found = read(rss(later, never), "https://krant.example/feed", NOW_MS)
    assert [one.published_ms for one in found] == [NOW_MS, NOW_MS]


async def test_a_feed_larger_than_agreed_is_refused_also_when_it_is_squeezed() -> None:
    bomb = gzip.compress(rss(item("x" * 4_000_000, guid="1")))
    async with site(says(bomb, content_encoding="gzip")) as here:
        with pytest.raises(Permanent, match="site_too_large"):
            await feed_of(here).fetch(None)


async def test_a_site_that_cannot_cope_is_visited_later() -> None:
    async with site(says(status="503 Service Unavailable", Retry_After="600")) as here:
        with pytest.raises(Temporary, match="site_busy") as caught:
            await feed_of(here).check()
    assert caught.value.retry_after_s == 600


@pytest.mark.parametrize(
    "url", ["", "buurtkrant.example", "file:///etc/passwd", "ftp://a.example/"]
)
def test_settings_without_an_address_that_can_be_fetched_are_refused(url: str) -> None:
    with pytest.raises(Permanent, match="bad_config"):
        build({"url": url}, "", lambda: NOW_MS)

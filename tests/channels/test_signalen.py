"""Signalen's public map is read along with: what is open in the area, each once."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.channels import signalen
from app.channels.contract import Incoming, Permanent, Temporary
from app.channels.signalen import MAX_ITEMS, OpenReports, build
from tests.peers.signalen import SignalenPeer
from tests.support.site import Site, says, site

NOW_MS = 1_793_610_000_000
HOUR_MS = 3_600_000
BOX = "53.22, 6.52, 53.25, 6.56"

Service = tuple[SignalenPeer, Site]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    peer = SignalenPeer()
    async with site(peer.answer) as here:
        yield peer, here


def reader(here: Site, now_ms: int = NOW_MS, **changes: Any) -> OpenReports:
    hosts = [f"127.0.0.1:{here.port}"]
    config = {"url": here.url(""), "box": BOX, "private_hosts": hosts, **changes}
    return build(config, "", lambda: now_ms)


async def news(reports: OpenReports, cursor: str | None = None) -> tuple[list[Incoming], str]:
    batch = await reports.fetch(cursor)
    return [item for item in batch.items if isinstance(item, Incoming)], str(batch.cursor)


async def test_a_report_comes_with_what_it_is_about_where_and_since_when(service: Service) -> None:
    peer, here = service
    peer.reports("Container is vol", at_ms=NOW_MS - HOUR_MS, text="Dit staat niet op de kaart")
    ((item,), _) = await news(reader(here))
    assert (item.subject, item.text) == ("Container is vol", "Afval\n53.23000, 6.54000")
    assert item.sent_at_ms == NOW_MS - HOUR_MS
    assert (item.address, item.public, item.link) == ("", True, "")
    assert peer.asked == [{"bbox": ["6.52,53.22,6.56,53.25"], "geopage": ["1"]}]


async def test_each_comes_once_and_again_when_it_is_about_something_else(service: Service) -> None:
    peer, here = service
    first = peer.reports("Overig", at_ms=NOW_MS - HOUR_MS)
    ((item,), cursor) = await news(reader(here))
    assert (await news(reader(here), cursor))[0] == []
    first.category = "Lantaarnpaal stuk"
    peer.reports("Overig", at_ms=NOW_MS - 2 * HOUR_MS)
    found, cursor = await news(reader(here), cursor)
    assert [(one.subject, one.kind) for one in found] == [
        ("Overig", "new"),
        ("Lantaarnpaal stuk", "edit"),
    ]
    assert found[1].external_id == item.external_id
    assert (await news(reader(here), cursor))[0] == []


async def test_what_is_open_no_more_goes_when_it_was_missed_twice(service: Service) -> None:
    peer, here = service
    first = peer.reports("Container is vol", at_ms=NOW_MS - HOUR_MS)
    ((item,), cursor) = await news(reader(here))
    first.state = "o"
    found, cursor = await news(reader(here), cursor)
    assert found == []
    # The map was being made anew: nothing had happened.
    first.state = "m"
    found, cursor = await news(reader(here), cursor)
    assert found == []
    first.state = "o"
    _, cursor = await news(reader(here), cursor)
    ((gone,), cursor) = await news(reader(here), cursor)
    assert (gone.kind, gone.external_id) == ("delete", item.external_id)
    assert (await news(reader(here), cursor))[0] == []


async def test_only_what_is_in_the_area_on_the_map_and_not_old_is_taken(service: Service) -> None:
    peer, here = service
    peer.reports("Elders", at_ms=NOW_MS - HOUR_MS, lat=52.0)
    peer.reports("Oud", at_ms=NOW_MS - 8 * 24 * HOUR_MS)
    peer.reports("Besloten", at_ms=NOW_MS - HOUR_MS, is_public=False)
    peer.reports("Afgehandeld", at_ms=NOW_MS - HOUR_MS, state="o")
    assert (await news(reader(here)))[0] == []


async def test_an_area_of_several_pages_is_read_whole_and_nobody_leads_us_elsewhere(
    service: Service,
) -> None:
    peer, here = service
    peer.page_size = 2
    for number in range(5):
        peer.reports(f"Melding {number}", at_ms=NOW_MS - HOUR_MS + number, lon=6.53 + number / 1000)
    found, _ = await news(reader(here))
    assert [item.subject for item in found] == [f"Melding {number}" for number in range(5)]
    assert [query["geopage"] for query in peer.asked] == [["1"], ["2"], ["3"]]


async def test_many_come_a_bounded_number_at_a_time_and_none_is_left_out_or_called_gone(
    service: Service,
) -> None:
    peer, here = service
    for number in range(MAX_ITEMS + 30):
        peer.reports(str(number), at_ms=NOW_MS - HOUR_MS + number)
    seen: list[str] = []
    cursor, more = None, True
    while more:
        batch = await reader(here).fetch(cursor)
        assert len(batch.items) <= MAX_ITEMS
        assert {item.kind for item in batch.items if isinstance(item, Incoming)} == {"new"}
        seen += [item.subject for item in batch.items if isinstance(item, Incoming)]
        cursor, more = batch.cursor, batch.more
    assert sorted(seen) == sorted(one.category for one in peer.signals)
    assert (await news(reader(here), cursor))[0] == []


async def test_an_area_that_is_too_large_is_said_to_be(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, here = service
    peer.page_size = 1
    for number in range(signalen.MAX_PAGES + 1):
        peer.reports(str(number), at_ms=NOW_MS - HOUR_MS + number)
    with pytest.raises(Permanent, match="area_too_large"):
        await reader(here).check()
    peer.page_size = 4_000
    await reader(here).check()
    monkeypatch.setattr(signalen, "MAX_SEEN", 3)
    with pytest.raises(Permanent, match="area_too_large"):
        await reader(here).check()


async def test_what_is_kept_of_a_month_ago_is_forgotten_and_does_not_come_again(
    service: Service,
) -> None:
    peer, here = service
    peer.reports("Container is vol", at_ms=NOW_MS - HOUR_MS)
    _, cursor = await news(reader(here))
    later = reader(here, NOW_MS + 31 * 24 * HOUR_MS)
    found, cursor = await news(later, cursor)
    assert (found, json.loads(cursor)["seen"]) == ([], {})
    assert (await news(later, cursor))[0] == []


POINT = {"type": "Point", "coordinates": [6.54, 53.23]}


@pytest.mark.parametrize(
    "said",
    [
        {}, [], "x", None, {"features": 7}, {"features": [1]}, {"features": [{}]},
        {"features": [{"geometry": None, "properties": {}}]},
        {"features": [{"geometry": {"coordinates": [6.54]}, "properties": {"created_at": "x"}}]},
        {"features": [{"geometry": {"coordinates": ["a", "b"]}, "properties": {"created_at": ""}}]},
        {"features": [{"geometry": POINT, "properties": {"created_at": 7}}]},
        {"features": [{"geometry": POINT, "properties": {"created_at": "2026-13-01"}}]},
        {"features": [{"geometry": {"coordinates": [float("nan"), float("inf")]},
                       "properties": {"created_at": "2026-11-01T00:00:00+00:00"}}]},
        {"features": [{"geometry": POINT, "properties":
                       {"created_at": "2026-10-28T00:00:00+00:00", "category": "x"}}]},
    ],
)  # fmt: skip
async def test_an_answer_of_another_shape_breaks_nothing(said: object) -> None:
    async with site(says(json.dumps(said).encode())) as here:
        try:
            found, _ = await news(reader(here))
        except Temporary as error:
            assert error.code == "unreadable_there"  # noqa: PT017
        else:
            assert found == []


@pytest.mark.parametrize("box", ["", "x", "1,2,3", "5,1,4,2", "100,0,101,1", "nan,1,2,3"])
def test_settings_that_make_no_sense_are_refused(box: str) -> None:
    with pytest.raises(Permanent, match="bad_config"):
        build({"url": "https://api.meldingen.example", "box": box}, "", lambda: NOW_MS)
    with pytest.raises(Permanent, match="bad_config"):
        build({"url": "meldingen.example", "box": BOX}, "", lambda: NOW_MS)


def test_it_is_a_source_and_nothing_can_be_sent_there() -> None:
    adapter = build({"url": "https://api.meldingen.example", "box": BOX}, "", lambda: NOW_MS)
    assert adapter.capabilities.max_chars == 0
    assert adapter.new_external_id("d1") == "d1"

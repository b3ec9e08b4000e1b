"""Reports on public space are read along with: each once, and again when it changed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.channels.contract import Incoming, Permanent, Temporary
from app.channels.open311 import MAX_ITEMS, MAX_SEEN, Reports, build
from tests.peers.open311 import Open311Peer
from tests.support.site import Site, says, site

NOW_MS = 1_793_610_000_000
HOUR_MS = 3_600_000


@pytest.fixture
async def service() -> AsyncIterator[tuple[Open311Peer, Site]]:
    peer = Open311Peer()
    async with site(peer.answer) as here:
        yield peer, here


def reader(here: Site, **changes: Any) -> Reports:
    config = {"url": here.url(""), "private_hosts": [f"127.0.0.1:{here.port}"], **changes}
    return build(config, "", lambda: NOW_MS)


async def news(reports: Reports, cursor: str | None = None) -> tuple[list[Incoming], str | None]:
    batch = await reports.fetch(cursor)
    return [item for item in batch.items if isinstance(item, Incoming)], batch.cursor


async def test_a_report_comes_with_what_where_and_when(service: tuple[Open311Peer, Site]) -> None:
    peer, here = service
    peer.reports(
        "Container vol", at_ms=NOW_MS - HOUR_MS, address="Zonnelaan 1",
        media_url="https://meldingen.example/1.jpg",
    )  # fmt: skip
    ((item,), _) = await news(reader(here))
    assert (item.external_id, item.subject) == ("SIG-1", "Afval")
    assert item.text == "Container vol\nZonnelaan 1\n(open)"
    assert item.sent_at_ms == NOW_MS - HOUR_MS
    assert (item.address, item.public) == ("", True)
    assert item.link == "https://meldingen.example/1.jpg"


async def test_what_is_known_comes_again_only_when_it_changed(
    service: tuple[Open311Peer, Site],
) -> None:
    peer, here = service
    number = peer.reports("Container vol", at_ms=NOW_MS - HOUR_MS)
    _, cursor = await news(reader(here))
    assert (await news(reader(here), cursor))[0] == []
    peer.requests[number]["status"] = "closed"
    late = peer.reports("Lamp stuk", at_ms=NOW_MS - 20 * HOUR_MS)
    found, cursor = await news(reader(here), cursor)
    assert [(item.external_id, item.kind) for item in found] == [(late, "new"), (number, "edit")]
    assert found[1].text.endswith("(gesloten)")
    assert (await news(reader(here), cursor))[0] == []


async def test_only_reports_within_the_box_are_taken(service: tuple[Open311Peer, Site]) -> None:
    peer, here = service
    peer.reports("Hier", at_ms=NOW_MS - HOUR_MS)
    peer.reports("Elders", at_ms=NOW_MS - HOUR_MS, lat=52.0)
    peer.reports("Nergens", at_ms=NOW_MS - HOUR_MS, lat=None)
    found, _ = await news(reader(here, box="53.22, 6.52, 53.25, 6.56"))
    assert [item.text for item in found] == ["Hier\n(open)"]


async def test_many_reports_come_a_bounded_number_at_a_time_and_none_is_left_out(
    service: tuple[Open311Peer, Site],
) -> None:
    peer, here = service
    for number in range(MAX_ITEMS + 50):
        peer.reports(str(number), at_ms=NOW_MS - HOUR_MS + number * 1_000)
    reports, cursor = reader(here), None
    seen: list[str] = []
    more = True
    while more:
        batch = await reports.fetch(cursor)
        assert len(batch.items) <= MAX_ITEMS
        seen += [item.external_id for item in batch.items if isinstance(item, Incoming)]
        cursor, more = batch.cursor, batch.more
    assert sorted(seen) == sorted(peer.requests)


async def test_a_service_that_gives_more_than_the_specification_says_is_read_to_its_end(
    service: tuple[Open311Peer, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, here = service
    monkeypatch.setattr("tests.peers.open311.MOST", 10_000)
    for number in range(MAX_SEEN + 3 * MAX_ITEMS):
        peer.reports(str(number), at_ms=NOW_MS - HOUR_MS + number)
    reports, cursor = reader(here), None
    seen: list[str] = []
    for _ in range(MAX_SEEN // MAX_ITEMS + 4):
        batch = await reports.fetch(cursor)
        seen += [item.external_id for item in batch.items if isinstance(item, Incoming)]
        cursor = batch.cursor
    assert not batch.more
    assert sorted(seen) == sorted(peer.requests)


async def test_the_jurisdiction_is_said_when_it_is_set(service: tuple[Open311Peer, Site]) -> None:
    peer, here = service
    peer.jurisdiction = "voorbeeldstad.example"
    await reader(here, jurisdiction_id="voorbeeldstad.example").check()
    with pytest.raises(Permanent, match="page_gone"):
        await reader(here).check()


@pytest.mark.parametrize(
    "said", [{}, {"a": 1}, [1], "x", None, [{"service_request_id": "1", "requested_datetime": 7}]]
)
async def test_an_answer_of_another_shape_breaks_nothing(said: object) -> None:
    async with site(says(json.dumps(said).encode())) as here:
        try:
            found, _ = await news(reader(here))
        except Temporary as error:
            assert error.code == "unreadable_there"  # noqa: PT017
        else:
            assert all(item.sent_at_ms == NOW_MS for item in found)


@pytest.mark.parametrize("box", ["x", "1,2,3", "5,1,4,2", "100,0,101,1", "1,2,3,4,5"])
def test_settings_that_make_no_sense_are_refused(box: str) -> None:
    with pytest.raises(Permanent, match="bad_config"):
        build({"url": "https://meldingen.example", "box": box}, "", lambda: NOW_MS)
    with pytest.raises(Permanent, match="bad_config"):
        build({"url": "meldingen.example"}, "", lambda: NOW_MS)

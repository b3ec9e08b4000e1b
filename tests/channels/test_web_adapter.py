"""The web form under the channel contract: sent is being there, once."""

import pytest

from app.channels import registry
from app.channels.contract import Adapter, Outgoing, OutgoingAttachment, Permanent, Sender
from app.channels.models import Account
from app.channels.web import MAX_CHARS, MAX_PHOTOS, WebPage

NOW_MS = 1_793_610_000_000


@pytest.fixture
def page() -> WebPage:
    """The adapter, as the registry makes it."""
    made = registry.adapter_of(
        Account(id="web", kind="web", name="w", team_id="t"), "", lambda: NOW_MS
    )
    assert isinstance(made, WebPage)
    return made


def reply(text: str = "We komen.", photos: int = 0) -> Outgoing:
    files = tuple(OutgoingAttachment("a.jpg", "image/jpeg", b"") for _ in range(photos))
    return Outgoing("d1", "d1", "page", "", text, NOW_MS, attachments=files)


async def test_it_plays_its_part_in_the_contract(page: WebPage) -> None:
    assert isinstance(page, Adapter)
    assert isinstance(page, Sender)
    assert page.new_external_id("d1") == "d1"
    assert not page.capabilities.public
    await page.check()
    await page.close()


async def test_a_reply_sent_twice_is_the_same_reply(page: WebPage) -> None:
    first, again, found = (
        await page.send(reply()),
        await page.send(reply()),
        await page.find(reply()),
    )
    assert first == again == found
    assert (first.external_id, first.state, first.at_ms) == ("d1", "sent", NOW_MS)


async def test_the_longest_reply_fits_and_one_more_character_is_refused(page: WebPage) -> None:
    assert (await page.send(reply("x" * MAX_CHARS, MAX_PHOTOS))).state == "sent"
    for too_much in (reply("x" * (MAX_CHARS + 1)), reply(photos=MAX_PHOTOS + 1)):
        with pytest.raises(Permanent):
            await page.send(too_much)
        assert await page.find(too_much) is None

"""The municipality's own colours are there without a network as well."""

from collections.abc import Callable

from tests.peers.mail import until
from tests.support.browser import Office, Phone

COLOUR = "getComputedStyle(document.documentElement).getPropertyValue('--proef').trim()"


def test_the_house_style_is_there_after_a_cold_start_without_a_network(
    new_phone: Callable[[], Phone], office: Office
) -> None:
    (office.server.data_dir / "theme.css").write_text(":root { --proef: teal; }")
    anna = new_phone()
    anna.signs_in(anna.start())
    anna.kill()
    office.line.goes_down()
    struck = office.line.did["refuse"]
    page = anna.start()
    page.goto(anna.url("/"))
    until(lambda: page.evaluate(COLOUR) == "teal")
    until(lambda: office.line.did["refuse"] > struck)

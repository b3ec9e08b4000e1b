"""Background Sync: the worker sends what waits when no page is open.

Source: Chrome DevTools Protocol, domain ServiceWorker (read November 2026).
"""

from typing import Any

from tests.peers.mail import until
from tests.support.browser import Office, Phone

TEXT = "De put wordt vanmiddag gereinigd."
TAGS = """
navigator.serviceWorker.ready.then(({ sync }) => sync.getTags())
  .then((tags) => tags.includes('stoep-outbox'))
"""


def test_the_worker_sends_when_no_page_is_open(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    other = anna.context.new_page()
    found: list[str] = []

    def told(event: dict[str, Any]) -> None:
        found.extend(one["registrationId"] for one in event["registrations"])

    browser = anna.context.new_cdp_session(other)
    browser.on("ServiceWorker.workerRegistrationUpdated", told)
    browser.send("ServiceWorker.enable")
    office.line.goes_down()
    anna.replies(page, question, TEXT)
    until(lambda: office.line.did["refuse"])
    # What the browser would wake the worker for is really registered.
    until(lambda: page.evaluate(TAGS))
    page.close()
    assert [each.url for each in anna.context.pages] == ["about:blank"]
    assert office.times_said(TEXT) == 0

    office.line.comes_back()
    until(lambda: found or other.evaluate("0"))
    said = {"origin": office.line.url, "registrationId": found[-1], "tag": "stoep-outbox"}
    browser.send("ServiceWorker.dispatchSyncEvent", said | {"lastChance": False})
    office.waits_for(TEXT)
    assert [each.url for each in anna.context.pages] == ["about:blank"]
    assert office.times_said(TEXT) == 1

"""A cold start begins with a picture of the last screen; what meets the picture is not lost."""

import json

from playwright.sync_api import Page, expect

from tests.peers.mail import until
from tests.support.browser import Office, Phone

KEPT = "Beste Noor, wij komen kijken."
TYPED = "Tot morgen!"

# Types as soon as the picture has a field: before the app is there.
EARLY = """
new MutationObserver((_, watching) => {
  const field = document.querySelector('#composer-text');
  if (!field) return;
  watching.disconnect();
  const app = document.querySelector('#app');
  globalThis.inPicture = app['_$litPart$'] === undefined;
  field.focus();
  field.value = %s;
}).observe(document, { childList: true, subtree: true });
"""


def has_a_picture(page: Page, path: str) -> None:
    """Wait until the worker could answer with this screen."""
    kept = f"caches.match({json.dumps(path)}, {{ cacheName: 'stoep-snapshots' }}).then(Boolean)"
    until(lambda: page.evaluate(kept))


def starts_again_typing(anna: Phone, path: str) -> Page:
    """End the browser, start it, and type into what is shown first."""
    anna.kill()
    page = anna.start()
    page.add_init_script(EARLY % json.dumps(TYPED))
    page.goto(anna.url(path))
    expect(page.locator("#composer-text")).to_be_enabled()
    # The page's own rules keep Playwright from asking again and again by itself.
    until(lambda: page.evaluate("Boolean(document.querySelector('#app')['_$litPart$'])"))
    assert page.evaluate("inPicture")
    return page


def test_what_is_typed_into_the_picture_goes_behind_the_draft_that_was_kept(
    anna: Phone, office: Office
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    anna.writes(page, KEPT)
    anna.kept(page, KEPT)
    has_a_picture(page, f"/c/{question}")
    office.line.goes_down()

    page = starts_again_typing(anna, f"/c/{question}")

    both = f"{KEPT}\n\n{TYPED}"
    until(lambda: page.locator("#composer-text").input_value() == both)
    expect(page.locator("#composer-text")).to_be_focused()
    anna.kept(page, both)
    assert anna.complaints == []


def test_what_is_typed_into_the_picture_of_a_note_is_no_reply(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    page.locator(".composer").get_by_role("button", name="Notitie").click()
    expect(page.locator(".composer.note")).to_be_visible()
    has_a_picture(page, f"/c/{question}")
    picture = f"caches.match('/c/{question}').then((page) => page.text())"
    until(lambda: 'class="composer note"' in page.evaluate(picture))
    office.line.goes_down()

    page = starts_again_typing(anna, f"/c/{question}")

    expect(page.locator(".composer.note #composer-text")).to_have_value(TYPED)
    assert office.times_said(TYPED) == 0

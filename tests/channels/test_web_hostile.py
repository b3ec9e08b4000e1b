"""Whatever is sent to the resident's doors, there is an answer and never a 500."""

from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.neighbourhood import PATIENCE_S, Neighbourhood
from tests.support.town import PADDEPOEL

FORM = f"/w/{PADDEPOEL}"
FIELDS = ("question", "name", "email", "place", "stamp", "website", "photo", "lang", "x")

KINDS = st.sampled_from(
    [
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=x; charset=utf-99",
        "multipart/form-data; boundary=",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/json",
        "text/plain; charset=nonsense",
    ]
)
PATTERNS = st.sampled_from(
    ["/w/{}", "/v/{}", "/v/{}/photo/x", "/v/{}/version", "/w?lang={}", "/static/{}"]
)

text = st.text(st.characters(codec="utf-8"), max_size=80)
odd = st.sampled_from(
    ["\x00", "\ufeff", "\u202e", "\u2028", "'; DROP TABLE message; --", "{{ 7*7 }}", "a" * 9000]
)
fields = st.dictionaries(st.sampled_from(FIELDS), text | odd, max_size=6)
photos = st.none() | st.tuples(text, st.binary(max_size=200), text)
slow = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_told(answer: httpx.Response) -> None:
    assert answer.status_code < 500
    assert answer.status_code == 303 or answer.headers["Content-Type"].startswith("text/html")


@given(fields, photos)
@slow
async def test_no_form_breaks_the_server(
    neighbourhood: Neighbourhood, typed: dict[str, str], photo: tuple[str, bytes, str] | None
) -> None:
    neighbourhood.clock.forward(s=600)
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    name, content, media_type = photo or ("", b"", "")
    said = "".join(c for c in media_type if c.isascii() and c.isprintable())
    answer = await neighbourhood.resident.send(form, {"photo": (name, content, said)}, **typed)
    assert_told(answer)
    if answer.status_code == 303:
        shown = await neighbourhood.resident.get(answer.headers["location"])
        assert shown.status_code == 200


@given(st.binary(max_size=600), KINDS)
@slow
async def test_no_body_breaks_the_server(
    neighbourhood: Neighbourhood, body: bytes, kind: str
) -> None:
    neighbourhood.clock.forward(s=600)
    page = await neighbourhood.asks()
    for path in (FORM, f"{page}/messages", f"{page}/rating"):
        head = b'--x\r\nContent-Disposition: form-data; name="question"\r\n\r\n'
        framed = head + body + b"\r\n--x--\r\n"
        for content in (body, framed):
            answer = await neighbourhood.resident.http.post(
                path, content=content, headers={"Content-Type": kind}
            )
            assert_told(answer)


@given(text, PATTERNS)
@slow
async def test_no_address_breaks_the_server(
    neighbourhood: Neighbourhood, said: str, pattern: str
) -> None:
    answer = await neighbourhood.resident.get(pattern.format(quote(said, safe="")))
    assert answer.status_code < 500


async def test_what_a_resident_writes_is_not_in_the_log(
    neighbourhood: Neighbourhood, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    page = await neighbourhood.asks(question="Geheim-vraag", email="geheim@voorbeeld.example")
    await neighbourhood.resident.get(page)
    await neighbourhood.resident.http.post(f"{page}/deletion")
    secret = page.removeprefix("/v/")
    for record in caplog.records:
        if record.name.startswith(("app", "stoep")):
            assert "geheim" not in record.getMessage().lower()
            assert secret not in record.getMessage()

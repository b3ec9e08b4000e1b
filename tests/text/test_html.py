"""HTML mail as text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.html import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Een</p><p>Twee</p>", "Een\n\nTwee"),
        ("Een<br>Twee<br><br>Drie", "Een\nTwee\n\nDrie"),
        ("<div>Een</div><div>Twee</div>", "Een\nTwee"),
        ("<ul><li>Een<li>Twee</ul>", "- Een\n- Twee"),
        ("veel    witruimte\n  hier", "veel witruimte hier"),
        ("&lt;b&gt; &amp; &euro; &nbsp;", "<b> & €"),
        ('<a href="https://x.nl/a">de kaart</a>', "de kaart (https://x.nl/a)"),
        ('<a href="https://x.nl/">x.nl</a>', "x.nl"),
        ('<a href="mailto:a@x.nl">a@x.nl</a>', "a@x.nl"),
        ('<a href="javascript:alert(1)">klik</a>', "klik"),
        ('<img src="https://x.nl/volg.gif"><img alt="de heg" src="cid:1">', "[de heg]"),
        ("<style>p{}</style><script>alert(1)</script><title>t</title>Zo", "Zo"),
        ('<div style="display:none">verborgen <b>lok</b>tekst</div>Zichtbaar', "Zichtbaar"),
        ("<blockquote>Oud<blockquote>Ouder</blockquote></blockquote>", "> Oud\n>\n> > Ouder"),
        ("<pre>een\n  twee</pre>", "een\n  twee"),
        ("<table><tr><td>Naam</td><td>Fatma</td></tr></table>", "Naam Fatma"),
        ("zonder <b onclick=alert(1)>markering", "zonder markering"),
        ("<!-- geheim -->open", "open"),
    ],
)
def test_it_reads_as_a_person_would(html: str, text: str) -> None:
    assert html_to_text(html) == text


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="<>/=\"'abdivptlockqu &;!-[]\n", max_size=300))
def test_it_never_raises(html: str) -> None:
    assert isinstance(html_to_text(html), str)


@pytest.mark.parametrize(
    "evil",
    [
        "<div>" * 100_000,
        "<a " * 100_000,
        "<!" * 100_000,
        "<blockquote>" * 40_000 + "x",
        "<b><p>" * 60_000,
        "<div" + " a" * 150_000 + ">x",
        ("<div>" * 299 + "x" + "</div>" * 299) * 100,
        "<table><tr>" * 40_000,
        "<div></x>" * 50_000,
        "&" * 500_000,
        "<a href=http://x>y</a>" * 22_500,
        "<p>" + "".join(f"<b class=x{n}>" for n in range(299)) + "</p>" + "<p>x" * 100_000,
    ],
    ids=lambda evil: evil[:12],
)
def test_the_worst_html_takes_less_than_a_moment(evil: str) -> None:
    began = time.process_time()
    html_to_text(evil)
    assert time.process_time() - began < 3

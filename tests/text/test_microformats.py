"""Entries of a page, as microformats2 marks them up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.microformats import Unreadable, entries

BASE = "https://buurt.example/2011/juni.html"

PAGE = """<!doctype html><title>Juni</title>
<div class="h-feed"><h1 class="p-name">Krabbels</h1>
 <article class="h-entry">
  <h2 class="p-name">Straatfeest</h2>
  <a class="u-url" href="../krabbel/7"><time class="dt-published" datetime="2011-06-01T19:30+02:00">
   1 juni</time></a>
  <p class="p-author h-card"><a class="p-name u-url" href="/jan">Jan de Boer</a> (buurman)</p>
  <div class="e-content"><p>Komt <b>u</b> ook?</p><p>Groet &amp; tot dan &lt;3</p></div>
  <ul>
   <li class="u-comment h-cite"><span class="p-author h-card">Fatma</span>
    <a class="u-url" href="#c1">#</a> <time class="dt-published">2011-06-02 09:00</time>
    <p class="p-content e-content">Ja!</p></li>
  </ul>
 </article>
 <article class="h-entry"><p class="e-content">Zonder datum</p></article>
</div>"""


def test_an_entry_has_author_date_title_words_and_comments() -> None:
    first, second = entries(PAGE, BASE)
    assert first.said["author"] == "Jan de Boer"
    assert first.said["published"] == "2011-06-01T19:30+02:00"
    assert (first.name, first.text) == ("Straatfeest", "Komt u ook?\n\nGroet & tot dan <3")
    assert first.said["url"] == "https://buurt.example/krabbel/7"
    (comment,) = first.comments
    assert (comment.said["author"], comment.text) == ("Fatma", "Ja!")
    assert comment.said["published"] == "2011-06-02 09:00"
    assert comment.said["url"] == f"{BASE}#c1"
    assert (second.said.get("published"), second.text) == (None, "Zonder datum")


@pytest.mark.parametrize(
    ("inside", "name", "value"),
    [
        ('<a class="u-in-reply-to" href="/1">zie</a>', "in-reply-to", "https://buurt.example/1"),
        (
            '<div class="u-in-reply-to h-cite"><a class="u-url" href="/1">x</a></div>',
            "in-reply-to",
            "https://buurt.example/1",
        ),
        ('<a class="u-in-reply-to h-cite" href="/1">x</a>', "in-reply-to", "https://buurt.example/1"),
        ('<data class="u-uid" value="tag:x,2011:1"></data>', "uid", "tag:x,2011:1"),
        ('<abbr class="dt-published" title="2011-06-01">1 juni</abbr>', "published", "2011-06-01"),
        ('<time class="dt-published">2011-06-01</time>', "published", "2011-06-01"),
        ('<span class="p-author">  Jan\n de  Boer </span>', "author", "Jan de Boer"),
        ('<a class="p-author h-card" href="/jan">Jan</a>', "author", "Jan"),
        ('<img class="p-author" alt="Jan" src="/jan.jpg">', "author", "Jan"),
        ('<p class="p-summary">Kort</p>', "summary", "Kort"),
        ('<p class="e-content">a<script>x</script><!-- y -->b</p>', "content", "ab"),
    ],
)  # fmt: skip
def test_a_property_is_read_as_the_specification_says(inside: str, name: str, value: str) -> None:
    (entry,) = entries(f'<div class="h-entry">{inside}</div>', BASE)
    assert entry.said[name] == value


def test_what_is_of_another_object_is_not_of_the_entry_and_the_first_value_counts() -> None:
    inside = (
        '<div class="p-location h-adr"><span class="p-name">Grote Markt</span></div>'
        '<span class="p-author">Een</span><span class="p-author">Twee</span>'
        '<div class="u-like-of h-cite"><p class="e-content">Van een ander</p></div>'
    )
    (entry,) = entries(f'<div class="h-entry">{inside}</div>', BASE)
    assert entry.said == {"author": "Een"}


def test_a_quoted_entry_that_is_answered_is_no_message() -> None:
    inside = '<div class="u-in-reply-to h-entry"><a class="u-url" href="/1">Vraag</a></div>'
    (entry,) = entries(f'<div class="h-entry">{inside}<p class="e-content">Ja</p></div>', BASE)
    assert (entry.said["in-reply-to"], entry.text) == ("https://buurt.example/1", "Ja")


def test_scripts_and_addresses_that_run_are_gone() -> None:
    (entry,) = entries(
        '<div class="h-entry"><a class="u-url" href="javascript:alert(1)">x</a>'
        '<p class="e-content">Zo<img src=x onerror=alert(1)></p></div>',
        BASE,
    )
    assert "javascript" not in str(entry.said)
    assert "onerror" not in str(entry.said)


@pytest.mark.parametrize(
    "evil",
    [
        "<div class=h-entry>" * 10_000,
        "<div class=h-entry></x>" * 10_000,
        '<p class="h-entry">' + "".join(f"<b class=x{n}>" for n in range(299)) + "<p>x" * 20_000,
        "<div " + "class=h-entry " * 10_000 + ">",
    ],
    ids=["nested", "nested with closers of nothing", "bold again and again", "attributes"],
)
def test_what_would_take_for_ever_is_not_read(evil: str) -> None:
    with pytest.raises(Unreadable):
        entries(evil, BASE)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.sampled_from(
            ['<div class="h-entry">', '<p class="e-content">', '<a class="u-url" href="http://[">',
             '<li class="u-comment h-cite">', '<b class="p-author h-card">', "</div>", "</p>",
             "</a>", "</li>", "</b>", "<br>", "x", "<", "&", "<table>", "<time class=dt-published>"]
        ),
        max_size=40,
    )
)  # fmt: skip
def test_it_never_breaks(pieces: list[str]) -> None:
    for entry in entries("".join(pieces), BASE):
        assert isinstance(entry.text, str)

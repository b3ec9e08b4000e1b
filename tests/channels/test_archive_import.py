"""The archive of a platform that closed comes in once, is found by searching, and harms nothing."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from app.accounts import people
from app.channels import archive_import, archive_pages
from app.channels.archive_import import BadArchive, read
from app.channels.models import Account
from app.cli import main
from app.config import Settings
from app.db import Database
from app.inbox import search
from app.inbox.models import Conversation, Message
from app.main import open_database

NOW_MS = 1_793_610_000_000


def message(name: str, text: str = "Komt u ook?", **given: Any) -> dict[str, Any]:
    return {"id": name, "at": "2011-06-01T19:30:00+02:00", "author": "Jan", "text": text} | given


def hyves(*messages: dict[str, Any], **given: Any) -> bytes:
    thread = {"id": "krabbel-7", "subject": "Straatfeest", "messages": list(messages)}
    return json.dumps({"v": 1, "platform": "Hyves", "conversations": [thread], **given}).encode()


def zipped(path: Path, **files: bytes) -> Path:
    """Write a zip; `__` in a name stands for a dot."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in files.items():
            made.writestr(name.replace("__", "."), body)
    return path


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("STOEP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("STOEP_DATA_DIR", str(tmp_path))
    settings = Settings()
    db = open_database(settings)
    db.write_now(lambda session: people.add_team(session, "Noord", now_ms=0))
    db.close()
    return settings


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    db = open_database(settings)
    yield db
    db.close()


Import = Callable[..., str]


@pytest.fixture
def imports(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Import:
    """Run `stoep channel import`; return what it printed."""

    def run(path: Path, *more: str) -> str:
        assert main(["channel", "import", str(path), "--team", "Noord", *more]) == 0
        return capsys.readouterr().out

    return run


def stored(db: Database) -> list[Message]:
    query = select(Message).order_by(Message.conversation_id, Message.position)  # type: ignore[arg-type]
    return list(db.read_now(lambda session: session.exec(query).all()))


def test_its_history_is_there_to_read_and_to_find_and_cannot_be_answered(
    db: Database, imports: Import, tmp_path: Path
) -> None:
    body = hyves(
        message("1"),
        message("2", "Wij komen graag.", at="2011-06-02T09:00:00+02:00", ours=True),
    )
    told = imports(zipped(tmp_path / "h.zip", archive__json=body))
    assert "1 conversations and 2 messages" in told
    asked, answered = stored(db)
    assert (asked.direction, asked.sender_name, asked.text) == ("in", "Jan", "Komt u ook?")
    assert (answered.direction, answered.text) == ("out", "Wij komen graag.")
    assert asked.written_at_ms == 1_306_949_400_000

    def look(session: Session) -> tuple[Conversation, Account, list[dict[str, Any]]]:
        (conversation,) = session.exec(select(Conversation)).all()
        account = session.get_one(Account, conversation.account_id)
        return conversation, account, search.find(session, [conversation.area], "graag", 10)

    conversation, account, found = db.read_now(look)
    assert (conversation.status, conversation.why_not) == ("closed", "channel_closed")
    assert conversation.activity_at_ms == answered.written_at_ms
    assert (account.kind, account.name, account.enabled) == ("archive", "Hyves", False)
    assert [one["head"]["id"] for one in found] == [conversation.id]


def test_imported_twice_nothing_is_there_twice_and_what_is_new_is_added(
    db: Database, imports: Import, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "h.zip", archive__json=hyves(message("1")))
    imports(path)
    assert "0 conversations and 0 messages" in imports(path)
    more = zipped(tmp_path / "m.zip", archive__json=hyves(message("1"), message("2", "En nu?")))
    assert "0 conversations and 1 messages" in imports(more)
    assert [one.text for one in stored(db)] == ["Komt u ook?", "En nu?"]


def test_a_table_is_read_as_well(db: Database, imports: Import, tmp_path: Path) -> None:
    table = (
        "conversation,id,at,author,text,ours\r\n"
        'a,1,2012-01-01T10:00:00,Fatma,"Eerste regel\nTweede, met komma",\r\n'
        "a,2,2012-01-01T11:00:00,Gemeente,Dank,ja\r\n"
    ).encode("utf-8-sig")
    imports(zipped(tmp_path / "t.zip", messages__csv=table), "--name", "Buurtforum")
    assert [(one.direction, one.text) for one in stored(db)] == [
        ("in", "Eerste regel\nTweede, met komma"),
        ("out", "Dank"),
    ]


def test_of_a_mastodon_export_the_public_posts_are_taken_thread_by_thread(tmp_path: Path) -> None:
    public = "https://www.w3.org/ns/activitystreams#Public"

    def post(name: str, hour: int = 10, **given: Any) -> dict[str, Any]:
        note = {
            "id": f"https://m.example/{name}", "published": f"2020-01-01T{hour}:00:00Z",
            "to": [public], "attributedTo": "https://m.example/u",
            "content": f"<p>{name}</p><script>x</script>",
        }  # fmt: skip
        return {"type": "Create", "object": note | given}

    outbox = {
        "orderedItems": [
            post("een"),
            post("twee", 11, inReplyTo="https://m.example/een"),
            post("drie", 12, inReplyTo="https://m.example/twee"),
            post("geheim", to=["https://m.example/u/volgers"]),
            {"type": "Announce", "object": "https://elders.example/1"},
        ]
    }
    archive = read(zipped(tmp_path / "o.zip", outbox__json=json.dumps(outbox).encode()), NOW_MS)
    assert archive.platform == "Mastodon"
    assert [[old.text for old in thread.messages] for thread in archive.threads] == [
        ["een", "twee", "drie"]
    ]
    assert all(old.ours for thread in archive.threads for old in thread.messages)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"null", b"7", b'{"v":2}', b"\xff\xfe", b"[" * 100_000),
        hyves(), hyves(message("1"), message("1")), hyves(message("")), hyves({"id": "1"}),
        hyves(message("1", at="morgen")), hyves(message("1", at="2999-01-01T00:00:00Z")),
        hyves(message("1", id={"a": 1})), hyves(conversations=7), hyves(conversations=[[1]]),
    ],
)  # fmt: skip
def test_what_is_not_in_the_form_is_refused_with_a_sentence(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(BadArchive) as refused:
        read(zipped(tmp_path / "x.zip", archive__json=body), NOW_MS)
    assert str(refused.value).endswith(".") or ":" in str(refused.value)
    assert "Komt u ook" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../archive.json", "leads outside"),
        ("/etc/archive.json", "leads outside"),
        ("a\\..\\..\\x", "leads outside"),
        ("C:/x", "leads outside"),
        ("map/archive.json", "none of"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(name, hyves(message("1")))
    with pytest.raises(BadArchive, match=sentence):
        read(path, NOW_MS)


def test_a_bomb_is_not_let_off(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "b.zip", archive__json=b" " * 50_000_000 + hyves(message("1")))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(BadArchive, match="squeezed too hard"):
        read(bomb, NOW_MS)


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.zip", archive__json=b" " * 20_000_000)
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = raw.index(signature) + offset
        raw[at : at + 4] = struct.pack("<I", 100)
    path.write_bytes(raw)
    with pytest.raises(BadArchive):
        read(path, NOW_MS)


def test_many_files_a_link_and_a_file_given_twice_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("archive.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(BadArchive, match="a link"):
        read(tmp_path / "l.zip", NOW_MS)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as made:
        made.writestr("archive.json", hyves(message("1")))
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("archive.json", hyves(message("2")))
    with pytest.raises(BadArchive, match="two files"):
        read(tmp_path / "d.zip", NOW_MS)
    empty = {f"map/{number}": b"" for number in range(archive_import.MAX_MEMBERS)}
    many = zipped(tmp_path / "m.zip", archive__json=hyves(message("1")), **empty)
    with pytest.raises(BadArchive, match="more than"):
        read(many, NOW_MS)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_is_squeezed_in_a_way_that_has_no_bound_is_refused(
    tmp_path: Path, method: int
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as made:
        made.writestr("archive.json", hyves(message("1")))
    with pytest.raises(BadArchive, match="another way"):
        read(tmp_path / "x.zip", NOW_MS)


def test_names_that_no_database_keeps_come_in_without_what_it_cannot(
    db: Database, imports: Import, tmp_path: Path
) -> None:
    threads = [{"id": "k\0\ud800", "messages": [message("m\0\ud800", author="Jan\ud800\0")]}]
    body = hyves(conversations=threads, platform="Hyves\0\ud800")
    imports(zipped(tmp_path / "h.zip", archive__json=body))
    (kept,) = stored(db)
    assert (kept.external_id, kept.sender_name) == ("m?", "Jan?")
    imports(zipped(tmp_path / "h.zip", archive__json=body))
    assert len(stored(db)) == 1


@pytest.mark.parametrize("raw", [b"", b"PK", b"PK\x03\x04" + b"\0" * 100, b"%PDF-1.7"])
def test_what_is_no_zip_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(raw)
    with pytest.raises(BadArchive, match="no zip"):
        read(tmp_path / "x.zip", NOW_MS)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "h.zip", archive__json=hyves(message("1"))).read_bytes()
    broken = io.BytesIO(whole).getvalue().replace(whole[45:60], b"\0" * 15)
    (tmp_path / "x.zip").write_bytes(broken)
    with pytest.raises(BadArchive):
        read(tmp_path / "x.zip", NOW_MS)


def page(*told: str, head: str = '<meta charset="utf-8">') -> bytes:
    return f"<!doctype html>{head}<body>{''.join(told)}".encode()


def krabbel(
    name: str, text: str = "Komt u ook?", *, at: str = "2011-06-01T19:30:00+02:00", by: str = "Jan",
    more: str = "",
) -> str:  # fmt: skip
    return (
        f'<div class="h-entry"><a class="u-url" href="/krabbel/{name}">'
        f'<time class="dt-published" datetime="{at}">toen</time></a>'
        f'<span class="p-author">{by}</span><div class="e-content"><p>{text}</p></div>{more}</div>'
    )


def answers(name: str) -> str:
    return f'<a class="u-in-reply-to" href="/krabbel/{name}">antwoord op</a>'


def test_pages_are_read_thread_by_thread_each_message_once(
    db: Database, imports: Import, tmp_path: Path
) -> None:
    later = krabbel("2", "Wij komen.", at="2011-06-02", by="Gemeente", more=answers("1"))
    comment = (
        '<div class="u-comment h-cite"><span class="p-author">Fatma</span>'
        '<a class="u-url" href="/krabbel/3">#</a>'
        '<time class="dt-published">2011-06-03T10:00Z</time>'
        '<p class="e-content">Ik ook!</p></div>'
    )
    pages = {
        "krabbels/2.html": page(later),
        "krabbels/1.HTM": page(krabbel("1", more=comment)),
        # Lists show what stands on pages of its own too, cut short.
        "index.html": page(krabbel("1", "Komt"), later, '<div class="h-entry">Zonder datum</div>'),
        "foto.jpg": b"\xff\xd8",
        "los.xhtml": page(krabbel("9", "Iets anders.", at="2012-01-01")),
    }
    path = tmp_path / "h.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in pages.items():
            made.writestr(name, body)
    told = imports(path, "--name", "Hyves", "--ours", "gemeente")
    assert "2 conversations and 4 messages" in told
    assert "1 entries without a date or without words were left out." in told
    rows = [(one.direction, one.sender_name, one.text) for one in stored(db)]
    assert sorted(rows) == [
        ("in", "Fatma", "Ik ook!"),
        ("in", "Jan", "Iets anders."),
        ("in", "Jan", "Komt u ook?"),
        ("out", "Gemeente", "Wij komen."),
    ]
    by_conversation = {one.conversation_id for one in stored(db) if one.text != "Iets anders."}
    assert len(by_conversation) == 1
    assert "0 conversations and 0 messages" in imports(path, "--name", "Hyves")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (page(krabbel("1", "Één café")), "Één café"),
        (page(krabbel("1", "Één café"), head=""), "Één café"),
        (page(krabbel("1", "Één café"), head="").decode().encode("cp1252"), "Één café"),
        (
            page(krabbel("1", "€ 5"), head="<meta charset=iso-8859-1>").decode().encode("cp1252"),
            "€ 5",
        ),
        (
            page(krabbel("1", "€ 5"), head='<meta content="text/html; charset=iso-8859-15">')
            .decode().encode("iso-8859-15"),
            "€ 5",
        ),
        (page(krabbel("1", "Één café"), head="").decode().encode("utf-16"), "Één café"),
        (b"\xef\xbb\xbf" + page(krabbel("1", "Één café")), "Één café"),
        (page(krabbel("1", "Één"), head="<meta charset=idna>"), "Één"),
        (page(krabbel("1", "Één"), head="<meta charset=zip>"), "Één"),
    ],
    ids=["said", "utf-8", "windows", "latin1", "latin9", "utf-16", "mark", "idna", "no charset"],
)  # fmt: skip
def test_a_page_may_be_written_in_what_it_says(tmp_path: Path, raw: bytes, text: str) -> None:
    (thread,) = read(zipped(tmp_path / "h.zip", x__html=raw), NOW_MS).threads
    assert [old.text for old in thread.messages] == [text]


def test_who_answer_each_other_are_one_conversation(tmp_path: Path) -> None:
    ring = [krabbel(str(n), more=answers(str((n + 1) % 3))) for n in range(3)]
    outside = krabbel("7", "Ook hier", more=answers("1"), at="2010-01-01")
    (thread,) = read(zipped(tmp_path / "h.zip", x__html=page(outside, *ring)), NOW_MS).threads
    assert len(thread.messages) == 4


def test_a_long_chain_of_answers_is_followed_in_no_time(tmp_path: Path) -> None:
    chain = [krabbel(str(n), more=answers(str(n - 1))) for n in range(1, 3_000)]
    (thread,) = read(zipped(tmp_path / "h.zip", x__html=page(*chain)), NOW_MS).threads
    assert len(thread.messages) == 2_999


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"x__html": page("<p>Niets")}, "no message on its pages"),
        ({"x__html": page(krabbel("1", at="2999-01-01"))}, "in the future"),
        ({"x__html": page("<div class=h-entry>" * 400)}, "no page that can be read"),
        ({"x__html": b" " * 50_000_000}, "squeezed too hard"),
        ({"x__html": page(krabbel("1"), "<!--" + "x y " * 600_000 + "-->")}, "too large"),
        ({"x__txt": page(krabbel("1"))}, "no HTML page"),
    ],
    ids=["nothing", "future", "nested", "bomb", "large", "no page"],
)
def test_pages_that_cannot_be_taken_are_refused(
    tmp_path: Path, files: dict[str, bytes], sentence: str
) -> None:
    with pytest.raises(BadArchive, match=sentence):
        read(zipped(tmp_path / "x.zip", **files), NOW_MS)


def test_many_pages_together_are_bounded_and_a_page_given_twice_or_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = zipped(tmp_path / "a.zip", a__html=page(krabbel("1")), b__html=page(krabbel("2")))
    assert len(read(both, NOW_MS).threads) == 2
    monkeypatch.setattr(archive_pages, "MAX_READ_BYTES", len(page(krabbel("1"))) + 10)
    with pytest.raises(BadArchive, match="together"):
        read(both, NOW_MS)
    monkeypatch.undo()
    monkeypatch.setattr(archive_pages, "MAX_MESSAGES", 1)
    with pytest.raises(BadArchive, match="more than 1 messages"):
        read(both, NOW_MS)
    link = zipfile.ZipInfo("x.html")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(BadArchive, match="a link"):
        read(tmp_path / "l.zip", NOW_MS)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as made:
        made.writestr("x.html", page(krabbel("1")))
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("x.html", page(krabbel("2")))
    with pytest.raises(BadArchive, match="same name"):
        read(tmp_path / "d.zip", NOW_MS)

"""Photos are made anew from their pixels; what pretends to be one is refused with a reason."""

import io
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app import media
from tests.support.visitor import photo

MAX = 10_000_000


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def refused(content: bytes, max_bytes: int = MAX) -> str:
    with pytest.raises(media.MediaError) as caught:
        media.photo_now(content, max_bytes=max_bytes)
    return caught.value.code


def test_a_photo_loses_the_place_where_it_was_taken() -> None:
    image = Image.new("RGB", (800, 600), "olive")
    exif = image.getexif()
    exif[0x010F] = "Telefoonmerk"
    exif.get_ifd(0x8825)[2] = (53.0, 13.0, 7.0)
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"van Jantje", icc_profile=b"profile of Jantje")
    assert b"Telefoonmerk" in out.getvalue()

    kept = media.photo_now(out.getvalue(), max_bytes=MAX)

    for content in (kept.content, kept.thumb or b""):
        assert not opened(content).getexif()
        assert b"Telefoonmerk" not in content
        assert b"Jantje" not in content


def test_a_photo_taken_sideways_is_turned_upright_before_its_exif_goes() -> None:
    image = Image.new("RGB", (400, 200), "white")
    image.paste("red", (0, 0, 200, 200))
    exif = image.getexif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)

    kept = media.photo_now(out.getvalue(), max_bytes=MAX)

    assert (kept.width, kept.height) == (200, 400)
    red, _, blue = opened(kept.content).getpixel((100, 50))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize(("width", "height"), [(6000, 4000), (4000, 6000), (12, 9), (5000, 3)])
def test_a_photo_is_at_most_1600_pixels_and_its_thumbnail_320(width: int, height: int) -> None:
    kept = media.photo_now(photo(width, height), max_bytes=MAX)
    full, thumb = opened(kept.content), opened(kept.thumb or b"")
    assert max(full.size) <= 1600
    assert max(thumb.size) <= 320
    assert full.size == (kept.width, kept.height)
    assert max(full.size) == min(1600, max(width, height))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_each_kind_that_is_taken_becomes_a_jpeg(kind: str) -> None:
    kept = media.photo_now(photo(kind=kind), "stoep.x", max_bytes=MAX)
    assert kept.media_type == "image/jpeg"
    assert kept.name == "stoep.jpg"
    assert opened(kept.content).format == "JPEG"


def test_of_a_moving_gif_the_first_picture_is_kept() -> None:
    out = io.BytesIO()
    first, second = Image.new("RGB", (50, 50), "red"), Image.new("RGB", (50, 50), "blue")
    first.save(out, "GIF", save_all=True, append_images=[second])
    red, _, blue = opened(media.photo_now(out.getvalue(), max_bytes=MAX).content).getpixel((9, 9))
    assert red > blue


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white_paper(mode: str) -> None:
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0)).convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG", **({"transparency": 0} if mode == "P" else {}))
    kept = opened(media.photo_now(out.getvalue(), max_bytes=MAX).content)
    assert kept.getpixel((30, 30)) == (255, 255, 255)


def test_a_small_file_that_unfolds_into_a_huge_picture_is_refused_unread() -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert len(out.getvalue()) < 100_000
    assert refused(out.getvalue()) == "too_many_pixels"


def test_a_picture_that_lies_about_its_size_is_refused() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))
    assert refused(bomb) == "too_many_pixels"


def test_a_text_chunk_that_unfolds_without_end_is_refused() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    plain = out.getvalue()
    body = b"Comment\x00\x00" + zlib.compress(bytes(80_000_000), 9)
    chunk = (
        struct.pack(">I", len(body))
        + b"zTXt"
        + body
        + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    )
    assert refused(plain[:33] + chunk + plain[33:]) == "damaged"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (SVG, "not_a_photo"),
        (b"%PDF-1.7", "not_a_photo"),
        (HEIC, "heic"),
        (photo()[:400], "damaged"),
        (photo(kind="TIFF"), "not_a_photo"),
        (photo(kind="BMP"), "not_a_photo"),
    ],
)
def test_what_is_no_photo_is_refused_with_its_reason(content: bytes, code: str) -> None:
    assert refused(content) == code


def test_a_photo_that_is_too_large_is_refused_before_it_is_read() -> None:
    assert refused(photo(), max_bytes=100) == "too_large"


def test_a_page_hidden_behind_a_photo_does_not_survive() -> None:
    kept = media.photo_now(photo() + b"<script>alert(1)</script>", max_bytes=MAX)
    assert b"script" not in kept.content
    assert b"script" not in (kept.thumb or b"")


@given(
    st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.integers(0, 900)
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_bytes_are_there_is_a_photo_or_a_reason(
    noise: bytes, kind: str, at: int
) -> None:
    whole = photo(64, 48, kind)
    at %= len(whole)
    with suppress(media.MediaError):
        kept = media.photo_now(whole[:at] + noise + whole[at + len(noise) :], max_bytes=MAX)
        assert opened(kept.content).format == "JPEG"


async def test_a_photo_is_made_anew_beside_the_event_loop() -> None:
    kept = await media.photo(photo(), max_bytes=MAX)
    assert kept.width == 640


def test_another_file_of_a_mail_is_kept_as_it_came() -> None:
    kept = media.store(b"%PDF-1.7 brief", "application/pdf; name=x", "brief.pdf")
    assert (kept.media_type, kept.content) == ("application/pdf", b"%PDF-1.7 brief")
    assert kept.width is None


def test_a_mail_that_calls_a_page_a_photo_gets_no_photo() -> None:
    kept = media.store(b"<script>", "image/jpeg", "foto.jpg")
    assert kept.content == b"<script>"
    assert not media.is_photo(kept.media_type, kept.width)


@pytest.mark.parametrize("said", ["text/html\r\nX: y", "", "geen type", "a/" + "b" * 99])
def test_a_media_type_that_is_none_becomes_one_that_says_nothing(said: str) -> None:
    assert media.safe_type(said) == "application/octet-stream"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\fotos\\stoep.jpg", "stoep.jpg"),
        ("a\r\nb\x00.jpg", "ab.jpg"),
        ("\u202egpj.exe", "gpj.exe"),
        ("..", ""),
    ],
)
def test_a_file_name_is_a_name_and_nothing_else(said: str, name: str) -> None:
    assert media.safe_name(said) == name


@given(st.text(max_size=400))
@settings(deadline=None)
def test_no_file_name_is_long_or_leads_anywhere(said: str) -> None:
    name = media.safe_name(said)
    assert len(name) <= 100
    assert "/" not in name
    assert "\\" not in name

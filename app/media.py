"""Untrusted bytes from residents and coordinators, made fit to keep and to show.

A photo is decoded and encoded again, so that nothing of the original file survives but its pixels:
no place where it was taken (EXIF), no script behind a polyglot's last byte. Anything else is kept
as it came and is only ever handed out as a download.
"""

import io
import re
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import anyio
import anyio.lowlevel
from PIL import Image, ImageOps, UnidentifiedImageError

from app.errors import StoepError

PhotoType = Literal["image/jpeg", "image/png", "image/webp", "image/gif"]
PHOTO_TYPES: tuple[str, ...] = get_args(PhotoType)
"""What a browser may offer as a photo. A phone that stores HEIC makes a JPEG for this list."""

PHOTO_PX = 1600
THUMB_PX = 320
MAX_JPEG_PX = 120_000_000
"""A telephone's largest JPEG; it is decoded at a half to an eighth of its size: little memory."""
MAX_OTHER_PX = 30_000_000
"""Formats that must be decoded whole: at most 120 MB for a moment, one at a time."""
AT_ONCE = 1
MAX_FILE_BYTES = 25_000_000
"""Largest attachment of a mail, when its mailbox does not say less."""

# Pillow warns of a bomb at a limit of its own; here one limit refuses.
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PX

Code = Literal["empty", "too_large", "heic", "not_a_photo", "too_many_pixels", "damaged"]

_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif"}
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_decoders: dict[object, anyio.CapacityLimiter] = {}


class MediaError(StoepError):
    """These bytes are not taken; `code` names the sentence that says why."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Code = code


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of one photo or file; `width`, `height` (pixels), `thumb` only for a photo."""

    media_type: str
    name: str
    content: bytes
    width: int | None = None
    height: int | None = None
    thumb: bytes | None = None


async def photo(content: bytes, name: str = "", *, max_bytes: int) -> Stored:
    """Do what `photo_now` does on a thread of its own, `AT_ONCE` at a time in this process."""
    return await anyio.to_thread.run_sync(
        partial(photo_now, content, name, max_bytes=max_bytes), limiter=_limiter()
    )


def photo_now(content: bytes, name: str = "", *, max_bytes: int) -> Stored:
    """Return the photo as a clean JPEG of at most 1,600 pixels, with a thumbnail of at most 320.

    Raises MediaError when the bytes are none of `PHOTO_TYPES`, too many, or more than they seem.
    """
    if not content:
        raise MediaError("empty")
    if len(content) > max_bytes:
        raise MediaError("too_large")
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS:
        raise MediaError("heic")
    full = _decoded(content)
    thumb = full.copy()
    thumb.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    return Stored(
        media_type="image/jpeg",
        name=_as_jpeg(safe_name(name)),
        content=_jpeg(full, quality=82),
        width=full.width,
        height=full.height,
        thumb=_jpeg(thumb, quality=75),
    )


def store(
    content: bytes, media_type: str, name: str = "", *, max_bytes: int = MAX_FILE_BYTES
) -> Stored:
    """Return an attachment of a mail: cleaned when it is a photo we can read, else as it came.

    Slow for a photo: run it on a thread. Raises MediaError("too_large") only: what cannot be shown
    can still be downloaded.
    """
    if len(content) > max_bytes:
        raise MediaError("too_large")
    if media_type in PHOTO_TYPES:
        try:
            return photo_now(content, name, max_bytes=max_bytes)
        except MediaError:
            pass
    return Stored(media_type=safe_type(media_type), name=safe_name(name), content=content)


def safe_name(name: str) -> str:
    """Return the name without folders and control characters, at most 100 characters long."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: 99 - len(ending)]}.{ending}" if dot and len(ending) < 12 else plain[:100]


def safe_type(media_type: str) -> str:
    """Return the media type without parameters, or the one that says nothing."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else "application/octet-stream"


def is_photo(media_type: str, width: int | None) -> bool:
    """Say whether this is a photo of our own making, the only content that is shown in place."""
    return media_type == "image/jpeg" and width is not None


def _decoded(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "WEBP", "GIF"])
        _refuse_bomb(image)
        if image.format in {"JPEG", "MPO"}:
            image.draft("RGB", (PHOTO_PX, PHOTO_PX))
        image.load()
        return _upright(image)
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise MediaError("too_many_pixels") from None
    except UnidentifiedImageError:
        raise MediaError("not_a_photo") from None
    except Exception:  # noqa: BLE001 - a decoder fed with hostile bytes may raise anything at all
        raise MediaError("damaged") from None


def _refuse_bomb(image: Image.Image) -> None:
    """Look at the announced size before a pixel is read."""
    most = MAX_JPEG_PX if image.format in {"JPEG", "MPO"} else MAX_OTHER_PX
    if image.width * image.height > most:
        raise MediaError("too_many_pixels")


def _upright(image: Image.Image) -> Image.Image:
    """Return the picture small, the right way up and opaque."""
    if image.mode in {"P", "PA", "LA"} or "transparency" in image.info:
        image = image.convert("RGBA")
    turned = image.getexif().get(0x0112, 1)
    image.thumbnail((PHOTO_PX, PHOTO_PX), Image.Resampling.LANCZOS)
    if turned != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "RGBA":
        # What is transparent was drawn to lie on paper.
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return image.convert("RGB")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    # A fresh picture carries no `info`: neither profile, comment nor EXIF is written.
    bare = Image.frombytes("RGB", image.size, image.tobytes())
    bare.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


def _as_jpeg(name: str) -> str:
    stem = name.rpartition(".")[0] or name or "foto"
    return f"{stem}.jpg"


def _limiter() -> anyio.CapacityLimiter:
    # A limiter belongs to one event loop; tests have one each, a server has one for good.
    token = anyio.lowlevel.current_token()
    if token not in _decoders:
        _decoders.clear()
        _decoders[token] = anyio.CapacityLimiter(AT_ONCE)
    return _decoders[token]

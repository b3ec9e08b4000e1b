"""Photos from the phones, in pieces that survive a bad network; and all files back out.

A photo is checked and made anew with its last piece, in the transaction that makes it complete, so
that there is no half state: until then the phone sends the last piece again.
"""

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session, col, delete, select

from app import media
from app.accounts.policy import Principal
from app.accounts.service import current
from app.errors import BadRequest, Conflict, NotAllowed, NotFound, TooLarge, Unsupported
from app.ids import is_uuid
from app.inbox.models import Attachment, AttachmentData, Conversation, Message

PIECE_BYTES = 64 * 1024
MAX_BYTES = 50_000_000

_REFUSED = {
    "empty": "The photo is empty.",
    "heic": "HEIC is not taken; make it a JPEG first.",
    "not_a_photo": "These bytes are no JPEG, PNG, WebP or GIF.",
    "too_many_pixels": "The photo has too many pixels.",
    "damaged": "The photo is damaged.",
}

router = APIRouter(prefix="/api/v1", tags=["attachments"])
Who = Annotated[Principal, Depends(current)]


@router.put(
    "/uploads/{blob_id}",
    summary="Send one piece of a photo",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
    responses={
        409: {"description": "`have` says from which byte to go on."},
        413: {"description": "The piece or the photo is too large."},
        415: {"description": "This is not a photo that is taken; the upload is forgotten."},
    },
)
async def upload(
    request: Request,
    who: Who,
    blob_id: str,
    offset: Annotated[int, Query(ge=0, le=MAX_BYTES)],
    size: Annotated[int, Query(ge=1, le=MAX_BYTES)],
    media_type: Annotated[media.PhotoType, Query(alias="type")],
) -> dict[str, int]:
    """Take the bytes from `offset` on, at most 64 KiB, and say how many there are now.

    The photo is complete at `size` bytes. Sending a piece again is harmless: 409 tells what is
    there.
    """
    state = request.app.state
    if not (who.may("reply") or who.may("note") or who.may("meet")):
        raise NotAllowed("Your role adds no photos.")
    if not is_uuid(blob_id):
        raise BadRequest("blob_id: not a lower-case UUID.")
    if size > state.settings.max_photo_bytes:
        raise TooLarge(f"A photo has at most {state.settings.max_photo_bytes} bytes.")
    piece = await _piece(request)
    if not piece or offset + len(piece) > size:
        raise BadRequest("The piece does not fit: it is empty, or goes beyond `size`.")
    now_ms = state.clock.now_ms()

    def begin(session: Session) -> tuple[int, bytes]:
        """Check and keep the piece; return where it had to begin, and the whole with the last."""
        found = _owned(session, blob_id, who, size)
        have = found.have_bytes if found else 0
        if found is not None and found.message_id is None:
            # Somebody still wants it, also when this piece is not the next one.
            found.created_at_ms = now_ms
        if have != offset:
            return have, b""
        if found is None:
            found = Attachment(
                id=blob_id,
                uploader_id=who.person_id,
                media_type=media_type,
                size_bytes=size,
                created_at_ms=now_ms,
            )
            session.add(found)
            session.flush()
        if offset + len(piece) == size:
            return have, _whole(session, blob_id) + piece
        session.add(AttachmentData(attachment_id=blob_id, part=f"at {offset:08}", content=piece))
        found.have_bytes = offset + len(piece)
        return have, b""

    have, whole = await state.db.write(begin)
    if have != offset:
        raise Conflict("Go on from `have`.", have=have)
    if whole:
        await _complete(state, who, blob_id, size, offset, whole)
    return {"have": offset + len(piece)}


async def _complete(
    state: Any, who: Principal, blob_id: str, size: int, offset: int, whole: bytes
) -> None:
    try:
        photo = await media.photo(whole, max_bytes=state.settings.max_photo_bytes)
    except media.MediaError as error:
        await state.db.write(lambda session: _forget(session, blob_id, who, size))
        raise Unsupported(_REFUSED.get(error.code, ""), code=error.code) from None

    def finish(session: Session) -> None:
        found = _owned(session, blob_id, who, size)
        # The same last piece came twice at once, and the other was faster.
        if found is None or found.have_bytes != offset:
            raise Conflict("Go on from `have`.", have=found.have_bytes if found else 0)
        session.exec(delete(AttachmentData).where(col(AttachmentData.attachment_id) == blob_id))
        # `size_bytes` stays what the phone said, by which it knows that the photo is complete.
        found.have_bytes = size
        found.media_type = photo.media_type
        found.name = photo.name
        found.width, found.height = photo.width, photo.height
        session.add(AttachmentData(attachment_id=blob_id, part="full", content=photo.content))
        session.add(AttachmentData(attachment_id=blob_id, part="thumb", content=photo.thumb or b""))

    await state.db.write(finish)


@router.get(
    "/attachments/{attachment_id}",
    summary="One photo or file",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "application/octet-stream": {}}}},
)
async def download(
    request: Request,
    who: Who,
    attachment_id: str,
    size: Annotated[Literal["full", "thumb"], Query()] = "full",
) -> Response:
    """Return the bytes to who may see the conversation, or uploaded it; `thumb` for photos."""

    def look(session: Session) -> tuple[Attachment, bytes]:
        found = session.get(Attachment, attachment_id) if is_uuid(attachment_id) else None
        if found is None or found.have_bytes != found.size_bytes or not _may(session, who, found):
            raise NotFound("There is no such attachment.")
        data = session.get(AttachmentData, (attachment_id, size))
        if data is None:
            raise NotFound("There is no such attachment.")
        return found, data.content

    found, content = await request.app.state.db.read(look)
    return answer(found, content)


def answer(attachment: Attachment, content: bytes) -> Response:
    """Return a file so that a browser can do no harm with it.

    Only photos of our own making are shown; anything else is a download, whatever it says it is.
    """
    shown = media.is_photo(attachment.media_type, attachment.width)
    name = attachment.name or ("foto.jpg" if shown else "bijlage")
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    kind = "inline" if shown else "attachment"
    return Response(
        content,
        media_type=attachment.media_type,
        headers={
            "Content-Disposition": f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        },
    )


async def _piece(request: Request) -> bytes:
    piece = bytearray()
    async for part in request.stream():
        piece += part
        if len(piece) > PIECE_BYTES:
            raise TooLarge(f"A piece has at most {PIECE_BYTES} bytes.")
    return bytes(piece)


def _owned(session: Session, blob_id: str, who: Principal, size: int) -> Attachment | None:
    """Return this person's upload, locked. Raises NotFound for somebody else's, BadRequest."""
    found = session.get(Attachment, blob_id, with_for_update=True)
    if found is not None and found.uploader_id != who.person_id:
        raise NotFound("There is no such upload.")
    if found is not None and found.size_bytes != size:
        raise BadRequest("size: this upload began with another size.")
    return found


def _whole(session: Session, blob_id: str) -> bytes:
    pieces = select(AttachmentData.content).where(AttachmentData.attachment_id == blob_id)
    return b"".join(session.exec(pieces.order_by(AttachmentData.part)).all())


def _forget(session: Session, blob_id: str, who: Principal, size: int) -> None:
    found = _owned(session, blob_id, who, size)
    if found is not None and found.message_id is None and found.have_bytes < found.size_bytes:
        session.exec(delete(AttachmentData).where(col(AttachmentData.attachment_id) == blob_id))
        session.delete(found)


def _may(session: Session, who: Principal, found: Attachment) -> bool:
    if found.message_id is None:
        return found.uploader_id == who.person_id
    # Of a message that its writer took away at the channel nobody may see a file any more, also who
    # still has its address; the bytes stay for the archive.
    area = session.exec(
        select(Conversation.area)
        .join(Message, col(Message.conversation_id) == col(Conversation.id))
        .where(Message.id == found.message_id, col(Message.deleted_at_ms).is_(None))
    ).first()
    return area is not None and who.sees(area)

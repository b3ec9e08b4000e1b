"""Entering IDLE (RFC 2177) without missing the mail that arrives at that very moment.

imap-tools 1.16 enters it too, but takes the first line for the server's "+", so news that comes
just before it looks like a failure; and news in the same packet as the "+" lies in the reader's
buffer, where its poll, which asks the socket, does not see it before the next news.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imap_tools import BaseMailBox


@contextmanager
def idling(box: BaseMailBox) -> Iterator[bool]:
    """Hold the connection in IDLE; yields True when news had arrived by the time it was.

    Raises imaplib.IMAP4.error when the server refuses.
    """
    client: Any = box.client
    tag = client._command("IDLE")
    while client._get_response() is not None:
        if client.tagged_commands[tag]:
            client.tagged_commands.pop(tag)
            raise imaplib.IMAP4.error("IDLE was refused")
    try:
        yield b" EXISTS" in _unread(client)
    finally:
        client.send(b"DONE\r\n")
        box.consume_until_tagged_response(tag)


def _unread(client: Any) -> bytes:
    """Return what was read from the connection and not yet looked at; leaves it there."""
    reader = getattr(client, "_file", None) or client.file
    timeout_s = client.sock.gettimeout()
    client.sock.settimeout(0)
    try:
        return bytes(reader.peek(1))
    except OSError:
        # Nothing there: with TLS that is an error.
        return b""
    finally:
        client.sock.settimeout(timeout_s)

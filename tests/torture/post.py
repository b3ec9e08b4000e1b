"""A mail server that the simulation can make fail: SMTP in, mail on the disk that Dovecot serves.

SMTP (RFC 5321) as far as a sender needs it: EHLO with SIZE, MAIL, RCPT, DATA, RSET, NOOP, QUIT. No
TLS, no sign-in, no relaying. A mail is written into each recipient's Maildir (tmp, then a rename
into new), which Dovecot shows over real IMAP. It can

    busy    put the mail off (450) before its body
    refuse  refuse the mail (550) after its body
    half    break the line in the middle of the body: nothing was taken
    lost    take the mail and break the line before saying so
    none    take the mail and say so
"""

import asyncio
import contextlib
import itertools
import os
import random
from collections import Counter
from pathlib import Path
from typing import Self

FAULTS = ("busy", "refuse", "half", "lost", "lost")
NOBODY = 65534


class Post:
    """Listens on a free port; `fault_share` of the mails meet a fault from the seed."""

    def __init__(self, mail: Path, chance: random.Random) -> None:
        self.fault_share = 0.0
        self.did: Counter[str] = Counter()
        self.port = 0
        self._mail = mail
        self._chance = chance
        self._names = itertools.count()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_failure: object) -> None:
        assert self._server is not None
        self._server.close()

    def texts(self, address: str) -> list[str]:
        """Return the mails in a mailbox as they lie on the disk."""
        home = self._mail / address / "Maildir"
        files = [path for part in ("new", "cur") for path in sorted((home / part).glob("*"))]
        return [path.read_text(errors="replace") for path in files]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            writer.write(b"220 mail.stoep.test\r\n")
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        while line := (await reader.readline()).decode("latin-1"):
            verb = line[:4].upper()
            if verb in {"EHLO", "HELO"}:
                writer.write(b"250-mail.stoep.test\r\n250 SIZE 20000000\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            elif verb == "DATA":
                fault = "none"
                if self._chance.random() < self.fault_share:
                    fault = self._chance.choice(FAULTS)
                self.did[fault] += 1
                if not await self._data(fault, recipients, reader, writer):
                    return
                recipients = []
            elif verb == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0].lower())
                writer.write(b"250 ok\r\n")
            else:
                recipients = [] if verb in {"MAIL", "RSET"} else recipients
                writer.write(b"250 ok\r\n")
            await writer.drain()

    async def _data(
        self,
        fault: str,
        recipients: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Take one mail; False when the line is to break."""
        if fault == "busy":
            writer.write(b"450 4.2.0 later\r\n")
            return True
        writer.write(b"354 go on\r\n")
        await writer.drain()
        if fault == "half":
            await reader.read(100)
            return False
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        if fault == "refuse":
            writer.write(b"550 5.7.1 no\r\n")
            return True
        for recipient in recipients:
            self._keep(recipient, b"".join(lines))
        if fault == "lost":
            return False
        writer.write(b"250 2.0.0 taken\r\n")
        return True

    def _keep(self, recipient: str, content: bytes) -> None:
        local, _, domain = recipient.rpartition("@")
        home = self._mail / f"{local.partition('+')[0]}@{domain}" / "Maildir"
        for part in ("tmp", "new", "cur"):
            if not (home / part).exists():
                (home / part).mkdir(parents=True)
                os.chown(home / part, NOBODY, NOBODY)
                os.chown(home, NOBODY, NOBODY)
                os.chown(home.parent, NOBODY, NOBODY)
        name = f"{next(self._names):08}.{os.getpid()}.post"
        (home / "tmp" / name).write_bytes(content)
        os.chown(home / "tmp" / name, NOBODY, NOBODY)
        (home / "tmp" / name).rename(home / "new" / name)

"""All that runs while something is measured: the town's server, the floors', the peer's."""

import contextlib
import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import processes, town
from bench.figures import Report


@dataclass
class World:
    """A temporary folder with a filled town; parts make what they need below it."""

    folder: Path
    report: Report
    runs: int

    @cached_property
    def _filled(self) -> town.Town:
        folder = self.folder / "filled"
        folder.mkdir()
        return town.fill(folder)

    def fresh_town(self, name: str) -> town.Town:
        """Return a copy of the filled town that a part may change as it likes."""
        target = self.folder / name
        # The writer closed it, so the write-ahead log is in the file.
        shutil.copytree(self._filled.data_dir, target)
        return town.Town(target, self._filled.people)

    @cached_property
    def lines(self) -> list[town.Line]:
        """All conversations as the feed has them."""
        return town.lines(self._filled)

    @cached_property
    def floor_folder(self) -> Path:
        """What the floors' server hands out: the whole replica as one compressed file."""
        folder = self.folder / "floor"
        folder.mkdir()
        text = "".join(
            f"{line.id}\t{line.number}\t{line.head}\t[{','.join(line.messages)}]\n"
            for line in self.lines
        )
        pack(folder / "replica.gz", text.encode())
        return folder

    @cached_property
    def documents(self) -> Path:
        """The same data as documents for the peer: one a message and one a conversation."""
        path = self.folder / "documents.json"
        found: list[dict[str, Any]] = []
        for line in self.lines:
            found.append({"_id": f"c:{line.number:08}", **json.loads(line.head)})
            for message in map(json.loads, line.messages):
                key = f"m:{line.number:08}:{message['position']:04}"
                found.append({"_id": key, **message})
        path.write_text(json.dumps(found, ensure_ascii=False))
        return path

    def script(self, name: str) -> Path:
        """Return one of bench/pages bundled."""
        target = self.folder / f"{name}.bundle.js"
        if not target.exists():
            processes.bundle(processes.HERE / "pages" / f"{name}.js", target)
        return target

    @contextlib.contextmanager
    def peer(self) -> Iterator[processes.Running]:
        """Run the peer's server, filled."""
        processes.install_peer()
        with processes.peer(self.documents, self.peer_folder) as running:
            yield running

    @cached_property
    def peer_folder(self) -> Path:
        """The peer's page that opens without a network."""
        folder = self.folder / "peer"
        folder.mkdir()
        pages = processes.HERE / "pages"
        processes.bundle(pages / "offline.js", folder / "offline.js")
        shutil.copy(pages / "sw.js", folder)
        (folder / "index.html").write_text(
            '<!doctype html><meta charset="utf-8"><title>peer</title>'
            '<script type="module" src="/ready/offline.js"></script>'
        )
        return folder


def pack(path: Path, content: bytes) -> None:
    """Write gzip at the level that Stoep's server uses."""
    path.write_bytes(gzip.compress(content, 6, mtime=0))

"""Where the files lie that are not Python: in the source tree, or inside the installed package.

source checkout              wheel
templates/                   app/_bundle/templates/
static/dist/ (built)         app/_bundle/static/dist/
alembic/                     app/_bundle/alembic/
"""

import json
from functools import cache
from pathlib import Path
from typing import TypedDict

from app.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


class BuiltFile(TypedDict):
    """One file of the front end; `path` is below static/dist, sizes are in bytes."""

    path: str
    bytes: int
    gzip: int
    sha256: str


class Entry(TypedDict):
    """What a page names: the file, and what it will import at once."""

    file: str
    preload: list[str]


class FrontEnd(TypedDict):
    """What static/build.mjs made: `entries` by source, as in `js/app.js` and `css/app.css`."""

    build: str
    files: list[BuiltFile]
    entries: dict[str, Entry]


def root() -> Path:
    """Return the folder that holds `templates`, `static` and `alembic`."""
    bundle = _PACKAGE / "_bundle"
    return bundle if bundle.is_dir() else _PACKAGE.parent


def templates() -> Path:
    """Return the folder of the Jinja templates."""
    return root() / "templates"


def migrations() -> Path:
    """Return the folder of the migrations."""
    return root() / "alembic"


def dist() -> Path:
    """Return the folder that is served under /static/."""
    return root() / "static" / "dist"


def front_end() -> FrontEnd:
    """Return what the front end consists of.

    Raises ConfigError in a source checkout where it was never built.
    """
    manifest = dist() / "manifest.json"
    try:
        changed_ns = manifest.stat().st_mtime_ns
    except FileNotFoundError:
        raise ConfigError("The front end is not built; run `make build` first.") from None
    return _read(manifest, changed_ns)


@cache
def _read(manifest: Path, changed_ns: int) -> FrontEnd:
    """Read the manifest once for each change, so that a rebuild needs no restart."""
    content: FrontEnd = json.loads(manifest.read_text())
    return content

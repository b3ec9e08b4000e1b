"""The next version of Stoep, as an upgrade would bring it: another build, and newer databases.

It is this source with a migration more on the server, a step more in both databases on the phone,
and a changed stylesheet, built like any other.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from app import migrate

ROOT = Path(__file__).resolve().parents[2]

MIGRATION = '''"""something new."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversation", sa.Column("mood", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("conversation", "mood")
'''

STEP = "  (db) => void db.createObjectStore('novelty'),\n];\n"


def make(folder: Path) -> Path:
    """Make the next version in an empty folder, and return it: the place to start it from."""
    for name in ("app", "templates", "alembic", "static/js", "static/css", "static/icons"):
        shutil.copytree(ROOT / name, folder / name)
    for path in (ROOT / "static").iterdir():
        if path.is_file():
            shutil.copy(path, folder / "static")
    shutil.copy(ROOT / "service-worker.js", folder)
    (folder / "static/node_modules").symlink_to(ROOT / "static/node_modules")
    (folder / "alembic/versions/9999_novelty.py").write_text(MIGRATION.format(head=migrate.head()))
    steps = folder / "static/js/db.js"
    text = steps.read_text()
    longer = text.replace("  },\n];\n", "  },\n" + STEP)
    assert longer.count("novelty") == 2
    steps.write_text(longer)
    with (folder / "static/css/app.css").open("a") as css:
        css.write("\n.novelty {\n  color: inherit;\n}\n")
    node = [sys.executable, str(ROOT / "scripts/node.py"), "node", str(folder / "static/build.mjs")]
    subprocess.run(node, check=True, cwd=folder)
    return folder

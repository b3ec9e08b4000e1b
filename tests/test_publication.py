"""What is told about Stoep agrees with what it is."""

import re
from pathlib import Path

import pytest

from app import __version__
from app.config import Settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("pyproject.toml", r'^version = "(.+)"$'),
        ("publiccode.yml", r'^softwareVersion: "(.+)"$'),
        ("CHANGELOG.md", r"^## \[(\d.+?)\]"),
    ],
)
def test_every_file_tells_the_same_version(file: str, pattern: str) -> None:
    found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert found is not None
    assert found[1] == __version__


def test_publiccode_has_the_date_of_the_newest_release() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    released = re.search(r"^## \[\d.+?\] - (\S+)$", changes, re.MULTILINE)
    assert released is not None
    assert f'releaseDate: "{released[1]}"' in (ROOT / "publiccode.yml").read_text()


def setting_rows() -> list[str]:
    """The README's table as the settings themselves would write it."""
    return [
        f"| `STOEP_{name.upper()}` | {shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def shown(default: object) -> str:
    if default in {"", None}:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_readme_lists_every_setting_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text()
    listed = [line for line in readme.splitlines() if line.startswith("| `STOEP_")]
    assert listed == setting_rows()

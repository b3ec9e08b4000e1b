"""The key file and what is derived from it."""

import stat
from pathlib import Path

import pytest

from app import keys
from app.config import Settings
from app.errors import ConfigError


def test_the_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    key = keys.derive(settings, "seal")
    path = tmp_path / "new" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other.name for other in path.parent.iterdir()] == ["key"]
    keys._derived.cache_clear()
    assert keys.derive(settings, "seal") == key


def test_two_purposes_and_two_installations_never_share_a_key(tmp_path: Path) -> None:
    here, there = Settings(data_dir=tmp_path / "a"), Settings(data_dir=tmp_path / "b")
    made = {keys.derive(where, what) for where in (here, there) for what in ("seal", "count")}
    assert len(made) == 4
    assert {len(key) for key in made} == {keys.KEY_BYTES}


@pytest.mark.parametrize("content", ["", "not hex", "abcd", "é"])
def test_a_damaged_key_is_said_and_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="key file"):
        keys.derive(Settings(data_dir=tmp_path), "seal")
    assert path.read_text(encoding="utf-8") == content

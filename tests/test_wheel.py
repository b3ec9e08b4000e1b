"""The wheel is whole: it serves from an empty folder, without Node and without the source tree."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import httpx
import pytest

from app import paths
from tests.support.server import Server

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `python -m build` makes, by way of the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("stoep-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    # Path files inside a folder that is named in one are not read, so that the editable
    # installation of this checkout stays out.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_what_it_serves_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    bundled = {f"app/_bundle/static/dist/{file['path']}" for file in paths.front_end()["files"]}
    assert bundled <= set(names)
    assert "app/_bundle/static/dist/service-worker.js" in names
    assert "app/_bundle/templates/shell.html" in names
    assert "app/_bundle/alembic/env.py" in names
    assert any(name.startswith("app/_bundle/alembic/versions/") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"app"}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


def test_the_installed_program_serves_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    python = installed / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import app; print(app.__file__)"],
        cwd=empty,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(found).is_relative_to(installed), "the source tree is still on the path"

    program = (str(installed / "bin" / "stoep"),)
    server = Server(tmp_path / "data", program=program, cwd=empty)
    try:
        with httpx.Client(base_url=server.url) as client:
            page = client.get("/")
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            for entry in ("js/app.js", "css/app.css"):
                asset = client.get(f"/static/{paths.front_end()['entries'][entry]['file']}")
                assert asset.status_code == 200
                assert "immutable" in asset.headers["cache-control"]
            worker = client.get("/service-worker.js")
            assert worker.status_code == 200
            assert "javascript" in worker.headers["content-type"]
            described = client.get("/api/v1/openapi.json").json()
            assert "/api/v1/sync" in described["paths"]
    finally:
        code = server.stop()
    assert code == 0
    assert list(empty.iterdir()) == []

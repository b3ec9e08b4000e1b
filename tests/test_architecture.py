"""House rules that no reviewer should have to remember: who may import whom, and what is pure."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"

PURE = sorted(
    path
    for name in (
        *("rules.py", "conflicts.py", "states.py", "policy.py"),
        *("phrases.py", "hours.py", "defaults.py"),
    )
    for path in APP.rglob(name)
)

PURE_MAY_IMPORT = {
    *("collections", "dataclasses", "datetime", "decimal", "enum", "functools", "itertools"),
    *("math", "re", "string", "types", "typing", "unicodedata", "__future__"),
}
"""Standard modules that read no clock, disk or network by being called."""

FORBIDDEN = {
    # what a folder holds → what it may not import
    "app.inbox": ("app.sync", "app.push", "app.delivery", "app.channels", "app.triage"),
    "app.triage": ("app.sync", "app.push", "app.delivery", "app.channels"),
    "app.accounts": ("app.sync", "app.push", "app.delivery", "app.channels", "app.inbox"),
    "app.sync": ("app.push", "app.channels"),
    "app.push": ("app.channels", "app.oncall"),
    "app.oncall": ("app.sync", "app.channels", "app.delivery"),
    "app.listening": ("app.sync", "app.channels", "app.delivery", "app.push", "app.oncall"),
    "app.residents": (
        *("app.sync", "app.push", "app.delivery", "app.channels", "app.triage", "app.oncall"),
        *("app.listening", "app.meetings"),
    ),
    "app.meetings": ("app.sync", "app.push", "app.oncall", "app.channels"),
}

EXCEPT = {
    # Tables, shapes and the list of what a channel can do are no channel: no adapter, no intake.
    "app.sync": ("app.channels.models", "app.channels.contract", "app.channels.registry"),
    "app.triage": ("app.channels.models",),
    "app.oncall": ("app.channels.models",),
    "app.listening": ("app.channels.models", "app.channels.contract"),
    # What somebody asks on her phone in a hall is the web form's; it is followed on its page.
    "app.meetings": (
        *("app.channels.models", "app.channels.registry", "app.channels.web_form"),
        *("app.channels.web_service", "app.channels.web_spam"),
    ),
}

MAY_KNOW_ALL = {"app.main", "app.cli", "app.demo"}
"""What puts the features together."""

LOWEST = {
    "app.clock",
    "app.config",
    "app.db",
    "app.errors",
    "app.ids",
    "app.keys",
    "app.media",
    "app.paths",
    "app.ratelimit",
    "app.rounds",
}
"""The ground that the features stand on; it knows none of them."""

ADAPTERS = {
    *("bluesky", "email", "feed", "forum", "mastodon", "matrix", "open311", "signalen"),
    *("telegram", "whatsapp", "x", "platform", "safe", "social", "doubt"),
}
"""What the files of an adapter begin with; the last four are shared by several."""

ADAPTER_LIBRARIES = {"feedparser", "httpcore", "httpx", "imap_tools", "nh3"}
"""What an adapter may use beside the standard library and the contract."""

MEDIA_FROM_ELSEWHERE = {"app.channels", "app.channels.safe_http"}
"""The one way to fetch what lies on a host that somebody else named."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path, *, at_run_time: bool = True) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, as a full dotted name."""
    package = (
        module_name(path) if path.name == "__init__.py" else module_name(path.parent / "x")[:-2]
    )
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""]).rstrip(".") if node.level else node.module
            # `from app import x` may name a module: both forms count.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def below(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}.")


def python_files() -> list[Path]:
    return [path for path in sorted(APP.rglob("*.py")) if "_bundle" not in path.parts]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_folder_imports_only_what_lies_below_it(folder: str) -> None:
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in python_files()
        if below(module_name(path), folder) and path.name != "cli.py"
        for name in imports(path)
        if any(below(name, other) for other in FORBIDDEN[folder])
        and not any(below(name, other) for other in EXCEPT.get(folder, ()))
    ]
    assert wrong == []


def test_the_ground_knows_no_feature() -> None:
    features = [f"app.{path.parent.name}" for path in APP.glob("*/__init__.py")]
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in python_files()
        if module_name(path) in LOWEST
        for name in imports(path)
        if any(below(name, feature) for feature in features)
    ]
    assert wrong == []


def test_only_what_puts_the_house_together_imports_it() -> None:
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in python_files()
        if module_name(path) not in MAY_KNOW_ALL and path.name != "cli.py"
        for name in imports(path)
        if any(below(name, other) for other in MAY_KNOW_ALL)
    ]
    assert wrong == []


def test_services_know_no_routes_and_models_know_no_services() -> None:
    above = {
        "service": ("routes",),
        "queries": ("routes", "service"),
        "models": ("routes", "service", "queries"),
    }
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in python_files()
        for name in imports(path)
        if below(name, "app") and set(name.split(".")) & set(above.get(path.stem, ()))
    ]
    assert wrong == []


def test_adapters_know_the_contract_and_nothing_else_of_the_house() -> None:
    adapters = [
        path for path in (APP / "channels").glob("*.py") if path.stem.split("_")[0] in ADAPTERS
    ]
    assert {path.stem.split("_")[0] for path in adapters} == ADAPTERS
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in adapters
        for name in imports(path)
        if not (
            below(name, "app.channels.contract")
            or name in MEDIA_FROM_ELSEWHERE
            or below(name, "app.text")  # text in, text out; a test below keeps it so
            or any(below(name, module_name(other)) for other in adapters)
            or name.split(".")[0] in ADAPTER_LIBRARIES | sys.stdlib_module_names
        )
    ]
    assert wrong == []


def test_handling_of_text_knows_nothing_of_the_house() -> None:
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in python_files()
        if below(module_name(path), "app.text")
        for name in imports(path)
        if below(name, "app") and not below(name, "app.text")
    ]
    assert wrong == []


def test_pure_files_were_found() -> None:
    assert {"conflicts", "states", "policy"} <= {path.stem for path in PURE}


@pytest.mark.parametrize("path", PURE, ids=module_name)
def test_a_pure_file_does_no_input_or_output(path: Path) -> None:
    files = {module_name(other) for other in PURE}
    wrong = [
        name
        for name in imports(path)
        if name.split(".")[0] not in PURE_MAY_IMPORT
        and not any(below(name, other) for other in files)
    ]
    tree = ast.parse(path.read_text())
    calls = {
        node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert wrong == []
    assert not calls & {"open", "print", "input", "now", "utcnow", "today", "exec", "eval"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]


def test_services_never_commit() -> None:
    wrong = [
        module_name(path)
        for path in python_files()
        if path not in {APP / "db.py", APP / "migrate.py"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]
    assert wrong == []


def test_the_clock_is_given_in_and_never_asked_of_the_library() -> None:
    wrong = [
        f"{module_name(path)}: {ast.unparse(node)}"
        for path in python_files()
        if path.name not in {"clock.py", "ids.py"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
    ]
    assert wrong == []


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_nothing_that_was_built_or_made_by_others_is_committed() -> None:
    folders = {"node_modules", "dist", ".venv", "_bundle", "vendor", "third_party", "data"}
    wrong = [path for path in committed() if folders & set(path.relative_to(ROOT).parts)]
    wrong += [
        path for path in committed() if path.name.endswith((".min.js", ".map", ".whl", ".db"))
    ]
    assert wrong == []


def test_the_lockfiles_name_no_registry() -> None:
    locks = [path for path in committed() if path.name == "package-lock.json"]
    assert ROOT / "static" / "package-lock.json" in locks
    wrong = [
        line.strip()
        for path in locks
        for line in path.read_text().splitlines()
        if '"resolved"' in line and "https://registry.npmjs.org/" not in line
    ]
    assert wrong == []


def test_javascript_has_named_exports_only() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in committed()
        if path.suffix == ".js" and "export default" in path.read_text()
    ]
    assert wrong == []

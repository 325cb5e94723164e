"""What holds for the whole tree, and what breaks silently when somebody forgets it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.site import ROOT

PACKAGES = {
    "svckit": "svckit",
    "router": "portico",
    "static": "staticsvc",
    "uploads": "uploadsvc",
    "websocket": "websocketsvc",
    "authsvc": "authsvc",
}
NOT_OURS = {".git", ".venv", "var", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__", "node_modules"}
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))


def files(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in NOT_OURS:
            yield from files(path)
        elif path.is_file() and not path.is_symlink():
            yield path


def test_no_top_level_folder_is_a_package() -> None:
    """`websocket/__init__.py` would shadow a package of that name for everything that runs in the project's folder."""
    assert sorted(path.parent.name for path in ROOT.glob("*/__init__.py")) == []


def test_no_registry_is_named_by_its_host() -> None:
    """Whoever installs has an index of their own choice."""
    hosts = "|".join(
        name.replace(" ", r"\.") for name in ("pypi org", "pythonhosted org", "registry npmjs org", "deb debian org")
    )
    named = re.compile(rf"\b(?:{hosts})\b".encode())
    assert [str(path.relative_to(ROOT)) for path in files() if named.search(path.read_bytes())] == []


def test_no_lock_file_holds_addresses() -> None:
    names = {"uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock"}
    assert [str(path.relative_to(ROOT)) for path in files() if path.name in names] == []
    assert [path.name for path in REQUIREMENTS if "://" in path.read_text()] == []


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.stem)
def test_requirements_are_hashed_and_agree_with_those_of_development(path: Path) -> None:
    locked, development = pins(path), pins(ROOT / "requirements/dev.txt")
    assert locked
    if path.stem in ("docs", "bench"):  # their tools are needed by nobody else; what both have is the same
        locked = {name: version for name, version in locked.items() if name in development}
    assert {name: version for name, version in locked.items() if development.get(name) != version} == {}
    stanzas = re.split(r"\n(?=[a-z0-9])", path.read_text())
    assert [stanza for stanza in stanzas if "==" in stanza and "--hash=sha256:" not in stanza] == []


@pytest.mark.parametrize("member", PACKAGES)
def test_arrows_between_members(member: str) -> None:
    """Services and router know svckit; svckit knows none of them; nothing imports a service but itself."""
    allowed = {"svckit", PACKAGES[member]}
    foreign = set(PACKAGES.values()) - allowed
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files(ROOT / member / "src")
        if path.suffix == ".py"
        for name in imported(path)
        if name in foreign
    ]
    assert found == []


def imported(path: Path) -> Iterator[str]:
    """Top-level names of everything that a file imports by an absolute name."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("member", [member for member in PACKAGES if member != "svckit"])
def test_an_image_installs_its_own_needs_and_agrees_on_shared_folders(member: str) -> None:
    """An empty volume takes owner and mode from the first container that mounts it, so all images make the folder alike."""
    dockerfile = (ROOT / member / "Dockerfile").read_text()
    assert f"requirements/{member}.txt" in dockerfile
    assert "groupadd --gid 20000 portico" in dockerfile
    assert "install -d -o root -g portico -m 2770 /run/portico/" in dockerfile
    assert not dockerfile.startswith("# syntax")

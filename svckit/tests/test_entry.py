"""Finding services: by entry point, or by module and function."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from svckit.entry import GROUP, NoSuchService, ServiceParts, find, remember

from svckit import entry

MODULES = {
    "both": "def make_factory(settings, reactor): ...\ndef make_service(settings, reactor): ...\n",
    "background": "def make_service(settings, reactor): ...\n",
    "neither": "make = 1\n",
    "broken": "import nothing_of_that_name\n",
}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four services, of which two are none."""
    for name, text in MODULES.items():
        (tmp_path / f"entrytest_{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, f"entrytest_{name}", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(name, f"entrytest_{name}", GROUP) for name in MODULES]

    def entry_points(group: str) -> list[EntryPoint]:
        assert group == "portico.services"
        return points

    monkeypatch.setattr(entry, "entry_points", entry_points)


def module(name: str) -> Any:
    return sys.modules[f"entrytest_{name}"]


def test_an_installed_service() -> None:
    assert find("both") == ServiceParts(module("both").make_factory, module("both").make_service)


def test_one_with_background_work_only() -> None:
    assert find("background") == ServiceParts(None, module("background").make_service)


def test_a_module_and_a_function() -> None:
    assert find("entrytest_both:make_factory") == ServiceParts(module("both").make_factory, None)


def test_the_error_says_which_there_are() -> None:
    with pytest.raises(NoSuchService, match=r"no service 'bath' is installed .*background, both, broken, neither"):
        find("bath")


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "entry_points", lambda group: [])
    with pytest.raises(NoSuchService, match="installed: none"):
        find("both")


def test_a_module_that_is_no_service() -> None:
    with pytest.raises(NoSuchService, match="entrytest_neither has neither make_factory nor make_service"):
        find("neither")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nothing_of_that_name:make", "No module named"),
        ("entrytest_both:make", "has no attribute 'make'"),
        ("entrytest_broken:make", "No module named 'nothing_of_that_name'"),
        ("entrytest_neither:make", "not a function"),
        (":make", "module"),
        ("entrytest_both:", "attribute"),
        (".relative:make", "relative"),
    ],
)
def test_what_cannot_be_found_is_named(name: str, why: str) -> None:
    with pytest.raises(NoSuchService, match=why) as caught:
        find(name)
    assert str(caught.value).startswith(f"{name}: ")


def test_a_service_that_does_not_import_is_not_passed_over() -> None:
    with pytest.raises(ImportError, match="nothing_of_that_name"):
        find("broken")


def test_what_is_remembered_is_found_when_nothing_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "_remembered", {})
    parts = remember("both")
    monkeypatch.setattr(entry, "entry_points", lambda group: [])
    assert find("both") is parts
    with pytest.raises(NoSuchService):
        find("background")
    with pytest.raises(NoSuchService):
        remember("none")

"""The options of the service, and what each may be."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from svckit.settings import BadOptions, Settings
from twisted.internet.testing import MemoryReactorClock
from uploadsvc.counts import FOLDER, Counts
from uploadsvc.service import Options, make_factory


def make(tmp_path: Path, **options: object) -> Any:
    settings = Settings(service="uploads", replica="r1", state=tmp_path / "state", options={"writes": "anyone", **options})
    return make_factory(settings, MemoryReactorClock())  # type: ignore[arg-type]


def test_a_replica_that_ends_leaves_its_counts(tmp_path: Path) -> None:
    settings = Settings(service="uploads", replica="r1", state=tmp_path, options={"writes": "anyone"})
    for cannot in (False, True):
        reactor = MemoryReactorClock()
        make_factory(settings, reactor).intake.counts.count("bytes", "put", 7)  # type: ignore[arg-type, attr-defined]
        folder = tmp_path / "files" / FOLDER
        if cannot:
            shutil.rmtree(folder)
            folder.touch()
        ((end, given, named),) = reactor.triggers["during"]["shutdown"]
        end(*given, **named)
        if not cannot:
            assert b'bytes_total{replica="r1",way="put"} 7\n' in Counts(tmp_path / "files", "r2").page()


def test_starts_with_nothing_said(tmp_path: Path) -> None:
    site = make(tmp_path)
    assert site.intake.store.root == tmp_path / "state" / "files"
    assert site.intake.store.hidden.is_dir()
    assert (site.intake.max_size, site.intake.parallel, site.timeOut) == (16 * 2**30, 256, 60.0)


def test_options_may_be_text(tmp_path: Path) -> None:
    site = make(tmp_path, root=str(tmp_path / "r"), max_size="1000", parallel="2", idle_timeout="1.5", threads="1")
    assert (site.intake.max_size, site.intake.parallel, site.timeOut) == (1000, 2, 1.5)
    assert site.intake.store.root == tmp_path / "r"


@pytest.mark.parametrize(
    "options",
    [
        {"writes": "nobody"},
        {"max_size": "-1"},
        {"parallel": "0"},
        {"idle_timeout": "0"},
        {"threads": "0"},
        {"max_size": "16 GiB"},
        {"maxsize": "1"},
    ],
)
def test_bad_options_are_said_at_the_start(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(BadOptions, match="uploads"):
        make(tmp_path, **options)


def test_a_root_that_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadOptions, match=r"uploads: root: .*file/x: expected a folder to write in: Not a directory"):
        make(tmp_path, root=str(tmp_path / "file" / "x"))


def test_every_option_has_a_default() -> None:
    assert Options().threads == 8


def test_writing_needs_a_login_and_somebody_to_ask_unless_anyone_may(tmp_path: Path) -> None:
    def writers(auth: Path | None, **options: object) -> Any:
        settings = Settings(service="uploads", replica="r1", state=tmp_path / "state", auth=auth, options=options)
        return make_factory(settings, MemoryReactorClock()).writers  # type: ignore[arg-type, attr-defined]

    assert writers(tmp_path) is not None
    assert writers(tmp_path, writes="anyone") is None
    assert writers(None, writes="anyone") is None
    with pytest.raises(BadOptions, match=r'uploads: writes: .*PORTICO_AUTH.*writes = "anyone"'):
        writers(None)

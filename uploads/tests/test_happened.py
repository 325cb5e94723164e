"""What has happened is not answered as if it had not: the file stands, and then something fails."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from twisted.logger import LogLevel, capturedLogs
from uploadsvc import part
from uploadsvc.journal import FOLDER


def broken(path: Any) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("more", [{}, {"If_None_Match": "*"}])
@pytest.mark.parametrize("spool", [False, True])
def test_a_folder_that_cannot_be_synced_after_the_file_stands(
    make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, spool: bool, more: dict[str, str]
) -> None:
    service = make_uploads(**({"spool": "/unused"} if spool else {}))
    monkeypatch.setattr(part, "sync_folder", broken)
    with capturedLogs() as logs:
        assert service.connect().ask("PUT", "/uploads/x", b"abc", **more)[0] == 201
    assert (service.root / "x").read_bytes() == b"abc"
    assert [event["log_level"] for event in logs if "power failure" in event["log_format"]] == [LogLevel.critical]
    assert len(list(service.root.glob(f"{FOLDER}/*.spool"))) == spool


def test_an_event_that_cannot_be_carried_on_comes_later(
    make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_uploads(spool="/unused")
    journal = service.site.intake.store.journal
    monkeypatch.setattr(type(journal), "_step", lambda *_: broken(None))
    assert service.connect().ask("PUT", "/uploads/x", b"abc")[0] == 201
    monkeypatch.undo()
    assert [path.suffix for path in journal.folder.iterdir()] == [".intent"]
    journal.settle(1e12)
    assert [path.suffix for path in journal.folder.iterdir()] == [".spool"]

"""A large file by the quick way: it takes turns with the others, and leaves the socket as it was."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from svckit.kernelsending import PER_CALL, TURN, KernelSending

from tests.support.wire import Wire

SIZE = 3 * PER_CALL + 1000


@pytest.fixture
def site(make: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(KernelSending, "under_way", 0)
    (root / "large.bin").write_bytes(os.urandom(SIZE))
    return make().site


def test_it_takes_turns(site: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much the client takes at once, a call asks for no more than others can wait for."""
    asked: list[int] = []
    under_way: list[int] = []
    original = os.sendfile

    def observed(out: int, source: int, offset: int, count: int) -> int:
        asked.append(count)
        under_way.append(KernelSending.under_way)
        site.clock.advance(TURN)
        return original(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", observed)
    wire = Wire(site)
    try:
        for _ in range(2):
            wire.get("/static/large.bin")
            assert wire.answer()[1] == (root / "large.bin").read_bytes()
            assert wire.server.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 0
        assert max(asked) == PER_CALL
        assert set(under_way) == {0, 1} and KernelSending.under_way == 0
    finally:
        wire.close()


def test_one_that_is_cut_is_no_longer_under_way(site: Any) -> None:
    wire = Wire(site, buffer=4096)
    wire.get("/static/large.bin")
    wire.answer()
    assert KernelSending.under_way == 0
    wire.get("/static/large.bin")
    assert KernelSending.under_way == 1
    wire.close()
    assert wire.lost == 1 and KernelSending.under_way == 0

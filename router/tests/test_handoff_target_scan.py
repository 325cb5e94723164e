"""A folder with more in it than replicas: how much one look at it costs, and that it keeps no living one waiting."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from portico.config import Limits
from portico.targets import socketfiles
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from svckit.handoff import socketfile

from .support.linkrig import HandReplica
from .support.reactor import HandReactor


@contextmanager
def living(folder: Path, count: int) -> Iterator[None]:
    """So many replicas, which die in the end."""
    replicas = [HandReplica(folder, f"living{number}") for number in range(count)]
    yield
    for replica in replicas:
        replica.die()


def test_more_replicas_than_there_may_be(reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]) -> None:
    target = make_target()
    target.heed(Limits(replicas=3))
    with living(folder, 5):
        for _ in range(3):
            reactor.advance(SCAN_INTERVAL)
        assert len(target._links) == 3


def test_one_look_links_so_many(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketfiles, "LINKS_AT_ONCE", 2)
    with living(folder, 5):
        target = make_target()
        assert len(target._links) == 2
        reactor.advance(SCAN_INTERVAL)
        assert len(target._links) == 4


def test_a_folder_full_of_files_costs_one_bounded_look(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketfiles, "ENTRIES", 10)
    seen: list[str] = []

    def refuse(path: str) -> socket.socket:
        seen.append(path)
        raise ConnectionRefusedError

    monkeypatch.setattr(socketfile, "connect", refuse)
    for number in range(30):
        (folder / f"{number}.sock").touch()
    make_target()
    assert len(seen) == 10


def test_dead_files_do_not_keep_a_living_replica_waiting(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketfiles, "TRIES_AT_ONCE", 4)
    paths = [str(folder / f"dead{number}.sock") for number in range(10)]
    living, tried = str(folder / "living.sock"), list[str]()

    def scandir(folder: Path) -> nullcontext[list[SimpleNamespace]]:
        """The living one comes last, each time."""
        return nullcontext([SimpleNamespace(path=path, name=path, inode=partial(int, inode)) for path, inode in inodes.items()])

    def connect(path: str) -> socket.socket:
        tried.append(path)
        if path != living:
            raise ConnectionRefusedError
        return pair[0]

    inodes = {path: number for number, path in enumerate(paths)}
    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(socketfile, "connect", connect)
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    target = make_target()
    assert tried == paths[:4]
    reactor.pump([SCAN_INTERVAL] * 2)
    assert tried == [*paths, *paths[:2]]  # each in its turn
    inodes[living] = 77
    reactor.advance(SCAN_INTERVAL)
    assert tried[12:] == [living, *paths[2:5]]  # one that has not been tried comes first
    assert list(target._links) == [living]
    inodes[paths[7]] = 78  # another file of that name
    reactor.advance(SCAN_INTERVAL)
    assert tried[16:] == [paths[7], paths[5], paths[6], paths[8]]
    pair[1].close()


def test_dead_files_do_not_count_as_links(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]
) -> None:
    for number in range(60):
        HandReplica(folder, f"dead{number}").die()
    with living(folder, 3):
        target = make_target()  # which looks once
        assert len(target._links) == 3

"""What svckit's tests share: a folder for sockets, a replica on its stage, a link on its table."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from adopter_support import Adopter
from link_support import Table
from replica_support import Stage
from svckit.handoff.aio import replica

from tests.support.descriptors import no_descriptor_leaks


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has at most 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="sk") as made:
        yield Path(made)


@pytest.fixture
def stage(folder: Path) -> Iterator[Stage]:
    """At its end the replica drains, and not one descriptor more is open than before."""
    with no_descriptor_leaks():
        made = Stage(folder)
        yield made
        made.clear()
    assert not made.reactor.failures
    assert not made.reactor.readers
    assert not made.reactor.writers


@pytest.fixture
def table() -> Iterator[Table]:
    """At its end not one descriptor more is open than before."""
    with no_descriptor_leaks():
        made = Table()
        yield made
        made.clear()
    assert not made.reactor.failures
    assert not made.reactor.readers
    assert not made.reactor.writers


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An asyncio replica that drains does not wait long for its routers."""
    for name in ("GOODBYE_TIME", "FAREWELL_TIME"):
        monkeypatch.setattr(replica, name, 0.1)


@pytest.fixture
def adopter() -> Iterator[Adopter]:
    """At its end every connection is lost or given on, and not one descriptor more is open than before."""
    with no_descriptor_leaks():
        made = Adopter()
        yield made
        made.client.close()
        made.reactor.until(lambda: len(made.lost) == len(made.made))
        for sock in made.released:
            sock.close()
    assert not made.reactor.failures
    assert not made.reactor.readers
    assert not made.reactor.writers

"""Counted clients of a tcp service, of which all that is lost or left over shows."""

from collections.abc import Iterator
from contextlib import contextmanager

from portico.places import Places
from portico.targets.crowd import QUIET

from .splitrig import Rig

__all__ = ["counted", "sleepers", "sleeping"]


@contextmanager
def counted(rig: Rig) -> Iterator[Places]:
    """Clients of `rig` count from now on; none may be left."""
    places = rig.places = Places(1 << 20, None, 1)
    yield places
    rig.close()
    assert places.held == 0
    assert not places._clients
    for some in (rig.target._split._sleeping, rig.target._tunnels):
        assert len(some) == 0
        assert len(some._resting._facts) == 0
    assert not rig.target._tunnels._clients
    assert not any(rig.poller._common)


def sleepers(rig: Rig) -> int:
    """Sessions and tunnels that are records."""
    return len(rig.target._split._sleeping) + len(rig.target._tunnels._records)


def sleeping(rig: Rig, count: int) -> None:
    """Let the time pass after which what is quiet is laid down, until so many are records."""
    rig.reactor.settle()
    for _ in range(round(QUIET + 2 * rig.target._tunnels._idle.interval)):
        if sleepers(rig) == count:
            break
        rig.reactor.advance(1.0)
    rig.reactor.settle()
    assert sleepers(rig) == count

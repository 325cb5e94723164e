"""What an operator has drained, told to a worker that starts: it is to send nothing there, not even its first connection.

A drain is held by the workers, and each forgets it with the replica. So those that run are asked at their operators' ports, by
the parent (`Drains`). What they say goes to the new one through a pipe, before it looks for its replicas (`told`). Where none
of them answers, as all have died at once, it is what they said last: each drain by an operator is followed by a question.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .client import fetch

if TYPE_CHECKING:
    from .workers import Worker

__all__ = ["FROM_DRAINS", "Drained", "Drains", "told"]

FROM_DRAINS = 5
"""Descriptor of a worker on which it is told."""
ASK_TIME = 1.0
"""Seconds that the workers have to answer; the new one waits for them."""

Drained = Mapping[str, Sequence[str]]
"""By service: what its target knows drained replicas by."""


class _Service(Struct):
    drained: list[str] = field(default_factory=list)


class _Status(Struct):
    services: dict[str, _Service] = field(default_factory=dict)


class Drains:
    """The parent's side."""

    log = Logger()

    def __init__(self, address_of: Callable[[int], str], reactor: Reactor) -> None:
        """`address_of` a worker's number is where it has its operators' port."""
        self._address_of, self._reactor = address_of, reactor
        self._last: dict[str, list[str]] = {}

    def ask(self, workers: Sequence["Worker"]) -> "Deferred[bytes]":
        """What is drained in those of the `workers` that are ready, as `told` reads it."""
        asked = [self._drained_in(worker.number) for worker in workers if worker.state == "ready"]
        return gatherResults(asked).addCallback(self._together)

    def _drained_in(self, number: int) -> "Deferred[_Status | None]":
        pool = self._reactor.getThreadPool()
        asked = deferToThreadPool(self._reactor, pool, fetch, self._address_of(number), "/status").addCallback(_read)
        asked.addTimeout(ASK_TIME, self._reactor)
        return asked.addErrback(lambda failure: self.log.warn("what is drained: {why}", why=failure.getErrorMessage()))

    def _together(self, found: list[_Status | None]) -> bytes:
        statuses = [status for status in found if status is not None]
        if statuses:
            drained: dict[str, set[str]] = {}
            for status in statuses:
                for name, service in status.services.items():
                    drained.setdefault(name, set()).update(service.drained)
            self._last = {name: sorted(replicas) for name, replicas in drained.items() if replicas}
        return msgspec.json.encode(self._last)


def _read(answer: tuple[int, bytes]) -> _Status | None:
    status, body = answer
    return msgspec.json.decode(body, type=_Status) if status == 200 else None


def told(descriptor: int = FROM_DRAINS) -> Drained:
    """A worker's side: what is drained when it starts. Waits for the parent, and closes the descriptor."""
    with open(descriptor, "rb") as pipe:
        said = pipe.read()
    try:
        return msgspec.json.decode(said, type=dict[str, list[str]]) if said else {}
    except msgspec.DecodeError:  # cut off: the parent is gone, and so is this worker in a moment
        return {}

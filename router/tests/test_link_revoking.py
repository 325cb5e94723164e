"""The router's end of a link: a replica that drains, and what is taken back from one that takes nothing."""

import pytest
from portico.link import Link
from svckit.handoff.cell import is_revoked
from svckit.handoff.codec import Connection, Draining, Farewell, Taken

from .support.linkrig import HandReplica, Owner, come
from .support.reactor import HandReactor

# -- draining


def test_draining_gets_a_farewell(reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner) -> None:
    _, arrival = come()
    assert ready.offer(arrival)
    replica.send(Draining())
    replica.send(Draining())
    reactor.settle()
    assert not ready.willing
    assert ready.status()["state"] == "draining"
    assert [type(message) for message in replica.hear()] == [Connection, Farewell]
    replica.send(Taken(1, 1))  # on its way before the farewell: still to be taken
    reactor.settle()
    assert owner.taken_ == [arrival]
    assert not ready.ended


# -- revoking


def test_revoke_tells_the_replica_and_takes_back_exactly_what_was_not_taken(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    arrivals = [come()[1] for _ in range(3)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    replica.send(Taken(1, 1))  # said in time, though nobody has read it yet
    ready.revoke()
    assert owner.taken_ == arrivals[:1]
    assert owner.reclaimed == arrivals[1:]
    assert owner.told == ["ready", "taken", "ended"]
    assert is_revoked(replica_cell(replica))
    with pytest.raises(BrokenPipeError):
        replica.send(Taken(3, 3))  # too late


def test_from_the_revocation_on_nothing_can_be_said(
    reactor: HandReactor, replica: HandReplica, ready: Link, owner: Owner
) -> None:
    arrivals = [come()[1] for _ in range(2)]
    for arrival in arrivals:
        assert ready.offer(arrival)
    replica.send(Taken(1, 1))
    refused: list[bool] = []

    def say_more() -> None:
        """Between what is heard last and the end."""
        try:
            replica.send(Taken(2, 2))
        except BrokenPipeError:
            refused.append(True)

    owner.on_taken = say_more
    ready.revoke()
    assert refused == [True]
    assert owner.reclaimed == arrivals[1:]


def replica_cell(replica: HandReplica) -> int:
    replica.hear()
    return replica.cell


def test_the_end_without_a_revocation_leaves_the_cell_alone(replica: HandReplica, ready: Link) -> None:
    ready.end()
    assert not is_revoked(replica.cell)

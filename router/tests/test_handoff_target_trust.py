"""What a compromised replica can try through its service's folder, and how far each gets. `docs/security.md` has the list."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from portico.core.answers import STRANGE, STRANGE_AND_SILENT
from portico.doubts import DOUBTS
from portico.link import BATCH
from portico.service import RoutedService
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from portico.targets.socketfiles import LONGEST_SUSPENSION, SUSPENSION
from svckit.handoff.codec import Taken

from .support.linkrig import HEAD, HandReplica, come, linked
from .support.reactor import HandReactor
from .support.wires import Answers, Inbox, tcp_pair


def test_another_user_s_socket_is_not_linked(
    reactor: HandReactor, folder: Path, replica: HandReplica, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target(uid=os.getuid() + 1)
    for _ in range(20):
        reactor.advance(SCAN_INTERVAL)
    assert target._links == {}


def test_its_own_user_s_socket_is_linked(
    reactor: HandReactor, replica: HandReplica, make_target: Callable[..., HandoffTarget]
) -> None:
    linked(reactor, make_target(uid=os.getuid()), replica)


@pytest.mark.parametrize(("owner_of_folder", "expected"), [(0, None), (65_534, None), (12_345, 12_345)])
def test_whom_the_folder_belongs_to(
    make_target: Callable[..., HandoffTarget], owner_of_folder: int, expected: int | None
) -> None:
    assert make_target()._files._expected(owner_of_folder) == expected
    assert make_target()._files._expected(os.getuid()) is None
    assert make_target(uid=7)._files._expected(owner_of_folder) == 7


def test_a_symbolic_link_is_not_followed(reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]) -> None:
    (folder / "other").mkdir()
    victim = HandReplica(folder / "other", "victim", "uploads")
    (folder / "evil.sock").symlink_to(victim.path)
    target = make_target()
    reactor.advance(SCAN_INTERVAL)
    assert target._links == {}
    with pytest.raises(BlockingIOError):
        victim.listener.accept()
    victim.die()


def test_another_service_s_socket_in_the_folder_gets_nothing(
    reactor: HandReactor, folder: Path, service: RoutedService, make_target: Callable[..., HandoffTarget]
) -> None:
    planted = HandReplica(folder, "planted", "uploads")
    target = make_target()
    reactor.advance(SCAN_INTERVAL)
    planted.greet()
    reactor.settle()
    assert target._links == {}
    planted.die()


def test_who_breaks_the_protocol_is_left_alone_longer_each_time(
    reactor: HandReactor, replica: HandReplica, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target()
    waits: list[float] = []
    for _ in range(9):
        before = reactor.seconds()
        while not target._links:
            reactor.advance(SCAN_INTERVAL)
        waits.append(round(reactor.seconds() - before))
        replica.greet()
        replica.send_packet(b"\xff")
        reactor.settle()
        assert target._links == {}
    assert waits == [0, SUSPENSION, 2, 4, 8, 16, 32, LONGEST_SUSPENSION, LONGEST_SUSPENSION]


def test_what_is_on_its_way_to_one_service_is_bounded_also_after_its_links_have_ended(
    reactor: HandReactor, replica: HandReplica, service: RoutedService, make_target: Callable[..., HandoffTarget]
) -> None:
    """Descriptors in the queue of a replica that never reads count against the router's user, and so against all services."""
    target = make_target()
    target._most_on_the_way = 3
    linked(reactor, target, replica)
    arrivals = [come()[1] for _ in range(5)]
    for arrival in arrivals[:4]:
        service.put_through(arrival)
    assert (target._offered, service.queued) == (3, 1)
    reactor.pump([SCAN_INTERVAL] * 12)  # take_timeout is over, the link is given up
    assert (target._offered, target._leftovers.count) == (0, 3)
    assert service.queued == 4
    asleep, replica.link = replica.link, None
    assert asleep is not None
    reactor.pump([SCAN_INTERVAL] * 6)  # and it is linked again, though nothing more goes to it
    replica.greet()
    reactor.settle()
    assert replica.hear()
    assert (target._offered, service.queued) == (0, 4)
    asleep.close()  # now they are out of its queue
    reactor.advance(SCAN_INTERVAL)
    assert target._leftovers.count == 0
    assert (target._offered, service.queued) == (3, 1)
    replica.hear()
    replica.send(Taken(3, 3))
    reactor.settle()
    assert (target._offered, service.queued) == (1, 0)  # what waited goes on at once
    service.put_through(arrivals[4])


def test_a_service_from_which_nothing_is_taken_back(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    linked(reactor, make_target(hand_back=False), replica)
    pairs = [tcp_pair() for _ in range(2)]
    for number, (unread, (_, accepted)) in enumerate(zip((HEAD, b""), pairs, strict=True), 1):
        replica.hand_back(number, accepted.fileno(), unread)
    reactor.settle()
    assert answers.kinds == [STRANGE, STRANGE_AND_SILENT]
    assert Taken(2, 0) in replica.hear()
    for client, accepted in pairs:
        client.close()
        accepted.close()


def test_what_cannot_be_told_is_answered_and_logged_and_the_link_goes_on(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target()
    linked(reactor, target, replica)
    ours, theirs = socket.socketpair()
    replica.hand_back(1, theirs.fileno(), HEAD)
    theirs.close()
    reactor.settle()
    assert answers.kinds == [STRANGE]
    assert Inbox(ours).has_ended()
    assert len(target._links) == 1
    ours.close()


def test_who_floods_with_what_is_doubted_is_left_alone_and_holds_few_descriptors(
    reactor: HandReactor, replica: HandReplica, answers: Answers, make_target: Callable[..., HandoffTarget]
) -> None:
    target = make_target()
    linked(reactor, target, replica)
    ours, theirs = socket.socketpair()
    for number in range(1, DOUBTS + 2):
        replica.hand_back(number, theirs.fileno(), HEAD)
        if not number % BATCH:
            reactor.settle()
            replica.hear()
    reactor.settle()
    assert target._links == {}
    assert set(target._files.suspended) == {str(replica.path)}
    assert 0 < len(answers.given) <= DOUBTS
    ours.close()
    theirs.close()

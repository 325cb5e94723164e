"""What a compromised replica can try through its service's folder, and how far each gets. `docs/security.md` has the list."""

import os
import socket
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from portico.config import Limits
from portico.core.answers import STRANGE, STRANGE_AND_SILENT
from portico.doubts import DOUBTS
from portico.link import BATCH
from portico.service import RoutedService
from portico.targets import handoff
from portico.targets.handoff import LONGEST_SUSPENSION, SCAN_INTERVAL, SUSPENSION, HandoffTarget
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
    assert make_target()._uid(owner_of_folder) == expected
    assert make_target()._uid(os.getuid()) is None
    assert make_target(uid=7)._uid(owner_of_folder) == 7


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


def test_more_replicas_than_there_may_be(reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget]) -> None:
    target = make_target()
    target.heed(Limits(replicas=3))
    replicas = [HandReplica(folder, f"r{number}") for number in range(5)]
    for _ in range(3):
        reactor.advance(SCAN_INTERVAL)
    assert len(target._links) == 3
    for replica in replicas:
        replica.die()


def test_one_look_links_so_many(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "LINKS_AT_ONCE", 2)
    replicas = [HandReplica(folder, f"r{number}") for number in range(5)]
    target = make_target()
    assert len(target._links) == 2
    reactor.advance(SCAN_INTERVAL)
    assert len(target._links) == 4
    for replica in replicas:
        replica.die()


def test_a_folder_full_of_files_costs_one_bounded_look(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "ENTRIES", 10)
    seen: list[str] = []
    monkeypatch.setattr(handoff.socketfile, "connect", lambda path: seen.append(path) or _refuse())
    for number in range(30):
        (folder / f"{number}.sock").touch()
    make_target()
    assert len(seen) == 10


def test_dead_files_do_not_keep_a_living_replica_waiting(
    reactor: HandReactor, folder: Path, make_target: Callable[..., HandoffTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "TRIES_AT_ONCE", 4)
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
    monkeypatch.setattr(handoff.os, "scandir", scandir)
    monkeypatch.setattr(handoff.socketfile, "connect", connect)
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
    living = [HandReplica(folder, f"living{number}") for number in range(3)]
    target = make_target()  # which looks once
    assert len(target._links) == 3
    for replica in living:
        replica.die()


def _refuse() -> socket.socket:
    raise ConnectionRefusedError


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
    assert set(target._suspended) == {str(replica.path)}
    assert 0 < len(answers.given) <= DOUBTS
    ours.close()
    theirs.close()

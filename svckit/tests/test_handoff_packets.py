"""Packets and descriptors over a real SOCK_SEQPACKET pair."""

import fcntl
import os
import resource
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from handoff_support import link_pair
from svckit.handoff import packets
from svckit.handoff.codec import MESSAGE_LIMIT, Malformed

from tests.support.descriptors import no_descriptor_leaks, open_descriptors

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with no_descriptor_leaks():
        left, right = link_pair()
        yield left, right
        left.close()
        right.close()


def test_packets_arrive_one_by_one_and_in_order(pair: Pair) -> None:
    for packet in (b"first", b"second", b"x" * MESSAGE_LIMIT):
        packets.send(pair[0], packet)
    assert [packets.receive(pair[1]) for _ in range(3)] == [(b"first", None), (b"second", None), (b"x" * MESSAGE_LIMIT, None)]


def test_nothing_there_is_not_the_end(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        packets.receive(pair[1])
    pair[0].close()
    assert packets.receive(pair[1]) == (b"", None)


def test_what_was_sent_is_read_before_the_end(pair: Pair) -> None:
    packets.send(pair[0], b"last words")
    pair[0].close()
    assert packets.receive(pair[1]) == (b"last words", None)
    assert packets.receive(pair[1]) == (b"", None)


def test_a_descriptor_travels_and_the_sender_keeps_its_own(pair: Pair) -> None:
    here, there = socket.socketpair()
    packets.send(pair[0], b"take it", there.fileno())
    packet, descriptor = packets.receive(pair[1])
    assert packet == b"take it"
    assert descriptor is not None
    assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    with socket.socket(fileno=descriptor) as copy:
        here.send(b"hello")
        assert copy.recv(10) == b"hello"
        there.send(b"still mine")
        assert here.recv(20) == b"still mine"
    here.close()
    there.close()


@pytest.mark.parametrize("count", [2, 3, 100, 253])
def test_more_descriptors_than_one_are_closed_and_refused(pair: Pair, count: int) -> None:
    before = open_descriptors()
    socket.send_fds(pair[0], [b"many"], [pair[0].fileno()] * count)
    with pytest.raises(Malformed, match="descriptors"):
        packets.receive(pair[1])
    assert open_descriptors() == before


def test_a_packet_over_the_limit_is_refused_and_not_cut(pair: Pair) -> None:
    packets.widen(pair[0])
    before = open_descriptors()
    packets.send(pair[0], b"x" * (MESSAGE_LIMIT + 1), pair[0].fileno())
    packets.send(pair[0], b"next")
    with pytest.raises(Malformed, match=str(MESSAGE_LIMIT)):
        packets.receive(pair[1])
    assert open_descriptors() == before
    assert packets.receive(pair[1]) == (b"next", None)


def test_a_full_queue_refuses(pair: Pair) -> None:
    packets.widen(pair[0])
    with pytest.raises(BlockingIOError):
        for _ in range(100_000):
            packets.send(pair[0], b"x" * 1000)
    assert packets.receive(pair[1])[0] == b"x" * 1000


def test_widen_makes_room_for_hundreds_of_heads(pair: Pair) -> None:
    packets.widen(pair[0])
    for _ in range(200):
        packets.send(pair[0], b"x" * 700)


def test_a_message_of_the_limit_fits_even_with_other_packets_before(pair: Pair) -> None:
    packets.widen(pair[0])
    packets.send(pair[0], b"y")
    packets.send(pair[0], b"x" * MESSAGE_LIMIT, pair[0].fileno())
    packets.receive(pair[1])
    packet, descriptor = packets.receive(pair[1])
    assert len(packet) == MESSAGE_LIMIT
    assert descriptor is not None
    os.close(descriptor)


def test_a_broken_link_is_an_error_and_no_signal(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        packets.send(pair[0], b"x")
    with pytest.raises(BrokenPipeError):
        packets.send(pair[0], b"x", pair[0].fileno())


def test_a_descriptor_that_finds_no_room_is_reported(pair: Pair) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    packets.send(pair[0], b"lost", pair[0].fileno())
    packets.send(pair[0], b"none")
    next_free = os.dup(0)
    os.close(next_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, hard))
    try:
        with pytest.raises(packets.DescriptorsLost, match="4 bytes"):
            packets.receive(pair[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert packets.receive(pair[1]) == (b"none", None)


def test_links_in_several_threads_do_not_mix_their_packets() -> None:
    def mixed(byte: bytes) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            wrong = 0
            for size in range(1, 4_000):
                packets.send(ours, byte * size)
                wrong += packets.receive(theirs) != (byte * size, None)
            return wrong

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(mixed, (b"a", b"b", b"c", b"d"))) == [0] * 4
    finally:
        sys.setswitchinterval(before)

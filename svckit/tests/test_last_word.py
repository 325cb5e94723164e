"""The last word on a connection that nobody takes back: no reset eats it, and nobody is waited for for ever."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from handoff_support import FakeReactor, tcp_pair
from svckit.handoff import wordend
from svckit.handoff.aio import lastword as aio
from svckit.handoff.lastword import LastWord
from svckit.linger import LINGER_BYTES, LINGER_TIME
from svckit.refusals import MISDIRECTED

from tests.support.descriptors import no_descriptor_leaks


def end_of(client: socket.socket) -> bytes:
    received = b""
    while piece := client.recv(10_000):
        received += piece
    return received


def unread() -> tuple[socket.socket, socket.socket]:
    """A client that has sent what nobody has read."""
    client, sock = tcp_pair()
    sock.setblocking(False)
    client.send(b"x" * 10_000)
    return client, sock


def flood(client: socket.socket, turn: Callable[[], object], closed: Callable[[], bool]) -> int:
    """Send until the other side is closed; how much went."""
    client.setblocking(False)
    sent = 0
    while not closed():
        try:
            sent += client.send(b"x" * 50_000)
        except BlockingIOError:
            pass
        except OSError:
            break
        turn()
        assert sent < LINGER_BYTES * 20
    return sent


# -- Twisted


@pytest.fixture
def reactor() -> Iterator[FakeReactor]:
    with no_descriptor_leaks():
        made = FakeReactor()
        yield made
    assert not made.failures and not made.readers and not made.getDelayedCalls()


def test_the_answer_arrives_and_the_clients_end_closes(reactor: FakeReactor) -> None:
    client, sock = unread()
    with client:
        LastWord(sock, MISDIRECTED, reactor)  # type: ignore[arg-type]
        assert end_of(client) == MISDIRECTED
        client.send(b"more")
        reactor.settle()
        assert sock.fileno() >= 0
        client.shutdown(socket.SHUT_WR)
        reactor.until(lambda: sock.fileno() < 0)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0  # no reset


def test_it_ends_after_a_while(reactor: FakeReactor) -> None:
    client, sock = unread()
    with client:
        LastWord(sock, MISDIRECTED, reactor)  # type: ignore[arg-type]
        reactor.advance(LINGER_TIME - 0.1)
        reactor.settle()
        assert sock.fileno() >= 0
        reactor.advance(0.1)
        assert sock.fileno() < 0


def test_it_ends_after_so_many_bytes(reactor: FakeReactor) -> None:
    client, sock = unread()
    with client:
        LastWord(sock, MISDIRECTED, reactor)  # type: ignore[arg-type]
        assert flood(client, reactor.turn, lambda: sock.fileno() < 0) >= LINGER_BYTES - 10_000


def test_without_an_answer_it_is_closed_at_once(reactor: FakeReactor) -> None:
    client, sock = tcp_pair()
    with client:
        LastWord(sock, b"", reactor)  # type: ignore[arg-type]
        assert end_of(client) == b""


# -- asyncio


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with no_descriptor_leaks():
        asyncio.run(asyncio.wait_for(test(), 20))


async def until_closed(sock: socket.socket) -> None:
    while sock.fileno() >= 0:
        await asyncio.sleep(0)


def test_asyncio_the_answer_arrives_and_the_clients_end_closes() -> None:
    async def test() -> None:
        client, sock = unread()
        with client:
            aio.LastWord(sock, MISDIRECTED, asyncio.get_running_loop())
            assert end_of(client) == MISDIRECTED
            client.send(b"more")
            for _ in range(10):
                await asyncio.sleep(0)
            assert sock.fileno() >= 0
            client.shutdown(socket.SHUT_WR)
            await until_closed(sock)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    in_loop(test)


def test_asyncio_it_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordend, "LINGER_TIME", 0.01)

    async def test() -> None:
        client, sock = unread()
        with client:
            aio.LastWord(sock, MISDIRECTED, asyncio.get_running_loop())
            await until_closed(sock)

    in_loop(test)


def test_asyncio_it_ends_after_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordend, "LINGER_BYTES", 20_000)

    async def test() -> None:
        client, sock = unread()
        with client:
            aio.LastWord(sock, MISDIRECTED, asyncio.get_running_loop())
            client.send(b"x" * 20_000)
            await until_closed(sock)

    in_loop(test)


def test_asyncio_without_an_answer_it_is_closed_at_once() -> None:
    async def test() -> None:
        client, sock = tcp_pair()
        with client:
            aio.LastWord(sock, b"", asyncio.get_running_loop())
            assert end_of(client) == b""

    in_loop(test)

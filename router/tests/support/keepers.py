"""A keeper on a stage, and those that ask it."""

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from portico.keeper import Keeper

ANY = "127.0.0.1:0"
AT = ("127.0.0.1", 0)
Make = Callable[..., "Stage"]


class Asker:
    """A router, by hand."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.connect(stage.path)
        stage.keeper.turn()

    def say(self, *messages: bytes) -> None:
        for message in messages:
            self.sock.send(message)
        for _ in range(3):  # another one may be before it
            self._stage.keeper.turn()

    def ask(self, message: bytes) -> tuple[bytes, list[int]]:
        self.say(message)
        data, carried, _, _ = self.sock.recvmsg(1_000, socket.CMSG_SPACE(8), socket.MSG_DONTWAIT)
        descriptors = [number for _, _, numbers in carried for (number,) in struct.iter_unpack("i", numbers)]
        self._stage.descriptors += descriptors
        return data, descriptors

    def borrow(self, name: str = ANY) -> socket.socket:
        answer, (descriptor,) = self.ask(f"listen {name}".encode())
        assert answer == b"ok"
        self._stage.descriptors.remove(descriptor)
        sock = socket.socket(fileno=descriptor)
        self._stage.sockets.append(sock)
        return sock

    @property
    def is_turned_away(self) -> bool:
        try:
            return self.sock.recv(1_000, socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True


class Stage:
    """A keeper on a clock that is set by hand."""

    def __init__(self, path: str, **settings: object) -> None:
        self.now = 100.0
        self.path, self.lines = path, list[str]()
        self.sockets: list[socket.socket] = []
        self.descriptors: list[int] = []
        self.keeper = Keeper(path, clock=lambda: self.now, log=self.lines.append, **settings)  # type: ignore[arg-type]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.keeper.turn()

    def close(self) -> None:
        self.keeper.close()
        for sock in self.sockets:
            sock.close()
        for descriptor in self.descriptors:
            os.close(descriptor)


def connects(at: tuple[str, int]) -> bool:
    try:
        socket.create_connection(at, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


class Running:
    """A keeper that turns in a thread until it is closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.keeper = Keeper(address)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while not self._over.is_set():
            self.keeper.turn(0.005)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.keeper.close()


def turning(folder: Path) -> Iterator[Running]:
    """A keeper in a thread, with its socket in `folder`."""
    running = Running(str(folder / "keeper"))
    yield running
    running.close()

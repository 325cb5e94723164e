"""The keeper: holds the listening sockets, so that routers come and go without one refused connection.

A router does not bind its ports, it borrows them: it connects to the keeper's Unix socket (SOCK_SEQPACKET), asks for an
address, and gets the listening socket as a descriptor. Every router that asks for the same address gets the same socket, so all
of them accept from one queue, and what waits in it is anybody's. A router that ends, or dies, takes nothing with it.
SO_REUSEPORT could not do that: there each router has a queue of its own, and the kernel resets what is in it when the router
closes it or dies.

One message is one packet of text. A router stays connected for as long as it lives; its end is the end of the connection.

    listen HOST:PORT    answered with `ok` and the socket, or with `error NUMBER TEXT` (an errno and what it means)
    leave HOST:PORT     the router uses it no more; no answer
    seed                answered with `seed HEX`, the same 16 bytes for every router: see `portico.balancing`

A socket that no router uses is closed after a while (`--keep`): until then connections wait in the kernel's queue, as a router
is about to come back; after that the kernel refuses them, which is honest.

This file runs by itself, too, on nothing but Python's standard library: `python -ISs keeper.py ADDRESS`.
"""

import argparse
import contextlib
import errno
import json
import os
import re
import selectors
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone

__all__ = ["KEEP", "MESSAGE", "ROUTERS", "SOCKETS", "Keeper", "at_of", "listen", "main", "name_of", "unix_name"]

Address = tuple[str, int]
"""Numeric host and port."""

KEEP = 30.0
"""Seconds that a socket is kept which no router uses; longer than a router's drain and start."""
LONGEST_KEEP = 86_400.0
ROUTERS = 64
"""Routers connected at a time; one more is turned away."""
SOCKETS = 64
"""Sockets held at a time; asking for one more is an error."""
MESSAGE = 256
"""Bytes of a message, at most; a longer one ends the connection."""
BACKLOG = 4_096
"""Connections that the kernel queues for a socket (its own limit, net.core.somaxconn, may be lower)."""
DEFER_ACCEPT = 1
"""Seconds for which the kernel holds back a connection that sends nothing, rounded up to a step of its own."""
REST = 0.1
"""Seconds without accepting routers when descriptors have run out."""
MESSAGES_AT_ONCE = 64
"""Messages read before the next router gets its turn."""

_CREDENTIALS = struct.Struct("3i")
_at = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]: ]+)):(\d{1,5})", re.ASCII).fullmatch


def name_of(at: Address) -> str:
    """`HOST:PORT`, or `[HOST]:PORT` for IPv6."""
    host, port = at
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def at_of(name: str) -> Address:
    """The reverse of `name_of`.

    Raises:
        ValueError: it is no such name.
    """
    found = _at(name)
    if found is None or int(found[3]) > 65_535:
        raise ValueError(f"expected HOST:PORT, found {name!r}")
    return found[1] or found[2], int(found[3])


def unix_name(address: str) -> str:
    """A Unix socket's name for the kernel: `@name` is an abstract one (unix(7)), anything else a path."""
    return f"\0{address[1:]}" if address.startswith("@") else address


def listen(at: Address) -> socket.socket:
    """A listening TCP socket, non-blocking; `::` takes IPv4 too.

    Raises:
        OSError: the port cannot be had; the text names it.
    """
    family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited: saves a call for each connection
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT)
        sock.bind(at)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {name_of(at)}: {error.strerror or error}") from None
    return sock


class Held:
    """A listening socket and who uses it."""

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.users: set[Router] = set()
        self.unused_since = now


class Router:
    """A connected router."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.uses: set[str] = set()


class Keeper:
    """Holds the sockets. Whoever runs it calls `turn` when `fileno` is readable, and now and then."""

    def __init__(
        self,
        address: str,
        uids: frozenset[int] = frozenset(),
        keep: float = KEEP,
        clock: Callable[[], float] = time.monotonic,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Listen at `address`: `@name` for an abstract Unix socket, else a path, where a dead keeper's socket is replaced.

        `uids` are those that routers may have (default: this process's own), `keep` is in seconds, as `clock` counts them.

        Raises:
            OSError: the address cannot be had, for instance because another keeper lives there.
        """
        self._uids, self._keep, self._clock, self._log = uids or frozenset((os.getuid(),)), keep, clock, log
        self._path = None if address.startswith("@") else address
        self._listener = _listen_unix(address, 0o666 if uids else 0o600)  # other users are told apart by their uid
        self._selector = selectors.EpollSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._resting_until: float | None = None
        self._held: dict[str, Held] = {}
        self._routers: set[Router] = set()
        self._seed = os.urandom(16)
        self.closed = False

    @property
    def names(self) -> list[str]:
        """The addresses whose sockets it holds."""
        return list(self._held)

    def fileno(self) -> int:
        """Readable when there is something to do."""
        return self._selector.fileno()

    def hold(self, name: str, sock: socket.socket) -> None:
        """Keep this listening socket for `name` (see `name_of`), as if a router had asked for it."""
        self._held[name] = Held(sock, self._clock())
        self._log(f"listening on {name}")

    def turn(self, seconds: float | None = 0.0) -> None:
        """Do what there is to do, waiting for it `seconds` at most; None: as long as it takes."""
        for key, _ in self._selector.select(seconds):
            router = key.data
            if router is None:
                self._accept()
            elif router in self._routers:
                self._read(router)
        self._look_at_the_clock()

    def run(self) -> None:
        """Turn until an exception, such as SystemExit from a signal's handler, ends it."""
        while True:
            self.turn(self._until_something_is_due())

    def close(self) -> None:
        """End all connections and let go of all sockets; those that routers use live on in them."""
        if self.closed:
            return
        self.closed = True
        for router in list(self._routers):
            self._gone(router)
        for name in list(self._held):
            self._let_go(name)
        self._selector.close()
        self._listener.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108  # a keeper starts fast, pathlib does not

    # -- routers

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._selector.unregister(self._listener)
                self._resting_until = self._clock() + REST
            return
        sock.setblocking(False)
        pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if uid not in self._uids or len(self._routers) >= ROUTERS:
            why = f"{len(self._routers)} are connected" if uid in self._uids else f"its uid is {uid}"
            self._log(f"process {pid} is turned away: {why}")
            sock.close()
            return
        router = Router(sock)
        self._routers.add(router)
        self._selector.register(sock, selectors.EVENT_READ, router)

    def _read(self, router: Router) -> None:
        for _ in range(MESSAGES_AT_ONCE):
            try:
                packet = router.sock.recv(MESSAGE + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                packet = b""
            if not packet or not self._obey(router, packet):
                self._gone(router)
                return

    def _obey(self, router: Router, packet: bytes) -> bool:
        """Act on a message; False if it is none, or the answer does not go out."""
        word, _, rest = packet.decode("ascii", "replace").partition(" ")
        try:
            if len(packet) > MESSAGE:
                raise ValueError(f"a message of more than {MESSAGE} bytes")
            if word == "listen":
                return self._lend(router, at_of(rest))
            if word == "leave":
                self._leave(router, name_of(at_of(rest)))
                return True
            if packet == b"seed":
                return _answer(router, f"seed {self._seed.hex()}")
            raise ValueError(f"expected listen, leave or seed, found {word[:20]!r}")
        except ValueError as error:
            self._log(f"a router is turned away: {error}")
            return False

    def _lend(self, router: Router, at: Address) -> bool:
        name = name_of(at)
        try:
            if name in router.uses:
                raise OSError(errno.EADDRINUSE, f"cannot listen on {name}: this router does already")
            held = self._held.get(name) or self._made(name, at)
        except OSError as error:
            return _answer(router, f"error {error.errno} {error.strerror}")
        held.users.add(router)
        router.uses.add(name)
        return _answer(router, "ok", held.sock)

    def _made(self, name: str, at: Address) -> Held:
        if len(self._held) >= SOCKETS:
            raise OSError(errno.EMFILE, f"cannot listen on {name}: the keeper holds {SOCKETS} sockets")
        try:
            sock = listen(at)
        except OSError as error:
            # a socket of the same port, kept for nobody, must not be in the way of one that somebody wants
            unused = [other for other, held in self._held.items() if not held.users and at_of(other)[1] == at[1]]
            if error.errno != errno.EADDRINUSE or not unused:
                raise
            for other in unused:
                self._let_go(other)
            sock = listen(at)
        held = self._held[name] = Held(sock, self._clock())
        self._log(f"listening on {name}")
        return held

    def _leave(self, router: Router, name: str) -> None:
        if name in router.uses:
            router.uses.discard(name)
            held = self._held[name]
            held.users.discard(router)
            held.unused_since = self._clock()

    def _gone(self, router: Router) -> None:
        for name in list(router.uses):
            self._leave(router, name)
        self._routers.discard(router)
        self._selector.unregister(router.sock)
        router.sock.close()

    # -- time

    def _look_at_the_clock(self) -> None:
        now = self._clock()
        for name, held in list(self._held.items()):
            if not held.users and held.unused_since + self._keep <= now:
                self._let_go(name)
        if self._resting_until is not None and self._resting_until <= now:
            self._resting_until = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _until_something_is_due(self) -> float | None:
        due = [held.unused_since + self._keep for held in self._held.values() if not held.users]
        if self._resting_until is not None:
            due.append(self._resting_until)
        return max(0.0, min(due) - self._clock()) if due else None

    def _let_go(self, name: str) -> None:
        self._held.pop(name).sock.close()
        self._log(f"no longer listening on {name}")


def _answer(router: Router, text: str, carried: socket.socket | None = None) -> bool:
    """Send it; False if it does not go out, as the router does not read or is gone."""
    packet = text.encode("ascii", "replace")[:MESSAGE]
    try:
        if carried is None:
            router.sock.send(packet)
        else:
            socket.send_fds(router.sock, [packet], [carried.fileno()])
    except OSError:
        return False
    return True


def _listen_unix(address: str, mode: int) -> socket.socket:
    name = unix_name(address)
    if not address.startswith("@") and _is_dead(name):
        os.unlink(name)  # noqa: PTH108
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(name)
        sock.listen(ROUTERS)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{address}: {error.strerror or error}") from None
    finally:
        os.umask(before)
    return sock


def _is_dead(path: str) -> bool:
    """Whether a socket is at `path` at which nobody listens."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
            probe.connect(path)
    except OSError as error:
        return error.errno == errno.ECONNREFUSED
    return False


# -- as a program


def main() -> None:
    """Keep until SIGTERM or SIGINT, which end it at once."""
    parser = argparse.ArgumentParser(prog="keeper", description="Holds the listening sockets of Portico's routers.")
    parser.add_argument("address", metavar="ADDRESS", help="@name for an abstract Unix socket, or a path")
    parser.add_argument(
        "--keep", type=_seconds, default=KEEP, metavar="SECONDS", help=f"for a socket that no router uses ({KEEP:g})"
    )
    parser.add_argument("--uid", type=int, action="append", metavar="UID", help="of routers; several times (default: this one)")
    chosen = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(0))  # PID 1 would not end by these alone
    try:
        keeper = Keeper(chosen.address, frozenset(chosen.uid or ()), chosen.keep, log=_log)
    except OSError as error:
        sys.exit(f"keeper: {error.strerror or error}")
    try:
        _log(f"routers are expected at {chosen.address}")
        keeper.run()
    finally:
        keeper.close()


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < LONGEST_KEEP:
        raise ValueError(text)
    return seconds


def _log(text: str) -> None:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "level": "info", "service": "keeper", "message": text}), flush=True)


if __name__ == "__main__":
    main()

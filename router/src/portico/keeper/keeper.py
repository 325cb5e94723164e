"""Lends the sockets that it holds to the routers that ask for them, and keeps those that nobody uses for a while."""

import contextlib
import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable

from .held import MESSAGE, Held, Router, answer
from .names import Address, at_of, name_of
from .sockets import listen, listen_unix

__all__ = ["KEEP", "ROUTERS", "SOCKETS", "Keeper"]

KEEP = 30.0
"""Seconds that a socket is kept which no router uses; longer than a router's drain and start."""
ROUTERS = 64
"""Routers connected at a time; one more is turned away."""
SOCKETS = 64
"""Sockets held at a time; asking for one more is an error."""
REST = 0.1
"""Seconds without accepting routers when descriptors have run out."""
MESSAGES_AT_ONCE = 64
"""Messages read before the next router gets its turn."""

_CREDENTIALS = struct.Struct("3i")


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
        self._listener = listen_unix(address, 0o666 if uids else 0o600, ROUTERS)  # other users are told apart by their uid
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
                return answer(router, f"seed {self._seed.hex()}")
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
            return answer(router, f"error {error.errno} {error.strerror}")
        held.users.add(router)
        router.uses.add(name)
        return answer(router, "ok", held.sock)

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

"""`portico run --workers N`: the process that keeps the ports and the workers, and routes nothing.

It is the keeper of the ports (`portico.keeper`) unless there is one already. A worker that ends, for whatever reason, is
started again, and what came meanwhile is accepted by the others. The end of all is different: then the parent lets go of the
ports first, so that the workers know that the queue is theirs, and accept what is in it before they close it.
"""

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from svckit.reactors import Reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from svckit import logs

from .addresses import UNIX
from .adminport import open_admin
from .config import Config
from .drains import Drains
from .gathering import make_gathering_site, make_gathering_status_site
from .keeper import Keeper
from .network import NetworkWatch
from .statussocket import open_status
from .workers import BAD_USAGE, Workers

__all__ = ["Parent", "run_workers"]

KEEPER_INTERVAL = 1.0
"""Seconds between two looks of the keeper at its clock."""
NETWORK_LOST = 3

log = Logger()


class KeeperReader:
    """The keeper as a descriptor of the reactor."""

    def __init__(self, keeper: Keeper, reactor: Reactor) -> None:
        self._keeper, self._reactor = keeper, reactor
        self._clock = LoopingCall(keeper.turn)
        self._clock.clock = reactor

    def start(self) -> None:
        """Serve."""
        self._reactor.addReader(self)  # type: ignore[arg-type]
        self._clock.start(KEEPER_INTERVAL, now=False)

    def stop(self) -> None:
        """Let go of all ports, and tell those who use them by the end of their connections."""
        if self._clock.running:
            self._clock.stop()
            self._reactor.removeReader(self)  # type: ignore[arg-type]
            self._keeper.close()

    def fileno(self) -> int:
        """For the reactor."""
        return self._keeper.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "keeper"

    def doRead(self) -> None:
        """For the reactor; nothing may escape, or it would drop the keeper."""
        try:
            self._keeper.turn()
        except Exception:
            log.failure("the keeper failed")

    def connectionLost(self, reason: object) -> None:
        """For the reactor, at its end."""


def _log(text: str) -> None:
    log.info("{text}", text=text)


class Parent:
    """The workers, the keeper, the operators' port."""

    def __init__(self, count: int, arguments: Sequence[str], config: Config, keeper: str | None, reactor: Reactor) -> None:
        """`arguments` are those of `portico run` for every worker; `keeper` is the address of one that is there already.

        Raises:
            OSError, CannotListenError: the operators' port cannot be had.
        """
        self._reactor = reactor
        self._folder = Path(tempfile.mkdtemp(prefix="portico-"))
        self._keeper: KeeperReader | None = None
        self._admin: IListeningPort | None = None
        self.status = 0
        try:
            if keeper is None:
                keeper = str(self._folder / "keeper")
                self._keeper = KeeperReader(Keeper(keeper, log=_log), reactor)
            admin = config.admin is not None
            command = partial(self._command, (*arguments, "--keeper", keeper), admin)
            self.workers = Workers(count, command, reactor, Drains(self._admin_of, reactor) if admin else None)
            if config.admin is not None:
                site = make_gathering_site(self.workers.all, self._admin_of, reactor, self.workers.drained)
                self._admin = open_admin(config.admin.address, site, reactor)
                look = make_gathering_status_site(self.workers.all, self._admin_of, reactor)
                open_status(config.admin.status_folder, look, reactor)
        except BaseException:
            self.close()
            raise

    def _admin_of(self, number: int) -> str:
        return f"{UNIX}{self._folder}/{number}"

    def _command(self, arguments: Sequence[str], admin: bool, number: int) -> list[str]:
        # -P: the working directory is no place to import from
        command = [sys.executable, "-P", "-m", "portico", "run", *arguments, "--worker", str(number)]
        return [*command, "--admin", self._admin_of(number)] if admin else command

    def start(self) -> None:
        """Keep the ports, start the workers."""
        if self._keeper is not None:
            self._keeper.start()
        self.workers.gone.addCallback(self._gone)
        self.workers.start()

    def signalled(self, number: int) -> None:
        """SIGTERM or SIGINT: the first lets all drain, a second one ends all at once."""
        if self.workers.stopping:
            self.workers.hurry(number)
        else:
            self.stop(number)

    def network_lost(self) -> None:
        """End all, as the network has gone."""
        self.status = NETWORK_LOST
        self.stop(signal.SIGTERM)

    def stop(self, number: int) -> None:
        """Let go of the ports, then let the workers drain."""
        if self._keeper is not None:
            self._keeper.stop()
        self.workers.stop(number)

    def _gone(self, status: int) -> None:
        self.status = self.status or status
        self._reactor.stop()

    def close(self) -> None:
        """Remove what lies on the disk."""
        if self._keeper is not None:
            self._keeper.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def run_workers(
    count: int, arguments: Sequence[str], config: Config, keeper: str | None, end_without_network: bool = False
) -> int:
    """Run until a signal ends it; returns the exit status, the worst of the workers'."""
    from twisted.internet import reactor as _reactor

    reactor = cast(Reactor, _reactor)
    logs.begin(service="router", worker="parent")
    try:
        parent = Parent(count, arguments, config, keeper, reactor)
    except (OSError, CannotListenError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"portico: {reason}", file=sys.stderr)
        return BAD_USAGE

    def handle(number: int, call: Callable[[], None]) -> None:
        signal.signal(number, lambda number, frame: reactor.callFromThread(call))

    def begin() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            handle(number, partial(parent.signalled, number))
        handle(signal.SIGHUP, parent.workers.reload)
        parent.start()
        if end_without_network:
            NetworkWatch(reactor, parent.network_lost).start()

    reactor.callWhenRunning(begin)  # the reactor has set handlers of its own by then
    try:
        reactor.run()
    finally:
        parent.close()
    return parent.status

"""The router's process: make the application, run the reactor, drain."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from svckit.descriptors import raise_limit
from svckit.reactors import Reactor
from svckit.settings import BadOptions
from svckit.signals import Ending
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from svckit import logs

from . import balancing, drains, provenance
from .application import Application
from .certificates import BadCertificates
from .config import BadConfig, Config
from .hangup import Hangup
from .kept import Kept
from .lifeline import Lifeline
from .network import NetworkWatch

__all__ = ["run"]

BAD_USAGE = 2
NETWORK_LOST = 3

log = Logger()


def run(
    config: Config,
    state: Path | None,
    read_again: Callable[[], Config],
    hangup: Hangup,
    end_without_network: bool = False,
    keeper: str | None = None,
    worker: int | None = None,
) -> int:
    """Route until a signal; returns the exit status.

    `state`: see `Application`; `read_again` reads the file when `hangup` says so; `end_without_network`: see `portico.network`;
    `keeper` is the address of the one that lends the ports; `worker` is this process's number where it has a parent.
    """
    from twisted.internet import reactor as _reactor

    reactor = cast(Reactor, _reactor)
    logs.begin(service="router", **({} if worker is None else {"worker": str(worker)}))
    raise_limit()
    if worker is not None:
        os.setpgid(0, 0)  # Ctrl-C in the terminal is for the parent, which passes it on
    kept: Kept | None = None
    try:
        if keeper is not None:
            kept = Kept(keeper)
            balancing.agree_on(kept.seed)
            provenance.agree_on(kept.seed)
        application = Application(config, reactor, state, kept)
        if worker is not None:
            application.inherit(drains.told())
        application.privilegedStartService()
        application.startService()
    except (BadOptions, BadCertificates, LookupError, OSError, CannotListenError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"portico: {reason}", file=sys.stderr)
        return BAD_USAGE
    # "before": the reactor goes on until the drain is over
    reactor.addSystemEventTrigger("before", "shutdown", application.stopService)
    hangup.act(partial(reactor.callFromThread, _reload, application, read_again))
    ending = Ending(reactor, application.access.flush)
    status = 0

    def lost() -> None:
        nonlocal status
        status = NETWORK_LOST
        ending.stop()

    if end_without_network:
        NetworkWatch(reactor, lost).start()
    if kept is not None and worker is None:
        kept.watch(reactor)
    lifeline = None if worker is None else Lifeline(reactor, ending.stop)
    if lifeline is not None:
        reactor.callWhenRunning(lifeline.start)
    reactor.run()
    if lifeline is not None and keeper is not None:
        lifeline.clean_up(Path(keeper))
    return status


def _reload(application: Application, read_again: Callable[[], Config]) -> None:
    """SIGHUP: follow the file as it is now. A bad one is refused, and everything stays."""
    try:
        application.reload(read_again())
    except (BadConfig, BadOptions, BadCertificates, LookupError, OSError) as error:
        log.error("the configuration in use stays: {why}", why=str(error))
    except Exception:
        log.failure("the configuration in use stays")
    else:
        log.info("the configuration has been read again")

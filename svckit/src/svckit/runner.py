"""A container's main: one service, served by handoff, until SIGTERM has drained it."""

import sys
from typing import cast

from twisted.application.service import MultiService
from twisted.logger import Logger

from . import logs
from .descriptors import raise_limit
from .entry import NoSuchService, find
from .environment import folder_of, settings_from
from .handoff.replica import HandoffReplica
from .reactors import Reactor
from .settings import BadOptions
from .signals import Ending

__all__ = ["run"]

BAD_USAGE = 2
"""Exit status where the service cannot start because it was told something wrong."""

log = Logger()


def run(what: str, service: str) -> int:
    """Run until a signal ends it; returns the exit status.

    `what` is an entry point's name or `package.module:function`, `service` the name in the router's configuration.
    """
    from twisted.internet import reactor as _reactor

    reactor = cast(Reactor, _reactor)
    parent = MultiService()
    raise_limit()  # before anything asks for it
    try:
        settings = settings_from(service)
        logs.begin(service=service, replica=settings.replica)
        parts = find(what)
        if parts.make_service is not None:
            parent.addService(parts.make_service(settings, reactor))
        if parts.make_factory is not None:
            factory = parts.make_factory(settings, reactor)
            parent.addService(HandoffReplica(settings, factory, folder_of(service), reactor))
    except (BadOptions, NoSuchService, OSError) as error:
        print(f"svckit: {error}", file=sys.stderr)
        return BAD_USAGE
    status = 0
    ending = Ending(reactor)

    def start() -> None:
        nonlocal status
        try:
            parent.privilegedStartService()
            parent.startService()
        except (BadOptions, OSError) as error:
            print(f"svckit: {error}", file=sys.stderr)
            status = BAD_USAGE
            ending.stop()
        except Exception:
            log.failure("the service failed to start")
            status = 1
            ending.stop()
        else:
            # "before": the reactor goes on until the drain is over, so that requests under way are answered
            reactor.addSystemEventTrigger("before", "shutdown", parent.stopService)

    reactor.callWhenRunning(start)  # the signal handlers are there by then: SIGTERM drains from the first moment on
    reactor.run()
    return status

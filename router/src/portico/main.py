"""The router's process: make the application, run the reactor, drain."""

import sys
from pathlib import Path
from typing import cast

from svckit.reactors import Reactor
from svckit.settings import BadOptions
from twisted.internet.error import CannotListenError

from svckit import logs

from .application import Application
from .config import Config

__all__ = ["run"]

BAD_USAGE = 2


def run(config: Config, state: Path | None) -> int:
    """Route until a signal; returns the exit status. `state`: see `Application`."""
    from twisted.internet import reactor as _reactor

    reactor = cast(Reactor, _reactor)
    logs.begin(service="router")
    try:
        application = Application(config, reactor, state)
        application.privilegedStartService()
        application.startService()
    except (BadOptions, LookupError, OSError, CannotListenError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"portico: {reason}", file=sys.stderr)
        return BAD_USAGE
    # "before": the reactor goes on until the drain is over
    reactor.addSystemEventTrigger("before", "shutdown", application.stopService)
    reactor.run()
    return 0

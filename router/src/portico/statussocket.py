"""Where services may look at this router's `/status`, and can do nothing else: one Unix socket for each router, in a folder.

The operators' port drains replicas as well, so no service is given it. Routers that share the folder stand side by side in it,
as replicas do; a socket at which nobody listens any more is removed by the next router of the same user that starts.
"""

import os
from pathlib import Path

from svckit.environment import replica_prefix
from svckit.reactors import Reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from .addresses import UNIX
from .adminport import open_admin, remove_dead

__all__ = ["open_status"]

log = Logger()


def open_status(folder: str | None, factory: IProtocolFactory, reactor: Reactor) -> list[IListeningPort]:
    """Listen in `folder`, if there is to be such a socket; a router that cannot have it says so and goes on without."""
    if folder is None:
        return []
    try:
        for path in Path(folder).glob("*.sock"):
            remove_dead(path)
        return [open_admin(f"{UNIX}{folder}/{replica_prefix()}{os.getpid()}.sock", factory, reactor)]
    except (OSError, CannotListenError, ValueError) as error:
        log.warn("no status for services in {folder}: {why}", folder=folder, why=str(error))
        return []

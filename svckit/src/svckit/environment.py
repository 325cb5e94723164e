"""A container's settings, from its environment. Every variable has a default that fits the project's own compose file.

PORTICO_RUN           folder of the services' folders of socket files      /run/portico
PORTICO_STATE         folder for what must survive                         /state
PORTICO_AUTH          folder of authsvc's sockets                          none: no auth service
PORTICO_ROUTERS       folder of the routers' sockets for their status      none: it is not to be had
PORTICO_DRAIN_TIME    seconds that connections have after SIGTERM          10
PORTICO_REPLICA       name of the replica                                  host name and process id
PORTICO_ROUTER_UID    user as whom the router runs; no other is linked     none: whoever may open the socket file
PORTICO_OPTION_NAME   the service's option `name`
"""

import math
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from .settings import BadOptions, Settings

__all__ = ["folder_of", "replica_prefix", "settings_from"]

_OPTION = "PORTICO_OPTION_"


def folder_of(service: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the service's replicas have their socket files."""
    return Path(environment.get("PORTICO_RUN", "/run/portico")) / service


def replica_prefix() -> str:
    """What the names of all replicas on this host, or in this container, begin with."""
    return f"{socket.gethostname()}-"


def settings_from(service: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `service` in this process.

    Raises:
        BadOptions: a variable is not what it should be.
    """
    drain_time = environment.get("PORTICO_DRAIN_TIME", "10")
    try:
        seconds = float(drain_time)
        if not 0 <= seconds < math.inf:
            raise ValueError
    except ValueError:
        raise BadOptions(f"PORTICO_DRAIN_TIME: expected a number of seconds, found {drain_time!r}") from None
    router_uid = environment.get("PORTICO_ROUTER_UID") or None
    if router_uid is not None and not (router_uid.isascii() and router_uid.isdigit()):
        raise BadOptions(f"PORTICO_ROUTER_UID: expected a user's number, found {router_uid!r}")
    auth, routers = environment.get("PORTICO_AUTH"), environment.get("PORTICO_ROUTERS")
    return Settings(
        service=service,
        replica=environment.get("PORTICO_REPLICA") or f"{replica_prefix()}{os.getpid()}",
        state=Path(environment.get("PORTICO_STATE", "/state")),
        auth=Path(auth) if auth else None,
        routers=Path(routers) if routers else None,
        drain_time=seconds,
        router_uid=None if router_uid is None else int(router_uid),
        options={key.removeprefix(_OPTION).lower(): value for key, value in environment.items() if key.startswith(_OPTION)},
    )

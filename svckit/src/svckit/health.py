"""Is this container's replica well? Asked as the router asks: connect to its socket and wait for HELLO.

The answer comes from the replica's event loop, so a process that hangs is not taken for a healthy one. Imports little, as it
runs every few seconds in every container.
"""

import errno
import os
import socket
from pathlib import Path

from .environment import folder_of, replica_prefix

__all__ = ["TIMEOUT", "check"]

TIMEOUT = 2.0
"""Seconds for the replica to answer."""


def check(service: str) -> str | None:
    """None if a replica of `service` answers in this container, else what is wrong.

    A service without a handoff (authsvc) has stream sockets in its folder: there, being connected is the answer.
    """
    folder = folder_of(service)
    named = os.environ.get("PORTICO_REPLICA")
    paths = [folder / f"{named}.sock"] if named else sorted(folder.glob(f"{replica_prefix()}*.sock"))
    problem = f"no socket of this replica in {folder}"
    for path in paths:
        found = _ask(path)
        if found is None:
            return None
        problem = found
    return problem


def _ask(path: Path) -> str | None:
    for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as sock:
            sock.settimeout(TIMEOUT)
            try:
                sock.connect(str(path))
                if kind == socket.SOCK_STREAM or sock.recv(4096):
                    return None
            except OSError as error:
                problem = f"{path}: {error}"
                if error.errno != errno.EPROTOTYPE:
                    break
            else:
                problem = f"{path}: hung up"
                break
    return problem

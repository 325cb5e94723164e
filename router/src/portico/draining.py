"""Draining by hand: an operator wants one replica to get no new connections.

What is live there stays. On a tcp service followed request by request, kept clients go to other replicas with their next
request; what was handed off is the replica's, and stays with it. It lasts until the operator takes it back, or until the
replica goes away: one that comes back under the same name is a new one.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .service import RoutedService

__all__ = ["NotThere", "Undrainable", "drain"]


class NotThere(LookupError):
    """There is no such service or replica; the text says which."""


class Undrainable(Exception):
    """It is there, and cannot be drained; the text says why."""


def drain(services: "Mapping[str, RoutedService]", service: str, replica: str, drained: bool) -> None:
    """Drain `replica` of `service`, or, with `drained` false, let it have connections again.

    Raises:
        NotThere, Undrainable: the text names what is wrong.
    """
    found = services.get(service)
    if found is None:
        raise NotThere(f"there is no service {service}")
    try:
        found.target.drain(replica, drained)
    except NotThere as error:
        raise NotThere(f"{service} {error}") from None
    except Undrainable as error:
        raise Undrainable(f"{service} {error}") from None

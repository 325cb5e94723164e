"""Networks, as a configuration writes them."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

__all__ = ["Network", "networks"]

Network = IPv4Network | IPv6Network


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation, or single addresses.

    Raises:
        ValueError: one of them is neither; the text names it.
    """
    return tuple(ip_network(text) for text in texts)

"""Networks as a configuration writes them."""

from ipaddress import ip_address

import pytest
from portico.networks import networks


def test_none() -> None:
    assert networks(()) == ()


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("0.0.0.0/0", "203.0.113.1", "::1"),
        ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ("::1", "::1", "::2"),
        ("fe80::/10", "fe80::1%eth0", "fec0::1"),
        ("::/0", "::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
def test_networks_and_single_addresses(text: str, inside: str, outside: str) -> None:
    (network,) = networks((text,))
    assert ip_address(inside) in network
    assert ip_address(outside) not in network


def test_several_keep_their_order() -> None:
    assert [str(network) for network in networks(("10.0.0.0/8", "::1"))] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "", "10.0.0", "10.0.0.0-10.0.0.9"])
def test_what_is_neither_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text or "''"):
        networks(("127.0.0.1", text))

"""The address of a broker: where it stands, what may be shown of it, and what is wrong with it."""

from pathlib import Path

import pytest
from svckit.settings import BadOptions
from twisted.internet.task import Clock
from websocketsvc.backplane import address_from, shown
from websocketsvc.rooms_service import make_factory

from .support.fixtures import MakeSettings

SECRET = "geheim"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"redis://user:{SECRET}@redis.example:6380/2", "redis://redis.example:6380/2"),
        (f"rediss://:{SECRET}@[::1]/0?password={SECRET}", "rediss://::1/0"),
        (f"unix://:{SECRET}@/run/redis.sock?db=1", "unix:/run/redis.sock"),
    ],
)
def test_a_log_has_no_password(address: str, told: str) -> None:
    assert shown(address) == told


@pytest.mark.parametrize(
    "address",
    [
        "localhost:6379",
        "redis://h/x",
        f"redis://user:12/{SECRET}@h:6379/0",
        f"http://:{SECRET}@h/",
        f"redis://:{SECRET}@/0",
        f"redis://:{SECRET}@h:x/0",
        "unix://",
        "redis://[",
    ],
)
def test_what_is_no_address(settings: MakeSettings, clock: Clock, address: str) -> None:
    with pytest.raises(BadOptions, match="backplane: expected") as caught:
        make_factory(settings("rooms", backplane=address), clock)
    assert SECRET not in str(caught.value)


def test_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text(f" redis://:{SECRET}@h/0 \nand more\n")
    assert address_from("", str(file)) == f"redis://:{SECRET}@h/0"
    assert address_from("", "") == ""


@pytest.mark.parametrize("content", [None, "", "\nredis://h/0\n", "redis:/h", b"\xff\xfe"])
def test_what_is_wrong_with_a_file(settings: MakeSettings, clock: Clock, tmp_path: Path, content: str | bytes | None) -> None:
    file = tmp_path / "address"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadOptions, match="backplane"):
        make_factory(settings("rooms", backplane_file=str(file)), clock)


def test_only_one_of_both(settings: MakeSettings, clock: Clock) -> None:
    with pytest.raises(BadOptions, match="only one"):
        make_factory(settings("rooms", backplane="redis://h", backplane_file="x"), clock)


@pytest.mark.parametrize("prefix", ["", "a:b", "x" * 65])
def test_wrong_prefixes(settings: MakeSettings, clock: Clock, prefix: str) -> None:
    with pytest.raises(BadOptions, match="backplane_prefix"):
        make_factory(settings("rooms", backplane="redis://h", backplane_prefix=prefix), clock)

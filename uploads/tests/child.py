"""The service in a process of its own, on a loopback port: `child.py ROOT SECONDS_PER_MIB [NAME=VALUE...]`; prints the port."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from svckit.reactors import Reactor
from svckit.settings import Settings
from twisted.internet import reactor as running
from twisted.internet.address import IPv4Address
from uploadsvc import part
from uploadsvc.service import make_factory
from uploadsvc.splicing import into_file

reactor = cast(Reactor, running)


def slow_down(seconds_per_mib: float) -> None:
    """Make the disk slower, in the thread that writes."""
    real = part._write_batch

    def slowly(fd: int, batch: Sequence[bytes | bytearray]) -> int:
        time.sleep(seconds_per_mib * sum(map(len, batch)) / 2**20)
        return real(fd, batch)

    part._write_batch = slowly

    def slowly_spliced(pipe: int, fd: int, count: int) -> None:
        time.sleep(seconds_per_mib * count / 2**20)
        into_file(pipe, fd, count)

    part.into_file = slowly_spliced  # type: ignore[attr-defined]  # what `part` has imported


def main(root: str, seconds_per_mib: str, *options: str) -> None:
    if float(seconds_per_mib):
        slow_down(float(seconds_per_mib))
    given = dict(option.split("=", 1) for option in options)
    settings = Settings(service="uploads", replica="r1", state=Path(root), options={"root": root, "writes": "anyone", **given})
    factory = make_factory(settings, reactor)
    host = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost()  # type: ignore[arg-type]  # Twisted says ServerFactory
    assert isinstance(host, IPv4Address)
    print(host.port, flush=True)
    reactor.run()


main(*sys.argv[1:])

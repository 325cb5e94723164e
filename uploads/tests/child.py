"""The service in a process of its own, on a loopback port: `child.py ROOT SECONDS_PER_MIB [NAME=VALUE...]`; prints the port."""

import sys
import time
from pathlib import Path

from svckit.settings import Settings
from twisted.internet import reactor
from uploadsvc import part
from uploadsvc.service import make_factory


def slow_down(seconds_per_mib: float) -> None:
    """Make the disk slower, in the thread that writes."""
    real = part._write_batch

    def slowly(fd, batch):
        time.sleep(seconds_per_mib * sum(map(len, batch)) / 2**20)
        return real(fd, batch)

    part._write_batch = slowly
    into_file = part.into_file

    def slowly_spliced(pipe, fd, count, *rest):
        time.sleep(seconds_per_mib * count / 2**20)
        into_file(pipe, fd, count, *rest)

    part.into_file = slowly_spliced


def main(root: str, seconds_per_mib: str, *options: str) -> None:
    if float(seconds_per_mib):
        slow_down(float(seconds_per_mib))
    given = dict(option.split("=", 1) for option in options)
    settings = Settings(service="uploads", replica="r1", state=Path(root), options={"root": root, "writes": "anyone", **given})
    port = reactor.listenTCP(0, make_factory(settings, reactor), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


main(*sys.argv[1:])

"""`python -m bench.router.portforward FROM:TO ...`: Twisted's own port forwarder, as its documentation has it."""

import sys
from typing import cast

from svckit.reactors import Reactor
from twisted.internet import reactor as _reactor
from twisted.protocols.portforward import ProxyFactory

reactor = cast(Reactor, _reactor)


def main() -> None:
    for pair in sys.argv[1:]:
        listens, leads = map(int, pair.split(":"))
        factory = ProxyFactory("127.0.0.1", leads)
        factory.noisy = False
        reactor.listenTCP(listens, factory, backlog=4096, interface="127.0.0.1")  # type: ignore[arg-type]
    reactor.run()


if __name__ == "__main__":
    main()

"""The parts of Twisted's reactor that Portico uses, as one type."""

from twisted.internet.interfaces import IReactorCore, IReactorFDSet, IReactorTCP, IReactorThreads, IReactorTime, IReactorUNIX

__all__ = ["Reactor"]


class Reactor(IReactorCore, IReactorTime, IReactorFDSet, IReactorTCP, IReactorUNIX, IReactorThreads):
    """Every reactor of Twisted's own on Linux is one."""

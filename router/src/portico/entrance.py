"""An entrance: a listening port, and what a connection goes through before the router sees it.

accept ──▶ PROXY header ──▶ how many ──▶ TLS ──▶ router
           of trusted       the client   where the listener
           senders          has          has certificates
"""

from collections.abc import Callable
from pathlib import Path

from svckit.reactors import Reactor
from twisted.internet.task import LoopingCall

from .arrival import Address, Arrival
from .certificates import CHECK_INTERVAL, Certificates
from .config import Limits, address
from .config import Listener as Settings
from .kept import Lender
from .listener import Listener
from .networks import networks
from .perclient import ClientStage
from .poller import Poller
from .proxied import ProxyStage
from .router import Router
from .tls import TlsSession, TlsStage

__all__ = ["Entrance"]


class Entrance:
    """One listener of the configuration."""

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        poller: Poller,
        reactor: Reactor,
        router: Router,
        old: "Entrance | None" = None,
        kept: Lender | None = None,
    ) -> None:
        """`old` has the same address: its port is taken over when this one starts, so that no connection is missed.

        `kept` lends ports; without it they are this process's own.

        Raises:
            OSError: the port cannot be had.
            BadCertificates: the listener's certificates cannot be used.
        """
        self.settings = settings
        self.sessions: set[TlsSession] = set() if old is None else old.sessions
        """TLS clients, those of earlier configurations too; the drain waits for them."""
        self._proxy: ProxyStage | None = None if old is None else old._proxy
        self._refresher: LoopingCall | None = None
        admit: Callable[[Arrival], None] = router.admit
        if settings.tls is not None:
            key = None if settings.tls.key is None else Path(settings.tls.key)
            certificates = Certificates(Path(settings.tls.certificate), key)
            time, most = limits.head_deadline, limits.tls_sessions
            stage = TlsStage(certificates, time, most, poller, reactor, admit, router.answer, self.sessions)
            self._refresher = LoopingCall(certificates.refresh)
            self._refresher.clock = reactor
            admit = stage.accept
        itself, admit = admit, ClientStage(router.places, router.access, admit, settings.tls is None).accept
        if settings.proxy:
            trusted = networks(settings.proxy)
            self._proxy = ProxyStage(trusted, limits.proxy_deadline, poller, reactor, admit, router.answer, itself, self._proxy)
            admit = self._proxy.accept
        self._admit = admit
        self._taken_over = old is not None
        self._listener: Listener = (
            Listener(address(settings.address), limits.head_size, poller, reactor, admit, kept)
            if old is None
            else old._listener
        )
        self._listener.count_in(router.places)

    @property
    def at(self) -> Address:
        """Where it listens."""
        return self._listener.at

    def defer(self, seconds: int) -> None:
        """For how long the kernel may hold back a connection that sends nothing; 0: not at all."""
        self._listener.defer(seconds)

    def probe(self, after: int) -> None:
        """See `probes`; holds for new connections."""
        self._listener.probe(after)

    def start(self) -> None:
        """Accept from now on."""
        if self._taken_over:
            self._listener.admit_to(self._admit)
        else:
            self._listener.start()
        if self._refresher is not None:
            self._refresher.start(CHECK_INTERVAL, now=False)

    def stop(self) -> None:
        """Accept no more; what is inside goes on, except for those that have not said who they are."""
        self._listener.stop()
        self._rest()
        if self._proxy is not None:
            self._proxy.close()

    def leave(self, others: "list[Entrance]") -> None:
        """Others have come in its place; they may have taken the port over. What is inside goes on."""
        if all(other._listener is not self._listener for other in others):
            self._listener.stop()
        self._rest()

    def abandon(self) -> None:
        """It was never started, and is not wanted."""
        if not self._taken_over:
            self._listener.stop()

    def _rest(self) -> None:
        if self._refresher is not None and self._refresher.running:
            self._refresher.stop()

    def close(self) -> None:
        """End the TLS sessions that are left; at the end of a drain."""
        for session in list(self.sessions):
            session.close()

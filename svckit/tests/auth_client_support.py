"""Auth services in memory behind real Unix sockets."""

from typing import Any

from svckit.auth import commands
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols import amp
from twisted.python.failure import Failure


class Replica(amp.AMP):
    """An auth service that does as its factory says."""

    factory: "Replicas"
    transport: Any

    def connectionMade(self) -> None:
        self.gone: Deferred[None] = Deferred()
        self.factory.connections.append(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.gone.callback(None)

    @commands.Hello.responder
    def hello(self, version: int, service: str) -> Any:
        self.factory.greeted.append((version, service))
        if self.factory.wrong_version:
            raise commands.WrongVersion("version 99 only")
        if self.factory.deaf:
            return self.factory.silence
        return {"key": self.factory.key, "algorithms": self.factory.algorithms, "schemes": b"basic,foo", "bound": True}

    @commands.CheckPassword.responder
    def check_password(self, user: bytes, password: bytes, method: bytes, uri: bytes, client: bytes) -> Any:
        self.factory.asked.append(user)
        if self.factory.when_asked is not None:
            self.factory.when_asked(self)
        if user == b"nobody":
            raise commands.Denied
        if user == b"bug":
            raise RuntimeError("a bug in the auth service")
        return self.factory.silence if self.factory.silent else {"avatar": self.factory.name + b" knows " + user}


class Replicas(Factory):
    """One replica: its socket, and its habits."""

    protocol = Replica  # type: ignore[assignment]
    noisy = False
    deaf = silent = wrong_version = False
    algorithms = b"MD5,SHA-256,FOO"
    when_asked: Any = None
    stop: Any = None

    def __init__(self, name: bytes) -> None:
        self.name, self.key = name, name * 32
        self.connections: list[Replica] = []
        self.greeted: list[tuple[int, str]] = []
        self.asked: list[bytes] = []
        self.silence: Deferred[Any] = Deferred()

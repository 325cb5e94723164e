"""A protected resource in a whole HTTP server without sockets."""

import base64
import re
from typing import Any

from svckit.auth import AuthUnavailable, Protected
from svckit.auth.digest import ALGORITHMS, IDigestCredentials
from svckit.auth.nonce import NonceKey
from svckit.auth.protect import _OneResource
from svckit.auth.terms import Terms
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.support.alice import KnowsAlice

KEY = NonceKey(b"k" * 32)
PEER = IPv4Address("TCP", "192.0.2.1", 4711)


class Echo(Resource):
    """Says who asked for what; has any children."""

    def __init__(self, leaf: bool) -> None:
        super().__init__()
        self.isLeaf = leaf

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self

    def render_GET(self, request: Any) -> bytes:
        return b"%s at %s, left %s" % (request.user, b"/".join(request.prepath), b"/".join(request.postpath))

    def render_POST(self, request: Any) -> bytes:
        return b"%s sent %d" % (request.user, len(request.content.read()))


class Client:
    """Stands for the connection to an auth service."""

    away = False

    algorithms: tuple[str, ...] = ("SHA-256", "MD5")

    async def terms(self) -> Terms:
        if self.away:
            raise AuthUnavailable("nobody there")
        return Terms(KEY, self.algorithms)


class Checker(KnowsAlice):
    """Takes digests too."""

    credentialInterfaces = (IUsernamePassword, IDigestCredentials)


class Server:
    """`/private` is protected, at once or one level down."""

    def __init__(self, leaf: bool = True) -> None:
        self.client, self.checker = Client(), Checker()
        self.protected = Protected(
            Portal(_OneResource(Echo(leaf)), [self.checker]),
            self.client,  # type: ignore[arg-type]
            b"portico",
            lambda: 1000.0,
        )
        root = Resource()
        root.putChild(b"private", self.protected)
        self.site = Site(root, reactor=Clock())

    def connect(self) -> tuple[Any, StringTransport]:
        channel, transport = self.site.buildProtocol(PEER), StringTransport(peerAddress=PEER)
        channel.makeConnection(transport)
        return channel, transport

    def send(self, *headers: bytes, line: bytes = b"GET /private/x?q=1 HTTP/1.1", body: bytes = b"") -> tuple[int, bytes]:
        channel, transport = self.connect()
        channel.dataReceived(b"\r\n".join([line, b"Host: h", b"Content-Length: %d" % len(body), *headers, b"", b""]) + body)
        answer = transport.value()
        channel.connectionLost(Failure(ConnectionDone()))
        return int(answer.split(b" ", 2)[1]), answer


def basic(pair: bytes) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(pair)


def answer_to(
    challenge: bytes,
    *,
    uri: bytes = b"/private/x?q=1",
    method: bytes = b"GET",
    password: bytes = b"wonderland",
    user: bytes = b"alice",
) -> bytes:
    """What a client makes of a challenge; written by the RFC, not with the code under test."""
    nonce = re.search(rb'nonce="([^"]+)"', challenge)
    algorithm = re.search(rb"algorithm=([A-Za-z0-9-]+)", challenge)
    assert nonce is not None
    assert algorithm is not None
    name = algorithm[1].decode()

    def digest(text: bytes) -> bytes:
        return ALGORITHMS[name](text).hexdigest().encode()

    ha1 = digest(user + b":portico:" + password)
    response = digest(b":".join([ha1, nonce[1], b"00000001", b"cnonce", b"auth", digest(method + b":" + uri)]))
    return (
        b'Authorization: Digest username="%b", realm="portico", nonce="%b", uri="%b", cnonce="cnonce", nc=00000001, qop=auth, '
        b'response="%b", algorithm=%b' % (user, nonce[1], uri, response, algorithm[1])
    )


def challenges(answer: bytes) -> list[bytes]:
    return re.findall(rb"(?m)^WWW-Authenticate: (.*?)\r$", answer)

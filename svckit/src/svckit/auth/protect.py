"""A resource that nobody reaches without a login: HTTP Basic (RFC 7617) and Digest (RFC 7616) at the auth service.

A login is asked for at every request (RFC 9110 section 11); there is no session. The wrapper is a leaf: twisted.web stops
looking for children at it, so a request has its user before the resource beneath is asked for anything. What a client gets:

    401  no credentials, wrong ones, malformed ones; the challenges are SHA-256 Digest, MD5 Digest, Basic, in this order
    401  with stale=true: the password is right, the nonce is not good any more
    403  the user is who they say, and the auth service's rules do not let them do this
    429  with Retry-After: too many wrong logins by this user or from this address; nobody has looked at this one
    503  with Retry-After: no auth service answers. Never open.

twisted.web.guard is not used: it takes a replayed answer, one for another URI, and one without qop, offers no SHA-256, and
answers 500 to a malformed header.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.cred.credentials import ICredentials
from twisted.cred.error import LoginFailed
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, getChildForRequest
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from . import basic, digest
from .checker import RemoteChecker
from .client import AuthClient
from .errors import AuthUnavailable, Malformed, NotAllowed, StaleNonce, TooManyTries
from .hearing import check_portal
from .limits import MAX_CLIENT
from .nonce import NonceKey
from .params import split_scheme

__all__ = ["RETRY_AFTER", "Protected", "protect"]

RETRY_AFTER = 2
"""Seconds after which a client may try again when no auth service answered."""

log = Logger()


def protect(resource: IResource, folder: Path, reactor: Any, realm: str = "portico", *, service: str = "") -> "Protected":
    """`resource`, and all that is below it, for users only; `request.user` is then the user's name as bytes.

    `folder` is where the sockets of the auth service lie, `service` what it calls us in its log.
    """
    checker = RemoteChecker(folder, reactor, service=service)
    return Protected(Portal(_OneResource(resource), [checker]), checker.client, realm.encode("utf-8"))


@implementer(IRealm)
class _OneResource:
    """Every user gets the same resource. The mind of a login is its request."""

    def __init__(self, resource: IResource) -> None:
        self._resource = resource

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> tuple[Any, IResource, Callable[[], None]]:
        mind.user = avatarId
        return IResource, self._resource, _no_logout


def _no_logout() -> None:
    """Nothing is kept for a user between requests."""


@implementer(IResource)
class Protected:
    """Lets through to a portal's resource whoever may log in there."""

    isLeaf = True

    def __init__(self, portal: Portal, client: AuthClient, realm: bytes, now: Callable[[], float] = time.time) -> None:
        """`client` supplies the key for nonces; `now` is in seconds since 1970.

        Raises:
            DeafPortal: no checker of the portal lists what Basic, or Digest, brings.
        """
        check_portal(portal)
        self.client = client
        self._portal = portal
        self._realm = realm
        self._now = now

    def getChildWithDefault(self, name: bytes, request: Any) -> IResource:
        """For whoever asks although this is a leaf: the segment is not used up."""
        request.postpath.insert(0, request.prepath.pop())
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        raise NotImplementedError("children belong to the protected resource")

    def render(self, request: Request) -> int:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)  # the client may leave while the auth service is being asked
        done = Deferred.fromCoroutine(self._answer(request, gone))
        done.addErrback(lambda failure: _failed(request, failure, gone))
        return NOT_DONE_YET

    async def _answer(self, request: Request, gone: list[object]) -> None:
        try:
            resource, stale = await self._log_in(request, gone)
            terms = await self.client.terms() if resource is None else None
        except AuthUnavailable as error:
            log.warn("nobody can be logged in: {error}", error=str(error))
            _refuse(request, gone, 503, b"No auth service answers\n", RETRY_AFTER)
        except TooManyTries as error:
            _refuse(request, gone, 429, b"Too many wrong logins\n", error.seconds)
        except NotAllowed:
            _refuse(request, gone, 403, b"Forbidden\n")
        else:
            if gone:
                return
            if resource is not None:
                request.render(getChildForRequest(resource, request))
            elif terms is not None:
                self._challenge(request, *terms, stale)

    def _challenge(self, request: Request, key: NonceKey, algorithms: tuple[str, ...], stale: bool) -> None:
        nonce = key.mint(self._realm, self._now())
        challenges = [digest.challenge(name, self._realm, nonce, stale=stale) for name in algorithms]
        request.responseHeaders.setRawHeaders(b"WWW-Authenticate", [*challenges, basic.challenge(self._realm)])
        _refuse(request, [], 401, b"Unauthorized\n")

    async def _log_in(self, request: Request, gone: list[object]) -> tuple[IResource | None, bool]:
        """The user's resource, or None and whether it is only the nonce that is not good.

        Raises:
            AuthUnavailable, TooManyTries: nobody has looked at the credentials.
            NotAllowed: they are right, and not enough.
        """
        try:
            credentials = read_authorization(request, self._realm)
            if credentials is None:
                return None, False
            _, resource, logout = await self._portal.login(credentials, request, IResource)
        except Malformed as error:
            log.info("malformed Authorization header: {error}", error=str(error))
            return None, False
        except (TooManyTries, NotAllowed):
            raise
        except LoginFailed as error:
            return None, isinstance(error, StaleNonce)
        if gone:
            logout()
        else:
            request.notifyFinish().addBoth(lambda _: logout())
        return IResource(resource), False


def read_authorization(request: Request, realm: bytes) -> ICredentials | None:
    """The credentials that a request brings; None if it brings none.

    Raises:
        Malformed: they cannot be read, there are two of them, or their scheme was not offered.
    """
    headers = request.requestHeaders.getRawHeaders(b"Authorization")
    if not headers:
        return None
    if len(headers) > 1:
        raise Malformed("two Authorization headers")
    scheme, text = split_scheme(headers[0].strip(b" \t"))
    if scheme == b"basic":
        return basic.read(text, request.method, request.uri, _client(request))
    if scheme == b"digest":
        return digest.read(text, request.method, request.uri, realm, _client(request))
    raise Malformed("a scheme that was not offered")


def _client(request: Request) -> bytes:
    """The client's IP address; empty where it has none."""
    host = getattr(request.getClientAddress(), "host", None) or ""
    return str(host).encode("ascii", "replace")[:MAX_CLIENT]


def _refuse(request: Request, gone: list[object], status: int, text: bytes, retry_after: int | None = None) -> None:
    if gone:
        return
    request.setResponseCode(status)
    if retry_after is not None:
        request.setHeader(b"Retry-After", b"%d" % retry_after)
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    request.setHeader(b"Content-Length", b"%d" % len(text))
    request.write(text)
    request.finish()


def _failed(request: Request, failure: Failure, gone: list[object]) -> None:
    """A fault of the program: twisted.web logs it and answers 500."""
    if gone:
        log.failure("a request failed after its client had left", failure)
    else:
        request.processingFailed(failure)

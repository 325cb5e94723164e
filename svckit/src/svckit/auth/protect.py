"""A resource that nobody reaches without a login: HTTP Basic (RFC 7617) and Digest (RFC 7616) at the auth service.

A login is asked for at every request (RFC 9110 section 11); there is no session. The wrapper is a leaf: twisted.web stops
looking for children at it, so a request has its user before the resource beneath is asked for anything. What a client gets
where it is not let in, `reception` says.

twisted.web.guard is not used: it takes a replayed answer, one for another URI, and one without qop, offers no SHA-256, and
answers 500 to a malformed header.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, getChildForRequest
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from ..settings import BadOptions
from .checker import RemoteChecker
from .client import AuthClient
from .reception import Asked, NoEntry, Reception, address_text

__all__ = ["Protected", "protect"]

log = Logger()


def protect(
    resource: IResource, folder: Path | None, reactor: Any, realm: str = "portico", *, service: str = ""
) -> "Protected":
    """`resource`, and all that is below it, for users only; `request.user` is then the user's name as bytes.

    `folder` is where the sockets of the auth service lie (`settings.auth`), `service` what it calls us in its log.

    Raises:
        BadOptions: `folder` is None: no auth service is configured.
    """
    if folder is None:
        raise BadOptions(f"{service or 'a login'}: needs the auth service: PORTICO_AUTH, the folder of its sockets, is not set")
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
        self.client = client
        self.reception = Reception(portal, client, realm, now)

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
        headers = request.requestHeaders.getRawHeaders(b"Authorization") or ()
        asked = Asked(request.method, request.uri, headers, address_text(request.getClientAddress()))
        found = await self.reception.admit(asked, request, IResource)
        if isinstance(found, NoEntry):
            if not gone:
                _refuse(request, found)
            return
        resource, logout = found
        if gone:
            logout()
            return
        request.notifyFinish().addBoth(lambda _: logout())
        request.render(getChildForRequest(IResource(resource), request))


def _refuse(request: Request, refusal: NoEntry) -> None:
    text = refusal.text.encode("utf-8") + b"\n"
    request.setResponseCode(refusal.status)
    for name, value in refusal.headers:
        request.responseHeaders.addRawHeader(name, value)
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

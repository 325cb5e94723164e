"""A login by HTTP Basic and Digest for a part of an ASGI application, checked by Portico's auth service.

The headers are read and the challenges made by the same code as in the Twisted services (`svckit.auth`); it is the asking that
is asyncio's.
"""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

from amp import AmpError, Connection, Unavailable
from svckit.auth import Terms, basic, digest
from svckit.auth.commands import VERSION
from svckit.auth.errors import Malformed
from svckit.auth.params import split_scheme

__all__ = ["AuthService", "Login"]

REALM = b"portico"
TIMEOUT = 5.0
"""Seconds for a login to be checked."""


class AuthService:
    """Whichever auth service answers in a folder of sockets."""

    def __init__(self, folder: Path, service: str) -> None:
        """`service` is the name under which the auth service logs what we ask."""
        self._folder, self._service = folder, service
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self.terms: Terms | None = None
        """What it wants offered to clients; set once it has been reached."""

    async def ask(self, command: bytes, **arguments: bytes) -> None:
        """Return if the credentials are right.

        Raises:
            AmpError: they are not, or not enough; DENIED, STALE, BUSY, TOO_MANY, FORBIDDEN.
            Unavailable: nobody answers.
        """
        try:
            async with asyncio.timeout(TIMEOUT):
                await (await self.connected()).ask(command, **arguments)
        except (TimeoutError, OSError):
            raise Unavailable from None

    async def connected(self) -> Connection:
        """Raises: Unavailable: nobody answers."""
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> Connection:
        replicas = list(self._folder.glob("*.sock"))
        for path in random.sample(replicas, len(replicas)):
            try:
                connection = await Connection.to(path)
                answer = await connection.ask(b"Hello", version=b"%d" % VERSION, service=self._service.encode())
            except (OSError, Unavailable, AmpError):
                continue
            said: dict[str, Any] = {name.decode(): value for name, value in answer.items()}
            self.terms = Terms.of({**said, "bound": said["bound"] == b"True"})
            return connection
        raise Unavailable


class Refused(Exception):
    """The answer to give in place of a challenge."""

    def __init__(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers


class Login:
    """Middleware: whoever asks for `prefix`, or anything below it, has to log in."""

    def __init__(self, app: Any, prefix: str, service: AuthService | None) -> None:
        """Without a `service` nobody gets in."""
        self._app, self._prefix, self._service = app, prefix, service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path != self._prefix and not path.startswith(self._prefix + "/"):
            return await self._app(scope, receive, send)
        try:
            if self._service is None:
                raise Unavailable
            await self._service.connected()
            assert self._service.terms is not None
            stale = await self._check(scope, self._service, self._service.terms)
        except Unavailable:
            return await _refuse(send, 503, (b"retry-after", b"2"))
        except Refused as error:
            return await _refuse(send, error.status, *error.headers)
        if stale is None:
            return await self._app(scope, receive, send)
        challenges = self._service.terms.challenges(REALM, time.time(), scope["client"][0].encode(), stale=stale)
        return await _refuse(send, 401, *((b"www-authenticate", each) for each in challenges))

    async def _check(self, scope: Any, service: AuthService, terms: Terms) -> bool | None:
        """None for a user; else whether it is only the nonce that is not good.

        Raises:
            Unavailable: nobody has looked at the credentials.
            Refused: no other credentials of this user would do, or none are looked at for a while.
        """
        headers = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(headers) != 1:
            return False
        try:
            await self._ask(headers[0], scope, service, terms)
        except Malformed:
            return False
        except AmpError as error:
            match str(error):
                case "BUSY":
                    raise Unavailable from None
                case "FORBIDDEN":
                    raise Refused(403) from None
                case "TOO_MANY":
                    raise Refused(429, (b"retry-after", error.about.encode())) from None
                case code:
                    return code == "STALE"
        return None

    async def _ask(self, header: bytes, scope: Any, service: AuthService, terms: Terms) -> None:
        """Raises: Malformed: no credentials that were asked for. AmpError, Unavailable: as `AuthService.ask`."""
        query = scope["query_string"]
        request = {
            "method": scope["method"].encode(),
            "uri": scope["raw_path"] + (b"?" + query if query else b""),
            "client": scope["client"][0].encode(),
        }
        scheme, text = split_scheme(header)
        if scheme.decode("ascii") not in terms.schemes:
            raise Malformed("a scheme that was not offered")
        if scheme == b"basic":
            login = basic.read(text)
            return await service.ask(b"CheckPassword", user=login.username, password=login.password, **request)
        found = digest.read(text, request["method"], request["uri"], REALM)
        return await service.ask(
            b"CheckDigest",
            user=found.username,
            realm=found.realm,
            algorithm=found.algorithm.encode(),
            nonce=found.nonce,
            nc=b"%d" % found.nc,
            cnonce=found.cnonce,
            response=found.response,
            **request,
        )


async def _refuse(send: Any, status: int, *headers: tuple[bytes, bytes]) -> None:
    text = {
        401: b"Unauthorized\n",
        403: b"Forbidden\n",
        429: b"Too many wrong logins\n",
        503: b"No auth service answers\n",
    }[status]
    more = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": more})
    await send({"type": "http.response.body", "body": text})

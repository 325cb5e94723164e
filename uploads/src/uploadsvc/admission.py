"""What a request's head is asked about before its body is read on: the login, the disk.

The request is held meanwhile (`asking`): reading is paused, and what was under way by then waits in memory.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from svckit.web import GuardedRequest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .asking import WRITES, Held, hold
from .intake import Ticket
from .refusals import BAD_USER, Refusal, no_entry, of_error
from .sink import Sink
from .tus.asked import Asked as TusAsked
from .work import Answer, Watch, Work

if TYPE_CHECKING:
    from svckit.auth import Reception

__all__ = ["AskingRequest", "Judged"]

Judged = Ticket | Work | Answer | Watch | Refusal | None
"""What the head has come to."""


class AskingRequest(GuardedRequest, ABC):
    """A request that can wait for the answer to what it was asked about."""

    log = Logger()
    channel: Any
    sink: Sink | None = None
    decided: Refusal | Answer | Watch | None = None
    """Set where the head has decided all and there is no body to be rid of: the resource answers with it."""
    _fields: dict[bytes, bytes] | None = None
    """The head, once somebody has looked: names in small letters."""
    _tus: TusAsked | None = None
    _login_runs = False
    _asking: "Deferred[None] | None" = None
    _held: Held | None = None
    """Set while somebody is being asked."""
    _replayed = True
    """Whether nothing is between twisted.web and the sink."""
    _cut_off = False

    # -- what the request itself has

    @abstractmethod
    def full(self) -> None:
        """Read no more for now."""

    @abstractmethod
    def flowing(self) -> None:
        """Read on."""

    @abstractmethod
    def _take(self, judged: Judged, length: int | None) -> None:
        """The head has come to this."""

    @abstractmethod
    def _splice(self) -> None:
        """Have the rest of the body moved by the kernel, where that pays."""

    @abstractmethod
    def _refuse_now(self, refusal: Refusal) -> None:
        """Answer before the body is there."""

    # -- the login, and the look at the disk

    def _ask(self, length: int | None) -> None:
        self._held = hold(self, self.channel._version)
        self.full()
        self._asking = Deferred.fromCoroutine(self._admit(length))
        self._asking.addErrback(self._cannot_ask)

    async def _admit(self, length: int | None) -> None:
        site = self.channel.site
        found = await self._find_out(site, length)
        held, self._held = self._held, None
        if held is None:  # the client has left
            if isinstance(found, Work):
                await site.intake.run(found.body.discard)
            return
        if held.end is None:
            self.flowing()  # else `requestReceived` sees to it
        if isinstance(found, Refusal | Answer | Watch) and held.end is not None:
            self.decided = found
        else:
            self._take(found, length)
        if self.sink is not None and held.waits and length != 0:
            self.channel._send100Continue()
        if self.sink is not None:
            self._replayed = False
            for piece in held.pieces:
                self.handleContentChunk(piece)
            self._replayed = True
            if held.pieces and held.end is None and not self._cut_off:
                self._splice()
        if held.end is not None:
            self.requestReceived(*held.end)

    async def _find_out(self, site: Any, length: int | None) -> Judged:
        user = await self._log_in(site.writers) if site.writers is not None and self._writes else b""
        if isinstance(user, Refusal):
            return user
        if self._held is None:
            return None
        try:
            name = user.decode("utf-8")
        except UnicodeDecodeError:
            return BAD_USER
        if self._tus is not None:
            admitted: Judged = await site.desk.admit(self._tus, name)
            return admitted
        judged: Judged = await site.intake.judge_afar(self.method, self.uri, self._header, length, name)
        if isinstance(judged, Ticket | Work):
            with site.intake.admitting():
                refusal: Refusal | None = await site.intake.over_quota(name, length, _replaces(judged))
                return refusal or judged
        return judged

    @property
    def _user_name(self) -> str:
        return (getattr(self, "user", b"") or b"").decode("utf-8")

    @property
    def _writes(self) -> bool:
        return self._meant in WRITES or (self._tus is not None and self._meant != b"OPTIONS")

    @property
    def _meant(self) -> bytes:
        """The method: the one in X-HTTP-Method-Override where tus has it there, as the rules of a login go by what is done."""
        return self.method if self._tus is None else self._tus.method

    async def _log_in(self, writers: "Reception") -> bytes | Refusal:
        from svckit.auth.reception import Asked, address_text  # only where there is one to ask

        brought = self.requestHeaders.getRawHeaders(b"Authorization") or ()
        self._login_runs = True
        found = await writers.user_of(Asked(self._meant, self.uri, brought, address_text(self.getClientAddress())))
        self._login_runs = False
        if isinstance(found, bytes):
            self.user = found
            return found
        return no_entry(found)

    def _cannot_ask(self, reason: Failure) -> None:
        if reason.check(CancelledError):
            return
        self._held = None
        self.log.failure("a request failed at its login", reason)
        if self.channel is not None and not self._cut_off and not self.startedWriting:
            self._refuse_now(of_error(reason.value))

    def _header(self, name: bytes) -> bytes | None:
        if self._fields is None:  # a PUT is asked about ten of them, and has three
            self._fields = {field.lower(): b", ".join(values) for field, values in self.requestHeaders.getAllRawHeaders()}
        return self._fields.get(name.lower())


def _replaces(judged: Ticket | Work) -> tuple[str, ...] | None:
    """The names that the body may take; None: a form tells them later."""
    return (judged.name,) if isinstance(judged, Ticket) else None

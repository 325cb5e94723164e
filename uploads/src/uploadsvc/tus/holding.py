"""What the jobs of the desk have in common: getting hold of an upload, and taking a body for it."""

import errno
from collections.abc import Callable
from functools import partial
from time import time

from svckit.reactors import Reactor
from twisted.internet.task import deferLater
from twisted.web.http import datetimeToString

from .. import refusals
from ..intake import Intake
from ..refusals import Refusal
from ..stores import AnyShelf, AnyUpload
from ..work import Answer, Work
from . import heads
from .asked import Asked
from .heads import Checksum
from .stretch import ChecksumMismatch, Progress

__all__ = ["GONE", "LOCKED", "TAKE_OVER", "Holding"]

TAKE_OVER = 10.0
"""Seconds that an earlier request for the same upload has to let go of it; then 423."""

GONE = Refusal(404, "There is no such upload, or no more.")
LOCKED = Refusal(423, "Another request for this upload does not let go of it.", ((b"Retry-After", b"2"),))
MISMATCH = Refusal(460, "The body is not what Upload-Checksum says.")
WRONG_TYPE = Refusal(415, "The body of an upload is application/offset+octet-stream.")


class Holding:
    """Knows where uploads are."""

    def __init__(self, intake: Intake, shelf: AnyShelf, reactor: Reactor, expire: float) -> None:
        """`expire` is in seconds without a byte."""
        self._intake, self._shelf, self._reactor, self._expire = intake, shelf, reactor, expire

    async def _open(self, upload_id: str, user: str) -> AnyUpload | Refusal:
        """The upload, once whoever works at it has let go."""
        deadline = self._reactor.seconds() + TAKE_OVER
        while True:
            try:
                upload = await self._intake.run(partial(self._open_now, upload_id, user))
            except FileNotFoundError:
                return GONE
            if upload is not None:
                break
            if self._reactor.seconds() >= deadline:
                return LOCKED
            await deferLater(self._reactor, self._shelf.again)
        return upload

    def _open_now(self, upload_id: str, user: str) -> AnyUpload | None:
        """Looks whose it is before the bell rings: nobody else breaks off what its user sends, or learns that it is there."""
        if self._shelf.standing(upload_id, user) is None:
            raise FileNotFoundError(errno.ENOENT, "no upload of this user's")
        return self._shelf.open(upload_id)

    async def _with(self, upload_id: str, user: str, job: Callable[[AnyUpload], Answer]) -> Answer | Refusal:
        upload = await self._open(upload_id, user)
        if isinstance(upload, Refusal):
            return upload
        try:
            return await self._intake.run(partial(job, upload))
        finally:
            await self._let_go(upload)

    async def _let_go(self, upload: AnyUpload) -> None:
        if self._intake.store.remote:
            await self._intake.run(upload.release)
        else:
            upload.release()

    def _work(self, upload: AnyUpload, checksum: Checksum | None, status: int, *headers: tuple[bytes, bytes]) -> Work:
        limit = self._intake.max_size if upload.info.length is None else upload.info.length

        def answer(progress: Progress) -> Answer:
            if progress.published:
                self._intake.counts.count("finished", "tus")
            more = () if progress.published else self._expires(upload)
            return Answer(status, (*headers, (b"Upload-Offset", b"%d" % progress.offset), *more))

        if upload.offset:
            self._intake.counts.count("resumed", "tus")
        body = self._shelf.stretch(upload, checksum)
        return Work(body, max(limit - upload.offset, 0), answer, _refusal_of, "tus", upload.listen)

    def _expires(self, upload: AnyUpload) -> tuple[tuple[bytes, bytes], ...]:
        if upload.published:
            return ()
        return ((b"Upload-Expires", datetimeToString(time() + self._expire)),)

    def _refusal_of_body(self, asked: Asked, room: int | None) -> Refusal | None:
        if (asked.header(b"Content-Type") or b"").strip() != heads.TYPE:
            return WRONG_TYPE
        if (asked.header(b"Content-Encoding") or b"identity").strip().lower() != b"identity":
            return refusals.CODED
        if room is not None and asked.length is not None and asked.length > room:
            return refusals.TOO_LARGE
        return self._intake.busy()


def _refusal_of(error: BaseException | None) -> Refusal:
    return MISMATCH if isinstance(error, ChecksumMismatch) else refusals.of_error(error)

"""What each tus request comes to, from its head. Everything that blocks runs in a thread."""

import errno
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from time import time

from svckit.conditional import Header
from svckit.paths import BadTarget, normalise
from svckit.reactors import Reactor
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.http import datetimeToString

from .. import refusals
from ..intake import LISTS, Intake
from ..names import BadName, of_text
from ..refusals import Refusal
from ..work import Answer, Watch, Work
from . import heads
from .concat import CannotConcatenate, concatenate
from .heads import FOLDER, Checksum, Creation
from .shelf import Info, Shelf, Upload
from .stretch import ChecksumMismatch, Progress, Stretch

__all__ = ["AGAIN", "TAKE_OVER", "Asked", "Desk", "concerned"]

TAKE_OVER = 10.0
"""Seconds that an earlier request for the same upload has to let go of it; then 423."""
AGAIN = 0.05
"""Seconds between tries to get hold of it."""

GONE = Refusal(404, "There is no such upload, or no more.")
LOCKED = Refusal(423, "Another request for this upload does not let go of it.", ((b"Retry-After", b"2"),))
MISMATCH = Refusal(460, "The body is not what Upload-Checksum says.")
WRONG_TYPE = Refusal(415, "The body of an upload is application/offset+octet-stream.")
NO_OFFSET = Refusal(400, "Say Upload-Offset, in bytes.")
IS_FINAL = Refusal(403, "This upload is made of others and takes no bytes of its own.")
OTHER_LENGTH = Refusal(400, "The upload has another length.")
UPLOAD_METHODS = b"GET, HEAD, PATCH, DELETE, OPTIONS"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its head tells it."""

    method: bytes
    """The meant one: X-HTTP-Method-Override counts."""
    path: bytes
    """In normal form."""
    header: Header
    length: int | None
    """Of the body; None for a chunked one."""
    user: str = ""


def concerned(method: bytes, target: bytes, header: Header, length: int | None) -> Asked | None:
    """The request, if it is one of tus; `target` is as on the request line."""
    try:
        path = normalise(target)
    except BadTarget:
        return None
    if path in LISTS:
        if method == b"POST" and header(b"Tus-Resumable") is not None:
            return Asked(method, path, header, length)
        return Asked(method, path, header, length) if method == b"OPTIONS" and length == 0 else None
    if not path.startswith(FOLDER):
        return None
    if method == b"POST":  # for clients that know no PATCH
        method = (header(b"X-HTTP-Method-Override") or method).strip().upper()
    return Asked(method, path, header, length)


class Desk:
    """Receives all tus requests of a service."""

    log = Logger()

    def __init__(self, intake: Intake, shelf: Shelf, reactor: Reactor, expire: float) -> None:
        """`expire` is in seconds without a byte."""
        self._intake, self._shelf, self._reactor, self._expire = intake, shelf, reactor, expire

    @property
    def capabilities(self) -> tuple[tuple[bytes, bytes], ...]:
        """What OPTIONS tells."""
        return (
            (b"Tus-Resumable", heads.VERSION),
            (b"Tus-Version", heads.VERSION),
            (b"Tus-Extension", heads.EXTENSIONS),
            (b"Tus-Max-Size", b"%d" % self._intake.max_size),
            (b"Tus-Checksum-Algorithm", b",".join(heads.ALGORITHMS)),
        )

    async def admit(self, asked: Asked, user: str) -> Answer | Refusal | Watch | Work:
        """What to do; a `Work` holds the lock of its upload until its body ends. `user` is empty where nobody logs in."""
        try:
            return await self._admit(replace(asked, user=user))
        except OSError as error:
            refusal = refusals.of_error(error)
            if refusal is refusals.FAILED:
                self.log.failure("an upload could not be opened")
            return refusal

    async def _admit(self, asked: Asked) -> Answer | Refusal | Watch | Work:
        if asked.method == b"OPTIONS":
            allowed = refusals.LIST_METHODS if asked.path in LISTS else UPLOAD_METHODS
            return Answer(204, ((b"Allow", allowed), *self.capabilities))
        if (asked.header(b"Tus-Resumable") or b"").strip() != heads.VERSION and asked.method != b"GET":
            return heads.BAD_VERSION
        if asked.path in LISTS:
            return await self._create(asked)
        upload_id = heads.id_of(asked.path)
        if upload_id is None:
            return GONE
        if asked.method == b"PATCH":
            return await self._patch(asked, upload_id)
        if asked.method == b"GET" and asked.length == 0:
            look = partial(self._shelf.standing, upload_id, asked.user)
            return GONE if await self._intake.run(look) is None else Watch(look)
        if asked.method not in (b"HEAD", b"DELETE"):
            return refusals.not_allowed(UPLOAD_METHODS)
        if asked.length != 0:
            return refusals.NO_BODY
        job = self._look if asked.method == b"HEAD" else self._terminate
        return await self._with(upload_id, asked.user, job)

    # -- a new upload

    async def _create(self, asked: Asked) -> Answer | Refusal | Work:
        creation = Creation.read(asked.header)
        if isinstance(creation, Refusal):
            return creation
        checksum = Checksum.read(asked.header(b"Upload-Checksum"))
        if isinstance(checksum, Refusal):
            return checksum
        info = self._info(asked, creation)
        if isinstance(info, Refusal):
            return info
        if creation.parts is not None:
            return await self._concatenate(info, creation.parts) if asked.length == 0 else refusals.NO_BODY
        if info.length is None:  # put off: then what comes now is all that is known
            room, length = self._intake.max_size, asked.length
        else:
            room = length = info.length
        has_body = asked.length != 0
        refusal = (self._refusal_of_body(asked, room) if has_body else None) or self._intake.no_space(length)
        if refusal is not None:
            return refusal
        with self._intake.admitting() if has_body else nullcontext():
            refusal = await self._intake.over_quota(asked.user, length)
            if refusal is not None:
                return refusal
            return await self._intake.run(partial(self._begin, info, has_body, checksum))

    def _info(self, asked: Asked, creation: Creation) -> Info | Refusal:
        try:
            name = "" if creation.filename is None else of_text(creation.filename)
        except BadName as why:
            return refusals.bad_name(why)
        exclusive = (asked.header(b"If-None-Match") or b"").strip() == b"*"
        if exclusive and name and self._intake.store.about(name) is not None:
            return refusals.FAILED_PRECONDITION
        if creation.length is not None and creation.length > self._intake.max_size:
            return refusals.TOO_LARGE
        return Info(
            name=name,
            length=creation.length,
            metadata=creation.metadata,
            user=asked.user,
            partial=creation.partial,
            concat="" if creation.parts is None else (asked.header(b"Upload-Concat") or b"").decode("latin-1"),
            exclusive=exclusive,
        )

    def _begin(self, info: Info, has_body: bool, checksum: Checksum | None) -> Answer | Work:
        upload = self._shelf.create(info)
        self._intake.counts.count("begun", "tus")
        location = (b"Location", FOLDER + upload.id.encode("ascii"))
        if has_body:
            return self._work(upload, checksum, 201, location)
        try:
            if upload.publish(self._intake.store):  # one of no bytes is whole
                self._intake.counts.count("finished", "tus")
            return Answer(201, (location, *self._expires(upload)))
        finally:
            upload.release()

    async def _concatenate(self, info: Info, parts: Sequence[str]) -> Answer | Refusal:
        held: dict[str, Upload] = {}
        try:
            for part in sorted(set(parts)):  # in one order, so that two of these do not wait for each other
                found = await self._open(part, info.user)
                if isinstance(found, Refusal):
                    return found if found is LOCKED else Refusal(400, "A part of the upload is not there.")
                held[part] = found
            job = partial(concatenate, self._shelf, info, [held[part] for part in parts], self._intake.max_size)
            made = await self._intake.run(job)
            self._intake.counts.count("finished", "tus")
        except CannotConcatenate as why:
            return why.refusal
        finally:
            for upload in held.values():
                upload.release()
        return Answer(201, ((b"Location", FOLDER + made.encode("ascii")),))

    # -- one that is there

    async def _patch(self, asked: Asked, upload_id: str) -> Answer | Refusal | Work:
        offset = heads.number(asked.header(b"Upload-Offset"))
        if offset is None:
            return NO_OFFSET
        checksum = Checksum.read(asked.header(b"Upload-Checksum"))
        if isinstance(checksum, Refusal):
            return checksum
        refusal = self._refusal_of_body(asked, None) or self._intake.no_space(asked.length)
        if refusal is not None:
            return refusal
        with self._intake.admitting():
            refusal = await self._intake.over_quota(asked.user, asked.length)
            return refusal or await self._go_on(asked, upload_id, offset, checksum)

    async def _go_on(self, asked: Asked, upload_id: str, offset: int, checksum: Checksum | None) -> Refusal | Work:
        upload = await self._open(upload_id, asked.user)
        if isinstance(upload, Refusal):
            return upload
        work = None
        try:
            found = await self._intake.run(partial(self._continue, upload, asked, offset, checksum))
            work = found if isinstance(found, Work) else None
        finally:
            if work is None:
                upload.release()
        return found

    def _refusal_of_body(self, asked: Asked, room: int | None) -> Refusal | None:
        if (asked.header(b"Content-Type") or b"").strip() != heads.TYPE:
            return WRONG_TYPE
        if (asked.header(b"Content-Encoding") or b"identity").strip().lower() != b"identity":
            return refusals.CODED
        if room is not None and asked.length is not None and asked.length > room:
            return refusals.TOO_LARGE
        return self._intake.busy()

    def _continue(self, upload: Upload, asked: Asked, offset: int, checksum: Checksum | None) -> Refusal | Work:
        if upload.info.concat:
            return IS_FINAL
        if offset != upload.offset:
            return refusals.Refusal(409, "The upload is at another offset.", ((b"Upload-Offset", b"%d" % upload.offset),))
        refusal = self._settle_length(upload, asked.header(b"Upload-Length"))
        if refusal is not None:
            return refusal
        work = self._work(upload, checksum, 204)
        return work if asked.length is None or asked.length <= work.room else refusals.TOO_LARGE

    def _settle_length(self, upload: Upload, said: bytes | None) -> Refusal | None:
        """Upload-Length where it was put off at the creation."""
        if said is None:
            return None
        length = heads.number(said)
        if length is None or length < upload.offset or length != (upload.info.length or length):
            return OTHER_LENGTH
        if length > self._intake.max_size:
            return refusals.TOO_LARGE
        if upload.info.length is None:
            upload.set_length(length)
        return None

    def _look(self, upload: Upload) -> Answer:
        with suppress(FileExistsError):  # it stays whole and unpublished until it expires
            if upload.publish(self._intake.store):
                self._intake.counts.count("finished", "tus")  # where a crash came between the last byte and this
        info = upload.info
        found = [(b"Cache-Control", b"no-store")]
        if not info.concat or upload.published:
            found.append((b"Upload-Offset", b"%d" % upload.offset))
        if info.length is None:
            found.append((b"Upload-Defer-Length", b"1"))
        else:
            found.append((b"Upload-Length", b"%d" % info.length))
        if info.metadata:
            found.append((b"Upload-Metadata", info.metadata.encode("ascii")))
        if info.partial or info.concat:
            found.append((b"Upload-Concat", b"partial" if info.partial else info.concat.encode("latin-1")))
        return Answer(200, (*found, *self._expires(upload)))

    def _terminate(self, upload: Upload) -> Answer:
        upload.remove()
        return Answer(204)

    # -- what these have in common

    async def _open(self, upload_id: str, user: str) -> Upload | Refusal:
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
            await deferLater(self._reactor, AGAIN)
        return upload

    def _open_now(self, upload_id: str, user: str) -> Upload | None:
        """Looks whose it is before the bell rings: nobody else breaks off what its user sends, or learns that it is there."""
        if self._shelf.standing(upload_id, user) is None:
            raise FileNotFoundError(errno.ENOENT, "no upload of this user's")
        return self._shelf.open(upload_id)

    async def _with(self, upload_id: str, user: str, job: Callable[[Upload], Answer]) -> Answer | Refusal:
        upload = await self._open(upload_id, user)
        if isinstance(upload, Refusal):
            return upload
        try:
            return await self._intake.run(partial(job, upload))
        finally:
            upload.release()

    def _work(self, upload: Upload, checksum: Checksum | None, status: int, *headers: tuple[bytes, bytes]) -> Work:
        limit = self._intake.max_size if upload.info.length is None else upload.info.length

        def answer(progress: Progress) -> Answer:
            if progress.published:
                self._intake.counts.count("finished", "tus")
            more = () if progress.published else self._expires(upload)
            return Answer(status, (*headers, (b"Upload-Offset", b"%d" % progress.offset), *more))

        if upload.offset:
            self._intake.counts.count("resumed", "tus")
        body = Stretch(upload, checksum, self._intake.store)
        return Work(body, max(limit - upload.offset, 0), answer, _refusal_of, "tus", upload.lock)

    def _expires(self, upload: Upload) -> tuple[tuple[bytes, bytes], ...]:
        if upload.published:
            return ()
        return ((b"Upload-Expires", datetimeToString(time() + self._expire)),)


def _refusal_of(error: BaseException | None) -> Refusal:
    return MISMATCH if isinstance(error, ChecksumMismatch) else refusals.of_error(error)

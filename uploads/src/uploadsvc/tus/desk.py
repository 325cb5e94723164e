"""What each tus request comes to, from its head. Everything that blocks runs in a thread."""

from dataclasses import replace
from functools import partial

from twisted.logger import Logger

from .. import refusals
from ..intake import LISTS
from ..refusals import Refusal
from ..stores import AnyUpload
from ..work import Answer, Watch, Work
from . import heads
from .asked import Asked
from .creating import Creating, replaced_by
from .heads import Checksum
from .holding import GONE
from .info import Info

__all__ = ["Desk"]

NO_OFFSET = Refusal(400, "Say Upload-Offset, in bytes.")
IS_FINAL = Refusal(403, "This upload is made of others and takes no bytes of its own.")
OTHER_LENGTH = Refusal(400, "The upload has another length.")
UPLOAD_METHODS = b"GET, HEAD, PATCH, DELETE, OPTIONS"


class Desk(Creating):
    """Receives all tus requests of a service."""

    log = Logger()

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

    # -- one that is there

    async def _patch(self, asked: Asked, upload_id: str) -> Answer | Refusal | Work:
        offset = heads.number(asked.header(b"Upload-Offset"))
        if offset is None:
            return NO_OFFSET
        checksum = Checksum.read(asked.header(b"Upload-Checksum"))
        if isinstance(checksum, Refusal):
            return checksum
        refusal = self._refusal_of_body(asked, None)
        if refusal is not None:
            return refusal
        with self._intake.admitting():
            return await self._go_on(asked, upload_id, offset, checksum)

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
                await self._let_go(upload)
        return found

    def _continue(self, upload: AnyUpload, asked: Asked, offset: int, checksum: Checksum | None) -> Refusal | Work:
        if upload.info.concat:
            return IS_FINAL
        if offset != upload.offset:
            return refusals.Refusal(409, "The upload is at another offset.", ((b"Upload-Offset", b"%d" % upload.offset),))
        refusal = self._no_room(upload.info, asked.length) or self._settle_length(upload, asked.header(b"Upload-Length"))
        if refusal is not None:
            return refusal
        work = self._work(upload, checksum, 204)
        return work if asked.length is None or asked.length <= work.room else refusals.TOO_LARGE

    def _no_room(self, info: Info, length: int | None) -> Refusal | None:
        quota, names = self._intake.store.quota, replaced_by(info)
        return quota.refusal_for_space(length, *names) or quota.refusal(info.user, length, names)

    def _settle_length(self, upload: AnyUpload, said: bytes | None) -> Refusal | None:
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

    def _look(self, upload: AnyUpload) -> Answer:
        # Where it is whole and cannot be published, neither can this answer be given: with that offset a client would be done.
        if upload.publish():
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

    def _terminate(self, upload: AnyUpload) -> Answer:
        upload.remove()
        return Answer(204)

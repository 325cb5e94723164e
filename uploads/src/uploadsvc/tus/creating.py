"""New uploads, and several that become one."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

from .. import refusals
from ..names import BadName, of_text
from ..refusals import Refusal
from ..stores import AnyUpload
from ..work import Answer, Work
from .asked import Asked
from .concat import CannotConcatenate
from .heads import FOLDER, Checksum, Creation
from .holding import LOCKED, Holding
from .info import Info

__all__ = ["Creating", "replaced_by"]


class Creating(Holding):
    """Answers POST."""

    async def _create(self, asked: Asked) -> Answer | Refusal | Work:
        creation = Creation.read(asked.header)
        if isinstance(creation, Refusal):
            return creation
        checksum = Checksum.read(asked.header(b"Upload-Checksum"))
        if isinstance(checksum, Refusal):
            return checksum
        info = await self._info(asked, creation)
        if isinstance(info, Refusal):
            return info
        if creation.parts is not None:
            return await self._concatenate(info, creation.parts) if asked.length == 0 else refusals.NO_BODY
        if info.length is None:  # put off: then what comes now is all that is known
            room, length = self._intake.max_size, asked.length
        else:
            room = length = info.length
        has_body = asked.length != 0
        refusal = (self._refusal_of_body(asked, room) if has_body else None) or self._intake.no_space(
            length, *replaced_by(info)
        )
        if refusal is not None:
            return refusal
        with self._intake.admitting() if has_body else nullcontext():
            refusal = await self._intake.over_quota(asked.user, length, replaced_by(info))
            if refusal is not None:
                return refusal
            return await self._intake.run(partial(self._begin, info, has_body, checksum))

    async def _info(self, asked: Asked, creation: Creation) -> Info | Refusal:
        try:
            name = "" if creation.filename is None else of_text(creation.filename)
        except BadName as why:
            return refusals.bad_name(why)
        exclusive = (asked.header(b"If-None-Match") or b"").strip() == b"*"
        if exclusive and name and await self._intake.about(name) is not None:
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
            if upload.publish():  # one of no bytes is whole
                self._intake.counts.count("finished", "tus")
            return Answer(201, (location, *self._expires(upload)))
        finally:
            upload.release()

    async def _concatenate(self, info: Info, parts: Sequence[str]) -> Answer | Refusal:
        held: dict[str, AnyUpload] = {}
        try:
            for part in sorted(set(parts)):  # in one order, so that two of these do not wait for each other
                found = await self._open(part, info.user)
                if isinstance(found, Refusal):
                    return found if found is LOCKED else Refusal(400, "A part of the upload is not there.")
                held[part] = found
            job = partial(self._shelf.concatenate, info, [held[part] for part in parts], self._intake.max_size)
            made = await self._intake.run(job)
            self._intake.counts.count("finished", "tus")
        except CannotConcatenate as why:
            return why.refusal
        finally:
            for upload in held.values():
                await self._let_go(upload)
        return Answer(201, ((b"Location", FOLDER + made.encode("ascii")),))


def replaced_by(info: Info) -> tuple[str, ...]:
    """What an upload replaces; a part of one replaces nothing."""
    return (info.name,) if info.name and not info.partial else ()

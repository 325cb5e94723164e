"""Files from an HTML form (multipart/form-data, RFC 7578), each written as it arrives.

The parser is `multipart`'s: it has no I/O, keeps no body, and is as quick on hostile bodies as on others. It runs in the
thread that writes. The files are published when the whole form is there; a form that is cut, malformed, or has one file too
large leaves nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import msgspec
from multipart import MultipartError, ParserLimitReached, PushMultipartParser, parse_options_header
from svckit.conditional import Header

from . import refusals
from .digests import wants_sha256
from .names import BadName, of_text, quoted
from .part import Published
from .refusals import Refusal
from .stores import AnyPart, AnyStore
from .work import Answer, Work

__all__ = ["MOST_PARTS", "OVERHEAD", "BadForm", "Form", "HalfPublished", "judge_form"]

MOST_PARTS = 100
"""Parts of a form, files and other fields; each file holds a descriptor."""
OVERHEAD = 1 << 20
"""Bytes of a form beyond those of its files."""
_LONGEST_BOUNDARY = 70
"""Characters, by RFC 2046."""

NO_FORM = Refusal(415, "Send multipart/form-data, or an upload by tus, or PUT a file under its name.")
FOREIGN = Refusal(403, "A form of another site cannot send files here.")


class BadForm(Exception):
    """The form as it is cannot be taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class HalfPublished(Exception):
    """Some of the files are there, and one could not follow: somebody was quicker, or the disk has failed."""

    def __init__(self, why: Refusal, names: Sequence[str]) -> None:
        super().__init__(why.text)
        stand = ", ".join(map(quoted, names))
        self.refusal = replace(why, text=f"{why.text} Of the form's files these are there: {stand}.")


def judge_form(header: Header, length: int | None, store: AnyStore, max_size: int, user: str) -> Work | Refusal:
    """From the head alone."""
    kind, options = parse_options_header((header(b"Content-Type") or b"").decode("latin-1"))
    if kind != "multipart/form-data":
        return NO_FORM
    if not _is_ours(header):
        return FOREIGN
    boundary = options.get("boundary", "")
    if not 1 <= len(boundary) <= _LONGEST_BOUNDARY or not boundary.isprintable():
        return Refusal(400, "The form has no sound boundary.")
    if (header(b"Content-Encoding") or b"identity").strip().lower() != b"identity":
        return refusals.CODED
    room = max_size + OVERHEAD
    if length is not None and length > room:
        return refusals.TOO_LARGE
    exclusive = (header(b"If-None-Match") or b"").strip() == b"*"
    new_part = partial(store.new_part, user=user, hashes=wants_sha256(header))
    form = Form(new_part, boundary, max_size, exclusive, partial(store.order_of, user=user))
    return Work(form, room, _answer, _refusal_of, "form")


def _is_ours(header: Header) -> bool:
    """Whether the form is of our own site: browsers send a user's login along with whatever form a page of another one has."""
    site = header(b"Sec-Fetch-Site")
    if site is not None:
        return site.strip() in (b"same-origin", b"none")
    origin = header(b"Origin")
    if origin is None:
        return True  # no browser
    try:
        return urlsplit(origin.decode("ascii")).netloc.lower() == (header(b"Host") or b"").decode("ascii").lower()
    except ValueError:
        return False


class Form:
    """A way in (see `sink.Body`) for the files of one form. Blocks."""

    def __init__(
        self,
        new_part: Callable[..., AnyPart],
        boundary: str,
        max_size: int,
        exclusive: bool,
        order_of: Callable[[dict[str, int], bool], list[str]],
    ) -> None:
        """`order_of` is as `Store.order_of`."""
        self._order_of = order_of
        self._new_part, self._max_size, self._exclusive = new_part, max_size, exclusive
        self._parser = PushMultipartParser(boundary, max_segment_count=MOST_PARTS)
        self._files: dict[str, tuple[AnyPart, list[int]]] = {}
        self._part: AnyPart | None = None
        self._sizes: list[int] = []

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """
        Raises:
            BadForm: see there.
            MultipartError: it is no form.
            OSError: the disk is full, or worse.
        """
        for piece in pieces:
            waiting: list[bytes | bytearray] = []
            for event in self._parser.parse(bytes(piece)):
                if event is None:
                    self._write(waiting)
                    self._part = None
                elif isinstance(event, bytes | bytearray):
                    waiting.append(event)
                else:
                    self._begin(event.filename)
            self._write(waiting)

    def _begin(self, filename: str | None) -> None:
        if not filename:  # a field, or a choice of files of which nothing was made
            self._part = None
            return
        try:
            name = of_text(filename)
        except BadName as why:
            raise BadForm(refusals.bad_name(why)) from None
        if name in self._files:
            raise BadForm(Refusal(400, "Two files of the form have one name."))
        self._part, self._sizes = self._new_part(name=name), [0]
        self._files[name] = self._part, self._sizes

    def _write(self, waiting: list[bytes | bytearray]) -> None:
        if self._part is not None and waiting:
            self._sizes[0] += sum(map(len, waiting))
            if self._sizes[0] > self._max_size:
                raise BadForm(refusals.TOO_LARGE)
            self._part.append(waiting)
        waiting.clear()

    def commit(self, size: int) -> list[Published]:
        """Publish the files one after the other. Each is whole or absent; a crash between two of them leaves the earlier ones.

        Raises:
            MultipartError: the form has no end.
            BadForm: it has no file.
            FileExistsError: nothing may stand under a name, and something does.
            OSError: together they are too much, or worse.
            HalfPublished: one of these, when some of the files stood already.
        """
        self._parser.close()
        if not self._files:
            raise BadForm(Refusal(400, "There is no file in the form."))
        for part, sizes in self._files.values():  # what can be wrong with one of them is seen before the first is published
            part.settle(sizes[0])
        published: dict[str, Published] = {}
        for name in self._order_of({name: sizes[0] for name, (_, sizes) in self._files.items()}, self._exclusive):
            part, sizes = self._files[name]
            try:
                published[name] = part.commit(sizes[0], name, self._exclusive)
            except Exception as error:
                if published:
                    raise HalfPublished(refusals.of_error(error), list(published)) from error
                raise
        return [published[name] for name in self._files]

    def discard(self) -> None:
        """Leave nothing that is not published."""
        for part, _ in self._files.values():
            part.discard()


def _answer(published: list[Published]) -> Answer:
    return Answer(201, body=msgspec.json.encode([file.told for file in published]) + b"\n")


def _refusal_of(error: BaseException | None) -> Refusal:
    if isinstance(error, BadForm):
        return error.refusal
    if isinstance(error, ParserLimitReached):
        return Refusal(413, f"The form has more than {MOST_PARTS} parts, or a head of one is too long.")
    if isinstance(error, MultipartError):
        return Refusal(400, f"The form is malformed: {error.args[0]}.")  # what follows is for its makers
    return refusals.of_error(error)

"""What is decided about an upload before its first byte: whether, under which name, and how many at a time."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from svckit.conditional import Header, failed_precondition
from svckit.paths import BadTarget, normalise

from . import refusals
from .about import About, Holds
from .counts import Counts
from .digests import Digests, digests_of, wants_sha256
from .form import judge_form
from .names import BadName, from_segment
from .refusals import Refusal
from .sink import IN_ALL, Body, Flow, Run, Sink
from .stores import AnyStore
from .work import Work

__all__ = ["LISTS", "PREFIX", "Intake", "Place", "Ticket", "conditions", "find"]

PREFIX = b"/uploads"
"""Where the router has put the service."""
LISTS = (PREFIX, PREFIX + b"/")
"""The list, which is also where new uploads without a name in their path are sent to."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names: the list (no name), the list with its slash forgotten, the metrics, or a file."""

    name: str = ""
    slash_forgotten: bool = False
    counts: bool = False
    """Whether it is the page of metrics."""

    @property
    def methods(self) -> bytes:
        if self.counts:
            return refusals.PAGE_METHODS
        return refusals.NAME_METHODS if self.name else refusals.LIST_METHODS


def find(path: bytes) -> Place | Refusal:
    """The place of a path in normal form."""
    if path == PREFIX:
        return Place(slash_forgotten=True)
    if not path.startswith(PREFIX + b"/"):
        return refusals.NOT_FOUND
    rest = path[len(PREFIX) + 1 :]
    if not rest:
        return Place()
    if rest == b".metrics":
        return Place(counts=True)
    try:
        return Place(from_segment(rest))
    except BadName as why:
        return refusals.bad_name(why)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to upload."""

    name: str
    exclusive: bool
    digests: Digests = field(default_factory=dict)
    hashes: bool = False
    """Whether the client asks for the SHA-256."""
    holds: Holds | None = field(default=None, compare=False)
    """The preconditions, which have to hold at the end as well: a body takes its time."""


def conditions(method: bytes, header: Header) -> Holds | None:
    """The preconditions of a request that writes; None where it has none."""
    if all(header(name) is None for name in (b"If-Match", b"If-Unmodified-Since", b"If-None-Match")):
        return None

    def hold(about: About | None) -> bool:
        etag, modified = (None, 0) if about is None else (about.etag, about.modified)
        return failed_precondition(method, header, etag, modified) is None

    return hold


class Intake:
    """Admits uploads to a store, and counts those under way in this process."""

    def __init__(self, store: AnyStore, run: Run, max_size: int, parallel: int, replica: str = "") -> None:
        self.store, self.run = store, run
        self.counts = Counts(store.root, replica)
        self.max_size, self.parallel = max_size, parallel
        self._admitting = 0

    @property
    def under_way(self) -> int:
        """Bodies."""
        return self.counts.under_way

    def judge(
        self,
        method: bytes,
        target: bytes,
        header: Header,
        length: int | None,
        user: str = "",
        look: Callable[[str], About | None] | None = None,
    ) -> Ticket | Work | Refusal | None:
        """From the head alone; `length` is None for a chunked body. None: there is no body, and nothing against that.

        `look` tells of a file what the store would.
        """
        try:
            place = find(normalise(target))
        except BadTarget:
            return refusals.BAD_TARGET
        if isinstance(place, Refusal):
            return place
        if method == b"PUT" and place.name:
            return self._judge_put(place.name, header, length, look or self.store.about)
        if method == b"POST" and not place.name and not place.counts:
            judged = self.busy() or judge_form(header, length, self.store, self.max_size, user)
            return self.no_space(length) or judged if isinstance(judged, Work) else judged
        if method not in place.methods.split(b", "):
            return refusals.not_allowed(place.methods)
        return None if length == 0 else refusals.NO_BODY

    async def judge_afar(
        self, method: bytes, target: bytes, header: Header, length: int | None, user: str
    ) -> Ticket | Work | Refusal | None:
        """As `judge`, whether the files lie on this host or not."""
        if not self.store.remote or method != b"PUT" or conditions(method, header) is None:
            return self.judge(method, target, header, length, user)
        try:
            place = find(normalise(target))
        except BadTarget:
            return refusals.BAD_TARGET
        about = None if isinstance(place, Refusal) or not place.name else await self.about(place.name)
        return self.judge(method, target, header, length, user, lambda _: about)

    async def about(self, name: str) -> About | None:
        """What is known of a file."""
        return await self.run(partial(self.store.about, name)) if self.store.remote else self.store.about(name)

    def _judge_put(
        self, name: str, header: Header, length: int | None, look: Callable[[str], About | None]
    ) -> Ticket | Refusal:
        if header(b"Content-Range") is not None:
            return refusals.PARTIAL_PUT
        if (header(b"Content-Encoding") or b"identity").strip().lower() != b"identity":
            return refusals.CODED
        if length == 0 and header(b"Content-Length") is None:
            return refusals.LENGTH_REQUIRED
        if length is not None and length > self.max_size:
            return refusals.TOO_LARGE
        digests = digests_of(header)
        if isinstance(digests, Refusal):
            return digests
        holds = conditions(b"PUT", header)
        if holds is not None and not holds(look(name)):
            return refusals.FAILED_PRECONDITION
        if self.busy() is not None:
            return refusals.BUSY
        if (full := self.no_space(length, name)) is not None:
            return full
        return Ticket(name, (header(b"If-None-Match") or b"").strip() == b"*", digests, wants_sha256(header), holds)

    def busy(self) -> Refusal | None:
        """Whether no more bodies are taken for now."""
        return refusals.BUSY if self.under_way + self._admitting >= self.parallel else None

    @contextmanager
    def admitting(self) -> Iterator[None]:
        """While a body that `busy` has let pass waits for the disk to be admitted: it has its place already."""
        self._admitting += 1
        try:
            yield
        finally:
            self._admitting -= 1

    def no_space(self, length: int | None, name: str = "") -> Refusal | None:
        """Whether `length` bytes, which are to be the file `name`, do not fit on the file system."""
        return self.store.quota.refusal_for_space(length, name)

    async def over_quota(self, user: str, length: int | None, names: Collection[str] | None = ()) -> Refusal | None:
        """Whether `length` bytes of `user`, which are to be the files `names` (None: not known), exceed a bound."""
        quota = self.store.quota
        return await self.run(partial(quota.refusal, user, length, names)) if quota.counts else None

    def begin(self, flow: Flow, body: Body, way: str = "put") -> Sink:
        """A sink for an upload that was admitted; it counts until it is closed."""
        self.counts.under_way += 1
        if way != "tus":
            self.counts.count("begun", way)
        sink = Sink(body, self.run, flow, self._share)
        sink.closed.addCallback(lambda _: self._ended(sink, way))
        return sink

    def _share(self) -> int:
        return IN_ALL // max(self.under_way, 1)

    def _ended(self, sink: Sink, way: str) -> None:
        self.counts.under_way -= 1
        self.counts.count("bytes", way, sink.received)
        if not sink.committed:
            self.counts.count("broken_off", way)
        elif way != "tus":
            self.counts.count("finished", way)

"""The service as Portico runs it: `make_factory`, found by the entry point `portico.services`."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta
from svckit.reactors import Reactor
from svckit.settings import BadOptions, Settings
from twisted.application.internet import TimerService
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from .counts import WRITE_INTERVAL
from .instant import publish_at_once
from .intake import Intake
from .memory import in_memory
from .opening import cannot_use, make_stores
from .resource import Uploads
from .sink import Run
from .site import UploadSite
from .small import publish_all
from .store import Store
from .stores import AnyShelf, AnyStore
from .telling import Teller, by_command, by_http
from .together import Together
from .tus.desk import Desk

if TYPE_CHECKING:
    from svckit.auth import Reception

__all__ = ["SWEEP_INTERVAL", "Options", "keep_counts", "make_factory", "make_service", "make_site"]

SWEEP_INTERVAL = 60.0
"""Seconds between looks for parts that a crash has left."""
S3_SWEEP_INTERVAL = 600.0
"""The same in an object store, where each look costs calls."""

log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The service's options, with their defaults."""

    store: str = ""
    """Where the files are: an object store, as `s3.address.Address` reads it; empty: the folder `root`."""
    root: str = ""
    """Folder of the files; empty: `files` below the service's state. Replicas may share it."""
    max_size: Annotated[int, Meta(ge=0)] = 16 * 2**30
    """Bytes that a file may have."""
    total_size: Annotated[int, Meta(ge=0)] | None = None
    """Bytes that all files may have together; None: no bound."""
    user_size: Annotated[int, Meta(ge=0)] | None = None
    """Bytes that the files of each user may have; None: no bound."""
    keep_free: Annotated[int, Meta(ge=0)] = 16 * 2**20
    """Bytes that uploads leave free on the file system."""
    parallel: Annotated[int, Meta(ge=1)] = 256
    """Uploads at a time in one replica; together they have at most `sink.IN_ALL` bytes in memory that wait for the disk."""
    idle_timeout: Annotated[float, Meta(gt=0)] = 60.0
    """Seconds without a byte from the client; there is no limit on the whole."""
    spool: str = ""
    """File that gets a line of JSON for each finished upload; empty: none."""
    hook: str = ""
    """Command that is run for each finished upload, with the line on its standard input; empty: none."""
    webhook: str = ""
    """http or https URL to which the line is sent; empty: none."""
    threads: Annotated[int, Meta(ge=1)] = 8
    """Threads that write; an upload uses one at a time."""
    expire: Annotated[float, Meta(gt=0)] = 24 * 3600.0
    """Seconds without a byte after which an unfinished resumable upload is removed."""
    sha256: Literal["asked", "always"] = "asked"
    """When the SHA-256 of a PUT or form is taken; a digest that a request brings is checked all the same."""
    splice: bool = True
    """Whether large bodies of known length go from socket to file inside the kernel."""
    log_requests: bool = True
    """Whether each request is a line in the log."""
    writes: Literal["login", "anyone"] = "login"
    """Who may put and delete: users with a login, or anyone. Anyone may get and list."""


def make_factory(settings: Settings, reactor: Reactor) -> IProtocolFactory:
    """The site, with a pool of its own for the disk.

    Raises:
        BadOptions: an option is wrong, or the folder cannot be made or written.
    """
    options = settings.options_as(Options)
    pool = ThreadPool(0, options.threads, name=f"{settings.service}-disk")

    def run(job):  # type: ignore[no-untyped-def]
        return deferToThreadPool(reactor, pool, job)

    site = make_site(settings, reactor, run)
    pool.start()
    keep_counts(site.intake, reactor)
    reactor.addSystemEventTrigger("during", "shutdown", _end, pool, site.intake)
    return site


def _end(pool: ThreadPool, intake: Intake) -> None:
    pool.stop()
    with suppress(OSError):
        intake.counts.end()


def make_service(settings: Settings, reactor: Reactor) -> IService:
    """The janitor, who removes the parts that a crash has left, whichever replica it was, and uploads that nobody goes on with;
    and who tells of finished uploads, where somebody is to hear of them.

    Raises:
        BadOptions: an option is wrong.
    """
    options = settings.options_as(Options)

    def run(job):  # type: ignore[no-untyped-def]
        return deferToThreadPool(reactor, reactor.getThreadPool(), job)

    store, shelf = make_stores(settings, options, run)
    if isinstance(store, Store):
        janitor = TimerService(SWEEP_INTERVAL, _in_thread, run, partial(_sweep, store, shelf, options.expire))
    else:
        janitor = TimerService(S3_SWEEP_INTERVAL, _in_thread, run, partial(_sweep_shelf, shelf, options.expire))
    janitor.clock = reactor
    if store.journal is None:
        return janitor
    both = MultiService()
    both.addService(janitor)
    spool = Path(options.spool) if options.spool else None
    both.addService(Teller(store.journal, spool, _tell(settings, options), run, reactor))
    return both


def _tell(settings: Settings, options: Options) -> Callable[[bytes], None] | None:
    if options.hook and options.webhook:
        raise BadOptions(f"{settings.service}: hook, webhook: expected one of the two")
    for key, value, make in (("hook", options.hook, by_command), ("webhook", options.webhook, by_http)):
        if value:
            try:
                return make(value)
            except ValueError as error:
                raise BadOptions(f"{settings.service}: {key}: {value!r}: {error}") from None
    return None


def _sweep(store: Store, shelf: AnyShelf, expire: float) -> None:
    now = time.time()
    swept = store.sweep(now)
    if swept:
        log.info("{count} abandoned parts swept away", count=swept)
    _sweep_shelf(shelf, expire)


def _sweep_shelf(shelf: AnyShelf, expire: float) -> None:
    expired = shelf.sweep(time.time(), expire)
    if expired:
        log.info("{count} unfinished uploads have expired", count=expired)


def _in_thread(run: Run, sweep: Callable[[], None]) -> "Deferred[None]":
    """One that fails is not the last: the timer would stop."""
    swept: Deferred[None] = run(sweep)
    return swept.addErrback(lambda reason: log.warn("the store could not be swept: {why}", why=reason.getErrorMessage()))


def make_site(settings: Settings, reactor: Reactor, run: Run) -> UploadSite:
    """The site, with disk jobs run by `run`.

    Raises:
        BadOptions: see `make_factory`.
    """
    options = settings.options_as(Options)
    writers = _writers(settings, options, reactor)
    store, shelf = make_stores(settings, options, run)
    try:
        swept = store.prepare(time.time())
        shelf.prepare()
        if store.journal is not None:
            store.journal.prepare()
        _check_quota(settings, options, store)
    except OSError as error:
        raise BadOptions(cannot_use(settings, store, error)) from error
    if swept:
        log.info("{count} abandoned parts swept away", count=swept)
    intake = Intake(store, run, options.max_size, options.parallel, settings.replica)
    desk = Desk(intake, shelf, reactor, options.expire)
    together = _together(store, run, reactor)
    site = UploadSite(Uploads(intake), reactor, intake, desk, writers, options.splice, together, timeout=options.idle_timeout)
    if not options.log_requests:
        site.log = _say_nothing  # type: ignore[method-assign]
    return site


def _together(store: AnyStore, run: Run, reactor: Reactor) -> Together | None:
    """For small files, where all that is to be known of them can be known for many at once."""
    if not isinstance(store, Store) or store.quota.counts or store.journal is not None:
        return None
    at_once = partial(publish_at_once, store, device=store.root.stat().st_dev) if in_memory(store.root) else None
    return Together(partial(publish_all, store), run, reactor, at_once)


def _say_nothing(request: object) -> None:
    """For those who do not want a line for each request."""


def keep_counts(intake: Intake, reactor: Reactor) -> None:
    """Write the counts from time to time; that it fails hurts nobody."""

    def again(_: object) -> None:
        reactor.callLater(WRITE_INTERVAL, write)

    def write() -> None:
        intake.run(intake.counts.write).addErrback(lambda _: None).addCallback(again)

    reactor.callLater(WRITE_INTERVAL, write)


def _check_quota(settings: Settings, options: Options, store: AnyStore) -> None:
    if options.user_size is not None and options.writes == "anyone":
        raise BadOptions(f'{settings.service}: user_size: there are no users where writes = "anyone"')
    try:
        store.quota.check_file_system()
    except OSError as error:
        raise BadOptions(
            f"{settings.service}: user_size: {store.root}: expected a file system with extended attributes: {error.strerror}"
        ) from error


def _writers(settings: Settings, options: Options, reactor: Reactor) -> "Reception | None":
    if options.writes == "anyone":
        return None
    if settings.auth is None:
        raise BadOptions(
            f"{settings.service}: writes: a login is needed to put and delete, and there is no auth service to ask: "
            'PORTICO_AUTH names the folder of its sockets; or let anyone write: writes = "anyone"'
        )
    from svckit.auth import receive  # only where there is one to ask: it brings in all of twisted.cred

    return receive(settings.auth, reactor, service=settings.service)

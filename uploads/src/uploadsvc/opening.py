"""Which store the options say, and what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING

from svckit.settings import BadOptions, Settings

from .journal import Journal
from .quota import Quota
from .sink import Run
from .store import Store
from .stores import AnyShelf, AnyStore
from .tus.shelf import Shelf

if TYPE_CHECKING:
    from .service import Options

__all__ = ["cannot_use", "make_stores"]


def make_stores(settings: Settings, options: "Options", run: Run) -> tuple[AnyStore, AnyShelf]:
    """The store, and its resumable uploads.

    Raises:
        BadOptions: they are wrong.
    """
    tells = bool(options.spool or options.hook or options.webhook)
    if options.store:
        return _afar(settings, options, run, tells)
    root = Path(options.root) if options.root else settings.state / "files"
    quota = Quota(root, options.total_size, options.user_size, options.keep_free)
    store = Store(root, quota, Journal(root) if tells else None)
    store.hashes = options.sha256 == "always"
    return store, Shelf(store)


def _afar(settings: Settings, options: "Options", run: Run, tells: bool) -> tuple[AnyStore, AnyShelf]:
    for key in ("total_size", "user_size"):
        if getattr(options, key) is not None:
            raise BadOptions(f"{settings.service}: {key}: an object store is not measured here; set its own bounds")
    try:
        import boto3  # noqa: F401  # from here on it is needed
    except ImportError:
        raise BadOptions(f"{settings.service}: store: this needs boto3: install portico-uploads[s3]") from None
    from .s3.address import Address
    from .s3.bucket import Bucket
    from .s3.shelf import S3Shelf
    from .s3.store import S3Store

    try:
        bucket = Bucket(Address.read(options.store), options.threads)
    except ValueError as error:
        raise BadOptions(f"{settings.service}: store: {error}") from None
    root = Path(options.root) if options.root else settings.state / "s3"
    store = S3Store(bucket, root, options.max_size)
    store.hashes = options.sha256 == "always"
    store.journal = Journal(root, store.has_happened) if tells else None
    return store, S3Shelf(store, run)


def cannot_use(settings: Settings, store: AnyStore, error: OSError) -> str:
    """What to say where a store cannot be prepared."""
    if store.remote and getattr(error, "refusal", None) is not None:
        return f"{settings.service}: store: expected an object store to write to: {error.strerror}"
    return f"{settings.service}: root: {store.root}: expected a folder to write in: {error.strerror or error}"

"""A disk that takes the first bytes of what is written and not the rest, as one does that is nearly full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["files_of"]


@contextmanager
def files_of(most: int) -> Iterator[None]:
    """While no file of this process may grow beyond `most` bytes; a write that crosses it is cut there, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

"""Work with the database, off the reactor thread, in a few threads behind a queue with an end."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from svckit.auth.commands import Busy
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .database import reason

__all__ = ["JOB_LIMIT", "JOB_THREADS", "Jobs"]

JOB_THREADS = 4
"""Threads, each with a connection to the database."""

JOB_LIMIT = 256
"""Jobs that run or wait for a thread; one more is `Busy`. A look-up takes some 200 microseconds in SQLite."""

T = TypeVar("T")

RunInThread = Callable[..., "Deferred[Any]"]
"""Like `deferToThread`: a function and its arguments, to be run elsewhere."""

log = Logger()


class Jobs:
    """Runs functions that block for a database transaction."""

    def __init__(self, run_in_thread: RunInThread, *, limit: int = JOB_LIMIT) -> None:
        self._run = run_in_thread
        self._limit = limit
        self._under_way = 0
        self._well = True

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns.

        Raises:
            Busy: too many jobs wait, or the database does not answer; the log says so, once.
        """
        if self._under_way >= self._limit:
            raise Busy
        self._under_way += 1
        try:
            result: T = await self._run(function, *arguments)
        except (SQLAlchemyError, sqlite3.Error) as error:
            if self._well:
                self._well = False
                log.error("the database does not answer: {reason}", reason=reason(error))
            raise Busy from None
        finally:
            self._under_way -= 1
        if not self._well:
            self._well = True
            log.info("the database answers again")
        return result

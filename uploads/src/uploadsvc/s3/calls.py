"""How an object store is called, by boto3, and what its errors mean. Blocks.

A call whose answer got lost is made again by the library. So a conditional write may find its own earlier success in its way;
whoever makes one looks whether what stands there is theirs.
"""

import errno
from functools import cache
from typing import Any

from twisted.logger import Logger

from ..refusals import Refusal
from .address import Address

__all__ = ["CONNECT_TIME", "READ_TIME", "TRIES", "Calls", "ChangedMeanwhile", "PartsGone", "StoreFailed"]

CONNECT_TIME = 5.0
"""Seconds to connect to the store."""
READ_TIME = 60.0
"""Seconds that the store may be silent in an answer."""
TRIES = 4
"""Times that a call is made before it has failed."""

log = Logger()

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload"})
_CHANGED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})


class ChangedMeanwhile(Exception):
    """What a conditional call needed to be so was not so."""


class StoreFailed(OSError):
    """The store cannot be reached, or does not do what it is asked. The answer is 503."""

    refusal = Refusal(503, "The store cannot be reached.", ((b"Retry-After", b"5"),))

    def __init__(self, why: object) -> None:
        super().__init__(errno.EIO, str(why))


class PartsGone(StoreFailed):
    """An object in the making is there no more."""

    def __init__(self) -> None:
        super().__init__("the parts of an upload are gone")


class Calls:
    """Makes them, for one prefix of one bucket. May be used by many threads."""

    def __init__(self, address: Address, threads: int) -> None:
        """
        Raises:
            ValueError: the library cannot make a client of it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        self.bucket, self.prefix = address.bucket, address.prefix
        self._failures, self._refused = (BotoCoreError,), ClientError
        try:
            self._client = _client(address.endpoint, address.region, address.style, threads)
        except BotoCoreError as error:
            raise ValueError(str(error)) from None

    def call(self, name: str, key: str | None, **given: Any) -> Any:
        """One call, for an object where it is about one.

        Raises:
            FileNotFoundError: there is no such object, or multipart upload.
            ChangedMeanwhile, StoreFailed: as they say.
        """
        if key is not None:
            given["Key"] = self.prefix + key
        try:
            return getattr(self._client, name)(Bucket=self.bucket, **given)
        except self._refused as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _ABSENT:
                raise FileNotFoundError(errno.ENOENT, code) from None
            if code in _CHANGED:
                raise ChangedMeanwhile(code) from None
            why: Exception = error
        except self._failures as error:
            why = error
        log.warn("the object store has failed: {call}: {why}", call=name, why=str(why))
        raise StoreFailed(why)


@cache
def _client(endpoint: str | None, region: str | None, style: str, threads: int) -> Any:
    """One for the service and its janitor, as it takes a second to make."""
    import boto3  # only where there is a store to talk to
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIME,
        read_timeout=READ_TIME,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        max_pool_connections=threads + 4,
        s3={"addressing_style": style},
        request_checksum_calculation="when_required",  # what else it would send, many stores do not know
        response_checksum_validation="when_required",
    )
    return boto3.session.Session(region_name=region).client("s3", endpoint_url=endpoint, config=config)

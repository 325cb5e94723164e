"""The calls to an object store, by boto3, and what their errors mean. All of it blocks and belongs in a thread.

A call whose answer got lost is made again by the library. So a conditional write may find its own earlier success in its way;
whoever makes one looks whether what stands there is theirs.
"""

import errno
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, BinaryIO, NamedTuple

from ..refusals import Refusal
from .address import Address

__all__ = [
    "CONNECT_TIME",
    "COPY_MOST",
    "READ_TIME",
    "TRIES",
    "Bucket",
    "ChangedMeanwhile",
    "Found",
    "PartsGone",
    "Piece",
    "StoreFailed",
]

CONNECT_TIME = 5.0
"""Seconds to connect to the store."""
READ_TIME = 60.0
"""Seconds that the store may be silent in an answer."""
TRIES = 4
"""Times that a call is made before it has failed."""
COPY_MOST = 512 << 20
"""Bytes that the store is asked to copy in one call, so that its answer does not take too long."""

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


class Piece(NamedTuple):
    """One part of an object in the making."""

    number: int
    size: int
    etag: str


class Found(NamedTuple):
    """What is said of an object."""

    key: str
    """Without the prefix."""
    size: int
    etag: str
    modified: float
    """Seconds since 1970."""
    metadata: dict[str, str]


class Bucket:
    """One prefix of one bucket. May be used by many threads."""

    def __init__(self, address: Address, threads: int) -> None:
        """
        Raises:
            ValueError: the library cannot make a client of it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        self._bucket, self._prefix = address.bucket, address.prefix
        self._failures, self._refused = (BotoCoreError,), ClientError
        try:
            self._client = _client(address.endpoint, address.region, address.style, threads)
        except BotoCoreError as error:
            raise ValueError(str(error)) from None

    # -- whole objects

    def get(self, key: str, first: int = 0, count: int | None = None, etag: str | None = None) -> tuple[Any, Found]:
        """A stream of an object's bytes, with `read(n)` and `close()`, and what is said of it.

        Raises:
            FileNotFoundError, StoreFailed: as they say.
            ChangedMeanwhile: its tag is not `etag` any more.
        """
        more: dict[str, Any] = {}
        if first or count is not None:
            more["Range"] = f"bytes={first}-" if count is None else f"bytes={first}-{first + count - 1}"
        if etag is not None:
            more["IfMatch"] = etag
        answer = self._call("get_object", key, **more)
        return answer["Body"], _found(key, answer)

    def read(self, key: str) -> tuple[bytes, str]:
        """A small object's bytes and its tag.

        Raises:
            FileNotFoundError, StoreFailed: as they say.
        """
        body, found = self.get(key)
        try:
            data: bytes = body.read()
        except Exception as error:  # of the library below the library
            raise StoreFailed(error) from None
        finally:
            body.close()
        return data, found.etag

    def head(self, key: str) -> Found | None:
        """
        Raises:
            StoreFailed: see there.
        """
        try:
            return _found(key, self._call("head_object", key))
        except FileNotFoundError:
            return None

    def put(self, key: str, body: bytes | BinaryIO, metadata: dict[str, str], **condition: str) -> str:
        """Write an object; returns its tag. `condition` is IfMatch or IfNoneMatch.

        Raises:
            FileNotFoundError: IfMatch, and there is none.
            ChangedMeanwhile, StoreFailed: as they say.
        """
        answer = self._call("put_object", key, Body=body, Metadata=metadata, **_KIND, **condition)
        return str(answer["ETag"])

    def delete(self, key: str, **condition: str) -> None:
        """Also right when there is none.

        Raises:
            ChangedMeanwhile, StoreFailed: as they say.
        """
        self._call("delete_object", key, **condition)

    def listing(self, prefix: str = "", after: str = "", deep: bool = True) -> Iterator[Found]:
        """Objects behind the key `after`, in the order of their keys' UTF-8; not `deep`: without those below a further slash.

        Raises:
            StoreFailed: see there.
        """
        more: dict[str, Any] = {} if deep else {"Delimiter": "/"}
        if after:
            more["StartAfter"] = self._prefix + after
        while True:
            answer = self._call("list_objects_v2", None, Prefix=self._prefix + prefix, **more)
            for entry in answer.get("Contents", ()):
                yield Found(
                    entry["Key"].removeprefix(self._prefix), entry["Size"], entry["ETag"], entry["LastModified"].timestamp(), {}
                )
            if not answer.get("IsTruncated"):
                return
            more["ContinuationToken"] = answer["NextContinuationToken"]

    # -- objects in the making

    def begin(self, key: str, metadata: dict[str, str]) -> str:
        """The identifier of a new multipart upload."""
        return str(self._call("create_multipart_upload", key, Metadata=metadata, **_KIND)["UploadId"])

    def send(self, key: str, upload: str, number: int, body: BinaryIO, size: int) -> Piece:
        """One part. Raises as `put` does; FileNotFoundError: there is no such upload."""
        answer = self._call("upload_part", key, UploadId=upload, PartNumber=number, Body=body, ContentLength=size)
        return Piece(number, size, str(answer["ETag"]))

    def copy(self, key: str, upload: str, number: int, source: Found, first: int, count: int) -> Piece:
        """One part, copied by the store from another object."""
        given = {"Bucket": self._bucket, "Key": self._prefix + source.key}
        span = f"bytes={first}-{first + count - 1}"
        answer = self._call("upload_part_copy", key, UploadId=upload, PartNumber=number, CopySource=given, CopySourceRange=span)
        return Piece(number, count, str(answer["CopyPartResult"]["ETag"]))

    def complete(self, key: str, upload: str, pieces: list[Piece], **condition: str) -> str:
        """Make the object of its parts; returns its tag. Raises as `put` does; FileNotFoundError: no such upload as well."""
        parts = [{"PartNumber": piece.number, "ETag": piece.etag} for piece in pieces]
        answer = self._call("complete_multipart_upload", key, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
        return str(answer["ETag"])

    def abort(self, key: str, upload: str) -> None:
        """Also right when there is none."""
        try:
            self._call("abort_multipart_upload", key, UploadId=upload)
        except FileNotFoundError:
            return

    def in_the_making(self) -> Iterator[tuple[str, str, datetime]]:
        """Key, identifier and begin of each multipart upload."""
        more: dict[str, str] = {}
        while True:
            answer = self._call("list_multipart_uploads", None, Prefix=self._prefix, **more)
            for entry in answer.get("Uploads", ()):
                yield entry["Key"].removeprefix(self._prefix), entry["UploadId"], entry["Initiated"]
            if not answer.get("IsTruncated"):
                return
            more = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def last_part(self, key: str, upload: str) -> datetime | None:
        """When the newest part came; None where there is none."""
        newest: datetime | None = None
        more: dict[str, Any] = {}
        while True:
            answer = self._call("list_parts", key, UploadId=upload, **more)
            for part in answer.get("Parts", ()):
                newest = part["LastModified"] if newest is None else max(newest, part["LastModified"])
            if not answer.get("IsTruncated"):
                return newest
            more = {"PartNumberMarker": answer["NextPartNumberMarker"]}

    def _call(self, name: str, key: str | None, **given: Any) -> Any:
        if key is not None:
            given["Key"] = self._prefix + key
        try:
            return getattr(self._client, name)(Bucket=self._bucket, **given)
        except self._refused as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _ABSENT:
                raise FileNotFoundError(errno.ENOENT, code) from None
            if code in _CHANGED:
                raise ChangedMeanwhile(code) from None
            raise StoreFailed(error) from None
        except self._failures as error:
            raise StoreFailed(error) from None


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


# Nobody's upload runs as a page, also where somebody serves the bucket in another way.
_KIND = {"ContentType": "application/octet-stream", "ContentDisposition": "attachment"}


def _found(key: str, answer: Any) -> Found:
    return Found(key, answer["ContentLength"], answer["ETag"], answer["LastModified"].timestamp(), answer.get("Metadata") or {})

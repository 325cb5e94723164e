"""What is done to an object store. All of it blocks and belongs in a thread; any number of them may do it at once."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from .calls import Calls, StoreFailed

__all__ = ["COPY_MOST", "Bucket", "Found", "Piece"]

COPY_MOST = 512 << 20
"""Bytes that the store is asked to copy in one call, so that its answer does not take too long."""


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


class Bucket(Calls):
    """One prefix of one bucket. May be used by many threads."""

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
        answer = self.call("get_object", key, **more)
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
            return _found(key, self.call("head_object", key))
        except FileNotFoundError:
            return None

    def put(self, key: str, body: bytes | BinaryIO, metadata: dict[str, str], **condition: str) -> str:
        """Write an object; returns its tag. `condition` is IfMatch or IfNoneMatch.

        Raises:
            FileNotFoundError: IfMatch, and there is none.
            ChangedMeanwhile, StoreFailed: as they say.
        """
        answer = self.call("put_object", key, Body=body, Metadata=metadata, **_KIND, **condition)
        return str(answer["ETag"])

    def delete(self, key: str, **condition: str) -> None:
        """Also right when there is none.

        Raises:
            ChangedMeanwhile, StoreFailed: as they say.
        """
        self.call("delete_object", key, **condition)

    def listing(self, prefix: str = "", after: str = "", deep: bool = True) -> Iterator[Found]:
        """Objects behind the key `after`, in the order of their keys' UTF-8; not `deep`: without those below a further slash.

        Raises:
            StoreFailed: see there.
        """
        more: dict[str, Any] = {} if deep else {"Delimiter": "/"}
        if after:
            more["StartAfter"] = self.prefix + after
        while True:
            answer = self.call("list_objects_v2", None, Prefix=self.prefix + prefix, **more)
            for entry in answer.get("Contents", ()):
                yield Found(
                    entry["Key"].removeprefix(self.prefix), entry["Size"], entry["ETag"], entry["LastModified"].timestamp(), {}
                )
            if not answer.get("IsTruncated"):
                return
            more["ContinuationToken"] = answer["NextContinuationToken"]

    # -- objects in the making

    def begin(self, key: str, metadata: dict[str, str]) -> str:
        """The identifier of a new multipart upload."""
        return str(self.call("create_multipart_upload", key, Metadata=metadata, **_KIND)["UploadId"])

    def send(self, key: str, upload: str, number: int, body: BinaryIO, size: int) -> Piece:
        """One part. Raises as `put` does; FileNotFoundError: there is no such upload."""
        answer = self.call("upload_part", key, UploadId=upload, PartNumber=number, Body=body, ContentLength=size)
        return Piece(number, size, str(answer["ETag"]))

    def copy(self, key: str, upload: str, number: int, source: Found, first: int, count: int) -> Piece:
        """One part, copied by the store from another object."""
        given = {"Bucket": self.bucket, "Key": self.prefix + source.key}
        span = f"bytes={first}-{first + count - 1}"
        answer = self.call("upload_part_copy", key, UploadId=upload, PartNumber=number, CopySource=given, CopySourceRange=span)
        return Piece(number, count, str(answer["CopyPartResult"]["ETag"]))

    def complete(self, key: str, upload: str, pieces: list[Piece], **condition: str) -> str:
        """Make the object of its parts; returns its tag. Raises as `put` does; FileNotFoundError: no such upload as well."""
        parts = [{"PartNumber": piece.number, "ETag": piece.etag} for piece in pieces]
        answer = self.call("complete_multipart_upload", key, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
        return str(answer["ETag"])

    def abort(self, key: str, upload: str) -> None:
        """Also right when there is none."""
        try:
            self.call("abort_multipart_upload", key, UploadId=upload)
        except FileNotFoundError:
            return

    def in_the_making(self) -> Iterator[tuple[str, str, datetime]]:
        """Key, identifier and begin of each multipart upload."""
        more: dict[str, str] = {}
        while True:
            answer = self.call("list_multipart_uploads", None, Prefix=self.prefix, **more)
            for entry in answer.get("Uploads", ()):
                yield entry["Key"].removeprefix(self.prefix), entry["UploadId"], entry["Initiated"]
            if not answer.get("IsTruncated"):
                return
            more = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def last_part(self, key: str, upload: str) -> datetime | None:
        """When the newest part came; None where there is none."""
        newest: datetime | None = None
        more: dict[str, Any] = {}
        while True:
            answer = self.call("list_parts", key, UploadId=upload, **more)
            for part in answer.get("Parts", ()):
                newest = part["LastModified"] if newest is None else max(newest, part["LastModified"])
            if not answer.get("IsTruncated"):
                return newest
            more = {"PartNumberMarker": answer["NextPartNumberMarker"]}


# Nobody's upload runs as a page, also where somebody serves the bucket in another way.
_KIND = {"ContentType": "application/octet-stream", "ContentDisposition": "attachment"}


def _found(key: str, answer: Any) -> Found:
    return Found(key, answer["ContentLength"], answer["ETag"], answer["LastModified"].timestamp(), answer.get("Metadata") or {})

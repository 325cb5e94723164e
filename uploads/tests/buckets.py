"""The same service over an object store, and a store for it: a server of moto's on loopback."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from .inmemory import Service

__all__ = ["InBucket", "Objects"]


class InBucket(Service):
    """The same over an object store; `root` is the folder for what is on its way."""

    def __init__(self, bucket: "Objects", root: Path, run: Any, **options: object) -> None:
        super().__init__(root, run, store=bucket.url, **options)
        self.bucket = bucket

    def files(self) -> dict[str, bytes]:
        return self.bucket.objects()


class Objects:
    """A bucket of its own at a server of moto's, as seen from outside the service."""

    def __init__(self, endpoint: str, client: Any) -> None:
        self.client = client
        self.name = f"b{uuid4().hex}"
        self.client.create_bucket(Bucket=self.name)
        self.url = f"s3://{self.name}/some/where?endpoint={endpoint}&region=us-east-1&style=path"

    def objects(self) -> dict[str, bytes]:
        """All below the prefix."""
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", ())
        assert all(entry["Key"].startswith("some/where/") for entry in found)
        return {
            entry["Key"].removeprefix("some/where/"): self.client.get_object(Bucket=self.name, Key=entry["Key"])["Body"].read()
            for entry in found
        }

    def in_the_making(self) -> list[str]:
        """Keys of the multipart uploads that nobody has completed."""
        found = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ())
        return [entry["Key"].removeprefix("some/where/") for entry in found]

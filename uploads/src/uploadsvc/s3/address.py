"""Where an object store is: s3://BUCKET/PREFIX?endpoint=URL&region=NAME&style=path. Pure.

There are no credentials in it, as options stand in logs and process lists. They come the way every program of the library's
gets them: from the environment, from a file that AWS_SHARED_CREDENTIALS_FILE names, or from the host's role.
"""

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

__all__ = ["Address"]

_STYLES = ("auto", "path", "virtual")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a store."""

    bucket: str
    prefix: str = ""
    """What the keys of all objects begin with: empty, or with a slash at its end."""
    endpoint: str | None = None
    """None: that of AWS, by the region."""
    region: str | None = None
    """None: as the environment says."""
    style: str = "auto"
    """Whether the bucket stands in the URL's path or its host."""

    @classmethod
    def read(cls, url: str) -> "Address":
        """
        Raises:
            ValueError: it is no address of a store; the text says what is wrong, and repeats nothing that may be a secret.
        """
        parts = _split(url, "expected s3://BUCKET/PREFIX?endpoint=URL&region=NAME")
        if parts.scheme != "s3" or parts.fragment:
            raise ValueError("expected s3://BUCKET/PREFIX?endpoint=URL&region=NAME")
        if "@" in parts.netloc:
            raise ValueError("credentials do not belong in the URL: expected them in the environment or in a file")
        if not parts.netloc or ":" in parts.netloc:
            raise ValueError("expected the name of a bucket behind s3://")
        try:
            given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:  # its text has what is wrong
            raise ValueError("expected parameters as NAME=VALUE") from None
        unknown = sorted(set(given) - {"endpoint", "region", "style"})
        if unknown:
            raise ValueError(f"unknown parameter {unknown[0]!r}: expected endpoint, region, style")
        style = given.get("style", "auto")
        if style not in _STYLES:
            raise ValueError(f"style: expected one of {', '.join(_STYLES)}")
        prefix = unquote(parts.path).strip("/")
        return cls(
            parts.netloc, f"{prefix}/" if prefix else "", _endpoint(given.get("endpoint")), given.get("region") or None, style
        )


def _split(url: str, wrong: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # its text has the host, and what stands before it
        raise ValueError(wrong) from None


def _endpoint(url: str | None) -> str | None:
    if not url:
        return None
    parts = _split(url, "endpoint: expected an http or https URL")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("endpoint: expected an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong in the URL: expected them in the environment or in a file")
    return url

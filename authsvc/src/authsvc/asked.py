"""What the log of a decision says of what was asked: short, on one line, and without secrets."""

from dataclasses import dataclass

from svckit.auth.limits import MAX_METHOD

__all__ = ["MAX_ALGORITHM", "MAX_LOGGED_PATH", "MAX_SERVICE", "Asked", "printable"]

MAX_SERVICE = 64
"""Characters of a service's name that are logged."""


MAX_LOGGED_PATH = 200
"""Bytes of a request's path that are logged."""


MAX_ALGORITHM = 16
"""Bytes of the name of Digest's algorithm that are logged."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants, as a service has told it."""

    scheme: str
    user: bytes
    method: bytes
    uri: bytes
    client: bytes
    algorithm: bytes = b""
    """Of Digest."""

    @property
    def request(self) -> str:
        """For the log: without the query, where secrets may be."""
        path = self.uri.partition(b"?")[0]
        return printable(b"%b %b" % (self.method[:MAX_METHOD], path[:MAX_LOGGED_PATH])) if self.method else ""


def printable(text: bytes) -> str:
    """`text` for a log line: nothing in it can begin a new one."""
    decoded = text.decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in decoded)

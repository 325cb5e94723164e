"""One path and no other."""

from dataclasses import dataclass

from ..head import Head
from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Path"]


@dataclass(frozen=True, slots=True)
class Path:
    """Is it exactly this path? A trailing slash makes another one; the query does not count.

    A route's own path is not asked like this, the table finds it; this is for paths inside of `not`, and second ones.
    """

    path: bytes
    """In normal form."""
    http = True
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        request = preface.request
        if not isinstance(request, Head):
            return request
        return YES if preface.path == self.path else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return f"the path is {preface.path.decode('utf-8', 'replace')}"

    def __str__(self) -> str:
        return f"path {self.path.decode()}"

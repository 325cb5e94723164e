"""The path itself and everything below it."""

from dataclasses import dataclass

from ..head import Head
from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Prefix"]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Is the path this one, or below it? On segment boundaries: `/up` does not match `/uploads`.

    A route's own prefix is not asked like this, the table finds it; this is for prefixes inside of `not`, and second ones.
    """

    prefix: bytes
    """In normal form."""
    http = True
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        request = preface.request
        if not isinstance(request, Head):
            return request
        stem = self.prefix.rstrip(b"/")
        path = preface.path
        return YES if path == stem or path.startswith(stem + b"/") else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return f"the path is {preface.path.decode('utf-8', 'replace')}"

    def __str__(self) -> str:
        return f"prefix {self.prefix.decode()}"

"""The request's method."""

from dataclasses import dataclass

from ..head import Head
from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Method"]


@dataclass(frozen=True, slots=True)
class Method:
    """Is its method one of these? Methods are case-sensitive (RFC 9110 section 9.1)."""

    methods: frozenset[bytes]
    http = True
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        request = preface.request
        if not isinstance(request, Head):
            return request
        return YES if request.method in self.methods else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        request = preface.request
        return f"method is {request.method.decode()}" if isinstance(request, Head) else "there is no request"

    def __str__(self) -> str:
        return "method " + " or ".join(sorted(method.decode() for method in self.methods))

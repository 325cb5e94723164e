"""The host that a request is for: its Host field, or the authority of an absolute target."""

from dataclasses import dataclass

from ..head import Head
from ..names import Names
from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Host"]


@dataclass(frozen=True, slots=True)
class Host:
    """Is the request for one of these hosts? Without port, without case, without a trailing dot."""

    names: Names
    http = True
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        request = preface.request
        if not isinstance(request, Head):
            return request
        host = preface.host
        return YES if host is not None and host in self.names else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        host = preface.host
        return "no host is named" if host is None else f"host is {host.decode('utf-8', 'replace')}"

    def __str__(self) -> str:
        return f"host {self.names}"

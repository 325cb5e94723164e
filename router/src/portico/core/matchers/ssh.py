"""SSH, by the client's identification (RFC 4253 section 4.2)."""

from dataclasses import dataclass

from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Ssh"]

_BEGINNINGS = (b"SSH-2.0-", b"SSH-1.99-")
"""Protocol version 2, also of those that can speak version 1 (section 5)."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """Does the client begin SSH? It sends its identification at once, without waiting, and nothing before it."""

    http = False
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        data = preface.data
        if data.startswith(_BEGINNINGS):
            return YES
        return preface.more if any(beginning.startswith(data) for beginning in _BEGINNINGS) else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        return "not an SSH identification"

    def __str__(self) -> str:
        return "ssh"

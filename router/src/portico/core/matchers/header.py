"""A header field of the request."""

import re
from dataclasses import dataclass

from ..head import Head
from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Header"]


@dataclass(frozen=True, slots=True)
class Header:
    """Is the field there, with this value, or with one that fits a regular expression?

    A field that stands there several times matches when one of its values does. Values are compared whole and with their
    case; an expression is searched for, so it says itself with `^` and `$` where it begins and ends.
    """

    name: bytes
    """In lower case."""
    value: bytes | re.Pattern[bytes] | None = None
    """None: any."""
    http = True
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        request = preface.request
        if not isinstance(request, Head):
            return request
        return YES if any(map(self._fits, preface.fields(self.name))) else NO

    def _fits(self, value: bytes) -> bool:
        wanted = self.value
        if isinstance(wanted, re.Pattern):
            return wanted.search(value) is not None
        return wanted is None or wanted == value

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        values = preface.fields(self.name)
        if not values:
            return f"there is no {self.name.decode()}"
        return f"{self.name.decode()} is {', '.join(value.decode('utf-8', 'replace') for value in values)}"

    def __str__(self) -> str:
        name = f"header {self.name.decode()}"
        if self.value is None:
            return name
        if isinstance(self.value, re.Pattern):
            return f"{name} like {self.value.pattern.decode()}"
        return f"{name} = {self.value.decode()}"

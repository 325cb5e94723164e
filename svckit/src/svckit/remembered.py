"""What heads of requests came to, so that one that comes again costs a look-up."""

import re
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Remembered"]

T = TypeVar("T")
_secret = re.compile(rb"^(?:(?:proxy-)?authorization|cookie):", re.IGNORECASE | re.MULTILINE).search


class Remembered(dict[bytes, T]):
    """`remembered[fields]` is what `judge` says of them, asked once; of `most` of them, and for one more the oldest goes.

    Where somebody logs in with them they are judged each time: that is not kept beyond its request.
    """

    def __init__(self, judge: Callable[[bytes], T], most: int) -> None:
        self._judge, self._most = judge, most

    def __missing__(self, fields: bytes) -> T:
        found = self._judge(fields)
        if not _secret(fields):
            if len(self) >= self._most:
                del self[next(iter(self))]
            self[fields] = found
        return found

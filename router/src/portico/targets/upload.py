"""The body of the request under way: from the client to the server, as it comes.

Its boundaries are followed, so nothing that belongs to the next request goes to this server. Bulk is spliced.
"""

from ..arrival import RawSocket
from ..core.body import Body
from ..core.chunked import MALFORMED
from ..flow import DONTWAIT, SMALL, Flow

__all__ = ["ENDED", "Upload"]

ENDED = -2
"""What `move` answers when the client ends within the body."""


class Upload:
    """A body of which some is to come."""

    __slots__ = ("_bulky", "_spliced", "body", "excess")

    def __init__(self, body: Body, spliced: bool) -> None:
        """`spliced`: bulk may be; see `pipes.NO_PIPES`."""
        self.body = body
        self.excess = b""
        """Bytes that came after it, and belong to the next request."""
        self._bulky, self._spliced = False, spliced

    def move(self, source: RawSocket, up: Flow) -> int:
        """Move what is there, when nothing is held by `up`; negative when that is the end: ENDED or MALFORMED.

        Raises:
            BlockingIOError: there is nothing now.
            SinkLost: the server takes nothing more.
            OSError: the client has broken off.
        """
        body = self.body
        if not (self._bulky and self._spliced and body.bulk >= SMALL and up.can_splice()):
            return self._copy(source, up)
        descriptor = source.fileno()
        taken = up.splice(descriptor, body.bulk)
        if not taken:
            return ENDED
        body.skip(taken)
        self._bulky = not up.thin
        if up.thin or body.complete:
            up.rest()
        return 0

    def _copy(self, source: RawSocket, up: Flow) -> int:
        piece = source.recv(SMALL, DONTWAIT)
        if not piece:
            return ENDED
        taken = self.body.feed(piece)
        if taken < 0:
            return MALFORMED
        self._bulky = len(piece) == SMALL
        self.excess = piece[taken:]
        up.send(piece if taken == len(piece) else piece[:taken])
        return 0

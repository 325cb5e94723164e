"""Ends a connection so that what was written last still arrives.

Closing a TCP connection while the client still sends makes the kernel answer with a reset, and a reset may destroy what the
client has not read yet: the very answer that says what was wrong. So only our direction is closed, the client's bytes are
read and dropped, and the client hangs up. One that does not, or does not read, is cut after a while.
"""

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["linger"]


def linger(transport: Any, clock: IReactorTime, seconds: float) -> IDelayedCall:
    """Close our direction once everything is written, and cut the connection after `seconds`.

    The caller drops what still arrives, and cancels the returned call when the connection is lost. No producer may be
    registered with the transport.
    """
    if hasattr(transport, "loseWriteConnection"):
        transport.loseWriteConnection()
    else:
        transport.loseConnection()
    return clock.callLater(seconds, transport.abortConnection)

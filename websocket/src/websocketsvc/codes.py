"""Close codes (RFC 6455 section 7.4) and the payload of a Close frame (section 5.5.1)."""

__all__ = [
    "ABNORMAL",
    "BAD_DATA",
    "BAD_GATEWAY",
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "NORMAL",
    "NO_STATUS",
    "POLICY",
    "PROTOCOL_ERROR",
    "SERVICE_RESTART",
    "TOO_BIG",
    "TRY_AGAIN",
    "UNSUPPORTED",
    "close_payload",
    "may_be_sent",
]

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
"""The peer closed without a code; never on the wire."""
ABNORMAL = 1006
"""The connection ended without a Close; never on the wire."""
UNSUPPORTED = 1003
BAD_DATA = 1007
POLICY = 1008
TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN = 1013
BAD_GATEWAY = 1014

MAX_REASON = 123
"""Bytes: a control frame carries 125, two of which are the code."""

_DEFINED = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


def may_be_sent(code: int) -> bool:
    """Whether `code` may stand in a Close frame: those that IANA has registered, and 3000 to 4999."""
    return code in _DEFINED or 3000 <= code <= 4999


def close_payload(code: int, reason: str = "") -> bytes:
    """What a Close frame carries; `reason` is cut on a character boundary to fit.

    Raises:
        ValueError: the code may not be sent.
    """
    if not may_be_sent(code):
        raise ValueError(f"close code {code} may not be sent")
    text = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
    return code.to_bytes(2, "big") + text.encode("utf-8")

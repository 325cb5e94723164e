"""Which requests on a kept connection are this service's, as far as their targets tell; what was asked for lately is known."""

import re

from svckit.lease import Ownership
from svckit.paths import BadTarget, normalise

__all__ = ["TARGETS_KEPT", "TARGET_KEPT", "Owned"]

TARGETS_KEPT = 512
"""Targets of which is known whether they are this service's."""
TARGET_KEPT = 256
"""Bytes of the longest one."""

_odd = re.compile(rb"\A[^/]|/\.|[%#]").search


class Owned:
    """The part of a service's sessions that knows which requests are its own, by routes that may change."""

    def __init__(self, ownership: Ownership) -> None:
        self.ownership = ownership
        self._patterns: tuple[tuple[str, bool], ...] = ()
        self._ours: dict[bytes, bool] = {}  # whether they are ours by these patterns: targets that were asked for lately

    def owns(self, target: bytes) -> bool:
        """Whether the next request of a session is this service's. A target without meaning is the router's to refuse."""
        patterns = self.ownership.patterns
        if patterns is not self._patterns:
            self._patterns = patterns
            self._ours.clear()
        else:
            known = self._ours.get(target)
            if known is not None:
                return known
        ours = self.ownership.owns(target) and not (_odd(target) and _is_bad(target))
        if len(target) <= TARGET_KEPT:
            if len(self._ours) >= TARGETS_KEPT:
                self._ours.clear()
            self._ours[target] = ours
        return ours


def _is_bad(target: bytes) -> bool:
    try:
        normalise(target)
    except BadTarget:
        return True
    return False

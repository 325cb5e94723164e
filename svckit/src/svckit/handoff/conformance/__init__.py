"""Does a replica keep the rules of `docs/handoff-protocol.md`? A router plays against its socket and says which it breaks.

For whoever writes the replica side, in whatever language: `svckit handoff-check SOCKET`. What is needed of the service behind
the replica is little: it answers `GET /` with HTTP/1.1 and keeps the connection. Standard library only.
"""

from .report import Outcome, check
from .rules import RULES, Rule

__all__ = ["RULES", "Outcome", "Rule", "check"]

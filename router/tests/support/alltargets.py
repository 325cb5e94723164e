"""Each kind of target."""

from .ways import HandoffWays, InProcessWays, TcpWays

ALL = {kind.kind: kind for kind in (InProcessWays, HandoffWays, TcpWays)}

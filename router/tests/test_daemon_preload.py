"""What is imported before a daemon enters its jail: all that it may need, and not what other programs need."""

import subprocess
import sys

CHILD = """
import sys
from portico.daemon.preload import preload
preload(["static"])
wanted = ("portico.targets.handoff", "svckit.auth.client", "staticsvc.listing", "encodings.idna", "twisted.protocols.amp")
print([name for name in wanted if name not in sys.modules])
print([name for name in ("svckit.handoff.aio", "svckit.handoff.conformance", "portico.cli") if name in sys.modules])
"""


def test_it_imports_all_that_a_daemon_needs() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]

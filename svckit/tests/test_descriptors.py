"""The limit of descriptors is raised as far as it goes."""

import subprocess
import sys

CHILD = """
import resource
from svckit.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))
assert raise_limit() == 128
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
assert raise_limit() == 128
"""


def test_soft_becomes_hard() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("128 128\n", 0), done.stderr

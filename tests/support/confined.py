"""What a container may not do, whatever it runs."""

import pytest
from docker.models.containers import Container

from .compose import inside

pytestmark = pytest.mark.containers


def assert_confined(container: Container) -> None:
    host = container.attrs["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["Init"] is True
    status = inside(container, "print(open('/proc/self/status').read())")
    rights = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(rights["CapEff"], 16) == 0
    assert int(rights["CapBnd"], 16) == 0
    assert rights["NoNewPrivs"] == "1"

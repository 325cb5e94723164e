"""openat2(2) as it is used here: what it opens, and what it refuses."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from staticsvc.beneath import AVAILABLE, open_beneath

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this kernel, or a filter of system calls, has no openat2")


@pytest.fixture
def base(root: Path) -> Iterator[int]:
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_what_is_below_is_opened(base: int) -> None:
    fd = open_beneath(base, b"sub/deep/x.bin", os.O_RDONLY)
    try:
        assert os.read(fd, 10) == b"deep"
    finally:
        os.close(fd)


@pytest.mark.parametrize("path", [b"../outside.txt", b"/etc/passwd", b"sub/../../outside.txt", b"..", b"/"])
def test_nothing_leads_out(base: int, path: bytes) -> None:
    with pytest.raises(OSError) as caught:
        open_beneath(base, path, os.O_RDONLY)
    assert caught.value.errno == errno.EXDEV


def test_no_link_is_followed(base: int, root: Path) -> None:
    (root / "link").symlink_to("hello.txt")
    (root / "way").symlink_to("sub")
    (root / "magic").symlink_to(f"/proc/self/fd/{base}")
    for path in (b"link", b"way/index.html", b"magic"):
        with pytest.raises(OSError) as caught:
            open_beneath(base, path, os.O_RDONLY)
        assert caught.value.errno == errno.ELOOP


def test_what_is_not_there(base: int) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(base, b"absent", os.O_RDONLY)

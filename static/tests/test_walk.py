"""The walk: what is found, what does not exist, and that nothing leads outside."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staticsvc import beneath
from staticsvc.walk import Absent, Found, open_below, reopen, segments_of

from tests.support.descriptors import no_descriptor_leaks


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    with no_descriptor_leaks():
        yield


@pytest.fixture(params=["at once", "step by step"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel, where it can, and as on kernels that cannot."""
    if request.param == "step by step":
        monkeypatch.setattr(beneath, "AVAILABLE", False)


def read(found: Found) -> bytes:
    try:
        return os.read(found.fd, 100)
    finally:
        os.close(found.fd)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (b"/", []),
        (b"", []),
        (b"/a", [b"a"]),
        (b"/a/", [b"a"]),
        (b"/a/b.txt", [b"a", b"b.txt"]),
        (b"/100%25", [b"100%"]),
        (b"/%252e%252e", [b"%2e%2e"]),
        (b"/a..b", [b"a..b"]),
        (b"/" + b"x" * 255, [b"x" * 255]),
    ],
)
def test_segments(path: bytes, names: list[bytes]) -> None:
    assert segments_of(path) == names


@pytest.mark.parametrize(
    "path",
    [b"/.x", b"/a/.x", b"/..", b"/a/../b", b"/.", b"/a%2Fb", b"/%2F", b"/..%2Fx", b"/a//b", b"/a%00", b"/" + b"x" * 256],
)
def test_segments_that_no_file_has(path: bytes) -> None:
    with pytest.raises(Absent):
        segments_of(path)


def test_files_and_folders(root: Path) -> None:
    assert read(open_below(str(root), [b"hello.txt"])) == b"hello"
    assert read(open_below(str(root), [b"sub", b"deep", b"x.bin"])) == b"deep"
    for names in ([], [b"sub"], [b"sub", b"deep"]):
        found = open_below(str(root), names)
        assert found.is_folder
        os.close(found.fd)


def test_opened_again(root: Path) -> None:
    fd = reopen(str(root), b"sub/index.html")
    assert read(Found(fd, os.fstat(fd))) == b"<p>sub"
    (root / "sub" / "link").symlink_to("index.html")
    (root / "way").symlink_to("sub")
    for path in (b"noindex/index.html", b"sub/link", b"way/index.html", b"../outside.txt"):
        with pytest.raises(Absent):
            reopen(str(root), path)


def test_what_is_not_there(root: Path) -> None:
    for names in ([b"no"], [b"no", b"x"], [b"hello.txt", b"x"], [b"sub", b"deep", b"x.bin", b"y"], [b"x" * 255]):
        with pytest.raises(Absent):
            open_below(str(root), names)


def test_a_root_that_has_gone(tmp_path: Path) -> None:
    with pytest.raises(Absent):
        open_below(str(tmp_path / "gone"), [b"x"])


def test_no_link_is_followed(root: Path) -> None:
    (root / "out").symlink_to(root.parent / "outside.txt")
    (root / "outdir").symlink_to(root.parent)
    (root / "inside").symlink_to("hello.txt")
    (root / "secret").symlink_to("private")
    (root / "loop").symlink_to("loop")
    for names in (
        [b"out"],
        [b"outdir", b"outside.txt"],
        [b"outdir"],
        [b"inside"],
        [b"secret", b"inner", b"secret.txt"],
        [b"loop"],
    ):
        with pytest.raises(Absent):
            open_below(str(root), names)


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "current").symlink_to(root)
    assert read(open_below(str(root.parent / "current"), [b"hello.txt"])) == b"hello"


def test_what_is_no_file_is_not_even_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(root / "socket"))
        for name in (b"fifo", b"socket"):
            with pytest.raises(Absent):
                open_below(str(root), [name])
    with pytest.raises(Absent):
        open_below("/dev", [b"null"])


def test_swapped_between_look_and_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo")
    real = os.open

    def swapped(name: object, flags: int, *, dir_fd: int | None = None) -> int:
        return real(b"fifo" if name == b"hello.txt" else name, flags, dir_fd=dir_fd)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    beneath_before = beneath.open_beneath

    def swapped_beneath(folder: int, path: bytes, flags: int) -> int:
        return beneath_before(folder, path if flags & os.O_PATH else b"fifo", flags)

    monkeypatch.setattr(beneath, "open_beneath", swapped_beneath)
    with pytest.raises(Absent):
        open_below(str(root), [b"hello.txt"])


def test_running_out_of_descriptors_is_not_absence(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="Too many"):
        open_below(str(root), [b"hello.txt"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.sampled_from([b"sub", b"deep", b"..", b".", b"", b"/", b"outside.txt", b"private", b"%2e", b"\xff"]), max_size=6
    )
)
def test_no_names_lead_outside(root: Path, names: list[bytes]) -> None:
    try:
        found = open_below(str(root), segments_of(b"/" + b"/".join(names)))
    except Absent:
        return
    try:
        assert os.readlink(f"/proc/self/fd/{found.fd}").startswith(str(root))
    finally:
        os.close(found.fd)

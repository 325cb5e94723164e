"""The health check, against sockets that answer, hang, hang up or are dead."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from svckit.cli import main
from svckit.environment import replica_prefix
from svckit.handoff.codec import Hello, encode
from svckit.handoff.socketfile import bind

from svckit import health


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short: a Unix socket's path has at most 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="he") as made:
        monkeypatch.setenv("PORTICO_RUN", made)
        monkeypatch.delenv("PORTICO_REPLICA", raising=False)
        (Path(made) / "static").mkdir()
        yield Path(made) / "static"


def mine(folder: Path, tail: str = "1") -> Path:
    return folder / f"{replica_prefix()}{tail}.sock"


def answering(listener: socket.socket, answer: Callable[[socket.socket], object]) -> threading.Thread:
    """A thread that accepts one connection and answers on it."""

    def run() -> None:
        listener.setblocking(True)
        link, _ = listener.accept()
        with link:
            answer(link)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def say_hello(link: socket.socket) -> None:
    link.send(encode(Hello(1, 1, "static", "a")))


def test_one_that_says_hello_is_well(folder: Path) -> None:
    with bind(mine(folder)) as listener:
        thread = answering(listener, say_hello)
        assert health.check("static") is None
        thread.join(10)


def test_one_that_hangs_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TIMEOUT", 0.05)
    with bind(mine(folder)):
        assert health.check("static") == f"{mine(folder)}: timed out"


def test_one_that_hangs_up_is_not(folder: Path) -> None:
    with bind(mine(folder)) as listener:
        thread = answering(listener, lambda link: None)
        assert health.check("static") == f"{mine(folder)}: hung up"
        thread.join(10)


def test_one_that_died_is_not(folder: Path) -> None:
    bind(mine(folder)).close()
    problem = health.check("static")
    assert problem is not None
    assert "refused" in problem


def test_without_a_socket_there_is_none(folder: Path) -> None:
    assert health.check("static") == f"no socket of this replica in {folder}"
    assert health.check("other") == f"no socket of this replica in {folder.parent / 'other'}"


def test_the_socket_of_another_container_does_not_count(folder: Path) -> None:
    with bind(folder / "elsewhere-1.sock"):
        assert health.check("static") == f"no socket of this replica in {folder}"


def test_one_left_behind_beside_a_living_one_does_not_matter(folder: Path) -> None:
    bind(mine(folder, "1")).close()
    with bind(mine(folder, "2")) as listener:
        thread = answering(listener, say_hello)
        assert health.check("static") is None
        thread.join(10)


def test_a_replica_with_a_name_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_REPLICA", "blue")
    with bind(mine(folder)):
        problem = health.check("static")
        assert problem is not None
        assert problem.startswith(f"{folder / 'blue.sock'}: ")
    with bind(folder / "blue.sock") as listener:
        thread = answering(listener, say_hello)
        assert health.check("static") is None
        thread.join(10)


def test_a_stream_socket_is_well_when_it_accepts(folder: Path) -> None:
    """As authsvc's are."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(mine(folder)))
        listener.listen()
        assert health.check("static") is None


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["health", "static"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"no socket of this replica in {folder}\n"
    with bind(mine(folder)) as listener:
        thread = answering(listener, say_hello)
        with pytest.raises(SystemExit) as ended:
            main(["health", "static"])
        assert ended.value.code == 0
        thread.join(10)

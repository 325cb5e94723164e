"""A look at routers by their sockets: real ones, as fast as they can."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from websocketsvc import routers
from websocketsvc.routers import Look, look_at

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def finished(look: Look) -> list[object]:
    found: list[object] = []
    Deferred.fromCoroutine(look()).addBoth(found.append)
    return found


def test_in_this_process() -> None:
    assert finished(look_at(lambda: {"held": 3}, None, Clock())) == [[{"held": 3}]]


def test_nothing_to_look_at(tmp_path: Path) -> None:
    assert finished(look_at(None, None, Clock())) == [[]]
    assert finished(look_at(None, tmp_path, Clock())) == [[]]
    assert finished(look_at(None, tmp_path / "missing", Clock())) == [[]]


class Router:
    """Answers once, then ends."""

    def __init__(self, path: Path, answer: bytes, end: bool = True) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.settimeout(20)
        self.asked, self._answer, self._end = b"", answer, end
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        sock, _ = self.listener.accept()
        with sock:
            self.asked = sock.recv(65536)
            try:
                sock.sendall(self._answer)
            except OSError:
                return
            if not self._end:
                self.done.wait(20)

    def close(self) -> None:
        self.done.set()
        self.thread.join(20)
        self.listener.close()


@pytest.fixture
def short() -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="r") as folder:
        yield Path(folder)


def run(folder: Path, reactor_code: str = "") -> list[object]:
    """In a process of its own, as it needs a reactor."""
    import subprocess
    import sys

    program = f"""
import json, sys
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from websocketsvc import routers
{reactor_code}
def told(found):
    print(json.dumps(found))
    reactor.stop()
def look():
    Deferred.fromCoroutine(routers.look_at(None, Path({str(folder)!r}), reactor)()).addBoth(told)
reactor.callWhenRunning(look)
reactor.run()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    found: list[object] = json.loads(done.stdout)
    return found


def test_those_that_answer_are_told(short: Path) -> None:
    answers = {
        "a": (OK + b'{"held": 1}', True),
        "b": (OK + b'{"held": 2}\n', True),
        "c": (b"HTTP/1.1 404 Not Found\r\n\r\n", True),
        "d": (OK + b"{", True),
        "e": (OK + b"[1]", True),
        "f": (b"", True),
        "g": (OK, False),  # and no more, without an end
        "h": (OK + b" " * 3000, False),  # too much
    }
    made = {name: Router(short / f"{name}.sock", *answer) for name, answer in answers.items()}
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short / "i.sock"))
    try:
        assert run(short, "routers.ANSWER_TIME = 1.0; routers.LARGEST_ANSWER = 2000") == [{"held": 1}, {"held": 2}]
    finally:
        for router in made.values():
            router.close()
    assert made["a"].asked.startswith(b"GET /status HTTP/1.0\r\n")


def test_not_more_than_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / f"{name}.sock").touch()
    asked: list[str] = []
    monkeypatch.setattr(routers, "MOST_ROUTERS", 2)

    def ask(path: Path, reactor: object) -> Deferred[object]:
        asked.append(path.name)
        return Deferred()

    monkeypatch.setattr(routers, "_ask", ask)
    finished(look_at(None, tmp_path, Clock()))
    assert asked == ["a.sock", "b.sock"]

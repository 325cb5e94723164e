"""`svckit run` as a container calls it: a child process with a service of the test's own, and a router played by hand."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from handoff_support import PATIENCE, tcp_pair
from runner_support import GET, SERVICE, Child, ended_while_it_answers, run
from svckit.handoff.codec import Connection, Draining, Farewell, Taken

from svckit import health


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has at most 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="ru") as made:
        (Path(made) / "echomodule.py").write_text(SERVICE)
        yield Path(made)


@pytest.fixture
def children() -> Iterator[list[Child]]:
    made: list[Child] = []
    yield made
    for child in made:
        if child.process.poll() is None:
            child.process.kill()
        child.process.communicate()


def test_it_serves_drains_and_exits_with_0(folder: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch) -> None:
    child, router = run(children, folder, PORTICO_OPTION_GREETING="good morning")
    monkeypatch.setenv("PORTICO_RUN", str(folder))
    monkeypatch.setenv("PORTICO_REPLICA", "r-1")
    assert health.check("echo") is None

    client, accepted = tcp_pair()
    router.hand(accepted, GET)
    assert router.wait(Taken) == Taken(1, 1)
    accepted.close()
    assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")

    child.terminate()
    router.wait(Draining)
    back: Connection = router.wait(Connection)
    assert os.listdir(folder / "echo") == []
    assert back.unread == b""
    assert child.process.poll() is None
    router.take(1)
    router.say(Farewell())
    assert child.end() == (0, "")
    router.returned[0].send(b"goes on")
    assert client.recv(1000).endswith(b"goes on")
    router.die()
    client.close()

    asked = [line for line in child.lines if line["from"] == "echo"]
    assert [(line["service"], line["replica"], line["path"]) for line in asked] == [("echo", "r-1", "/a/1")]
    access = [line for line in child.lines if line["from"] == "access"]
    assert [(line["client"], line["uri"], line["status"]) for line in access] == [("203.0.113.7", "/a/1", 200)]
    assert not [line for line in child.lines if line["level"] in ("error", "critical")]


def test_an_answer_under_way_is_finished(folder: Path, children: list[Child]) -> None:
    child, router = run(children, folder, PORTICO_OPTION_DELAY="0.5")
    client = ended_while_it_answers(child, router)
    router.wait(Connection)
    assert b"hello" in client.recv(1000)
    router.take(1)
    assert child.end()[0] == 0
    client.close()
    router.die()


def test_the_drain_time_ends_what_does_not_end(folder: Path, children: list[Child]) -> None:
    child, router = run(children, folder, PORTICO_OPTION_DELAY="1000", PORTICO_DRAIN_TIME="0.2")
    client = ended_while_it_answers(child, router)
    assert child.end()[0] == 0
    with pytest.raises(ConnectionResetError):
        client.recv(1000)
    client.close()
    router.die()


@pytest.mark.parametrize(("second", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_the_drain_at_once(
    folder: Path, children: list[Child], second: signal.Signals, status: int
) -> None:
    child, router = run(children, folder, PORTICO_OPTION_DELAY="1000", PORTICO_DRAIN_TIME="600")
    client = ended_while_it_answers(child, router)
    assert child.process.poll() is None
    child.process.send_signal(second)
    assert child.end() == (status, "")
    said = [line for line in child.lines if "ending at once" in line["message"]]
    assert [line["signal"] for line in said] == [second.name]
    assert not [line for line in child.lines if "trace" in line or line["level"] in ("error", "critical")]
    client.close()
    router.die()


def test_without_work_it_ends_at_once(folder: Path, children: list[Child]) -> None:
    child = Child(folder, "run", "--service", "echo", "echomodule:make_factory")
    children.append(child)
    assert child.ready()["level"] == "info"
    assert len(os.listdir(folder / "echo")) == 1
    child.terminate()
    assert child.end() == (0, "")
    assert os.listdir(folder / "echo") == []


def test_killed_it_leaves_a_file_and_the_next_one_sweeps_it(folder: Path, children: list[Child]) -> None:
    child, router = run(children, folder)
    child.process.kill()
    child.process.wait(PATIENCE)
    assert router.ended()
    router.die()
    assert os.listdir(folder / "echo") == ["r-1.sock"]
    after = Child(folder, "run", "--service", "echo", "echomodule:make_factory", PORTICO_REPLICA="r-2")
    children.append(after)
    after.ready()
    assert os.listdir(folder / "echo") == ["r-2.sock"]
    after.terminate()
    assert after.end()[0] == 0


WRONG = {
    "no such service": (["nothing"], {}, "no service 'nothing' is installed"),
    "no such module": (["--service", "echo", "nothing:make_factory"], {}, "nothing:make_factory: No module named 'nothing'"),
    "no such function": (["--service", "echo", "echomodule:make"], {}, "has no attribute 'make'"),
    "no function": (["--service", "echo", "echomodule:factory"], {}, "echomodule:factory: not a function"),
    "no service name": (["echomodule:make_factory"], {}, "--service is needed"),
    "nothing to run": ([], {}, "what"),
    "an unknown option": (
        ["--service", "echo", "echomodule:make_factory"],
        {"PORTICO_OPTION_GREETNG": "x"},
        "echo: unknown option 'greetng'; it has delay, greeting",
    ),
    "an option of the wrong type": (
        ["--service", "echo", "echomodule:make_factory"],
        {"PORTICO_OPTION_DELAY": "soon"},
        "echo: Expected `float`, got `str` - at `$.delay`",
    ),
    "a wrong drain time": (
        ["--service", "echo", "echomodule:make_factory"],
        {"PORTICO_DRAIN_TIME": "soon"},
        "PORTICO_DRAIN_TIME: expected a number of seconds, found 'soon'",
    ),
    "a path that is too long": (["--service", "echo", "echomodule:make_factory"], {"PORTICO_REPLICA": "x" * 120}, "too long"),
    "a folder that cannot be": (["--service", "echo", "echomodule:make_factory"], {"PORTICO_RUN": "/dev/null"}, "/dev/null"),
}


@pytest.mark.parametrize(("arguments", "environment", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(
    folder: Path, children: list[Child], arguments: list[str], environment: dict[str, str], message: str
) -> None:
    child = Child(folder, "run", *arguments, **environment)
    children.append(child)
    status, error = child.end()
    assert status == 2
    assert message in error
    assert "Traceback" not in error


def test_a_name_that_is_taken_by_a_living_one(folder: Path, children: list[Child]) -> None:
    _, router = run(children, folder)
    second = Child(folder, "run", "--service", "echo", "echomodule:make_factory", PORTICO_REPLICA="r-1")
    children.append(second)
    status, error = second.end()
    assert status == 2
    assert "r-1.sock: Address already in use" in error
    client, accepted = tcp_pair()
    router.hand(accepted, GET)
    assert b"hello" in client.recv(1000)
    for sock in (client, accepted):
        sock.close()
    router.die()


def test_a_service_that_fails_to_start_ends_the_process(folder: Path, children: list[Child]) -> None:
    (folder / "failing.py").write_text(
        "from twisted.internet.protocol import Factory\n"
        "class Failing(Factory):\n"
        "    def startFactory(self): raise RuntimeError('not today')\n"
        "def make_factory(settings, reactor): return Failing()\n"
    )
    child = Child(folder, "run", "--service", "echo", "failing:make_factory")
    children.append(child)
    assert child.end()[0] == 1
    assert [line["trace"].splitlines()[-1] for line in child.lines if "trace" in line] == ["builtins.RuntimeError: not today"]

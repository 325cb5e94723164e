"""`svckit run` as a child process, with a service that greets, and a router that is played by hand."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from handoff_support import PATIENCE, PlayedRouter, tcp_pair
from svckit.handoff.codec import Draining, Farewell, Hello, Taken
from svckit.handoff.socketfile import connect

SERVICE = """
from dataclasses import dataclass

from svckit.web import GuardedSite
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

log = Logger(namespace="echo")
factory = 3


@dataclass(frozen=True)
class Options:
    greeting: str = "hello"
    delay: float = 0.0


class Greeting(Resource):
    isLeaf = True

    def __init__(self, options, reactor):
        super().__init__()
        self.options, self.reactor = options, reactor

    def render(self, request):
        log.info("asked for {path}", path=request.path.decode())

        def answer():
            request.write(self.options.greeting.encode())
            request.finish()

        self.reactor.callLater(self.options.delay, answer)
        return NOT_DONE_YET


def make_factory(settings, reactor):
    return GuardedSite(Greeting(settings.options_as(Options), reactor), reactor)
"""
GET = b"GET /a/1 HTTP/1.1\r\nHost: x\r\n\r\n"


class Child:
    """`svckit` with arguments, in an environment of its own."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from svckit.cli import main; main()", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(folder),
                "PORTICO_RUN": str(folder),
                "PORTICO_STATE": str(folder / "state"),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: list[dict[str, Any]] = []

    def ready(self) -> dict[str, Any]:
        """Wait for the line that says so."""
        while not self.lines or "is ready" not in self.lines[-1]["message"]:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.lines.append(json.loads(line))
        return self.lines[-1]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit status and what it said on standard error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        self.lines += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, err.decode()


class Router(PlayedRouter):
    """A router that waits for what a process of its own says."""

    def wait(self, kind: type) -> Any:
        while True:
            heard = self.hear()
            for at, message in enumerate(heard):
                if isinstance(message, kind):
                    self.unheard = heard[at + 1 :]
                    return message
            readable, _, _ = select.select([self.sock], [], [], PATIENCE)
            assert readable, f"no {kind.__name__} was said"

    def ended(self) -> bool:
        assert select.select([self.sock], [], [], PATIENCE)[0], "it did not end"
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def run(children: list[Child], folder: Path, **environment: str) -> tuple[Child, Router]:
    """The service, and a router that is linked to it."""
    child = Child(folder, "run", "--service", "echo", "echomodule:make_factory", PORTICO_REPLICA="r-1", **environment)
    children.append(child)
    child.ready()
    router = Router(connect(folder / "echo" / "r-1.sock"))
    assert router.wait(Hello)[2:] == ("echo", "r-1")
    router.welcome(("/a/", True), ("/b/", False))
    return child, router


def ended_while_it_answers(child: Child, router: Router) -> socket.socket:
    """A client whose request is under way when the process is told to end; router and process have said goodbye."""
    client, accepted = tcp_pair()
    router.hand(accepted, GET)
    router.wait(Taken)
    accepted.close()
    child.terminate()
    router.wait(Draining)
    router.say(Farewell())
    return client

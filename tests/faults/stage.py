"""What is done to a deployment while it is under load."""

import asyncio
import time
import urllib.request

from docker.models.containers import Container

from ..support.compose import Compose
from .evidence import LOOK, ROUTER, STARTING, Killed, patiently, program

STARTING_AGAIN = 55.0
"""Seconds that a router may be away; gate refuses connections after 60."""


class Stage:
    """What a fault can do to the deployment."""

    def __init__(self, compose: Compose, seconds: float) -> None:
        self.compose, self.seconds = compose, seconds
        self.killed: list[Killed] = []

    async def scale(self, replicas: int) -> None:
        await asyncio.to_thread(self.compose.scale, "static", replicas)

    def last(self) -> Container:
        """The last replica of static that runs: one that was killed often waits longer each time. Waits while none does.

        Raises:
            TimeoutError: none comes back.
        """
        end = time.monotonic() + STARTING
        while time.monotonic() < end:
            running = [container for container in self.compose.containers("static") if container.status == "running"]
            if running:
                return running[-1]
            time.sleep(LOOK)
        raise TimeoutError("no replica of static runs")

    async def kill_last(self) -> None:
        """kill -9 of the last one's program; another one is chosen if it is just then restarting."""
        await asyncio.to_thread(patiently, self._kill_last)

    def _kill_last(self) -> None:
        container, since = self.last(), time.time()
        program(container, "import signal; os.kill(int(pid), signal.SIGKILL)")
        self.killed.append(Killed(str(container.id)[:12], since, time.time()))

    async def kill_router(self) -> None:
        since = time.time()
        await asyncio.to_thread(patiently, lambda: self.compose.crash("router"))
        self.killed.append(Killed(ROUTER, since, time.time()))

    async def until_a_router_answers(self) -> None:
        """A request that waits in the port's queue: a machine with much else to do may call a living router unhealthy."""

        def ask() -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.compose.port}/", timeout=STARTING_AGAIN) as answer:
                answer.read()

        await asyncio.to_thread(ask)

    async def signal(self, container: Container, name: str) -> None:
        do = f"import signal; os.kill(int(pid), signal.{name})"
        await asyncio.to_thread(program, container, do)

    async def fake(self, program_text: str, seconds: float) -> None:
        """A replica of static that is none, in a container with its user and its folder."""
        image = (await asyncio.to_thread(self.last)).image
        assert image is not None
        container = self.compose.client.containers.run(
            image,
            ["python", "-c", _FAKE + program_text],
            detach=True,
            user="20001:20000",
            network_mode="none",
            volumes={f"{self.compose.project}_static": {"bind": "/run/portico/static", "mode": "rw"}},
            labels={"com.docker.compose.project": self.compose.project},
        )
        try:
            await asyncio.sleep(seconds)
            said = container.logs().decode()
            assert "given" in said, f"the false replica was given nothing: {said}"
        finally:
            await asyncio.to_thread(container.remove, force=True)


_FAKE = """
import pathlib, socket, time
from svckit.handoff import packets, socketfile
from svckit.handoff.codec import Hello, VERSION, encode

__all__ = ["Stage"]
listener = socketfile.bind(pathlib.Path("/run/portico/static/false.sock"))
listener.setblocking(True)
"""

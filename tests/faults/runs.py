"""The faults, each under load, and what came of every request.

A request may be lost only with a process that had it: the router's log says who had said TAKEN for its connection, and that
must be what was killed then. All else that is lost, and every answer that is not right or was given twice, is a failure.
"""

import asyncio
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from docker.models.containers import Container

from ..support.compose import Compose, call_inside, log_of
from ..support.site import ROOT, Site, first_password
from .evidence import LOOK, ROUTER, STARTING, Killed, Logs, descriptors, explained, patiently, program, takers
from .load import Load, Page

__all__ = ["RUNS", "Outcome"]

PAGE = next(path for path in sorted((ROOT / "static/files").iterdir()) if path.is_file() and not path.name.startswith("."))
OTHER = Page("uploads", "/uploads/faults.txt", b"of another service\n")
"""What clients ask for that go from service to service; put there first."""
STARTING_AGAIN = 55.0
"""Seconds that a router may be away; gate refuses connections after 60."""
GRACE = 1.5
"""Seconds until logs have been read and descriptors closed."""


@dataclass
class Outcome:
    """What a run has shown."""

    sent: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    unlogged: int = 0
    """Right answers that the service's log does not have."""
    returned: int = 0
    """Connections that were handed back and handed over again."""
    with_the_dead: int = 0
    """Lost, and what was killed had the connection."""
    unexplained: list[str] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What must not be."""
        wrong = self.counts["wrong"] + self.counts["refused"]
        leaks = [
            f"{name}: {self.before[name]} descriptors before, {count} after"
            for name, count in self.after.items()
            if name in self.before and count > self.before[name] + 3
        ]
        found = [*self.unexplained, *leaks]
        if wrong:
            found.append(f"{wrong} wrong or refused")
        if self.twice:
            found.append(f"{self.twice} answered twice")
        return found

    def __str__(self) -> str:
        lines = [
            f"sent {self.sent}, right {self.counts['right']}, wrong {self.counts['wrong']}, refused {self.counts['refused']}, "
            f"lost {self.counts['lost']} (of them with what was killed: {self.with_the_dead}), twice {self.twice}, "
            f"handed back {self.returned}",
            f"descriptors before {self.before}, after {self.after}",
        ]
        return "\n".join([*lines, *(f"FAILED: {failure}" for failure in self.failures[:20])])


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
listener = socketfile.bind(pathlib.Path("/run/portico/static/false.sock"))
listener.setblocking(True)
"""
_MUTE = """
kept = []
while True:
    link, _ = listener.accept()
    kept.append(link)
    link.send(encode(Hello(VERSION, 1000, "static", "false")))
    print("given a link", flush=True)
"""
_MIDWAY = """
while True:
    link, _ = listener.accept()
    link.send(encode(Hello(VERSION, 1000, "static", "false")))
    link.settimeout(5)
    try:
        for _ in range(5):
            print("given", len(link.recvmsg(100000, 1000)[0]), flush=True)
        link.send(bytes.fromhex("04000000000000"))
    except OSError:
        pass
    link.close()
"""


async def kill(stage: Stage) -> None:
    """kill -9 of a replica, again and again."""
    await stage.scale(3)
    end = time.monotonic() + stage.seconds
    while time.monotonic() < end:
        await asyncio.sleep(1)
        await stage.kill_last()
        await asyncio.sleep(1)


async def stop(stage: Stage) -> None:
    """kill -STOP of a replica, for 5 seconds (a fast run: 3)."""
    await stage.scale(2)
    container = await asyncio.to_thread(stage.last)
    await asyncio.sleep(1)
    await stage.signal(container, "SIGSTOP")
    try:
        await asyncio.sleep(5 if stage.seconds >= 5 else 3)
    finally:
        await stage.signal(container, "SIGCONT")
    await asyncio.sleep(1)


async def mute(stage: Stage) -> None:
    """A replica that says HELLO and never TAKEN."""
    await stage.fake(_MUTE, max(stage.seconds, 4))


async def midway(stage: Stage) -> None:
    """A replica that takes nothing, sends half a message and closes the wire."""
    await stage.fake(_MIDWAY, max(stage.seconds, 3))


async def scale(stage: Stage) -> None:
    """From one replica to five and back."""
    end = time.monotonic() + stage.seconds
    while time.monotonic() < end:
        for replicas in (5, 1):
            await stage.scale(replicas)
            await asyncio.sleep(1)


async def router_kill(stage: Stage) -> None:
    """kill -9 of the router, again and again."""
    end = time.monotonic() + stage.seconds
    while time.monotonic() < end:
        await asyncio.sleep(2)
        await stage.kill_router()
        await stage.until_a_router_answers()


async def router_replace(stage: Stage) -> None:
    """A new container of the router's, as `up --build` makes one."""
    end = time.monotonic() + stage.seconds
    while time.monotonic() < end:
        await asyncio.sleep(2)
        command = ("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "router")
        await asyncio.to_thread(stage.compose.call, *command, seconds=120.0)
        await stage.until_a_router_answers()


Fault = Callable[[Stage], Awaitable[None]]


async def under_load(compose: Compose, fault: Fault, seconds: float, clients: int = 24) -> Outcome:
    """One fault, and the count."""
    stage, outcome = Stage(compose, seconds), Outcome()
    await stage.scale(1)
    settle(compose)
    site = Site("127.0.0.1", compose.port, first_password(log_of(compose.container("authsvc"))))
    login = {"Authorization": site.authorization}
    put = urllib.request.Request(f"http://127.0.0.1:{compose.port}{OTHER.path}", OTHER.body, login, method="PUT")
    with await asyncio.to_thread(urllib.request.urlopen, put, timeout=10):
        pass
    outcome.before = descriptors(compose, "router", "static", "uploads")
    networks = compose.container("gate").attrs["NetworkSettings"]["Networks"]
    address = networks[f"{compose.project}_edge"]["IPAddress"]  # its own address, so that the router sees the client's
    load = Load(address, 8080, (Page("static", f"/static/{PAGE.name}", PAGE.read_bytes()), OTHER), clients)
    with Logs(compose, "router", "static", "uploads") as logs:
        running = asyncio.create_task(load.run())
        try:
            await fault(stage)
        finally:
            load.end()
            await running
        await stage.scale(1)
        await asyncio.sleep(GRACE)
        await asyncio.to_thread(settle, compose)
        judge(outcome, load, logs, stage.killed)
    outcome.after = descriptors(compose, "router", "static", "uploads")
    return outcome


def settle(compose: Compose) -> None:
    """Until the router waits for nobody any more; the clients have left."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        counted = patiently(lambda: call_inside(compose.container("router"), "portico", "status", "--json"))
        if '"waiting":0' in counted.replace(" ", ""):
            return
        time.sleep(0.2)


def judge(outcome: Outcome, load: Load, logs: Logs, killed: list[Killed]) -> None:
    """Put what the clients have seen beside what the logs say."""
    outcome.sent, outcome.counts = len(load.asked), load.counts
    answered = logs.answered(load)
    outcome.twice = sum(1 for times in answered.values() if times > 1)
    outcome.unlogged = sum(1 for asked in load.asked if asked.result == "right" and not answered[asked.number])
    lines = logs.lines("router")
    outcome.returned = sum(1 for line in lines if line.get("returned") is True and line.get("how") == "handed over")
    for asked in load.asked:
        if asked.result == "wrong":
            seconds = asked.ended - asked.began
            outcome.unexplained.append(f"request {asked.number} to {asked.page.service}, after {seconds:.1f} s: {asked.why}")
        if asked.result != "lost":
            continue
        taken = takers(lines, asked)
        if explained(asked, taken, killed, answered[asked.number] > 0):
            outcome.with_the_dead += 1
        else:
            by = [(each.replica, round(each.at, 3)) for each in taken[-2:]] or "nobody"
            outcome.unexplained.append(
                f"request {asked.number} to {asked.page.service} from port {asked.port}, "
                f"{asked.began:.3f} to {asked.ended:.3f}: {asked.why}, taken by {by}"
            )


RUNS: dict[str, Fault] = {
    "kill": kill,
    "stop": stop,
    "mute": mute,
    "midway": midway,
    "scale": scale,
    "router-kill": router_kill,
    "router-replace": router_replace,
}

"""The faults, each under load, and what came of every request."""

import asyncio
import time
import urllib.request
from collections.abc import Awaitable, Callable

from ..support.compose import Compose, call_inside, log_of
from ..support.site import ROOT, Site, first_password
from .evidence import Logs, descriptors, patiently
from .load import Load, Page
from .outcome import Outcome, judge
from .stage import Stage

__all__ = ["RUNS", "Outcome"]

PAGE = next(path for path in sorted((ROOT / "static/files").iterdir()) if path.is_file() and not path.name.startswith("."))
OTHER = Page("uploads", "/uploads/faults.txt", b"of another service\n")
"""What clients ask for that go from service to service; put there first."""
GRACE = 1.5
"""Seconds until logs have been read and descriptors closed."""


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


RUNS: dict[str, Fault] = {
    "kill": kill,
    "stop": stop,
    "mute": mute,
    "midway": midway,
    "scale": scale,
    "router-kill": router_kill,
    "router-replace": router_replace,
}

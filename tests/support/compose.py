"""The deployment in containers: the project's compose file, unchanged, under a project name and a port of its own."""

import os
import subprocess
import time

import docker
from docker.models.containers import Container

from .site import ROOT, json_lines

__all__ = ["Compose", "call_inside", "events", "inside", "log_of", "missing_engine"]

SECONDS_FOR_A_CALL = 60.0
SECONDS_FOR_UP = 300.0
"""Building on a machine that has nothing cached takes most of it."""


def missing_engine() -> str | None:
    """Why there can be no containers here, or None if there can."""
    try:
        client = docker.from_env(timeout=10)
        try:
            client.ping()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        return f"no Docker engine answers ({type(error).__name__})"
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "there is no docker compose"
    return None


class Compose:
    """One compose project."""

    def __init__(self, project: str, port: int) -> None:
        self.project = project
        self.port = port
        self.client = docker.from_env(timeout=int(SECONDS_FOR_A_CALL))
        self.environment = {**os.environ, "PORTICO_LISTEN": f"127.0.0.1:{port}", "PORTICO_DRAIN_TIME": "4"}

    def call(self, *arguments: str, seconds: float = SECONDS_FOR_A_CALL) -> str:
        """`docker compose ARGUMENTS`, for this project; its standard output.

        Raises:
            AssertionError: it failed; the text shows what it said.
        """
        command = ["docker", "compose", "--project-name", self.project, "--ansi", "never", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self) -> None:
        """Build and start everything and wait until all of it is healthy."""
        try:
            self.call("up", "--build", "--wait", "--quiet-pull", seconds=SECONDS_FOR_UP)
        except AssertionError as error:
            logs = self.call("logs", "--no-color", "--tail", "40")
            raise AssertionError(f"{error}\n{self.call('ps', '--all')}\n{logs}") from None

    def down(self) -> None:
        """Remove containers, volumes, network and images of this project."""
        self.call("--profile", "*", "down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "5", seconds=120)

    def scale(self, service: str, replicas: int) -> None:
        """Another number of replicas, all of them healthy on return."""
        self.call("up", "--no-build", "--no-recreate", "--wait", "--scale", f"{service}={replicas}", seconds=120)

    def containers(self, service: str | None = None) -> list[Container]:
        """Running containers, of one service or of all."""
        labels = [f"com.docker.compose.project={self.project}"]
        if service is not None:
            labels.append(f"com.docker.compose.service={service}")
        found: list[Container] = self.client.containers.list(filters={"label": labels})
        return sorted(found, key=lambda container: container.name or "")

    def container(self, service: str) -> Container:
        """The one container of a service."""
        (only,) = self.containers(service)
        return only

    def crash(self, service: str) -> None:
        """`kill -9` of the service's process from inside: `docker kill` would count as wanted, and nothing would restart it.

        The program is the child of PID 1, which is the container's init.
        """
        kill = (
            "import os, pathlib, signal\n"
            "for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):\n"
            "    pid, _, rest = stat.read_text().partition(' ')\n"
            "    if rest.rpartition(')')[2].split()[1] == '1': os.kill(int(pid), signal.SIGKILL)\n"
        )
        inside(self.container(service), kill)

    def give(self, container: Container, text: str, *command: str) -> None:
        """Run a command in the container, as its user, with `text` as its standard input.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        assert container.id is not None
        whole = ["docker", "exec", "-i", container.id, *command]
        subprocess.run(whole, input=text, text=True, check=True, capture_output=True, timeout=SECONDS_FOR_A_CALL)

    def wait_healthy(self, service: str, seconds: float = 60.0) -> None:
        """Until every container of the service is healthy.

        Raises:
            TimeoutError: one is not.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.containers(service)
            if found and all(container.health == "healthy" for container in found):
                return
            time.sleep(0.1)
        raise TimeoutError(f"{service} is not healthy after {seconds} s")


def log_of(container: Container) -> str:
    """What the container has written, both streams."""
    written: bytes = container.logs()
    return written.decode(errors="replace")


def events(container: Container) -> list[dict[str, object]]:
    """What the container has logged."""
    return list(json_lines(log_of(container)))


def inside(container: Container, program: str) -> str:
    """Run a Python program in the container, as its user; what it wrote, without white space at the ends."""
    return call_inside(container, "python", "-ISc", program)


def call_inside(container: Container, *command: str) -> str:
    """Run a command in the container, as its user; what it wrote, without white space at the ends."""
    output = container.exec_run(list(command)).output
    assert isinstance(output, bytes)
    return output.decode().strip()

"""What the tests run against: SQLite, and a PostgreSQL of their own where Debian's package is installed; a played service."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from authsvc.store import Store
from twisted.logger import LogEvent, capturedLogs

from .support.answering import Bench

_numbers = itertools.count()


def postgresql_programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps it off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Cluster:
    """A PostgreSQL that listens on a Unix socket alone, run by a user that is not root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data, self.folder = programs, folder / "data", folder
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:  # it refuses to be run by root
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "portico", "-E", "UTF8", "--locale=C", "-N")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "60", "-o", settings, "-l", self.folder / "log", "start")

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=90,
            **self._as,
        )

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"test{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://portico@/{name}?host={self.folder}"

    def sql(self, statement: str) -> None:
        self._run("psql", "-h", self.folder, "-U", "portico", "-q", "-c", statement, "postgres")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    programs = postgresql_programs()
    if programs is None:
        if os.environ.get("PORTICO_REQUIRE_PROGRAMS") == "1":
            pytest.fail("programs are required, and PostgreSQL is not installed", pytrace=False)
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a short path: it holds a socket
    try:
        cluster = Cluster(programs, folder)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; none for the file in the state folder."""
    if request.param == "sqlite":
        return ""
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.new_database()


@pytest.fixture
def open_store(tmp_path: Path, database: str) -> Iterator[Callable[[], Store]]:
    """Opens the same store as often as it is called."""
    opened: list[Store] = []

    def make() -> Store:
        opened.append(Store(tmp_path, database))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def log() -> Iterator[Sequence[LogEvent]]:
    """What is logged while the test runs."""
    with capturedLogs() as events:
        yield events


@pytest.fixture
def bench(log: Sequence[LogEvent]) -> Bench:
    return Bench(log)

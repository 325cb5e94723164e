"""One behaviour suite, many deployments: a test that asks for `site` runs against each of them.

All three targets, each plain and by TLS, with and without a PROXY header; and the containers as the compose file has them.
A test that makes sense on some of them only asks for `sites(...)` (`support/deployments.py`).
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .support.browser import Browser
from .support.compose import Compose, log_of, missing_engine
from .support.daemon import Ground, as_root, ground
from .support.deployments import WHOLE, Deployment, gunicorn, in_process, over_handoff, over_tcp, sites
from .support.one_process import OneProcess
from .support.programs import program
from .support.site import ROOT, Site, first_password, free_port, wait_for_answer

PROJECT = "portico-test"
REQUIRED = os.environ.get("PORTICO_REQUIRE_CONTAINERS") == "1"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before there are other processes: where one of those cannot begin, it is not said why."""
    if REQUIRED and session.config.getoption("numprocesses", None):
        problem = missing_engine()
        if problem is not None:
            raise pytest.UsageError(f"the container tests are required, and {problem}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an engine the container tests are skipped, or, where they are required, nothing runs at all."""
    affected = [item for item in items if item.get_closest_marker("containers")]
    problem = missing_engine() if affected else None
    if problem is None:
        return
    if REQUIRED:
        raise pytest.UsageError(f"the container tests are required, and {problem}")
    for item in affected:
        item.add_marker(pytest.mark.skip(reason=problem))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """From the reports, as the tests may have been collected in another process."""
    left_out = [report for report in terminalreporter.getreports("skipped") if "containers" in report.keywords]
    if left_out:
        terminalreporter.write_line(f"{len(left_out)} container tests left out; `make engine` brings an engine up", yellow=True)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(program("chromium"), tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="session")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    port, folder = free_port(), tmp_path_factory.mktemp("one-process")
    configuration = folder / "portico.toml"
    # several deployments have it behind them, so it sees more wrong logins from one address than a site does
    patient = "\n[in_process.options.authsvc]\nuser_tries = 1000\naddress_tries = 1000\n"
    configuration.write_text((ROOT / "router/portico.toml").read_text() + patient)
    running = OneProcess.portico(port, folder, configuration)
    try:
        wait_for_answer("127.0.0.1", port)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    project = Compose(PROJECT, free_port())
    project.down()  # a run that was killed may have left something, and it comes back with the engine
    try:
        project.up()
        yield project
    finally:
        project.down()
        project.client.close()


@pytest.fixture(scope="session")
def compose_site(compose: Compose) -> Site:
    return Site("127.0.0.1", compose.port, first_password(log_of(compose.container("authsvc"))))


@pytest.fixture(scope="session")
def in_process_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with ExitStack() as stack:
        yield in_process(tmp_path_factory.mktemp("in-process"), stack)


@pytest.fixture(scope="session")
def handoff_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with ExitStack() as stack:
        yield over_handoff(tmp_path_factory.mktemp("handoff"), stack)


@pytest.fixture(scope="session")
def flask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with ExitStack() as stack:
        yield gunicorn(tmp_path_factory.mktemp("flask"), stack)


@pytest.fixture(scope="session")
def tcp_deployment(
    one_process: OneProcess, flask: OneProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with ExitStack() as stack:
        yield over_tcp(tmp_path_factory.mktemp("tcp"), one_process, flask, first_password(one_process.log), stack)


@pytest.fixture(scope="session", params=sites())
def site(request: pytest.FixtureRequest) -> Site:
    if request.param == "compose":
        in_containers: Site = request.getfixturevalue("compose_site")
        return in_containers
    target, listener = request.param.split("/")
    deployment: Deployment = request.getfixturevalue(f"{target.replace('-', '_')}_deployment")
    return deployment.site(listener, WHOLE) if request.param == "in-process/plain" else deployment.site(listener)


@pytest.fixture
def place() -> Iterator[Ground]:
    """Where a daemon is started, as root."""
    as_root()
    with ground() as made:
        yield made

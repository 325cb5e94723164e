"""One behaviour suite, two deployments: a test that asks for `site` runs against each of them."""

import os
from collections.abc import Iterator

import pytest

from .support.compose import Compose, log_of, missing_engine
from .support.one_process import OneProcess
from .support.site import Site, first_password, free_port, wait_for_answer

PROJECT = "portico-test"
LEFT_OUT = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an engine the container tests are skipped, or, where they are required, nothing runs at all."""
    affected = [item for item in items if item.get_closest_marker("containers")]
    problem = missing_engine() if affected else None
    if problem is None:
        return
    if os.environ.get("PORTICO_REQUIRE_CONTAINERS") == "1":
        raise pytest.UsageError(f"the container tests are required, and {problem}")
    config.stash[LEFT_OUT] = f"{len(affected)} container tests left out: {problem}; `make engine` brings one up"
    for item in affected:
        item.add_marker(pytest.mark.skip(reason=problem))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(LEFT_OUT, None)
    if left_out is not None:
        terminalreporter.write_line(left_out, yellow=True)


@pytest.fixture(scope="session")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    port = free_port()
    running = OneProcess.portico(port, tmp_path_factory.mktemp("one-process"))
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


@pytest.fixture(scope="session", params=["one-process", pytest.param("compose", marks=pytest.mark.containers)])
def site(request: pytest.FixtureRequest) -> Site:
    if request.param == "compose":
        found: Site = request.getfixturevalue("compose_site")
        return found
    running: OneProcess = request.getfixturevalue("one_process")
    return Site("127.0.0.1", running.port, first_password(running.log))

"""Three routers in front of three recorders: ours, and the two peers that are asked for a second opinion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.one_process import OneProcess
from ..support.programs import program
from ..support.site import free_port, wait_for_listener
from .cases import RESPONSES, TOKEN
from .recorder import Recorder
from .routers import COMMANDS, Way, token_of

PEERS = [name for name in COMMANDS if name != "portico"]


def in_pieces(wire: bytes) -> tuple[bytes, bytes]:
    """The head with one half of the body, and the other half: what is wrong in that one comes when the rest has gone on."""
    body = wire.find(b"\r\n\r\n") + 4
    middle = body + (len(wire) - body) // 2
    return wire[:middle], wire[middle:]


@pytest.fixture(scope="session")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Way]]:
    for name in PEERS:
        program(name)
    answers: dict[bytes, tuple[bytes, ...]] = {}
    for number, case in enumerate(RESPONSES):
        wire = case.wire.replace(TOKEN, b"x")
        answers[token_of("response", number)] = (wire,)
        answers[token_of("response", number, again=True)] = in_pieces(wire)
    started: dict[str, Way] = {}
    running: list[OneProcess] = []
    try:
        for name, command in COMMANDS.items():
            folder: Path = tmp_path_factory.mktemp(name)
            recorder, port = Recorder(answers), free_port()
            process = OneProcess(command(folder, port, recorder.port), port, folder / "log")
            running.append(process)
            wait_for_listener("127.0.0.1", port)
            started[name] = Way(name, port, recorder, process)
        yield started
    finally:
        for process in running:
            process.stop()
        for way in started.values():
            way.recorder.close()

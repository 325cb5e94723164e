"""What stands on the protocol's page is true: its examples are messages, its table is the codec's, its program is a replica."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import pytest
from svckit.handoff import codec
from svckit.handoff.codec import (
    Connection,
    Draining,
    Farewell,
    Hello,
    Load,
    Message,
    Routes,
    Taken,
    Tls,
    Welcome,
    decode,
    encode,
)
from svckit.handoff.conformance import check
from svckit.handoff.conformance.bench import Bench

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/handoff-protocol.md").read_text()
EXAMPLES = dict(re.findall(r"^    ([A-Z]+) +((?:[0-9a-f]{2}\S* ?)+)", PAGE, re.MULTILINE))
MEANT: dict[str, Message] = {
    "HELLO": Hello(1, 1024, "static", "a"),
    "WELCOME": Welcome(1),
    "ROUTES": Routes(True, (("/static/", True),)),
    "CONNECTION": Connection(1, ("192.0.2.7", 50_000), ("192.0.2.1", 8080), b"GET"),
    "TAKEN": Taken(1, 1),
    "LOAD": Load(0),
    "DRAINING": Draining(),
    "FAREWELL": Farewell(),
}


def test_there_is_an_example_of_every_message() -> None:
    assert set(EXAMPLES) == set(MEANT) == {kind.__name__.upper() for kind in get_args(Message)}


@pytest.mark.parametrize("name", MEANT)
def test_an_example_means_what_the_page_says(name: str) -> None:
    packet = bytes.fromhex(EXAMPLES[name])
    assert decode(packet) == MEANT[name]
    assert encode(MEANT[name]) == packet


def test_the_table_numbers_the_kinds_as_the_codec_does() -> None:
    table = dict(re.findall(r"^\| (\d) \| ([A-Z]+) \|", PAGE, re.MULTILINE))
    assert table == {str(encode(message)[0]): name for name, message in MEANT.items()}


def test_its_limits_are_those_of_the_codec() -> None:
    assert f"longer than {codec.MESSAGE_LIMIT:,} bytes" in PAGE
    assert f"version {codec.VERSION}" in PAGE.splitlines()[0]
    longest = Tls("x" * 255, "x" * 255)
    packet = encode(Connection(1, ("::1", 1), ("::1", 1), b"", longest))
    assert len(packet) <= codec.CONNECTION_OVERHEAD


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """The socket that the program makes."""
    end = time.monotonic() + 30
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def test_its_program_is_a_replica() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert "A replica in a hundred lines" in PAGE
    assert program.count("\n") <= 100
    with tempfile.TemporaryDirectory(prefix="pp") as folder:
        file, path = Path(folder) / "tiny.py", Path(folder) / "tiny.sock"
        file.write_text(program)
        process = subprocess.Popen([sys.executable, file, folder, "api"], stderr=subprocess.PIPE, text=True)
        try:
            wait_for(path, process)
            outcomes = check(path, without=["Handing back", "Withdrawal"], patience=20)
        finally:
            process.kill()
            _, errors = process.communicate()
    assert [(outcome.rule.text, outcome.problem) for outcome in outcomes if outcome.problem] == []
    assert sum(outcome.tried for outcome in outcomes) >= 20
    assert "Traceback" not in errors


def test_the_program_of_the_aiohttp_example_is_one_too() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "examples/aiohttp/README.md").read_text(), re.DOTALL)
    with tempfile.TemporaryDirectory(prefix="pp") as folder:
        path = Path(folder) / "a.sock"
        command = [sys.executable, "-c", program.replace("/run/portico/greeter", folder)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(path, process)
            bench = Bench(path, patience=20)
            with bench.one_rule():
                router, client = bench.router(), bench.client()
                router.hear_taken(router.hand(client, b""))
                client.accepted.close()
                greeting = b""
                while piece := client.sock.recv(1000):
                    greeting += piece
        finally:
            process.kill()
            _, errors = process.communicate()
    assert greeting == b"hello, 192.0.2.7\n"
    assert not errors

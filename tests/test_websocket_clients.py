"""Three clients of others' making talk to all mounts, through the router: `websockets`, Chromium, and Node's `ws`."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from .support.browser import Browser
from .support.one_process import OneProcess
from .support.programs import lacking, program
from .support.site import ROOT

NODE = ROOT / "tests/node"
LONG = "x" * 100_000
TALK = """
(async () => {
  const talk = (path, say, enough) => new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${location.host}${path}`), heard = [];
    socket.binaryType = "arraybuffer";
    socket.onopen = () => say.forEach((message) => socket.send(message));
    socket.onmessage = (event) => {
      heard.push(typeof event.data === "string" ? event.data : `binary ${event.data.byteLength}`);
      if (heard.length === enough) socket.close(1000);
    };
    socket.onclose = (event) => resolve({heard, code: event.code, extensions: socket.extensions});
    setTimeout(() => reject(new Error(`${path}: heard only ${heard}`)), 20_000);
  });
  const messages = ["one", new Uint8Array(3000), "x".repeat(100_000)];
  return JSON.stringify({
    autobahn: await talk("/ws/autobahn/echo", messages, 3),
    txws: await talk("/ws/txws/echo", messages, 3),
    live: await talk("/ws/live", [], 2),
    rooms: await talk("/ws/rooms/chromium", ['{"type":"join"}', '{"type":"publish","id":"1","data":7}'], 3),
  });
})()
"""


def judge(found: dict[str, Any]) -> None:
    """What each of them has to hear."""
    for echo in ("autobahn", "txws"):
        assert found[echo]["heard"] == ["one", "binary 3000", LONG]
    assert "permessage-deflate" in found["autobahn"]["extensions"]
    assert found["txws"]["extensions"] == ""
    assert [json.loads(line)["type"] for line in found["live"]["heard"]] == ["status"] * 2
    assert [json.loads(word)["type"] for word in found["rooms"]["heard"]] == ["joined", "message", "ack"]
    assert [each["code"] for each in found.values()] == [1000] * 4


def test_websockets(one_process: OneProcess) -> None:
    def talk(path: str, say: list[str | bytes], enough: int) -> dict[str, Any]:
        with connect(f"ws://127.0.0.1:{one_process.port}{path}", open_timeout=20) as websocket:
            for message in say:
                websocket.send(message)
            heard = [websocket.recv(timeout=20) for _ in range(enough)]
            assert websocket.response is not None
            extensions = websocket.response.headers.get("Sec-WebSocket-Extensions", "")
        told = [each if isinstance(each, str) else f"binary {len(each)}" for each in heard]
        return {"heard": told, "code": websocket.close_code, "extensions": extensions}

    messages: list[str | bytes] = ["one", bytes(3000), LONG]
    room = talk("/ws/rooms/websockets", ['{"type":"join"}', '{"type":"publish","id":"1","data":7}'], 3)
    judge(
        {
            "autobahn": talk("/ws/autobahn/echo", messages, 3),
            "txws": talk("/ws/txws/echo", messages, 3),
            "live": talk("/ws/live", [], 2),
            "rooms": room,
        }
    )


@pytest.fixture
def browser(one_process: OneProcess, tmp_path: Path) -> Iterator[Browser]:
    with Browser(program("chromium"), tmp_path) as browser:
        browser.open(f"http://127.0.0.1:{one_process.port}/")
        yield browser


def test_chromium(browser: Browser) -> None:
    found = browser.run(TALK)
    assert isinstance(found, str)
    judge(json.loads(found))


def test_ws_of_node(one_process: OneProcess) -> None:
    node = program("node")
    if not (NODE / "node_modules/ws").is_dir():
        lacking("there is no ws: npm ci --prefix tests/node")
    command = [node, "talk.mjs", f"ws://127.0.0.1:{one_process.port}"]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    judge(json.loads(done.stdout))

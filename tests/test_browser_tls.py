"""A real browser over TLS: the first page, an upload and a WebSocket, all on one port, all services in one process."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from .support.browser import Browser
from .support.certificate import write_certificate
from .support.one_process import OneProcess
from .support.payload import MIB
from .support.site import ROOT, first_password, free_port, json_lines, wait_for_listener

ECHO = """
new Promise((resolve, reject) => {
  const socket = new WebSocket(`wss://${location.host}%s`);
  const heard = [];
  socket.onopen = () => { socket.send("one"); socket.send("x".repeat(100_000)); };
  socket.onmessage = (event) => { heard.push(event.data.length); if (heard.length === 2) socket.close(1000); };
  socket.onclose = (event) => resolve([...heard, event.code]);
  setTimeout(() => reject(new Error(`heard only ${heard}`)), 20_000);
})
"""


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's certificate; its key lies beside it."""
    return write_certificate(tmp_path_factory.mktemp("certificate") / "site.pem")


@pytest.fixture(scope="module")
def secured(trust: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """Portico's own site, with a TLS listener and a self-signed certificate."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    plain = (ROOT / "router/portico.toml").read_text()
    listener = f'address = "127.0.0.1:{port}"\ntls = {{certificate = "{trust.with_suffix(".pem")}"}}'
    configuration = plain.replace('address = "0.0.0.0:8080"', listener)
    assert configuration != plain
    (folder / "portico.toml").write_text(configuration)
    portico = Path(sys.executable).parent / "portico"
    command: list[str | Path] = [portico, "run", "--in-process", "--state", folder / "state", folder / "portico.toml"]
    running = OneProcess(command, port, folder / "log")
    try:
        wait_for_listener("127.0.0.1", port)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def browser(secured: OneProcess, chromium: Browser) -> Browser:
    chromium.log_in_as("admin", first_password(secured.log))
    chromium.open(f"https://localhost:{secured.port}/")
    return chromium


def test_the_first_page_comes_over_tls(browser: Browser) -> None:
    assert browser.run("location.protocol") == "https:"
    assert browser.run("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "http/1.1"
    links = browser.run("[...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))")
    assert isinstance(links, list)
    assert "/static/" in links


def test_a_file_is_chosen_and_uploaded_while_a_websocket_stays_open(browser: Browser, trust: Path, tmp_path: Path) -> None:
    """All by the page's own form elements, as a user does it."""
    say(browser, "before the upload")
    file = tmp_path / "from a browser, größer.bin"
    file.write_bytes(os.urandom(5 * MIB + 1))
    browser.choose("#file", file)
    browser.click("#upload button")
    browser.wait_until("document.querySelector('#upload-said').matches('.good, .bad')")
    said = browser.run("document.querySelector('#upload-said').textContent")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert said == f"{file.name} is there, 5.0 MiB."
    assert browser.dialogues == 1  # before the file was sent
    say(browser, "after the upload")
    assert browser.run("document.querySelectorAll('#talk .bad').length") == 0  # so it is the same WebSocket

    link = f"[...document.querySelectorAll('#list a')].find((link) => link.textContent === '{file.name}')"
    browser.wait_until(f"{link} !== undefined")
    address = browser.run(f"{link}.href")
    assert isinstance(address, str)
    got = requests.get(address, timeout=30, verify=str(trust))
    assert got.status_code == 200
    assert hashlib.sha256(got.content).hexdigest() == digest


def say(browser: Browser, text: str) -> None:
    """Send `text` to the echo by the page's form, and wait until it is back."""
    browser.write("#text", text)
    browser.click("#echo button")
    browser.wait_until(f"[...document.querySelectorAll('#talk li')].some((line) => line.textContent === 'Autobahn: {text}')")


@pytest.mark.parametrize("path", ["/ws/autobahn/echo", "/ws/txws/echo"])
def test_a_websocket_over_tls(browser: Browser, path: str) -> None:
    assert browser.run(ECHO % path) == [3, 100_000, 1000]


def test_the_log_has_no_failure(browser: Browser, secured: OneProcess) -> None:
    browser.run("fetch('/static/').then((answer) => answer.status)")
    assert "Traceback" not in secured.log
    assert any(event.get("client") == "127.0.0.1" for event in json_lines(secured.log))

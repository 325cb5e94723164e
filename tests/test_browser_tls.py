"""A real browser over TLS: the first page, an upload and a WebSocket, all on one port, all services in one process."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .support.browser import CHROMIUM, Browser
from .support.one_process import OneProcess
from .support.site import ROOT, free_port, json_lines, wait_for_listener

UPLOAD = """
(async () => {
  const body = new Uint8Array(3_000_000).map((_, index) => index % 251);
  const put = await fetch("/uploads/from-a-browser.bin", {method: "PUT", body});
  const got = await fetch("/uploads/from-a-browser.bin");
  const back = new Uint8Array(await got.arrayBuffer());
  return [put.status, got.status, back.length, back.every((value, index) => value === index % 251)];
})()
"""
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
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """Portico's own site, with a TLS listener and a self-signed certificate."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    write_certificate(folder / "site.pem")
    plain = (ROOT / "router/portico.toml").read_text()
    listener = f'address = "127.0.0.1:{port}"\ntls = {{certificate = "{folder / "site.pem"}"}}'
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


def write_certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture(scope="module")
def browser(secured: OneProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium (on Debian: apt-get install chromium)")
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        browser.open(f"https://localhost:{secured.port}/")
        yield browser


def test_the_first_page_comes_over_tls(browser: Browser) -> None:
    assert browser.run("location.protocol") == "https:"
    assert browser.run("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "http/1.1"
    links = browser.run("[...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))")
    assert isinstance(links, list)
    assert "/static/" in links


def test_an_upload_over_tls(browser: Browser) -> None:
    assert browser.run(UPLOAD) == [201, 200, 3_000_000, True]


@pytest.mark.parametrize("path", ["/ws/autobahn/echo", "/ws/txws/echo"])
def test_a_websocket_over_tls(browser: Browser, path: str) -> None:
    assert browser.run(ECHO % path) == [3, 100_000, 1000]


def test_the_log_has_no_failure(browser: Browser, secured: OneProcess) -> None:
    browser.run("fetch('/static/').then((answer) => answer.status)")
    assert "Traceback" not in secured.log
    assert any(event.get("client") == "127.0.0.1" for event in json_lines(secured.log))

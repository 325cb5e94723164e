"""FTP through the router: Twisted's server of `ftp/`, with its users at the auth service; curl is the client."""

import ftplib
import io
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from .support.compose import Compose
from .support.one_process import BIN, OneProcess
from .support.payload import MIB
from .support.programs import program
from .support.site import ROOT, Site, first_password, free_port, wait_for_file, wait_for_listener

PASSIVE = 10
"""Ports for data connections."""


@dataclass(frozen=True)
class FtpSite:
    """What a user knows of it."""

    port: int
    password: str

    def curl(self, path: str, *options: str, password: str | None = None) -> "subprocess.CompletedProcess[bytes]":
        """A request; the password goes by standard input, as a command line is for all to see."""
        login = f'user = "admin:{self.password if password is None else password}"\n'
        command = [program("curl"), "-sS", "-m", "30", "-K", "-", *options, f"ftp://127.0.0.1:{self.port}{path}"]
        return subprocess.run(command, input=login.encode(), capture_output=True, timeout=60, check=False)

    def client(self) -> ftplib.FTP:
        found = ftplib.FTP(timeout=20)
        found.connect("127.0.0.1", self.port)
        return found


def free_range(size: int) -> str:
    """As FIRST-LAST; below the range from which the kernel takes ports by itself."""
    first = 20_000 + int.from_bytes(os.urandom(2)) % 1000 * 10
    return f"{first}-{first + size - 1}"


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FtpSite, OneProcess]]:
    """Without containers; with the auth service's process, to be stopped."""
    folder, port = tmp_path_factory.mktemp("ftp"), free_port()
    environment: dict[str, str | Path] = {
        "PORTICO_RUN": folder, "PORTICO_STATE": folder / "state", "PORTICO_AUTH": folder / "authsvc", "PORTICO_REPLICA": "1",
        "PORTICO_DRAIN_TIME": "1", "PYTHONPATH": ROOT / "ftp",
    }  # fmt: skip
    shipped = (ROOT / "ftp/portico.toml").read_text()
    written = shipped.replace("0.0.0.0:8021", f"127.0.0.1:{port}").replace("uid = 20006", f'folder = "{folder / "ftp"}"')
    (folder / "portico.toml").write_text(written.replace("unix:/tmp/portico-admin.sock", f"127.0.0.1:{free_port()}"))
    run: list[str | Path] = [BIN / "svckit", "run"]
    with ExitStack() as stack:

        def start(name: str, command: list[str | Path], more: dict[str, str | Path]) -> OneProcess:
            (folder / name).mkdir()
            process = OneProcess(command, 0, folder / f"log-{name}", environment | more)
            stack.callback(process.stop)
            wait_for_file(folder / name / "1.sock", process)
            return process

        authsvc = start("authsvc", [*run, "authsvc"], {})
        start(
            "ftp", [*run, "--service", "ftp", "server:make_factory"],
            {"PORTICO_OPTION_PORTS": free_range(PASSIVE), "PORTICO_OPTION_ADDRESS": "127.0.0.1"},
        )  # fmt: skip
        router = OneProcess.router(port, folder, folder / "portico.toml")
        stack.callback(router.stop)
        wait_for_listener("127.0.0.1", port)
        yield FtpSite(port, first_password(authsvc.log)), authsvc


@pytest.fixture(scope="module")
def containers(compose: Compose, compose_site: Site) -> Iterator[FtpSite]:
    """The profile on top of the site's containers."""
    port = free_port()
    compose.environment.update(PORTICO_FTP_LISTEN=f"127.0.0.1:{port}", PORTICO_FTP_PORTS=free_range(PASSIVE))
    try:
        compose.call("--profile", "ftp", "up", "--build", "--wait", "--quiet-pull", "--no-recreate", seconds=300)
        yield FtpSite(port, compose_site.password)
    finally:
        compose.call("--profile", "ftp", "rm", "--stop", "--force", "ftp", "ftp-router", "ftp-gate")


@pytest.fixture(params=["process", pytest.param("compose", marks=pytest.mark.containers)])
def ftp(request: pytest.FixtureRequest) -> FtpSite:
    if request.param == "process":
        found: FtpSite = request.getfixturevalue("processes")[0]
    else:
        found = request.getfixturevalue("containers")
    return found


def test_curl_puts_lists_and_gets(ftp: FtpSite, tmp_path: Path) -> None:
    name, content = f"{uuid.uuid4().hex}.bin", os.urandom(MIB) * 3
    (tmp_path / "file").write_bytes(content)
    put = ftp.curl(f"/{name}", "-T", str(tmp_path / "file"))
    assert put.returncode == 0, put.stderr
    assert name.encode() in ftp.curl("/").stdout
    assert ftp.curl(f"/{name}").stdout == content
    assert ftp.curl(f"/{name}", "--disable-epsv").stdout == content


def test_a_wrong_password_is_530(ftp: FtpSite) -> None:
    refused = ftp.curl("/", "-v", password=ftp.password + "x")
    assert refused.returncode == 67
    assert b"\n< 530 " in refused.stderr.replace(b"\r", b"")


def test_nobody_is_let_in_without_a_password(ftp: FtpSite) -> None:
    for command in ("LIST", "RETR x", "PASV", "STOR x"):
        with ftp.client() as client, pytest.raises(ftplib.error_perm, match="530"):
            client.sendcmd(command)
    with ftp.client() as client, pytest.raises(ftplib.error_perm, match="530"):
        client.login("anonymous", "a@b.example")


def test_the_server_connects_to_nobody(ftp: FtpSite) -> None:
    with ftp.client() as client:
        client.login("admin", ftp.password)
        for command in ("PORT 127,0,0,1,0,80", "EPRT |1|127.0.0.1|80|"):
            with pytest.raises(ftplib.error_perm, match="502"):
                client.sendcmd(command)


def test_one_control_connection_for_many_transfers(ftp: FtpSite) -> None:
    name = uuid.uuid4().hex
    with ftp.client() as client:
        client.login("admin", ftp.password)
        for number in range(2 * PASSIVE):
            content = b"%d" % number
            client.storbinary(f"STOR {name}", io.BytesIO(content))
            got = io.BytesIO()
            client.retrbinary(f"RETR {name}", got.write)
            assert got.getvalue() == content
        client.delete(name)
        assert name not in client.nlst()


def test_outside_of_the_folder_there_is_nothing(ftp: FtpSite) -> None:
    with ftp.client() as client:
        client.login("admin", ftp.password)
        for path in ("../../etc/passwd", "/../../etc/passwd", "/etc/passwd"):
            with pytest.raises(ftplib.error_perm, match="550"):
                client.retrbinary(f"RETR {path}", lambda _: None)


def test_more_transfers_than_ports_are_425(processes: tuple[FtpSite, OneProcess]) -> None:
    ftp, _ = processes
    with ExitStack() as stack:
        clients = [ftp.client() for _ in range(PASSIVE + 1)]
        for client in clients:
            stack.callback(client.close)
        for client in clients:
            client.login("admin", ftp.password)
        for client in clients[:-1]:
            client.makepasv()
        with pytest.raises(ftplib.error_temp, match="425"):
            clients[-1].makepasv()


def test_without_an_auth_service_nobody_gets_in(processes: tuple[FtpSite, OneProcess]) -> None:
    """The last of these tests, as the auth service does not come back."""
    ftp, authsvc = processes
    authsvc.stop()
    with ftp.client() as client, pytest.raises(ftplib.error_temp, match="421"):
        client.login("admin", ftp.password)

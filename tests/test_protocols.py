"""One listener, three protocols, each with a real server and its own client: SSH, FTP (the server speaks first), HTTP."""

import getpass
import hashlib
import http.client
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .support.one_process import OneProcess
from .support.payload import MIB
from .support.programs import program
from .support.site import free_port, wait_for_listener

CONFIGURATION = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [
  {{ssh = true, service = "ssh"}},
  {{silence = 0.5, service = "ftp"}},
  {{prefix = "/", service = "web"}},
]

[services.ssh]
target = "tcp"
address = "127.0.0.1:{ssh}"
keepalive = "pin"

[services.ftp]
target = "tcp"
address = "127.0.0.1:{ftp}"
keepalive = "pin"

[services.web]
target = "tcp"
address = "127.0.0.1:{web}"
"""
SSHD_CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/login.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
"""
FTP_SERVER = """
import sys
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.protocols.ftp import FTPFactory, FTPRealm

root, port = sys.argv[1], int(sys.argv[2])
portal = Portal(FTPRealm(root, "/nonexistent"), [AllowAnonymousAccess()])
reactor.listenTCP(port, FTPFactory(portal), interface="127.0.0.1")
reactor.run()
"""


@dataclass(frozen=True)
class Servers:
    """The listener of the router, and what lies behind it."""

    port: int
    folder: Path
    log: Callable[[], str]

    def ssh(self, command: str, given: bytes = b"") -> bytes:
        """What `command` on the other side writes."""
        done = subprocess.run(self.ssh_command(command), input=given, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, f"{done.stderr.decode()}\n{self.log()}"
        return done.stdout

    def ssh_command(self, command: str) -> list[str]:
        """The client's command line."""
        options = {
            "IdentityFile": self.folder / "login",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.folder / "known",
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", *words, "-p", str(self.port), f"{getpass.getuser()}@127.0.0.1", command]

    def ftp(self, path: str) -> bytes:
        """What curl fetches."""
        command = ["curl", "-sS", "-m", "30", f"ftp://127.0.0.1:{self.port}{path}"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, f"{done.stderr.decode()}\n{self.log()}"
        return done.stdout

    def http(self, *paths: str) -> list[bytes]:
        """The bodies of GET requests, all on one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        found = []
        for path in paths:
            connection.request("GET", path)
            answer = connection.getresponse()
            found.append(answer.read())
            assert answer.status == 200, self.log()
        connection.close()
        return found


def make_keys(folder: Path, port: int) -> None:
    for name in ("host", "login"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=30)
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    sshd, _, _ = program("sshd"), program("ssh"), program("curl")
    folder = tmp_path_factory.mktemp("protocols")
    folder.chmod(0o755)
    port, ssh, ftp, web = (free_port() for _ in range(4))
    make_keys(folder, port)
    (folder / "sshd_config").write_text(SSHD_CONFIGURATION.format(port=ssh, folder=folder))
    (folder / "portico.toml").write_text(CONFIGURATION.format(port=port, ssh=ssh, ftp=ftp, web=web))
    root = folder / "root"
    root.mkdir()
    (root / "hello.txt").write_bytes(b"hello")
    (root / "large.bin").write_bytes(os.urandom(MIB) * 3)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it, and only a boot makes it
    started = [
        OneProcess([sshd, "-D", "-e", "-f", folder / "sshd_config"], ssh, folder / "log-ssh"),
        OneProcess([sys.executable, "-c", FTP_SERVER, root, str(ftp)], ftp, folder / "log-ftp"),
        OneProcess([sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", root, str(web)], web, folder / "log-web"),
        OneProcess.router(port, folder, folder / "portico.toml"),
    ]

    def log() -> str:
        return "\n".join(each.log for each in started)

    try:
        for each in started:
            wait_for_listener("127.0.0.1", each.port)
        yield Servers(port, root.parent, log)
    finally:
        for each in reversed(started):
            each.stop()


def test_ssh(servers: Servers) -> None:
    assert servers.ssh("echo over ssh") == b"over ssh\n"


def test_ssh_with_much_to_carry_both_ways(servers: Servers) -> None:
    data = os.urandom(MIB) * 8
    assert hashlib.sha256(servers.ssh("cat", data)).digest() == hashlib.sha256(data).digest()


def test_ftp_whose_server_speaks_first(servers: Servers) -> None:
    assert servers.ftp("/hello.txt") == b"hello"
    assert b"large.bin" in servers.ftp("/")
    assert servers.ftp("/large.bin") == (servers.folder / "root/large.bin").read_bytes()


def test_http(servers: Servers) -> None:
    large = (servers.folder / "root/large.bin").read_bytes()
    assert servers.http("/hello.txt", "/large.bin", "/hello.txt") == [b"hello", large, b"hello"]


def test_an_ssh_connection_stays_while_the_others_come_and_go(servers: Servers) -> None:
    with subprocess.Popen(servers.ssh_command("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ssh:
        assert ssh.stdin is not None
        assert ssh.stdout is not None
        for number in range(3):
            ssh.stdin.write(b"%d\n" % number)
            ssh.stdin.flush()
            assert ssh.stdout.readline() == b"%d\n" % number
            assert servers.http("/hello.txt") == [b"hello"]
            assert servers.ftp("/hello.txt") == b"hello"
        ssh.stdin.close()
        assert ssh.wait(30) == 0

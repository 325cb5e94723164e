"""How each router is started, and what a client sees through it."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..support.one_process import OneProcess
from ..support.programs import program
from .cases import TOKEN, Case
from .recorder import Recorder

__all__ = ["COMMANDS", "Seen", "Way", "token_of"]

AT_ONCE = 8
"""Clients of one router at a time."""
SILENCE = 1.5
"""Seconds after which a router that says nothing is taken to wait for more."""

_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit; worker_rlimit_nofile 1024;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_timeout 1s; client_header_timeout 1s;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5; client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{server}; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Connection ""; proxy_next_upstream off;
    }}
  }}
}}
"""
_HAPROXY = """
global
  maxconn 256
defaults
  mode http
  timeout client 1s
  timeout server 3s
  timeout connect 1s
  timeout http-request 1s
  option http-buffer-request
  retries 0
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  http-reuse never
  server s 127.0.0.1:{server}
"""
_PORTICO = """
listeners = [{{ address = "127.0.0.1:{port}" }}]
routes = [{{ prefix = "/", service = "s" }}]
[services.s]
target = "tcp"
address = "127.0.0.1:{server}"
keepalive = "split"
[limits]
head_deadline = 1.0
"""


def _written(folder: Path, text: str, port: int, server: int) -> str:
    path = folder / "configuration"
    path.write_text(text.format(folder=folder, port=port, server=server))
    return str(path)


COMMANDS = {
    "portico": lambda folder, port, server: ["portico", "run", _written(folder, _PORTICO, port, server)],
    "nginx": lambda folder, port, server: [program("nginx"), "-p", str(folder), "-c", _written(folder, _NGINX, port, server)],
    "haproxy": lambda folder, port, server: [program("haproxy"), "-db", "-f", _written(folder, _HAPROXY, port, server)],
}


def token_of(kind: str, number: int, again: bool = False) -> bytes:
    """Tells one case from another wherever it turns up."""
    return f"{kind}{'again' if again else ''}-{number:05}-".encode()


@dataclass(frozen=True)
class Seen:
    """What came of one case."""

    forwarded: list[bytes]
    """What the server got, one entry for each of its connections."""
    answer: bytes
    """All that the client got."""
    ended: bool = True
    """The router ended the connection in good order; False: it was silent, or reset it."""

    @property
    def status(self) -> int:
        """Of the answer; 0 for none."""
        words = self.answer.partition(b"\r\n")[0].split(b" ", 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


@dataclass(frozen=True)
class Way:
    """One router, and the server behind it."""

    name: str
    port: int
    recorder: Recorder
    process: OneProcess

    def requests(self, cases: list[Case], again: bool) -> list[Seen]:
        """Send each; `again`: as the second request on a connection."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda each: self._request(each[0], each[1], again), enumerate(cases)))

    def responses(self, cases: list[Case], again: bool = False) -> list[Seen]:
        """Ask for each; `again`: for the one that comes in pieces."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda number: self._response(number, again), range(len(cases))))

    def _request(self, number: int, case: Case, again: bool) -> Seen:
        token = token_of("request", number, again)
        with socket.create_connection(("127.0.0.1", self.port), timeout=SILENCE) as sock:
            if again:
                sock.sendall(b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
                first = b""
                while not first.endswith(b"ok"):
                    piece = sock.recv(65_536)
                    assert piece, (self.name, first)
                    first += piece
            answer, ended = _talk(sock, case.wire.replace(TOKEN, token), b"ok")
        return Seen(self.recorder.seen(token), answer, ended)

    def _response(self, number: int, again: bool) -> Seen:
        token = token_of("response", number, again)
        with socket.create_connection(("127.0.0.1", self.port), timeout=SILENCE) as sock:
            answer, ended = _talk(sock, b"GET /%b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % token, None)
        return Seen(self.recorder.seen(token), answer, ended)


def _talk(sock: socket.socket, wire: bytes, last: bytes | None) -> tuple[bytes, bool]:
    """Send and read until `last`, the end, or silence; whether it was the end."""
    answer, ended = b"", False
    try:
        sock.sendall(wire)
        while not (last and answer.endswith(last)):
            piece = sock.recv(65_536)
            if not piece:
                ended = True
                break
            answer += piece
            if last and answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4", b"HTTP/1.0 5")):
                break
            if last and b"\r\n\r\n" in answer and b"content-length:" not in answer.lower():
                break
    except OSError:
        pass
    return answer, ended

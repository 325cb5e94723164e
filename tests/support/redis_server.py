"""A Redis of the test's own, which can be stopped and started again with what it had."""

import socket
import subprocess
import time
from pathlib import Path

from .programs import program
from .site import free_port

__all__ = ["RedisServer"]

START_TIME = 20.0


class RedisServer:
    """On a free port, with a password. Everything that it has answered to is in its file."""

    password = "open sesame/@:?#"  # what an address has to quote
    quoted = "open%20sesame%2F%40%3A%3F%23"

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        folder.mkdir(exist_ok=True)
        (folder / "redis.conf").write_text(
            f'bind 127.0.0.1\nport {self.port}\ndir {folder}\nsave ""\nappendonly yes\nappendfsync always\n'
            f'requirepass "{self.password}"\nlogfile {folder}/log\n'
        )
        self._program = program("redis-server")
        self.start()

    @property
    def url(self) -> str:
        return f"redis://:{self.quoted}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """On return it answers."""
        self.process = subprocess.Popen([self._program, self._folder / "redis.conf"], stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_TIME
        while True:
            try:
                if self.ask("PING") == b"+PONG\r\n":
                    return
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)

    def ask(self, *words: str) -> bytes:
        """One command, and the beginning of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            for command in (("AUTH", self.password), words):
                parts = [f"${len(word)}\r\n{word}\r\n" for word in command]
                sock.sendall(f"*{len(parts)}\r\n{''.join(parts)}".encode())
                answer = sock.recv(65536)
            return answer

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def kill(self) -> None:
        """Without a word."""
        self.process.kill()
        self.process.wait(20)

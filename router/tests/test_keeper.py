"""The keeper: lends each socket to all that ask, keeps it for a while when nobody uses it, and turns strangers away."""

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portico import keeper as module
from portico.keeper import MESSAGE, ROUTERS, SOCKETS, Keeper, at_of, listen, name_of

ANY = "127.0.0.1:0"
Make = Callable[..., "Stage"]


class Asker:
    """A router, by hand."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.connect(stage.path)
        stage.keeper.turn()

    def say(self, *messages: bytes) -> None:
        for message in messages:
            self.sock.send(message)
        for _ in range(3):  # another one may be before it
            self._stage.keeper.turn()

    def ask(self, message: bytes) -> tuple[bytes, list[int]]:
        self.say(message)
        data, carried, _, _ = self.sock.recvmsg(1_000, socket.CMSG_SPACE(8), socket.MSG_DONTWAIT)
        descriptors = [number for _, _, numbers in carried for (number,) in struct.iter_unpack("i", numbers)]
        self._stage.descriptors += descriptors
        return data, descriptors

    def borrow(self, name: str = ANY) -> socket.socket:
        answer, (descriptor,) = self.ask(f"listen {name}".encode())
        assert answer == b"ok"
        self._stage.descriptors.remove(descriptor)
        sock = socket.socket(fileno=descriptor)
        self._stage.sockets.append(sock)
        return sock

    @property
    def is_turned_away(self) -> bool:
        try:
            return self.sock.recv(1_000, socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True


class Stage:
    """A keeper on a clock that is set by hand."""

    def __init__(self, path: str, **settings: object) -> None:
        self.now = 100.0
        self.path, self.lines = path, list[str]()
        self.sockets: list[socket.socket] = []
        self.descriptors: list[int] = []
        self.keeper = Keeper(path, clock=lambda: self.now, log=self.lines.append, **settings)  # type: ignore[arg-type]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.keeper.turn()

    def close(self) -> None:
        self.keeper.close()
        for sock in self.sockets:
            sock.close()
        for descriptor in self.descriptors:
            os.close(descriptor)


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    made: list[Stage] = []

    def make(path: str = str(folder / "keeper"), **settings: object) -> Stage:
        made.append(Stage(path, **settings))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def stage(make: Make) -> Stage:
    return make()


def connects(at: tuple[str, int]) -> bool:
    try:
        socket.create_connection(at, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


# -- names


@pytest.mark.parametrize(
    ("at", "name"), [(("127.0.0.1", 80), "127.0.0.1:80"), (("::", 65_535), "[::]:65535"), (("h", 0), "h:0")]
)
def test_names(at: tuple[str, int], name: str) -> None:
    assert name_of(at) == name
    assert at_of(name) == at


@pytest.mark.parametrize(
    "name", ["", ":80", "h:", "h:65536", "h:-1", "::1:80", "[::1]", "[::1]:", "h:8 0", "a b:80", "h:80 ", "h:²"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        at_of(name)


# -- lending


def test_all_that_ask_get_the_same_socket(stage: Stage) -> None:
    one, two = Asker(stage), Asker(stage)
    first, second = one.borrow(), two.borrow()
    assert first.getsockname() == second.getsockname()
    client = socket.create_connection(first.getsockname())
    client.send(b"x")
    accepted, _ = second.accept()  # one queue: either may
    accepted.setblocking(True)
    assert accepted.recv(10) == b"x"
    with pytest.raises(BlockingIOError):
        first.accept()
    for sock in (client, accepted):
        sock.close()
    assert stage.lines == [f"listening on {ANY}"]


def test_the_socket_is_as_a_router_wants_it(stage: Stage) -> None:
    sock = Asker(stage).borrow()
    assert not os.get_blocking(sock.fileno())
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6_takes_ipv4_too() -> None:
    with listen(("::", 0)) as sock:
        assert connects(("127.0.0.1", sock.getsockname()[1]))


def test_a_port_that_cannot_be_had(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        name = name_of(taken.getsockname())
        asker = Asker(stage)
        answer, descriptors = asker.ask(f"listen {name}".encode())
        assert answer == f"error {errno.EADDRINUSE} cannot listen on {name}: Address already in use".encode()
        assert descriptors == []
        asker.borrow()  # and the connection goes on


def test_an_address_twice_in_one_router(stage: Stage) -> None:
    asker = Asker(stage)
    asker.borrow()
    answer, _ = asker.ask(f"listen {ANY}".encode())
    assert answer.startswith(b"error %d " % errno.EADDRINUSE)
    asker.say(f"leave {ANY}".encode())
    asker.borrow()


def test_a_port_that_is_kept_for_nobody_is_not_in_the_way(stage: Stage) -> None:
    asker = Asker(stage)
    port = asker.borrow().getsockname()[1]
    asker.say(f"leave {ANY}".encode())
    stage.sockets.pop().close()
    stage.keeper._held[f"127.0.0.1:{port}"] = stage.keeper._held.pop(ANY)  # as if it had been asked for by number
    asker.borrow(f"0.0.0.0:{port}")
    assert stage.keeper.names == [f"0.0.0.0:{port}"]


def test_the_seed_is_the_same_for_all(stage: Stage, make: Make, folder: Path) -> None:
    word, _, seed = Asker(stage).ask(b"seed")[0].partition(b" ")
    assert word == b"seed"
    assert len(bytes.fromhex(seed.decode())) == 16
    assert Asker(stage).ask(b"seed")[0] == b"seed " + seed
    assert Asker(make(str(folder / "other"))).ask(b"seed")[0] != b"seed " + seed


# -- keeping


@pytest.mark.parametrize("how", ["leave", "end"])
def test_a_socket_without_a_router_is_kept_for_a_while(make: Make, how: str) -> None:
    stage = make(keep=30.0)
    asker = Asker(stage)
    at = asker.borrow().getsockname()
    stage.sockets.pop().close()
    client = socket.create_connection(at)
    if how == "leave":
        asker.say(f"leave {ANY}".encode())
    else:
        asker.sock.close()
    stage.pass_time(29.9)
    client.send(b"still here")
    assert connects(at)  # waits in the queue, is not refused
    accepted, _ = Asker(stage).borrow().accept()
    accepted.setblocking(True)
    assert accepted.recv(100) == b"still here"  # nothing was reset
    accepted.close()
    client.close()


def test_a_socket_without_a_router_is_closed_in_the_end(make: Make) -> None:
    stage = make(keep=30.0)
    asker = Asker(stage)
    at = asker.borrow().getsockname()
    stage.sockets.pop().close()
    asker.sock.close()
    stage.keeper.turn()
    assert stage.keeper._until_something_is_due() == 30.0
    stage.pass_time(30.0)
    assert not connects(at)
    assert stage.keeper.names == []
    assert stage.keeper._until_something_is_due() is None
    assert stage.lines == [f"listening on {ANY}", f"no longer listening on {ANY}"]


def test_a_socket_that_one_router_still_uses_is_kept(make: Make) -> None:
    stage = make(keep=1.0)
    one, two = Asker(stage), Asker(stage)
    at = one.borrow().getsockname()
    two.borrow()
    one.sock.close()
    stage.keeper.turn()
    stage.pass_time(1_000)
    assert connects(at)


def test_the_keeper_s_end_leaves_the_sockets_to_the_routers(stage: Stage) -> None:
    asker = Asker(stage)
    at = asker.borrow().getsockname()
    stage.keeper.close()
    stage.keeper.close()
    assert asker.is_turned_away
    assert connects(at)
    assert not Path(stage.path).exists()


# -- strangers and nonsense


@pytest.mark.parametrize(
    "message",
    [b"x", b"listen", b"listen here", b"listen 1:2 ", b"leave", b"seed ", b"SEED", b"\xff\xfe", b"listen " + b"1" * MESSAGE],
)
def test_nonsense_ends_the_connection(stage: Stage, message: bytes) -> None:
    asker = Asker(stage)
    asker.borrow()
    asker.say(message)
    assert asker.is_turned_away
    assert len(stage.keeper._routers) == 0
    Asker(stage).borrow()


def test_a_message_of_the_largest_size(stage: Stage) -> None:
    asker = Asker(stage)
    host = b"h" * (MESSAGE - len(b"listen :0"))
    answer, _ = asker.ask(b"listen %s:0" % host)
    assert answer.startswith(b"error ")
    assert len(answer) <= MESSAGE


def test_leaving_what_was_never_borrowed(stage: Stage) -> None:
    one, two = Asker(stage), Asker(stage)
    at = one.borrow().getsockname()
    two.say(f"leave {ANY}".encode(), b"leave 127.0.0.1:9")
    stage.pass_time(1_000)
    assert connects(at)
    assert not two.is_turned_away


def test_who_does_not_read_is_turned_away(stage: Stage) -> None:
    asker = Asker(stage)
    with pytest.raises((BlockingIOError, BrokenPipeError)):  # bounded: its queue is full, or it is turned away
        for _ in range(100_000):
            asker.sock.send(b"seed", socket.MSG_DONTWAIT)
            stage.keeper.turn()
    assert len(stage.keeper._routers) == 0


def test_one_router_too_many(stage: Stage) -> None:
    askers = [Asker(stage) for _ in range(ROUTERS)]
    one_more = Asker(stage)
    assert one_more.is_turned_away
    assert not askers[-1].is_turned_away
    askers.pop().sock.close()
    stage.keeper.turn()
    Asker(stage).borrow()


def test_one_socket_too_many(stage: Stage) -> None:
    asker = Asker(stage)
    for number in range(SOCKETS):
        asker.borrow(f"127.0.{number}.1:0")
    answer, _ = asker.ask(b"listen 127.0.0.2:0")
    assert answer.startswith(b"error %d " % errno.EMFILE)
    assert not asker.is_turned_away


def test_strangers_are_turned_away(make: Make) -> None:
    stage = make(uids=frozenset((os.getuid() + 1,)))
    assert Asker(stage).is_turned_away
    assert stage.lines == [f"process {os.getpid()} is turned away: its uid is {os.getuid()}"]


def test_without_descriptors_it_rests(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> None:
        raise OSError(errno.EMFILE, "no more")

    class Listener:
        accept = staticmethod(exhausted)

        def __init__(self, sock: socket.socket) -> None:
            self.fileno, self.close = sock.fileno, sock.close

    listener = stage.keeper._listener
    stage.keeper._listener = Listener(listener)  # type: ignore[assignment]
    asker = Asker(stage)
    assert stage.keeper._until_something_is_due() == pytest.approx(module.REST)
    stage.keeper._listener = listener
    stage.keeper.turn()
    assert len(stage.keeper._routers) == 0
    stage.pass_time(module.REST)
    asker.borrow()


# -- its own address


def test_a_dead_keeper_s_socket_is_replaced(make: Make, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(folder / "keeper"))
    Asker(make()).borrow()


def test_a_living_keeper_s_is_not(stage: Stage, make: Make) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        make()
    Asker(stage).borrow()


def test_another_file_is_not(make: Make, folder: Path) -> None:
    (folder / "keeper").write_text("mine")
    with pytest.raises(OSError, match="Address already in use"):
        make()
    assert (folder / "keeper").read_text() == "mine"


def test_the_mode_of_its_file(make: Make, folder: Path) -> None:
    assert Path(make().path).stat().st_mode & 0o777 == 0o600
    others = make(str(folder / "others"), uids=frozenset((20_000,)))
    assert Path(others.path).stat().st_mode & 0o777 == 0o666


# -- as a program, in a Python without anything installed


def test_it_runs_by_itself_and_ends_at_once() -> None:
    name = f"@portico-test-{os.getpid()}"
    file = str(module.__file__)
    command = [sys.executable, "-ISs", file, name, "--keep", "5", "--uid", str(os.getuid())]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as child:
        assert child.stdout is not None
        try:
            assert f"routers are expected at {name}".encode() in child.stdout.readline()
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(20)
                sock.connect(f"\0{name[1:]}")
                sock.send(f"listen {ANY}".encode())
                answer, descriptors, _, _ = socket.recv_fds(sock, MESSAGE, 1)
                assert answer == b"ok"
                os.close(descriptors[0])
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
        finally:
            child.kill()
        errors.seek(0)
        assert errors.read() == b""


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "long"])
def test_a_time_that_is_none(seconds: str) -> None:
    command = [sys.executable, "-ISs", str(module.__file__), "@never-made", f"--keep={seconds}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "argument --keep: invalid" in ended.stderr


def test_a_program_that_cannot_start_says_why(folder: Path) -> None:
    command = [sys.executable, "-ISs", str(module.__file__), str(folder / "none" / "keeper")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"keeper: {folder}/none/keeper: No such file or directory\n"

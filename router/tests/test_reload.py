"""A new configuration in place: what is new holds, what lives goes on, and a bad one changes nothing."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from portico.certificates import BadCertificates

from .support.authority import write_pair
from .support.deployment import KINDS, Deployment, deployed, request
from .support.reactor import HandReactor
from .support.tlsclient import TlsClient
from .support.wires import Inbox, open_descriptors


def config(*routes: str, services: str = "", listeners: str = '{address = "127.0.0.1:0"}', limits: str = "") -> str:
    """Routes are written `/prefix/ service`."""
    lines = ", ".join('{{prefix = "{}", service = "{}"}}'.format(*route.split()) for route in routes)
    return f"listeners = [{listeners}]\nroutes = [{lines}]\n[limits]\ndrain_time = 3.0\n{limits}\n[services]\n{services}\n"


class Ways:
    """Services reached in one way, made and changed."""

    def __init__(self, deployment: Deployment, kind: str) -> None:
        self.deployment, self.kind, self.reactor = deployment, kind, deployment.reactor
        self.clients: list[socket.socket] = []

    def service(self, name: str, called: str | None = None) -> str:
        """The configuration of a service that says that it is `called` so; it runs."""
        called = called or name
        if self.kind == "tcp":
            return '[services.{}]\ntarget = "tcp"\naddress = "{}:{}"\n'.format(name, *self.deployment.server(called))
        text = f'[services.{name}]\ntarget = "handoff"\noptions = {{called = "{called}"}}\nfolder = "FOLDER/{called}"\n'
        if self.kind == "handoff":
            self.start_replica(name, called)
        return text

    def start_replica(self, name: str, called: str) -> None:
        folder, self.deployment.folder = self.deployment.folder, self.deployment.folder / f"of-{called}"
        self.deployment.replica(name, called)
        self.deployment.folder = folder
        (folder / called).symlink_to(folder / f"of-{called}" / name)

    def reload(self, text: str) -> None:
        self.deployment.reload(text)
        self.deployment.look()

    def connect(self, listener: int = 0) -> Inbox:
        sock = socket.create_connection(self.deployment.application.addresses[listener], timeout=5)
        self.clients.append(sock)
        return Inbox(sock)

    def ask(self, client: Inbox, path: str) -> str:
        """Who answers."""
        return self.deployment.ask(client, path).partition(" ")[0]

    def status_of(self, client: Inbox, path: str) -> bytes:
        client.data = b""
        client.sock.send(request(path))
        self.reactor.until(client.has_ended)
        return client.data[9:12]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ways(kind: str, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    with deployed(reactor, folder, config(), kind, monkeypatch) as deployment:
        ways = Ways(deployment, kind)
        yield ways
        for client in ways.clients:
            client.close()


# -- routes and services


def test_replicas_that_stay_with_another_service_of_the_name_keep_their_routes(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = '[services.alpha]\ntarget = "handoff"\nfolder = "FOLDER/alpha"\n'
    with deployed(reactor, folder, config("/a/ alpha", services=alpha), "handoff", monkeypatch) as deployment:
        ways = Ways(deployment, "handoff")
        replica = deployment.replica("alpha")
        kept = ways.connect()
        assert ways.ask(kept, "/a/x") == "alpha"
        for number in range(3):
            changed = alpha + f"options = {{number = {number}}}\n"
            ways.reload(config("/a/ alpha", services=changed))
            assert replica.ownership.patterns == (("/a/", True),)
            assert ways.ask(kept, "/a/x") == "alpha"
            assert ways.ask(ways.connect(), "/a/x") == "alpha"
        kept.sock.send(request("/none"))
        reactor.until(kept.has_ended)
        assert b"HTTP/1.1 404 " in kept.data  # it came back
        kept.sock.close()


def test_routes_come_and_go(ways: Ways) -> None:
    services = ways.service("alpha") + ways.service("beta")
    ways.reload(config("/a/ alpha", services=services))
    kept = ways.connect()
    assert ways.ask(kept, "/a/x") == "alpha"
    ways.reload(config("/a/ alpha", "/a/deep/ beta", "/b/ beta", services=services))
    assert ways.ask(kept, "/b/x") == "beta"
    assert ways.ask(kept, "/a/deep/x") == "beta"
    assert ways.ask(kept, "/a/x") == "alpha"
    ways.reload(config("/a/ beta", services=services))
    assert ways.ask(kept, "/a/x") == "beta"  # the same connection, and the guard of alpha knows
    assert ways.status_of(kept, "/b/x") == b"404"


def test_a_service_is_removed_and_its_connections_go_on(ways: Ways) -> None:
    alpha, beta = ways.service("alpha"), ways.service("beta")
    ways.reload(config("/a/ alpha", "/b/ beta", services=alpha + beta))
    under_way, kept, other = ways.connect(), ways.connect(), ways.connect()
    under_way.sock.send(request("/a/x", Content_Length="10") + b"01234")
    assert ways.ask(kept, "/a/x") == "alpha"
    assert ways.ask(other, "/b/x") == "beta"
    ways.reactor.settle()
    ways.reload(config("/b/ beta", services=beta))
    ways.reactor.pump([1.0] * 5)  # longer than a drain may take
    under_way.sock.send(b"56789")
    ways.reactor.until(under_way.holds(b" 10."))
    assert under_way.data.startswith(b"HTTP/1.1 200 ")
    assert ways.ask(under_way, "/b/x") == "beta"
    assert ways.ask(kept, "/b/x") == "beta"  # not cut, not answered by the wrong one
    assert ways.ask(other, "/b/x") == "beta"
    assert ways.status_of(kept, "/a/x") == b"404"
    services = ways.deployment.application.status()["services"]
    assert isinstance(services, dict)
    assert list(services) == ["beta"]


def test_a_service_is_changed_and_its_connections_go_on(ways: Ways) -> None:
    ways.reload(config("/a/ alpha", services=ways.service("alpha", "old")))
    under_way, kept = ways.connect(), ways.connect()
    under_way.sock.send(request("/a/x", Content_Length="10") + b"01234")
    assert ways.ask(kept, "/a/x") == "old"
    ways.reactor.settle()
    ways.reload(config("/a/ alpha", services=ways.service("alpha", "new")))
    assert ways.ask(ways.connect(), "/a/x") == "new"
    ways.reactor.pump([1.0] * 5)
    under_way.sock.send(b"56789")
    ways.reactor.until(under_way.holds(b" 10."))
    assert b"old /a/x" in under_way.data
    assert ways.ask(kept, "/a/x") == "new"
    assert ways.ask(ways.connect(), "/a/x") == "new"


def test_what_has_left_leaves_nothing(ways: Ways) -> None:
    empty = config()
    services = ways.service("alpha")
    ways.reload(config("/a/ alpha", services=services))
    client = ways.connect()
    assert ways.ask(client, "/a/x") == "alpha"
    ways.reload(empty)
    assert len(ways.deployment.application._leaving) == 1
    client.sock.close()
    ways.reactor.settle()
    ways.reactor.pump([0.5] * 4)
    ways.deployment.look()
    assert ways.deployment.application._leaving == []


def test_a_service_that_has_not_changed_is_not_made_again(ways: Ways) -> None:
    services = ways.service("alpha")
    ways.reload(config("/a/ alpha", services=services))
    before, made = ways.deployment.application._services["alpha"], list(ways.deployment.made)
    for _ in range(3):
        ways.reload(config("/a/ alpha", "/b/ alpha", services=services))
    assert ways.deployment.application._services["alpha"] is before
    assert ways.deployment.made == made


def test_limits_change(ways: Ways) -> None:
    services = ways.service("alpha")
    ways.reload(config("/a/ alpha", services=services))
    kept = ways.connect()
    assert ways.ask(kept, "/a/x") == "alpha"
    big = f"/a/{'x' * 1_000}"
    assert ways.ask(ways.connect(), big) == "alpha"
    ways.reload(config("/a/ alpha", services=services, limits="head_size = 300\nhead_deadline = 1.0"))
    assert ways.status_of(ways.connect(), big) == b"431"
    slow = ways.connect()
    slow.sock.send(b"GET /a/")
    ways.reactor.settle()
    ways.reactor.advance(1.1)
    ways.reactor.until(slow.has_ended)
    assert slow.data.startswith(b"HTTP/1.1 408 ")
    assert ways.ask(kept, "/a/y") == "alpha"


def test_those_that_wait_for_a_replica_find_the_new_service(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = '[services.alpha]\ntarget = "handoff"\nfolder = "FOLDER/nobody"\n'
    with deployed(reactor, folder, config("/a/ alpha", services=nobody), "handoff", monkeypatch) as deployment:
        ways = Ways(deployment, "handoff")
        client = ways.connect()
        client.sock.send(request("/a/x"))
        reactor.until(lambda: deployment.application._services["alpha"].queued)
        ways.reload(config("/a/ alpha", services=ways.service("alpha", "new")))
        reactor.until(client.holds(b"new /a/x"))
        client.sock.close()


def test_the_time_to_take_changes_for_replicas_that_are_linked(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = '[services.alpha]\ntarget = "handoff"\nfolder = "FOLDER/alpha"\n'
    with deployed(reactor, folder, config("/a/ alpha", services=alpha), "handoff", monkeypatch) as deployment:
        deployment.reload(config("/a/ alpha", services=alpha, limits="take_timeout = 0.7"))
        target = deployment.application._services["alpha"].target
        assert target._take_timeout == 0.7  # type: ignore[attr-defined]


def test_a_drain_after_a_reload_waits_for_what_has_left_too(ways: Ways) -> None:
    ways.reload(config("/a/ alpha", services=ways.service("alpha")))
    client = ways.connect()
    client.sock.send(request("/a/x", Content_Length="10") + b"01234")
    ways.reactor.settle()
    ways.reload(config())
    ways.deployment.stop()
    ways.reactor.settle()
    if ways.kind != "handoff":  # there the replica has it
        assert ways.deployment.stopped == []
    client.sock.send(b"56789")
    ways.reactor.until(client.holds(b" 10."))
    client.sock.close()
    ways.reactor.until(lambda: ways.deployment.stopped)


# -- listeners


@pytest.fixture
def alone(reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    with deployed(reactor, folder, config(), "in-process", monkeypatch) as deployment:
        ways = Ways(deployment, "in-process")
        yield ways
        for client in ways.clients:
            client.close()


ALPHA = '[services.alpha]\ntarget = "handoff"\n'


def listening(ways: Ways, *listeners: str) -> str:
    return config("/a/ alpha", services=ALPHA, listeners=", ".join(listeners))


def at(ways: Ways, index: int, more: str = "") -> str:
    """The listener again, by the port that it has."""
    host, port = ways.deployment.application.addresses[index]
    return f'{{address = "{host}:{port}"{", " + more if more else ""}}}'


def own_port(ways: Ways) -> str:
    """A listener by a port of its own, no port 0."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    ways.reload(listening(ways, f'{{address = "127.0.0.1:{port}"}}'))
    return f'{{address = "127.0.0.1:{port}"}}'


TLS = 'tls = {certificate = "FOLDER/one.pem"}'


def test_a_listener_is_added_and_removed(alone: Ways) -> None:
    first = own_port(alone)
    alone.reload(listening(alone, first, '{address = "127.0.0.1:0"}'))
    added = alone.deployment.application.addresses[1]
    client = alone.connect(1)
    assert alone.ask(client, "/a/x") == "alpha"
    late = socket.create_connection(added, timeout=5)  # connected, and not accepted yet
    alone.clients.append(late)
    late.send(request("/a/late"))
    alone.reload(listening(alone, first))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(added, timeout=5)
    assert alone.ask(client, "/a/y") == "alpha"
    alone.reactor.until(Inbox(late).holds(b"alpha /a/late"))
    assert alone.ask(alone.connect(), "/a/z") == "alpha"


def test_a_listener_is_turned_into_tls_and_back(alone: Ways) -> None:
    own_port(alone)
    plain = alone.connect()
    assert alone.ask(plain, "/a/x") == "alpha"
    waiting = alone.connect()
    waiting.sock.send(b"GET /a/")
    alone.reactor.settle()
    alone.reload(listening(alone, at(alone, 0, TLS)))
    assert alone.ask(plain, "/a/y") == "alpha"
    waiting.sock.send(request("/a/")[7:])
    alone.reactor.until(waiting.holds(b"alpha /a/"))
    client = TlsClient(alone.connect().sock)
    client.until(alone.reactor, lambda: client.shaken)

    def asked(path: str) -> bool:
        client.data.clear()
        client.write(request(path))
        client.until(alone.reactor, lambda: client.ended or client.data.endswith(b"."))
        return b"alpha " in client.data

    assert asked("/a/x")
    shaking = TlsClient(alone.connect().sock)
    hello = shaking.hello()
    shaking.sock.send(hello[:20])
    alone.reactor.settle()
    alone.reload(listening(alone, at(alone, 0)))
    assert asked("/a/y")  # its session goes on
    shaking.sock.send(hello[20:])
    shaking.until(alone.reactor, lambda: shaking.shaken)
    assert alone.ask(alone.connect(), "/a/z") == "alpha"
    assert alone.deployment.application.status()["tls_sessions"] == 2


def test_tls_clients_count_against_the_limit_over_reloads(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0, TLS)).replace("[limits]", "[limits]\ntls_sessions = 2")
    alone.reload(text)
    clients = []
    for _ in range(2):
        client = TlsClient(alone.connect().sock)
        client.until(alone.reactor, lambda: client.shaken)  # noqa: B023
        clients.append(client)
        alone.reload(text)
    assert alone.deployment.application.status()["tls_sessions"] == 2
    alone.reactor.until(alone.connect().has_ended)
    clients[0].sock.close()
    alone.reactor.until(lambda: alone.deployment.application.status()["tls_sessions"] == 1)


def test_tls_clients_of_a_listener_that_is_gone_are_waited_for(alone: Ways) -> None:
    first = own_port(alone)
    alone.reload(listening(alone, first, f'{{address = "127.0.0.1:0", {TLS}}}'))
    client = TlsClient(alone.connect(1).sock)
    client.until(alone.reactor, lambda: client.shaken)
    client.write(request("/a/x", Content_Length="10") + b"01234")
    client.settle(alone.reactor)
    alone.reload(listening(alone, first))
    assert alone.deployment.application.status()["tls_sessions"] == 1
    alone.deployment.stop()
    alone.reactor.settle()
    client.write(b"56789")
    client.until(alone.reactor, lambda: client.data.endswith(b" 10."))
    client.say_goodbye()
    client.sock.close()
    for _ in range(5):
        alone.reactor.settle()
        alone.reactor.advance(0.1)
    alone.reactor.until(lambda: alone.deployment.stopped)


def test_a_proxy_header_under_way_survives_a_reload(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0, 'proxy = ["127.0.0.1"]'))
    alone.reload(text)
    client = alone.connect()
    client.sock.send(b"PROXY TCP4 203.0.113.9 ")
    alone.reactor.settle()
    alone.reload(text)
    client.sock.send(b"198.51.100.1 40000 443\r\n" + request("/a/x"))
    alone.reactor.until(client.holds(b"alpha /a/x 203.0.113.9 40000 443"))


def test_a_reload_reads_certificates(alone: Ways, folder: Path) -> None:
    own_port(alone)
    alone.reload(listening(alone, at(alone, 0, TLS)))

    def shown() -> object:
        client = TlsClient(alone.connect().sock)
        client.until(alone.reactor, lambda: client.shaken)
        return client.tls.getpeercert(binary_form=True)

    before = shown()
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    alone.reload(listening(alone, at(alone, 0, TLS)))
    assert shown() != before


def test_reloads_leave_no_descriptors(alone: Ways) -> None:
    own_port(alone)
    texts = [listening(alone, at(alone, 0, TLS)), listening(alone, at(alone, 0), '{address = "127.0.0.1:0"}')]
    for text in texts * 2:
        alone.reload(text)
    before = open_descriptors()
    for _ in range(5):
        for text in texts:
            alone.reload(text)
    assert open_descriptors() <= before
    assert len(alone.deployment.reactor.getDelayedCalls()) <= 3


# -- what is refused


def unchanged(ways: Ways, reload: Callable[[], None], error: type[Exception], says: str) -> None:
    """`reload` fails and changes nothing."""
    application = ways.deployment.application
    before = application._config, application._entrances, application._services, dict(application.status())
    descriptors, calls = open_descriptors(), len(ways.reactor.getDelayedCalls())
    with pytest.raises(error) as caught:
        reload()
    assert says in str(caught.value)
    del caught
    assert (application._config, application._entrances, application._services, dict(application.status())) == before
    assert (open_descriptors(), len(ways.reactor.getDelayedCalls())) == (descriptors, calls)
    assert ways.ask(ways.connect(), "/a/x") == "alpha"


def test_a_port_that_cannot_be_had(alone: Ways) -> None:
    first = own_port(alone)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = '{{address = "127.0.0.1:0"}}, {{address = "{}:{}"}}'.format(*taken.getsockname())
        text = listening(alone, first, other)
        unchanged(alone, lambda: alone.deployment.reload(text), OSError, "Address already in use")


def test_one_address_twice(alone: Ways) -> None:
    first = own_port(alone)
    unchanged(alone, lambda: alone.deployment.reload(listening(alone, first, first)), OSError, "Address already in use")


def test_certificates_that_cannot_be_used(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0, 'tls = {certificate = "FOLDER/none.pem"}'))
    unchanged(alone, lambda: alone.deployment.reload(text), BadCertificates, "none.pem: no such file")


def test_a_service_that_cannot_be_made(alone: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    from portico import assembly
    from svckit.entry import NoSuchService

    own_port(alone)

    def none(name: str) -> object:
        raise NoSuchService(f"no service {name!r} is installed")

    monkeypatch.setattr(assembly, "find", none)
    text = listening(alone, at(alone, 0), '{address = "127.0.0.1:0"}') + '[services.other]\ntarget = "handoff"\n'
    unchanged(alone, lambda: alone.deployment.reload(text), LookupError, "no service 'other'")


def test_a_drain_is_not_undone(alone: Ways) -> None:
    own_port(alone)
    text = listening(alone, at(alone, 0))
    alone.deployment.stop()
    alone.deployment.reload(text)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(alone.deployment.application.addresses[0], timeout=5)


# -- SIGHUP, in a process of its own

STATIC = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{routes}]
[services.static]
target = "handoff"
options = {{ root = "{root}" }}
[services.other]
target = "tcp"
address = "{other}"
[limits]
idle_timeout = {idle}
"""
RELOADS = 20
PATIENCE = 30.0


class Child:
    """`portico run --in-process` with a file that changes."""

    def __init__(self, folder: Path, other: tuple[str, int]) -> None:
        self.file, self.log, self.other = folder / "portico.toml", folder / "log", "{}:{}".format(*other)
        (folder / "root").mkdir()
        (folder / "root" / "page").write_text("a page")
        self.root = folder / "root"
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
        self.write(60)
        command = [sys.executable, "-c", "from portico.cli import main; main()", "run", "--in-process"]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "--state", str(folder / "state"), str(self.file)], stdout=out, stderr=subprocess.STDOUT
            )
        self.until(lambda: "listening on" in self.said)

    def write(self, idle: int, *more: str) -> None:
        routes = ['{prefix = "/static/", service = "static"}', '{prefix = "/other/", service = "other"}', *more]
        self.file.write_text(
            STATIC.format(port=self.port, routes=", ".join(routes), root=self.root, other=self.other, idle=idle)
        )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.02)

    def hang_up(self, says: str) -> None:
        """SIGHUP, and wait until it has been followed."""
        before = self.said.count(says)
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.said.count(says) > before)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(5)


class Server(threading.Thread):
    """An unmodified HTTP server for `/other/`, in threads of this process."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"other")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        super().__init__(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Asker(threading.Thread):
    """Asks on one kept connection without pause; a connection that ends without a word is a failure."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.answered = port, 0
        self.failures: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.connect()
        connection.auto_open = 0
        expected = {"/static/page": b"a page", "/other/x": b"other"}
        while not self.over.is_set():
            for path, body in expected.items():
                try:
                    connection.request("GET", path)
                    response = connection.getresponse()
                    found = response.read()
                    if (response.status, found) != (200, body) or response.will_close:
                        self.failures.append(f"{path}: {response.status} {found!r} {response.will_close}")
                        return
                except (OSError, HTTPException) as error:
                    self.failures.append(f"{path}: {error!r}")
                    return
                self.answered += 1
        connection.close()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    server = Server()
    child = Child(tmp_path, server.server.server_address[:2])  # type: ignore[arg-type]
    yield child
    if child.process.poll() is None:
        child.stop()
    server.end()


GOOD, BAD = "the configuration has been read again", "the configuration in use stays"


def test_reloads_under_load_cost_no_request(child: Child) -> None:
    askers = [Asker(child.port) for _ in range(4)]
    for asker in askers:
        asker.start()
    for number in range(RELOADS):
        if number % 4 == 3:
            child.file.write_text("listeners = [")
            child.hang_up(BAD)
        else:
            child.write(60 + number, f'{{prefix = "/more-{number}/", service = "static"}}')  # the limits make tcp targets anew
            child.hang_up(GOOD)
        answered = [asker.answered for asker in askers]
        bound = time.monotonic() + PATIENCE
        while not all(asker.answered > before for asker, before in zip(askers, answered, strict=True)):
            assert time.monotonic() < bound, [failure for asker in askers for failure in asker.failures]
            time.sleep(0.005)
    for asker in askers:
        asker.over.set()
    for asker in askers:
        asker.join(PATIENCE)
    assert [failure for asker in askers for failure in asker.failures] == []
    assert "Traceback" not in child.said
    assert child.stop() == 0


def test_a_bad_file_is_refused_and_the_reason_is_logged(child: Child) -> None:
    child.file.write_text(child.file.read_text().replace("idle_timeout", "idle_time"))
    child.hang_up(BAD)
    assert "idle_time" in child.said
    child.file.unlink()
    child.hang_up(BAD)
    assert "No such file" in child.said
    connection = HTTPConnection("127.0.0.1", child.port, timeout=20)
    connection.request("GET", "/static/page")
    assert connection.getresponse().read() == b"a page"
    connection.close()
    assert child.stop() == 0

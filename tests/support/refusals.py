"""A daemon whose start is refused: the check says so beforehand, and then it happens."""

from .daemon import GID, NOBODY, Daemon, Ground, wait_until
from .site import free_port
from .template import template

CONFIG = template("static", "uploads", "autobahn", "app")
CONFIG += """
services.static = {{target = "handoff"{static}}}
services.uploads = {{target = "handoff"}}
services.autobahn = {{target = "handoff"}}
services.app = {{target = "tcp", address = "localhost:{port}", keepalive = "close"}}
in_process.also = ["authsvc"]
"""
USER = ("--uid", NOBODY, "--gid", GID)


LIGHT = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{path = "/", service = "static"}}]
services.static = {{target = "handoff"{static}}}
"""


def portico(
    place: Ground, *twistd: object, port: int | None = None, more: tuple[object, ...] = (), config: str = LIGHT
) -> Daemon:
    """With its options named in the configuration, as the folders of the packages may be closed to others."""
    static = f', options = {{root = "{place.path}/files", pages = "{place.path}/pages"}}'
    file = place.path / "portico.toml"
    file.write_text(config.format(port=port or free_port(), static=static))
    return place.daemon(*twistd, "portico", "--config", file, "--state", place.path / "state", *more)


def refused(daemon: Daemon, code: str, says: str) -> None:
    """Both say so: the check beforehand, by its code, and twistd then, or the log."""
    assert code in daemon.fails(), daemon.findings()
    done = daemon.start()
    assert done.returncode != 0
    # twistd's parent ends before its child has written the log and removed the PID file
    wait_until(lambda: says in f"{done.stdout}{done.stderr}{log_of(daemon)}", lambda: f"{done}{log_of(daemon)}")
    wait_until(lambda: not daemon.pidfile.exists())


def log_of(daemon: Daemon) -> str:
    return daemon.log if daemon.logfile.parent.is_dir() else ""

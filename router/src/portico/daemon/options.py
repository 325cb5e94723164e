"""The options of `twistd portico` and its kind; twistd's own (`--uid`, `--logfile`, ...) come before the name."""

import os
from pathlib import Path
from typing import Any

from twisted.python import usage

from .logfile import STANDARD, Rotation
from .logs import CLASSIC, FORMATS

__all__ = ["KeeperOptions", "LogOptions", "PorticoOptions", "RouterOptions", "ServiceOptions"]


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("expected 0 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError("expected a number of seconds")
    return seconds


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}")
    return text


class LogOptions(usage.Options):
    """What all of them have."""

    optParameters = [  # noqa: RUF012
        ["log", None, CLASSIC, "lines of the log: classic, json, or twistd (by twistd itself, in its own file)", _format],
        ["log-size", None, STANDARD.size, "rotate the log file at so many bytes; 0: never for its size", _number],
        ["log-keep", None, STANDARD.keep, "how many rotated files are kept", _number],
    ]
    optFlags = [  # noqa: RUF012
        ["log-daily", None, "rotate the log file each day"],
        ["log-reopen", None, "never rotate; SIGUSR1 opens the file anew, for logrotate"],
    ]

    @property
    def rotation(self) -> Rotation:
        """When the log file is put aside."""
        return Rotation(self["log-size"], bool(self["log-daily"]), self["log-keep"])

    def path(self, key: str) -> Path | None:
        """A path made absolute: it is used after twistd has gone to `--rundir`."""
        given: Any = self[key]
        return None if given is None else Path(os.path.abspath(given))  # noqa: PTH100  # as twistd does


class _WithConfig(LogOptions):
    optParameters = [["config", "c", None, "the configuration, portico.toml"]]  # noqa: RUF012

    def postOptions(self) -> None:
        """Check what stands alone."""
        if self["config"] is None:
            raise usage.UsageError("--config FILE is needed")


class PorticoOptions(_WithConfig):
    """`twistd portico`: router and services in one process."""

    synopsis = "twistd [twistd's options] portico --config FILE [options]"
    longdesc = "The router and its services in one process."
    optParameters = [["state", None, "/var/lib/portico", "where services keep things"]]  # noqa: RUF012


class RouterOptions(_WithConfig):
    """`twistd portico-router`."""

    synopsis = "twistd [twistd's options] portico-router --config FILE [options]"
    longdesc = "The router alone; its services are processes of their own on this host."
    optParameters = [["keeper", None, None, "borrow the ports from the keeper at this address"]]  # noqa: RUF012


class ServiceOptions(LogOptions):
    """`twistd portico-service NAME`."""

    synopsis = "twistd [twistd's options] portico-service [options] NAME"
    longdesc = "One service, to which a router on this host hands connections."
    optParameters = [  # noqa: RUF012
        ["what", None, None, "an installed service's name, or package.module:make_factory (default: NAME)"],
        ["run", None, "/run/portico", "folder of the services' folders of sockets"],
        ["state", None, None, "where it keeps things (default: /var/lib/portico/NAME)"],
        ["auth", None, None, "folder of authsvc's sockets, where logins are wanted"],
        ["drain-time", None, 10.0, "seconds that connections have to end", _seconds],
        ["router-uid", None, None, "the router's user; no other is linked", _number],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, str] = {}

    def opt_option(self, text: str) -> None:
        """KEY=VALUE, an option of the service's own; several times."""
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise usage.UsageError(f"--option: expected KEY=VALUE, found {text!r}")
        self.given[key] = value

    def parseArgs(self, name: str) -> None:  # type: ignore[override]  # twistd's way to take arguments
        """The name in the router's configuration."""
        self["name"] = name

    @property
    def environment(self) -> dict[str, str]:
        """The same as `svckit.environment` expects it; what the process has been given by variables stands behind it."""
        told = {
            "PORTICO_RUN": self.path("run"),
            "PORTICO_STATE": self.path("state") or Path("/var/lib/portico") / self["name"],
            "PORTICO_AUTH": self.path("auth"),
            "PORTICO_DRAIN_TIME": self["drain-time"],
            "PORTICO_ROUTER_UID": self["router-uid"],
            **{f"PORTICO_OPTION_{key.upper()}": value for key, value in self.given.items()},
        }
        return {**os.environ, **{key: str(value) for key, value in told.items() if value is not None}}


class KeeperOptions(_WithConfig):
    """`twistd portico-keeper`."""

    synopsis = "twistd [twistd's options] portico-keeper --config FILE --address PATH [options]"
    longdesc = "Holds the ports of a configuration, so that routers come and go and nobody is refused."
    optParameters = [  # noqa: RUF012
        ["address", None, "/run/portico/keeper/keeper.sock", "where routers find it: a path, or @NAME"],
        ["router-uid", None, None, "the router's user (default: the keeper's own)", _number],
        [
            "keep",
            None,
            None,
            "seconds that a port is held for which there is no router (default: as long as it runs)",
            _seconds,
        ],
    ]

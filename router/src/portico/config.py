"""`portico.toml`: what the router listens to, where each prefix goes, and the limits. Checked whole before anything starts.

Unknown keys, wrong types and routes that lead nowhere are errors which name the file, the key and what was expected.
"""

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from .addresses import address, admin_address
from .checking import refused
from .expected import explained
from .networks import networks
from .routes import BadRoute, Route
from .schema import DEFAULT_ADMIN, Admin, Config, Handoff, InProcess, Limits, Listener, Service, Tcp, TlsFiles

__all__ = [
    "DEFAULT_ADMIN",
    "Admin",
    "BadConfig",
    "Config",
    "Handoff",
    "InProcess",
    "Limits",
    "Listener",
    "Route",
    "Service",
    "Tcp",
    "TlsFiles",
    "address",
    "admin_address",
    "load",
    "parse",
]


class BadConfig(ValueError):
    """The file is not a configuration; the text says where and why."""


_TABLES: dict[str, type[Struct]] = {
    "": Config,
    "listeners": Listener,
    "admin": Admin,
    "routes": Route,
    "limits": Limits,
    "in_process": InProcess,
}
_TARGETS: dict[str, type[Struct]] = {"handoff": Handoff, "tcp": Tcp}


def load(path: Path) -> Config:
    """Read and check a file.

    Raises:
        BadConfig: the text names the file, the key and what was expected.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return parse(text)
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None


def parse(text: str) -> Config:
    """Check a file's text.

    Raises:
        BadConfig: the text names the key and what was expected.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(str(error)) from None
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise BadConfig(explained(error, raw, _TABLES, _TARGETS)) from None
    _check(config)
    return config


def _check(config: Config) -> None:
    if not config.listeners:
        raise BadConfig("listeners: expected at least one")
    for index, listener in enumerate(config.listeners):
        _checked_address(listener.address, f"listeners[{index}].address")
        try:
            networks(listener.proxy)
        except ValueError as error:
            raise BadConfig(f"listeners[{index}].proxy: {error}") from None
    if config.admin is not None:
        try:
            admin_address(config.admin.address)
        except ValueError as error:
            raise BadConfig(f"admin.address: {error}") from None
    strangers = [name for name in config.in_process.options if name not in config.in_process.also]
    if strangers:
        raise BadConfig(f"in_process.options: expected names that are in `also`, found {strangers[0]!r}")
    for name, service in config.services.items():
        if isinstance(service, Tcp):
            _checked_address(service.address, f"services.{name}.address")
            if service.proxy is not None and service.keepalive == "split":
                raise BadConfig(
                    f'services.{name}.proxy: expected `keepalive = "close"` or "pin" beside it, found "split": '
                    "there a connection to the server carries requests of several clients, and its header names one"
                )
            if service.check is not None and (wrong := refused(service.check)):
                raise BadConfig(f"services.{name}.check.{wrong}")
        if (service.balance == "segment") != (service.segment is not None):
            raise BadConfig(f'services.{name}.segment: expected beside `balance = "segment"`, and only there')
    try:
        table = config.table(config.services)
    except BadRoute as error:
        raise BadConfig(str(error)) from None
    for rule in table.rules:
        if rule.delays and max(rule.delays) >= config.limits.head_deadline:
            raise BadConfig(
                f"routes[{rule.number}]: expected `silence` to be shorter than limits.head_deadline "
                f"({config.limits.head_deadline:g}), found {max(rule.delays):g}"
            )


def _checked_address(text: str, key: str) -> None:
    try:
        address(text)
    except ValueError as error:
        raise BadConfig(f"{key}: {error}") from None

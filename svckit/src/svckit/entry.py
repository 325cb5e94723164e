"""Find a service by name: an entry point of the group `portico.services`, or `package.module:function`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points

from twisted.application.service import IService
from twisted.internet.interfaces import IProtocolFactory

from .reactors import Reactor
from .settings import Settings

__all__ = ["GROUP", "NoSuchService", "ServiceParts", "find", "remember"]

GROUP = "portico.services"

MakeFactory = Callable[[Settings, Reactor], IProtocolFactory]
MakeService = Callable[[Settings, Reactor], IService]


class NoSuchService(LookupError):
    """Nothing installed has that name, or it is not a service; the text says which."""


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What a service is made of; one of the two may be absent."""

    make_factory: MakeFactory | None
    make_service: MakeService | None


_remembered: dict[str, ServiceParts] = {}


def remember(name: str) -> ServiceParts:
    """Find it now, and the same later, when what is installed can perhaps not be read any more: in a jail, as another user.

    Raises:
        NoSuchService: there is none.
    """
    parts = _remembered[name] = find(name)
    return parts


def find(name: str) -> ServiceParts:
    """The service called `name`.

    Raises:
        NoSuchService: there is none.
    """
    if name in _remembered:
        return _remembered[name]
    if ":" in name:
        module_name, _, function = name.partition(":")
        try:
            make_factory = getattr(import_module(module_name), function)
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise NoSuchService(f"{name}: {error}") from None
        if not callable(make_factory):
            raise NoSuchService(f"{name}: not a function")
        return ServiceParts(make_factory, None)
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if not found:
        known = ", ".join(sorted(point.name for point in entry_points(group=GROUP))) or "none"
        raise NoSuchService(f"no service {name!r} is installed (installed: {known})")
    module = found[0].load()
    parts = ServiceParts(getattr(module, "make_factory", None), getattr(module, "make_service", None))
    if parts.make_factory is None and parts.make_service is None:
        raise NoSuchService(f"{module.__name__} has neither make_factory nor make_service")
    return parts

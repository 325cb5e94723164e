"""What a service is told when it is made: its name, its folder, its options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

__all__ = ["BadOptions", "Settings"]

T = TypeVar("T")


class BadOptions(ValueError):
    """An option is unknown or has the wrong type; the text names the service, the key and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Handed to `make_factory(settings, reactor)` and `make_service(settings, reactor)`."""

    service: str
    """Name of the service, as in the router's configuration."""
    replica: str
    """Name of this replica, unique among those of the service."""
    state: Path
    """Folder for what must survive a restart; made by the service when it needs it."""
    auth: Path | None = None
    """Folder of authsvc's sockets, one for each of its replicas; None where no auth service is configured."""
    drain_time: float = 10.0
    """Seconds that live connections have to end after SIGTERM."""
    router_uid: int | None = None
    """The user as whom the router runs; nobody else is served. None: the socket file's mode decides."""
    routers: Path | None = None
    """Folder of the sockets at which routers tell their status, and do nothing else; None: there is none."""
    status: Callable[[], Mapping[str, object]] | None = None
    """The status of the router in whose process the service runs; None: it runs in one of its own."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The service's own options; values may be strings (from the environment) where another type is meant."""

    def options_as(self, kind: type[T]) -> T:
        """The options as a dataclass (or msgspec Struct) of the service's own, checked and converted.

        Raises:
            BadOptions: an unknown key, a missing one, or a value that cannot be what the field says.
        """
        import msgspec  # here, as a replica without options of its own, such as an asyncio server's, does without it

        known = (
            {found.name for found in msgspec.structs.fields(kind)}
            if issubclass(kind, msgspec.Struct)
            else set(getattr(kind, "__dataclass_fields__", {}))
        )
        unknown = sorted(set(self.options) - known)
        if unknown:
            raise BadOptions(f"{self.service}: unknown option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
        try:
            return msgspec.convert(dict(self.options), kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadOptions(f"{self.service}: {error}") from None

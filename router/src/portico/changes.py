"""What a reload changes of the services."""

from .config import Config, Handoff, Service, Tcp

__all__ = ["changed", "same_replicas"]


def changed(before: Config, now: Config) -> list[str]:
    """The services that have to be made anew."""
    same_limits = before.limits == now.limits
    return [
        name
        for name, service in now.services.items()
        if before.services.get(name) != service or (isinstance(service, Tcp) and not same_limits)
    ]


def same_replicas(old: Service, new: Service | None) -> bool:
    """Whether the new service's replicas are those of the old one, which then hear of the routes from both."""
    return isinstance(old, Handoff) and isinstance(new, Handoff) and old.folder == new.folder

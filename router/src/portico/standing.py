"""How a router stands: what `/status` says, and whose counts are never dropped."""

from collections.abc import Mapping, Sequence

from .arrival import Address
from .config import Config
from .measures import Present
from .report import Report
from .router import Router
from .service import RoutedService

__all__ = ["present", "standing"]


def standing(
    config: Config, router: Router, addresses: Sequence[Address], services: Mapping[str, RoutedService], tls_sessions: int
) -> dict[str, object]:
    """For `/status`; `addresses` are where it listens."""
    return {
        "listeners": ["{}:{}".format(*at) for at in addresses],
        "draining": router.draining,
        "waiting": len(router.patience),
        "tls_sessions": tls_sessions,
        "held": router.places.held,
        "pauses": dict(router.places.pauses),
        "counts": dict(router.counts),
        "routes": [{"pattern": route.pattern, "service": route.service, "redirect": route.redirect} for route in config.routes],
        "services": {
            name: {**service.target.status(), "queued": service.queued, "drained": sorted(service.target.drained)}
            for name, service in sorted(services.items())
        },
    }


def present(routes: frozenset[str], report: Report) -> Present:
    """The routes and replicas that there are just now."""
    services = report.services
    return Present(routes, frozenset((name, each.replica) for name in services for each in services[name].replicas))

"""Which requests belong to a service: the router's patterns, asked with the router's own normalisation. Without I/O."""

from .paths import BadTarget, normalise
from .routemap import RouteMap

__all__ = ["Ownership"]


class Ownership:
    """Which request targets belong to this service; `update` follows the router's routes while connections live on."""

    def __init__(self, patterns: "tuple[tuple[str, bool], ...]" = ()) -> None:
        self.update(patterns)

    def update(self, patterns: "tuple[tuple[str, bool], ...]") -> None:
        """All patterns of the route table (see `RouteMap`), each with whether it leads to this service.

        The others' patterns matter too: a longer prefix of another service cuts a piece out of a shorter one of ours.
        """
        self.patterns = patterns
        self._routes = RouteMap(patterns)

    def owns(self, target: bytes) -> bool:
        """Whether a request for `target` (as in the request line) is this service's to answer.

        A target without meaning is ours: it gets its 400 here as well as anywhere else.
        """
        try:
            return self._routes.find(normalise(target)) is True
        except BadTarget:
            return True

    def owns_below(self, folder: bytes) -> bool:
        """Whether all targets below `folder` (a path in normal form, without a slash at its end) are this service's."""
        inside = folder + b"/"
        nobodys = inside + b"\0"  # no pattern has it: an exact one for the folder says nothing of what is below
        return self._routes.find(nobodys) is True and all(
            ours or not pattern.removeprefix("=").encode("utf-8").startswith(inside) for pattern, ours in self.patterns
        )

"""How many descriptors this process may have: as many as it is allowed to ask for."""

import resource

__all__ = ["raise_limit"]


def raise_limit() -> int:
    """Raise the soft limit to the hard one, and return it.

    The soft one is low (1,024 mostly) for the sake of programs that use select(2), which knows no higher descriptors. With
    epoll each connection may have one.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard

"""The replica side of the handoff for asyncio: any server that can adopt a connected socket becomes a service.

Nothing here imports Twisted, or anything else beyond the standard library, except the adapters: `asgi` needs uvicorn and
`aiohttp` needs aiohttp. The wire, the rule of custody and the meaning of paths are the same code that Twisted services use.

    Replica       a socket file, links to routers, connections in and back (replica.py, link.py)
    SharedHttp    an HTTP/1.1 protocol of any server, on a connection that other services may answer on too (shared.py)
    serve         a container's main: environment, signals, drain (run.py)
"""

from .accepted import Accepted
from .replica import Replica
from .shared import SharedHttp

__all__ = ["Accepted", "Replica", "SharedHttp"]

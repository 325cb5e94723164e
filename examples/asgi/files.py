"""The static service once more, as an ASGI application: the first page, files under /static/, a login for /static/private/.

Starlette does the work; `login.py` asks Portico's auth service. Settings come from the environment, as for the other services:

    PORTICO_OPTION_ROOT     folder of the files
    PORTICO_OPTION_PAGES    folder of the first page
    PORTICO_AUTH            folder of the auth service's sockets; without one nobody sees the private folder
"""

import os
from pathlib import Path

from login import AuthService, Login
from paths import NormalPaths
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

__all__ = ["make_app"]


def make_app() -> NormalPaths:
    """For `svckit-asgi --factory`."""
    root = Path(os.environ["PORTICO_OPTION_ROOT"])
    page = Path(os.environ["PORTICO_OPTION_PAGES"]) / "index.html"
    auth = os.environ.get("PORTICO_AUTH")
    site = Starlette(
        routes=[
            Route("/", lambda request: FileResponse(page)),
            Mount("/static", StaticFiles(directory=root, html=True)),
        ]
    )
    return NormalPaths(Login(site, "/static/private", AuthService(Path(auth), "files") if auth else None))

"""Peers that take a raw PUT, each as its own documentation shows it: `servers.py KIND PORT FOLDER`.

None of them checks a digest, makes the file durable, or hides it until it is whole; ours does.
"""

import os
import sys
from pathlib import Path


def run_aiohttp(port: int, folder: Path) -> None:
    from aiohttp import web

    async def put(request: web.Request) -> web.Response:
        with (folder / "uploads" / request.match_info["name"]).open("wb", 0) as file:
            async for piece in request.content.iter_any():
                file.write(piece)
        return web.Response(status=201)

    app = web.Application(client_max_size=1 << 40)
    app.router.add_put("/uploads/{name}", put)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def run_starlette(port: int, folder: Path) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def put(request: Request) -> Response:
        with (folder / "uploads" / request.path_params["name"]).open("wb", 0) as file:
            async for piece in request.stream():
                file.write(piece)
        return Response(status_code=201)

    app = Starlette(routes=[Route("/uploads/{name}", put, methods=["PUT"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", http="httptools")


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
{user}
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location /uploads/ {{ root {folder}; dav_methods PUT; create_full_put_path on; client_body_buffer_size 128k; }}
  }}
}}
"""


def run_nginx(port: int, folder: Path) -> None:
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(port=port, folder=folder, user="user root;" if os.getuid() == 0 else ""))
    os.execvp("nginx", ["nginx", "-e", str(folder / "nginx.log"), "-c", str(configuration)])  # noqa: S606, S607


if __name__ == "__main__":
    {"aiohttp": run_aiohttp, "starlette": run_starlette, "nginx": run_nginx}[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))

"""What the behaviour suite asks for: files, echoes, and uploads of a name of their own."""

import uuid

from .payload import WISH
from .site import ROOT, Site

FILES = ROOT / "static/files"
PUBLIC = sorted(
    path.relative_to(FILES)
    for path in FILES.rglob("*")
    if path.is_file() and path.relative_to(FILES).parts[0] != "private" and not path.name.startswith(".")
)
ECHOES = ["/ws/autobahn/echo", "/ws/txws/echo"]
PRIVATE = "/static/private/"


def name_for_upload() -> str:
    return f"/uploads/{uuid.uuid4().hex}.bin"


def head_of_put(site: Site, path: str, size: int) -> str:
    fields = f"Host: portico.test\r\nAuthorization: {site.authorization}\r\nContent-Length: {size}"
    fields += "".join(f"\r\n{name}: {value}" for name, value in WISH.items())
    return f"PUT {path} HTTP/1.1\r\n{fields}\r\n\r\n"

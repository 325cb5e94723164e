"""A folder as a page, where the operator wants that: names, sizes, times."""

import hashlib
import os
import stat
from base64 import b64encode
from datetime import datetime, timezone
from html import escape
from urllib.parse import quote

from .walk import Found

__all__ = ["MOST", "POLICY", "render"]

MOST = 1000
"""Entries on a page; what is beyond is counted, not shown."""

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
"""
POLICY = b"default-src 'none'; style-src 'sha256-%s'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'" % b64encode(
    hashlib.sha256(_STYLE.encode()).digest()
)
"""The page's Content-Security-Policy: its own style and nothing else."""

_HEAD = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{{title}}</title>
<style>{_STYLE.replace("{", "{{").replace("}", "}}")}</style>
<h1>{{title}}</h1>
<table>
<thead>
<tr><th scope="col">Name</th><th scope="col" class="n">Bytes</th><th scope="col" class="n">Changed (UTC)</th></tr>
</thead>
<tbody>
"""


Row = tuple[str, int | None, float | None]


def render(folder: Found, title: str) -> bytes:
    """The page of what may be served from `folder`, folders first; `folder` is closed."""
    try:
        folders, files = _entries(folder)
    finally:
        os.close(folder.fd)
    rows: list[Row] = [("../", None, None), *folders, *files][: MOST + 1]
    lines = [_row(*row) for row in rows]
    beyond = len(folders) + len(files) - MOST
    after = f"<p>and {beyond} more</p>\n" if beyond > 0 else ""
    return (_HEAD.format(title=escape(title)) + "\n".join(lines) + f"\n</tbody></table>\n{after}</html>\n").encode("utf-8")


def _row(name: str, size: int | None, changed: float | None) -> str:
    measure = "" if size is None else f"{size:,}".replace(",", "\u202f")
    when = "" if changed is None else datetime.fromtimestamp(changed, timezone.utc).strftime("%Y-%m-%d %H:%M")
    link = f'<a href="./{quote(name)}">{escape(name)}</a>'
    return f'<tr><td>{link}</td><td class="n">{measure}</td><td class="n">{when}</td></tr>'


def _entries(folder: Found) -> tuple[list[Row], list[Row]]:
    """Folders and files with size and time, each in order."""
    folders: list[Row] = []
    files: list[Row] = []
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
    try:
        for name in sorted(os.listdir(fd)):  # noqa: PTH208 (a descriptor is no path)
            try:
                name.encode("utf-8")
                about = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except (OSError, UnicodeEncodeError):
                continue
            if name.startswith("."):
                continue
            if stat.S_ISDIR(about.st_mode):
                folders.append((f"{name}/", None, about.st_mtime))
            elif stat.S_ISREG(about.st_mode):
                files.append((name, about.st_size, about.st_mtime))
    finally:
        os.close(fd)
    return folders, files

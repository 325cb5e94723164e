"""A folder as a page, where the operator wants that."""

import os
import stat
from html import escape
from urllib.parse import quote

from .walk import Found

__all__ = ["MOST", "render"]

MOST = 1000
"""Entries on a page; what is beyond is counted, not shown."""

_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<h1>{title}</h1>
<ul>
"""


def render(folder: Found, title: str) -> bytes:
    """The page of what may be served from `folder`, folders first; `folder` stays open."""
    folders, files = _entries(folder)
    names = [f"{name}/" for name in sorted(folders)] + sorted(files)
    lines = [f'<li><a href="./{quote(name)}">{escape(name)}</a>' for name in ["../", *names[:MOST]]]
    if len(names) > MOST:
        lines.append(f"<li>and {len(names) - MOST} more")
    return (_HEAD.format(title=escape(title)) + "\n".join(lines) + "\n</ul></html>\n").encode("utf-8")


def _entries(folder: Found) -> tuple[list[str], list[str]]:
    folders: list[str] = []
    files: list[str] = []
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
    try:
        for name in os.listdir(fd):  # noqa: PTH208 (a descriptor is no path)
            try:
                name.encode("utf-8")
                mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            except (OSError, UnicodeEncodeError):
                continue
            if name.startswith("."):
                continue
            if stat.S_ISDIR(mode):
                folders.append(name)
            elif stat.S_ISREG(mode):
                files.append(name)
    finally:
        os.close(fd)
    return folders, files

"""A folder as a page, where the operator wants that: names, sizes, times."""

import hashlib
import os
import stat
from base64 import b64encode
from datetime import datetime, timezone
from html import escape
from urllib.parse import quote

from .walk import Absent, Found

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


def render(folder: Found, title: str) -> bytes:
    """The page of what may be served from `folder`, folders first; `folder` is closed.

    Raises:
        Absent: it may be entered, but not read.
        OSError: the system is out of something.
    """
    try:
        lines, all_of_them = _entries(folder)
    except PermissionError as error:
        raise Absent from error
    finally:
        os.close(folder.fd)
    beyond = all_of_them - MOST
    after = f"<p>and {beyond} more</p>\n" if beyond > 0 else ""
    rows = "\n".join([_row(b"../", "", ""), *lines])
    return (_HEAD.format(title=escape(title)) + rows + f"\n</tbody></table>\n{after}</html>\n").encode("utf-8")


def _row(name: bytes, measure: str, when: str) -> str:
    # a name may be no UTF-8, and its letters may run from right to left: neither changes its link, or what stands beside it
    shown = f"<bdi>{escape(name.decode('utf-8', 'replace'))}</bdi>"
    return f'<tr><td><a href="./{quote(name)}">{shown}</a></td><td class="n">{measure}</td><td class="n">{when}</td></tr>'


def _entries(folder: Found) -> tuple[list[str], int]:
    """The rows, and how many there would be without `MOST`. Only what is shown is looked at: a folder may have a million."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
    try:
        with os.scandir(fd) as found:
            entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
        rows = [_entry(entry) for entry in (*folders, *files)[:MOST]]
        return [row for row in rows if row], len(folders) + len(files)
    finally:
        os.close(fd)


def _entry(entry: os.DirEntry[str]) -> str:
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError:  # it has just gone
        return ""
    when = _minute(about.st_mtime)
    if stat.S_ISDIR(about.st_mode):
        return _row(os.fsencode(entry.name) + b"/", "", when)
    return _row(os.fsencode(entry.name), f"{about.st_size:,}".replace(",", "\u202f"), when)


def _minute(changed: float) -> str:
    try:
        return datetime.fromtimestamp(changed, timezone.utc).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # of a year that has no name here; a file may say any
        return ""

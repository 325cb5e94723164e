"""The commands that ask a running router at its operators' port: status, top, drain, undrain, health."""

import argparse
import sys
import time

import msgspec

__all__ = ["drain", "health", "status", "top"]

CLEAR = "\x1b[H\x1b[2J"
"""Empties a terminal (ECMA-48)."""


def status(chosen: argparse.Namespace) -> int:
    """`portico status`: the exit status; with `--watch` again and again until Ctrl-C."""
    try:
        while True:
            fine, text = _look(chosen)
            if chosen.watch is None:
                print(text, end="")
                return 0 if fine else 1
            print((CLEAR if sys.stdout.isatty() else "") + text, flush=True)
            time.sleep(chosen.watch)
    except KeyboardInterrupt:
        return 0


def _look(chosen: argparse.Namespace) -> tuple[bool, str]:
    from .client import fetch
    from .report import Report, table

    status, body = fetch(chosen.admin, "/status")
    text = body.decode("utf-8", "replace")
    if status != 200:
        return False, text.rstrip("\n") + "\n"
    if chosen.json:
        return True, text
    try:
        return True, table(msgspec.json.decode(body, type=Report))
    except msgspec.MsgspecError as error:
        return False, f"{chosen.admin} is no router: {error}\n"


def top(chosen: argparse.Namespace) -> int:
    """`portico top`: the exit status."""
    from . import topscreen

    return topscreen.top(chosen.admin, chosen.every)


def drain(chosen: argparse.Namespace) -> int:
    """`portico drain` and `portico undrain`: the exit status."""
    from .client import fetch

    asked = msgspec.json.encode({"service": chosen.service, "replica": chosen.replica})
    status, body = fetch(chosen.admin, f"/{chosen.command}", "POST", asked, "application/json")
    if status == 200:
        return 0
    print(f"portico: {body.decode('utf-8', 'replace').rstrip()}", file=sys.stderr)
    return 1


def health(chosen: argparse.Namespace) -> int:
    """`portico health`: the exit status."""
    from .client import fetch

    status, body = fetch(chosen.admin, "/healthz")
    if status != 200:
        print(body.decode("utf-8", "replace"), file=sys.stderr)
    return 0 if status == 200 else 1

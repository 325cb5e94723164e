"""`python -m tests.wstest`: the Autobahn TestSuite, through the router, against both services. `tests/wstest/setup` gets it."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ..support.one_process import OneProcess
from ..support.site import free_port, wait_for_answer
from ..support.tree import ROOT
from .suite import fuzz, wstest

SECTIONS = {
    "1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragmentation", "6": "UTF-8",
    "7": "closing", "9": "limits", "10": "fragmentation by the sender", "12": "permessage-deflate, messages of all sizes",
    "13": "permessage-deflate, its parameters",
}  # fmt: skip
COMPRESSED = ("12", "13")
PATHS = {"autobahn": "/ws/autobahn/echo", "txws": "/ws/txws/echo"}


def configuration() -> str:
    """The shipped one, with room for section 9's messages of up to 16 MiB."""
    text = (ROOT / "router/portico.toml").read_text()
    for service in PATHS:
        table = f'[services.{service}]\ntarget = "handoff"\n'
        assert table in text
        text = text.replace(table, f"{table}options = {{ max_message = 16777216 }}\n")
    return text


def main() -> int:
    """Exit status 0 if no case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.wstest", description=__doc__)
    parser.add_argument("--sections", nargs="+", default=list(SECTIONS), metavar="N", help="such as 7 or 12.1")
    parser.add_argument("--services", nargs="+", default=list(PATHS), choices=list(PATHS), metavar="NAME")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds for each section (default: 3600)")
    chosen = parser.parse_args()
    program = wstest()
    if program is None:
        parser.error("there is no wstest: tests/wstest/setup makes one")
    failed = False
    with tempfile.TemporaryDirectory(prefix="wstest-") as folder:
        port = free_port()
        file = Path(folder) / "portico.toml"
        file.write_text(configuration())
        site = OneProcess.portico(port, Path(folder), file)
        try:
            wait_for_answer("127.0.0.1", port)
            for service in chosen.services:
                for section in chosen.sections:
                    number = section.partition(".")[0]
                    if number in COMPRESSED and service == "txws":
                        continue  # it agrees to no extension
                    began = time.monotonic()
                    url = f"ws://127.0.0.1:{port}{PATHS[service]}"
                    found = fuzz(program, Path(folder) / f"{service}-{section}", url, [f"{section}.*"], chosen.timeout)
                    failed = failed or "FAILED" in found.behaviour or "FAILED" in found.closing
                    took = time.monotonic() - began
                    verdicts = ", ".join(f"{count} {name}" for name, count in sorted(found.behaviour.items()))
                    print(
                        f"| {service} | {section} {SECTIONS[number]} | {found.cases} | {verdicts} | {took:.0f} s |", flush=True
                    )
                    for each in found.not_passed:
                        print(f"    {each}", flush=True)
        finally:
            site.stop()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

"""The conformance test of the handoff protocol: every rule stands on its page, and both replicas of ours keep them."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from svckit.handoff.conformance import RULES

PAGE = Path(__file__).parents[2] / "docs/handoff-protocol.md"
TWISTED = """
from svckit.web import GuardedSite
from twisted.web.resource import Resource

class Hello(Resource):
    isLeaf = True
    def render_GET(self, request):
        return b"hello"

def make_factory(settings, reactor):
    return GuardedSite(Hello(), reactor)
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""
OURS = {
    "twisted": [sys.executable, "-c", "from svckit.cli import main; main()", "run", "twisted_service:make_factory"],
    "asyncio": [sys.executable, "-m", "svckit.handoff.aio.asgi", "asgi_service:app"],
}


def test_every_rule_stands_on_the_page() -> None:
    headings = set(re.findall(r"^#+ (.*)$", PAGE.read_text(), re.MULTILINE))
    assert {rule.section for rule in RULES} <= headings
    assert len({rule.text for rule in RULES}) == len(RULES) > 30


def check_a_process(name: str, folder: Path) -> tuple[int, str, int]:
    """Exit status and output of the command, and exit status of the replica, which it has told to drain."""
    path = folder / f"{name}/a-1.sock"
    environment = {**os.environ, "PORTICO_RUN": str(folder), "PORTICO_REPLICA": "a-1", "PORTICO_HAND_BACK_TIMEOUT": "2"}
    process = subprocess.Popen(
        [*OURS[name], "--service", name], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 30
        while not path.exists():
            assert process.poll() is None
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.02)
        command = [sys.executable, "-c", "from svckit.cli import main; main()", "handoff-check", str(path)]
        done = subprocess.run(
            [*command, "--pid", str(process.pid), "--patience", "20", "--hand-back-timeout", "2", "--take-timeout", "20"],
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.returncode, done.stdout + done.stderr, process.wait(60)
    finally:
        process.kill()
        process.wait()


# -- ours


def test_both_of_ours_keep_every_rule(folder: Path) -> None:
    (folder / "twisted_service.py").write_text(TWISTED)
    (folder / "asgi_service.py").write_text(ASGI)
    with ThreadPoolExecutor() as pool:
        found = dict(zip(OURS, pool.map(lambda name: check_a_process(name, folder), OURS), strict=True))
    for status, output, ended in found.values():
        assert f"{len(RULES)} of {len(RULES)} rules are kept" in output
        assert (status, ended) == (0, 0), output


def test_where_nobody_is_every_rule_is_broken_and_the_command_says_so(folder: Path) -> None:
    command = [sys.executable, "-c", "from svckit.cli import main; main()", "handoff-check", str(folder / "none.sock")]
    done = subprocess.run([*command, "--patience", "1", "--without", "Errors"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "nobody answers" in done.stdout
    tried = [rule for rule in RULES if rule.section not in ("Errors", "Drain")]
    assert done.stdout.count("  not tried  ") == len(RULES) - len(tried)
    assert done.stdout.endswith(f"0 of {len(tried)} rules are kept\n")

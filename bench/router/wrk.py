"""Requests by wrk, the load generator that costs least: new connections and kept ones."""

import re
import signal
import subprocess
import time

from .sample import Failed, Sample

__all__ = ["measure"]

LONGEST = 60
"""Seconds; it is ended by SIGINT before, so that a sample may be shorter than its whole seconds."""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_number = r"([0-9.]+)(us|ms|s|m)\b"
_total = re.compile(r"(\d+) requests in " + _number)
_errors = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_refused = re.compile(r"Non-2xx or 3xx responses: (\d+)")


def measure(program: str, core: str, port: int, path: str, connections: int, seconds: float, *headers: str) -> Sample:
    """Requests for `path` for so many seconds.

    Raises:
        Failed: it has said nothing that can be read.
    """
    pinned = ["taskset", "-c", core] if core else []
    fields = [each for header in headers for each in ("-H", header)]
    url = f"http://127.0.0.1:{port}{path}"
    command = [*pinned, program, "-t1", f"-c{connections}", f"-d{LONGEST}", "--latency", *fields, url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
    try:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)  # its way to end early and tell what there was
        said, _ = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        raise Failed("wrk does not end") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(5)
    return understand(said)


def understand(said: str) -> Sample:
    """What wrk has written, as a sample.

    Raises:
        Failed: it is not that.
    """
    total = _total.search(said)
    if total is None:
        raise Failed(f"wrk: {said.strip()[-200:]}")
    errors, refused = _errors.search(said), _refused.search(said)
    return Sample(
        units=float(total[1]),
        seconds=float(total[2]) * _UNITS[total[3]],
        wrong=int(refused[1]) if refused else 0,
        broken=sum(map(int, errors.groups())) if errors else 0,
        p50=_latency(said, 50),
        p99=_latency(said, 99),
    )


def _latency(said: str, share: int) -> float | None:
    found = re.search(rf"\b{share}%\s+{_number}", said)
    return float(found[1]) * _UNITS[found[2]] if found else None

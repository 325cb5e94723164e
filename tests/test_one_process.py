"""What only the deployment in one process can show: the terminal's side of it, and its memory."""

import signal
from pathlib import Path

import requests
from portico.client import fetch

from .support.one_process import OneProcess
from .support.payload import MIB, Payload
from .support.site import Site, first_password, free_port, json_lines, wait_for_answer


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    port = free_port()
    running = OneProcess.portico(port, tmp_path)
    try:
        wait_for_answer("127.0.0.1", port)
        running.interrupt()
        assert running.wait() == 0
        assert "Traceback" not in running.log
    finally:
        running.stop()


def test_make_run_and_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    state = tmp_path / "state"
    running = OneProcess(["make", "run", f"PORT={port}", f"STATE={state}"], port, tmp_path / "log")
    try:
        wait_for_answer("127.0.0.1", port, 90)
        assert fetch(f"unix:{state}/admin", "/status")[0] == 200
        running.interrupt()
        assert running.wait() in (0, -signal.SIGINT)  # make itself ends by the signal that it got as well
        assert "Traceback" not in running.log
        assert "***" not in running.log, "make complains"
    finally:
        running.stop()


def test_a_second_start_on_the_same_port_says_so(one_process: OneProcess, tmp_path: Path) -> None:
    second = OneProcess.portico(one_process.port, tmp_path)
    try:
        assert second.wait() not in (0, None)
        assert str(one_process.port) in second.log
        assert "in use" in second.log
        assert "Traceback" not in second.log
    finally:
        second.stop()


def test_the_password_is_shown_once_and_stays(tmp_path: Path) -> None:
    port = free_port()
    first = OneProcess.portico(port, tmp_path)
    try:
        wait_for_answer("127.0.0.1", port)
        password = first_password(first.log)
    finally:
        first.stop()
    again = OneProcess.portico(port, tmp_path)
    try:
        wait_for_answer("127.0.0.1", port)
        assert [event for event in json_lines(again.log) if "password" in event] == []
        assert password not in again.log
        answer = requests.get(f"http://127.0.0.1:{port}/static/private/", auth=("admin", password), timeout=20)
        assert answer.status_code == 200
    finally:
        again.stop()


def test_an_upload_of_200_mb_does_not_pass_through_memory(one_process: OneProcess) -> None:
    site = Site("127.0.0.1", one_process.port, first_password(one_process.log))
    connection = site.http()
    assert b"sha256" in Payload(MIB).put(connection, "/uploads/warm-up", site.authorization).read()
    before = peak_memory(one_process.process.pid)
    assert Payload(200 * MIB).put(connection, "/uploads/large", site.authorization).status == 201
    connection.close()
    assert peak_memory(one_process.process.pid) - before < 40 * MIB


def peak_memory(pid: int) -> int:
    """Highest resident memory so far, in bytes."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

"""The pure parts of `python -m tests.systemd`, which is too long to be in the suite."""

from dataclasses import replace

import pytest

from .systemd.look import NO_CAPABILITY, Process, confined, of_root, processes
from .systemd.page import commands, scores

PAGE = "# A\n\n## One\n\n```sh\na\nb\n```\n\nand\n\n```sh\nc\n```\n\n## Two\n\nnone\n\n| `x-y.service` | 0.5 |\n"
SERVICE = Process(
    7, "twistd portico-service", "4:memory:/x\n1:name=systemd:/system.slice/a.service", ["5"], ["6"], [NO_CAPABILITY],
    no_new_privileges=True, filtered=True, interfaces=["lo"],
)  # fmt: skip


def test_a_section_gives_its_own_commands() -> None:
    assert commands("One", PAGE) == ["a\nb\n", "c\n"]
    for section in ("Two", "Three"):
        with pytest.raises(AssertionError, match=section):
            commands(section, PAGE)
    assert scores(PAGE) == {"x-y.service": "0.5"}


def test_the_page_has_what_the_program_follows() -> None:
    assert "pip install --require-hashes" in commands("Installation")[0]
    assert '"$@"' in commands("The start")[0]
    enable, too = commands("systemd")
    assert "systemctl enable --now portico-router.socket" in enable and "portico-authsvc-too" in too


def test_a_process_is_its_units() -> None:
    (found,) = processes([vars(SERVICE)])
    assert found == SERVICE and found.unit == "a.service"
    assert Process(1, "init", "0::/init.scope").unit == "init.scope"
    assert Process(1, "x", "0::/").unit == ""


def test_one_that_is_as_promised() -> None:
    assert confined([SERVICE], "a.service", "5", "6", network=False) == []
    assert confined([SERVICE], "b.service", "5", "6", network=False) == ["b.service: no process"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": ["0", "5"]}, "users: ['0', '5'] instead of ['5']"),
        ({"groups": ["6", "7"]}, "groups"),
        ({"capabilities": [NO_CAPABILITY, "0000000000000400"]}, "capabilities"),
        ({"no_new_privileges": False}, "no new privileges"),
        ({"filtered": False}, "a system call filter"),
        ({"interfaces": ["eth0", "lo"]}, "network"),
    ],
)
def test_one_that_is_not(change: dict[str, object], said: str) -> None:
    (wrong,) = confined([replace(SERVICE, **change)], "a.service", "5", "6", network=False)  # type: ignore[arg-type]
    assert said in wrong and "a.service, process 7" in wrong


def test_what_has_roots_number_anywhere_is_roots() -> None:
    assert of_root([SERVICE, replace(SERVICE, users=["0", "5"])]) == ["a.service: twistd portico-service"]

"""The command line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from authsvc.hashing import verify_password
from authsvc.store import Store

from authsvc import cli


class Shell:
    """Runs `authsvc --state FOLDER ...` in this process; `typed` is what stands ready at the prompt."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state, self._capsys = state, capsys
        self.typed: list[Any] = []
        monkeypatch.setattr("getpass.getpass", self._prompt)

    def _prompt(self, prompt: str) -> str:
        answer = self.typed.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    def __call__(self, *arguments: str) -> tuple[int, str]:
        thing = [] if arguments[:1] in (("group",), ("import",)) else ["user"]
        status = cli.main(["--state", str(self.state), *thing, *arguments])
        captured = self._capsys.readouterr()
        return status, captured.out + captured.err

    def password_is(self, name: bytes, password: bytes) -> bool:
        stored = Store(self.state).password(name)
        return stored is not None and verify_password(stored, password)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def test_a_user_from_beginning_to_end(shell: Shell) -> None:
    shell.typed = ["wonderland", "wonderland"]
    assert shell("add", "alice") == (0, "")
    assert shell("list") == (0, "alice\n")
    assert shell.password_is(b"alice", b"wonderland")
    assert Store(shell.state).realms(b"alice") == (b"portico",)
    shell.typed = ["looking-glass", "looking-glass"]
    assert shell("passwd", "alice") == (0, "")
    assert shell.password_is(b"alice", b"looking-glass")
    assert not shell.password_is(b"alice", b"wonderland")
    assert shell("remove", "alice") == (0, "")
    assert shell("list") == (0, "")


def test_a_password_from_a_file_asks_nobody(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    assert shell("add", "alice", "--password-file", str(tmp_path / "secret")) == (0, "")
    assert shell.password_is(b"alice", b"from a file")
    (tmp_path / "secret").write_text("another\n")
    assert shell("passwd", "alice", "--password-file", str(tmp_path / "secret")) == (0, "")
    assert shell.password_is(b"alice", b"another")


def test_realms_are_chosen_and_kept(shell: Shell) -> None:
    shell.typed = ["x"] * 6
    assert shell("add", "alice", "--realm", "one", "--realm", "two")[0] == 0
    assert shell("passwd", "alice")[0] == 0
    assert Store(shell.state).realms(b"alice") == (b"one", b"two")
    assert shell("passwd", "alice", "--realm", "three")[0] == 0
    assert Store(shell.state).realms(b"alice") == (b"three",)
    shell.typed = ["x"] * 2
    assert shell("add", "bob", "--realm", "r" * 256) == (1, "authsvc: a realm has 1 to 255 bytes\n")


def test_what_cannot_be_done_is_said_and_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    shell.typed = ["x", "x"]
    assert shell("add", "alice")[0] == 0
    for arguments, reason in (
        (("add", "alice"), "there is a user of that name: alice"),
        (("passwd", "bob"), "no such user: bob"),
        (("remove", "bob"), "no such user: bob"),
        (("add", "a:b"), "neither a colon"),
        (("add", ""), "1 to 255 bytes"),
        (("add", "bob", "--password-file", str(tmp_path / "none")), "No such file"),
        (("add", "bob", "--password-file", "/dev/null"), "has no password"),
    ):
        status, said = shell(*arguments)
        assert (status, reason in said) == (1, True), said
        assert said.startswith("authsvc: ")
    assert shell("list") == (0, "alice\n")
    assert shell.password_is(b"alice", b"x")


@pytest.mark.parametrize("typed", [["one", "two"], [KeyboardInterrupt()], [EOFError()], ["", ""], ["one", KeyboardInterrupt()]])
def test_whoever_thinks_better_of_it_changes_nothing(shell: Shell, typed: list[Any]) -> None:
    shell.typed = typed
    status, said = shell("add", "alice")
    assert status == 1
    assert said.startswith("authsvc: ")
    assert shell("list") == (0, "")


def test_a_password_is_never_an_argument(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["add", "alice", "secret"],
        ["add", "alice", "--password", "secret"],
        ["passwd", "alice", "secret"],
        [],
        ["x"],
    ):
        with pytest.raises(SystemExit) as stopped:
            shell(*arguments)
        assert stopped.value.code == 2
    capsys.readouterr()
    assert shell("list") == (0, "")


def test_groups(shell: Shell) -> None:
    shell.typed = ["x"] * 4
    for name in ("alice", "bob"):
        assert shell("add", name)[0] == 0
    assert shell("group", "add", "staff") == (0, "")
    assert shell("group", "join", "staff", "bob", "alice") == (0, "")
    assert shell("group", "list") == (0, "staff\n")
    assert shell("group", "list", "staff") == (0, "alice\nbob\n")
    assert shell("group", "leave", "staff", "alice") == (0, "")
    assert shell("group", "list", "staff") == (0, "bob\n")
    for arguments, reason in (
        (("add", "staff"), "there is a group of that name: staff"),
        (("add", "*"), "printable characters"),
        (("join", "staff", "carol"), "no such user: carol"),
        (("join", "none", "bob"), "no such group: none"),
        (("list", "none"), "no such group: none"),
        (("leave", "staff", "alice"), "no such user: alice"),
    ):
        status, said = shell("group", *arguments)
        assert (status, reason in said) == (1, True), said
    assert shell("group", "remove", "staff") == (0, "")
    assert shell("group", "list") == (0, "")
    assert shell("list") == (0, "alice\nbob\n")


def test_a_file_from_elsewhere(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text("alice:{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ=\n# bob is away\n\n")
    status, said = shell("import", "htpasswd", str(tmp_path / "htpasswd"))
    assert (status, said.partition(" They log in by Basic;")[0]) == (0, "1 taken over.")
    assert shell.password_is(b"alice", b"wonderland")
    status, said = shell("import", "htpasswd", str(tmp_path / "htpasswd"))
    assert (status, said) == (1, "authsvc: there is a user of that name: alice\n")
    assert shell("import", "htpasswd", str(tmp_path / "htpasswd"), "--replace")[0] == 0
    (tmp_path / "htdigest").write_text("dora:portico:" + "0" * 32 + "\n")
    status, said = shell("import", "htdigest", str(tmp_path / "htdigest"))
    assert status == 0 and "digest_algorithms" in said
    assert shell("remove", "dora")[0] == 0
    (tmp_path / "htdigest").write_text("carol:portico:wrong\n")
    status, said = shell("import", "htdigest", str(tmp_path / "htdigest"))
    assert status == 1
    assert said == f"authsvc: {tmp_path}/htdigest: line 1: expected USER:REALM:HASH, with 32 hex digits\n"
    assert shell("import", "htdigest", str(tmp_path / "none"))[0] == 1
    assert shell("list") == (0, "alice\n")
    shell.typed = ["new"] * 2
    assert shell("passwd", "alice")[0] == 0  # from now on by Digest too
    assert Store(shell.state).realms(b"alice") == (b"portico",)


def test_the_users_of_a_postgresql(
    shell: Shell, tmp_path: Path, postgresql: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgresql.new_database()
    (tmp_path / "url").write_text(url)
    monkeypatch.setenv("PORTICO_OPTION_DATABASE", url)
    shell.typed = ["x"] * 2
    assert shell("add", "alice") == (0, "")
    monkeypatch.delenv("PORTICO_OPTION_DATABASE")
    assert shell("list") == (0, "")
    monkeypatch.setenv("PORTICO_OPTION_DATABASE_FILE", str(tmp_path / "url"))
    assert shell("list") == (0, "alice\n")
    monkeypatch.setenv("PORTICO_OPTION_DATABASE_FILE", "/dev/null")
    assert cli.main(["--database-file", str(tmp_path / "url"), "user", "list"]) == 0
    assert capsys.readouterr().out == "alice\n"
    (tmp_path / "url").write_text(f"postgresql://x@/x?host={tmp_path}")
    assert cli.main(["--database-file", str(tmp_path / "url"), "user", "list"]) == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_a_wrong_state_folder_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--state", str(tmp_path / "typo"), "user", "list"]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_the_installed_command_with_a_folder_from_the_environment(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("authsvc")), "user"]
    environment = {"PORTICO_STATE": str(tmp_path)}
    (tmp_path / "secret").write_text("x")
    added = subprocess.run(
        [*command, "add", "Jäsøn", "--password-file", str(tmp_path / "secret")], env=environment, timeout=60, check=False
    )
    assert added.returncode == 0
    listed = subprocess.run(
        [*command, "list"], env={**environment, "PYTHONUTF8": "1"}, capture_output=True, timeout=60, check=True
    )
    assert listed.stdout.decode() == "Jäsøn\n"

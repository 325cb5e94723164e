"""A jail that was made by hand: the daemon's user comes to those who are in it, and nothing leads out of it."""

import os
from pathlib import Path

import pytest
from portico.daemon.jail_users import merged
from portico.daemon.paths import inside
from portico.daemon.plan import Plan
from portico.daemon.setup import steps
from portico.daemon.steps import BadPlace

PASSWD = b"# users\nroot:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/:/bin/false\n"
GROUP = b"root:x:0:\nwww:x:33:\nlogs:x:4:www"


class As:
    """What `merged` asks of a plan."""

    def __init__(self, user: int, group: int, *groups: int) -> None:
        self.user, self.group, self.groups = user, group, [group, *groups]


def into(passwd: bytes, group: bytes, plan: As) -> tuple[bytes, bytes]:
    found = merged(passwd, group, plan)  # type: ignore[arg-type]
    assert merged(*found, plan) == found  # type: ignore[arg-type]
    return found


def test_an_empty_jail_gets_one_user() -> None:
    assert into(b"", b"", As(61_234, 61_235, 61_236)) == (
        b"user61234:x:61234:61235::/:/usr/sbin/nologin\n",
        b"group61235:x:61235:\ngroup61236:x:61236:user61234\n",
    )


def test_who_is_there_stays() -> None:
    passwd, group = into(PASSWD, GROUP, As(61_234, 61_235, 4))
    assert passwd == PASSWD + b"user61234:x:61234:61235::/:/usr/sbin/nologin\n"
    assert group == b"root:x:0:\nwww:x:33:\nlogs:x:4:www,user61234\ngroup61235:x:61235:\n"


def test_one_that_is_there_by_another_name_is_enough() -> None:
    passwd, group = into(PASSWD, GROUP + b"\nmore:x:5:\n", As(33, 33, 4, 5))
    assert passwd == PASSWD
    assert group == GROUP + b"\nmore:x:5:www\n"


def test_a_name_that_means_another_there_is_refused() -> None:
    with pytest.raises(ValueError, match="user61234 has the number 7 there, and 61234 outside"):
        into(b"user61234:x:7:7::/:\n", b"", As(61_234, 0))
    with pytest.raises(ValueError, match="group61234 has the number 7 there"):
        into(b"", b"group61234:x:7:\n", As(0, 61_234))


def plan(jail: Path) -> Plan:
    words = [
        "twistd",
        "--uid",
        "65534",
        "--gid",
        "65534",
        "-n",
        "--pidfile=",
        "--chroot",
        str(jail),
        "portico-service",
        "--state",
    ]
    return Plan([*words, str(jail.parent / "state"), "x"], jail.parent)


def test_files_made_by_hand_keep_lines_and_modes(tmp_path: Path) -> None:
    etc = tmp_path / "jail/etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_bytes(PASSWD)
    (etc / "passwd").chmod(0o600)
    (etc / "group").write_bytes(b"nogroup:x:65534:\n")
    found = {step.says.split(",")[0]: step for step in steps(plan(tmp_path / "jail")) if " /" in step.says}
    assert f"write {etc}/group" not in found
    if os.geteuid() == 0:
        found[f"write {etc}/passwd"].do()
        assert (etc / "passwd").read_bytes().startswith(PASSWD)
        assert (etc / "passwd").stat().st_mode & 0o777 == 0o600


def test_a_name_that_is_taken_in_the_jail_is_said(tmp_path: Path) -> None:
    etc = tmp_path / "jail/etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text("nobody:x:7:7::/:\n")
    with pytest.raises(BadPlace, match="etc/passwd and group: nobody has the number 7 there"):
        list(steps(plan(tmp_path / "jail")))


def test_a_link_that_leads_out_of_the_jail_is_not_followed(tmp_path: Path) -> None:
    """Inside it leads to the jail's own folder of that name; root, outside, would write to the system's."""
    (tmp_path / "jail").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "jail/etc").symlink_to(tmp_path / "outside")
    with pytest.raises(BadPlace, match="is not in the jail"):
        list(steps(plan(tmp_path / "jail")))


def test_nor_is_a_link_in_the_files_place(tmp_path: Path) -> None:
    (tmp_path / "jail/etc").mkdir(parents=True)
    (tmp_path / "jail/etc/passwd").symlink_to("/etc/passwd")
    with pytest.raises(BadPlace, match="is no plain file"):
        list(steps(plan(tmp_path / "jail")))


@pytest.mark.parametrize(
    ("path", "expected"), [("/jail/log/x", "/log/x"), ("/jail/x", "/x"), ("/var/log/x", "/var/log/x"), ("/jails/x", "/jails/x")]
)
def test_what_a_path_is_called_in_the_jail(path: str, expected: str) -> None:
    assert inside(Path(path), Path("/jail")) == Path(expected)


def test_a_link_into_the_jail_is_the_same_inside(tmp_path: Path) -> None:
    (tmp_path / "jail/var/log").mkdir(parents=True)
    (tmp_path / "log").symlink_to(tmp_path / "jail/var/log")
    assert inside(tmp_path / "log/x", tmp_path / "jail") == Path("/var/log/x")

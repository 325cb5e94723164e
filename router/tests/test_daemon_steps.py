"""Steps of daemon-setup: done once, never through links, never to folders of the system."""

import os
from pathlib import Path

import pytest
from portico.daemon.steps import SHARED, BadPlace, Step, file, folder, link, text

UID, GID = os.getuid(), os.getgid()


def do(steps: list[Step]) -> list[str]:
    for step in steps:
        step.do()
    return [step.says.split()[0] for step in steps]


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert do(folder(path, UID, GID, 0o750)) == ["mkdir"]
    assert path.stat().st_mode & 0o7777 == 0o750
    assert folder(path, UID, GID, 0o750) == []
    path.chmod(0o700)  # somebody's choice, with which its owner can do
    assert folder(path, UID, GID, 0o750) == []
    path.chmod(0o500)
    assert do(folder(path, UID, GID, 0o750)) == ["chown"]
    assert path.stat().st_mode & 0o7777 == 0o750


def test_a_folder_of_sockets_passes_its_group_on(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.mkdir(0o770)
    assert do(folder(path, UID, GID, 0o2770)) == ["chown"]
    assert path.stat().st_mode & 0o7777 == 0o2770


@pytest.fixture
def of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this test makes is a third user's: not root's, nor ours, nor the daemon's."""
    look = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = look(path)
        return os.stat_result((*found[:4], 33, 33, *found[6:]))

    monkeypatch.setattr(Path, "lstat", lstat)


@pytest.mark.usefixtures("of_another")
def test_what_is_a_third_users_is_not_given_away_unless_told_so(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x.log").touch()
    for make in (folder, file):
        path = tmp_path / ("x" if make is folder else "x.log")
        with pytest.raises(BadPlace, match=r"is of another user, .* --take-over"):
            make(path, 65534, 65534, 0o750)
        (step,) = make(path, 65534, 65534, 0o750, take=True)
        assert step.says.startswith(f"chown {path}, ")
        assert make(path, 33, 33, 0o700) == []  # the daemon's own


@pytest.mark.parametrize("path", sorted(map(str, SHARED)))
def test_no_folder_of_the_system_is_given_away(path: str) -> None:
    with pytest.raises(BadPlace, match="of the system"):
        folder(Path(path), UID, GID, 0o755)


@pytest.mark.parametrize("path", ["//usr", "/proc/self/root/usr", "/var/../usr"])
def test_nor_is_it_by_another_name(path: str) -> None:
    with pytest.raises(BadPlace, match="of the system"):
        folder(Path(path), UID, GID, 0o755)


def test_no_link_takes_the_place_of_a_folder_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnt").mkdir()
    monkeypatch.setattr("portico.daemon.steps.SHARED", frozenset([tmp_path / "mnt"]))
    with pytest.raises(BadPlace, match="of the system"):
        link(tmp_path / "mnt", tmp_path / "jail/mnt")


def test_nor_one_that_many_use(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x").chmod(0o1777)
    with pytest.raises(BadPlace, match="sticky"):
        folder(tmp_path / "x", UID, GID, 0o755)


def test_nor_one_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "x").symlink_to(tmp_path / "there")
    with pytest.raises(BadPlace, match="no folder"):
        folder(tmp_path / "x", UID, GID, 0o755)


def test_nor_is_anything_made_behind_the_link_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon may lay one in a folder of its own; root's are part of many systems."""
    (tmp_path / "there").mkdir()
    way = tmp_path / "way"
    way.symlink_to(tmp_path / "there")
    assert do(folder(way / "a", UID, GID, 0o755)) == ["mkdir"]
    if UID == 0:
        os.lchown(way, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: UID + 1)
    for make in (
        lambda: folder(way / "b", UID, GID, 0o755),
        lambda: file(way / "b", UID, GID, 0o640),
        lambda: text(way / "b", b""),
    ):
        with pytest.raises(BadPlace, match="it may lead anywhere"):
            make()


def test_a_file_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    assert do(file(path, UID, GID, 0o640)) == ["make"]
    path.write_text("kept\n")
    assert file(path, UID, GID, 0o640) == []
    assert path.read_text() == "kept\n"
    assert path.stat().st_mode & 0o7777 == 0o640


def test_a_file_that_is_a_link_or_has_two_names_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(BadPlace):
        file(tmp_path / "link", UID, GID, 0o640)
    (tmp_path / "second").hardlink_to(tmp_path / "other")
    with pytest.raises(BadPlace):
        file(tmp_path / "second", UID, GID, 0o640)


def test_a_link_takes_the_place_of_an_empty_folder_only(tmp_path: Path) -> None:
    to = tmp_path / "jail"
    assert do(link(tmp_path / "a", to)) == ["ln"]
    assert link(tmp_path / "a", to) == []
    (tmp_path / "b").mkdir()
    assert do(link(tmp_path / "b", to)) == ["rmdir", "ln"]
    (tmp_path / "c").mkdir()
    (tmp_path / "c/file").write_text("")
    with pytest.raises(BadPlace, match="there already"):
        link(tmp_path / "c", to)
    with pytest.raises(BadPlace, match="not to"):
        link(tmp_path / "a", tmp_path / "elsewhere")


def test_a_text_is_written_where_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert do(text(path, b"one\n", owners=(UID, GID))) == ["write"]
    assert text(path, b"one\n", owners=(UID, GID)) == []
    assert do(text(path, b"two\n", owners=(UID, GID))) == ["write"]
    assert path.read_bytes() == b"two\n"
    path.chmod(0o600)  # say, a key, copied before the daemon had another group
    assert do(text(path, b"two\n", owners=(UID, GID))) == ["write"]
    assert path.stat().st_mode & 0o7777 == 0o644
    assert text(path, b"two\n", owners=(UID, GID)) == []

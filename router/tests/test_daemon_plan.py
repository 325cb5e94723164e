"""A twistd command line, understood; and the commands that are given one."""

import os
from pathlib import Path

import pytest
from portico.cli import main
from portico.daemon.check import check
from portico.daemon.findings import Finding
from portico.daemon.options import KeeperOptions, PorticoOptions, RouterOptions, ServiceOptions
from portico.daemon.plan import BadCommand, Plan
from portico.daemon.setup import steps
from portico.daemon.steps import BadPlace

CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [{path = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:9"}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "portico.toml"
    file.write_text(CONFIG)
    return file


def plan(folder: Path, *words: object) -> Plan:
    return Plan(["twistd", *map(str, words)], folder)


def test_paths_are_those_of_the_folder_where_twistd_is_started(tmp_path: Path, config: Path) -> None:
    found = plan(tmp_path, "--logfile", "a.log", "--pidfile", "../b.pid", "--rundir", "/", "portico", "--config", config.name)
    assert (found.logfile, found.pidfile) == (tmp_path / "a.log", tmp_path.parent / "b.pid")
    assert found.rundir == "/"
    assert found.config_file == config and found.config is not None
    assert found.state == Path("/var/lib/portico")
    assert found.binds and found.own_log


def test_without_a_log_a_daemon_has_twistds(tmp_path: Path, config: Path) -> None:
    assert plan(tmp_path, "portico", "--config", config).logfile == tmp_path / "twistd.log"
    assert plan(tmp_path, "-n", "portico", "--config", config).logfile is None
    assert plan(tmp_path, "-n", "--logfile", "-", "portico", "--config", config).logfile is None
    assert plan(tmp_path, "--syslog", "portico", "--config", config).logfile is None


def test_each_command_has_its_options(tmp_path: Path, config: Path) -> None:
    assert isinstance(plan(tmp_path, "portico", "--config", config).part, PorticoOptions)
    router = plan(tmp_path, "portico-router", "--config", config, "--keeper", "@k")
    assert isinstance(router.part, RouterOptions) and router.keeper == "@k" and not router.binds
    keeper = plan(tmp_path, "portico-keeper", "--config", config)
    assert isinstance(keeper.part, KeeperOptions) and keeper.binds
    service = plan(tmp_path, "portico-service", "--drain-time", "3", "--option", "root=/x", "static")
    assert isinstance(service.part, ServiceOptions)
    environment = service.part.environment
    assert environment["PORTICO_OPTION_ROOT"] == "/x" and environment["PORTICO_DRAIN_TIME"] == "3.0"
    assert service.state == Path("/var/lib/portico/static") and service.config_file is None


def test_what_is_somebody_elses_has_twistds_own_log(tmp_path: Path) -> None:
    found = plan(tmp_path, "-y", "x.tac")
    assert found.part is None and not found.own_log


def test_the_log_may_be_left_to_twistd(tmp_path: Path, config: Path) -> None:
    assert not plan(tmp_path, "portico", "--config", config, "--log", "twistd").own_log


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--no-such-option"],
        ["--uid", "no-such-user-here", "-y", "x"],
        ["portico"],
        ["portico", "--config", "x", "--log", "xml"],
        ["portico", "--config", "x", "--log-size", "-1"],
        ["portico-service"],
        ["portico-service", "--option", "x", "static"],
        ["portico-service", "--drain-time", "nan", "static"],
    ],
)
def test_what_twistd_would_not_understand(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(BadCommand):
        plan(tmp_path, *words)


def test_a_configuration_that_is_wrong_is_a_finding(tmp_path: Path, config: Path) -> None:
    config.write_text("listeners = 1")
    found = check(["twistd", "-n", "--pidfile=", "portico", "--config", str(config), "--state", str(tmp_path)], tmp_path)
    assert [finding.code for finding in found if finding.fails] == ["configuration"]


def test_only_root_may_become_somebody_else(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    words = [
        "twistd",
        "-n",
        "--uid",
        "0",
        "--gid",
        "0",
        "--pidfile=",
        "portico",
        "--config",
        str(config),
        "--state",
        str(tmp_path),
    ]
    assert "not-root" in [finding.code for finding in check(words, tmp_path) if finding.fails]


def test_a_finding_names_option_path_and_owners() -> None:
    finding = Finding("log-file", "--logfile", "never", "chown it", "/x.log", "root:root 0644", "a:b 0640")
    assert str(finding).splitlines() == [
        "FAILS --logfile /x.log: never [log-file]",
        "      found root:root 0644, wanted a:b 0640",
        "      mend: chown it",
    ]


def test_the_command_line_of_portico(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["twistd", "--pidfile", "run/x.pid", "--logfile", "log/x.log", "portico", "--config", config.name, "--state", "s"]
    with pytest.raises(SystemExit) as ended:
        main(["daemon-check", *words])
    assert ended.value.code == 1
    assert "2 of these will fail" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["daemon-setup", "--dry-run", *words])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and f"mkdir {tmp_path}/run" in said and f"make {tmp_path}/log/x.log" in said
    assert [path.name for path in tmp_path.iterdir()] == ["portico.toml"]
    with pytest.raises(SystemExit) as ended:
        main(["daemon-check", "--", "twistd", "--nonsense"])
    assert ended.value.code == 2


@pytest.mark.parametrize("jail", ["/", "//", "/proc/self/root"])
def test_the_whole_system_is_no_jail(tmp_path: Path, config: Path, jail: str) -> None:
    """Its /etc/passwd would be the jail's, with one user."""
    with pytest.raises(BadPlace, match="of the system"):
        next(steps(plan(tmp_path, "--chroot", jail, "portico", "--config", config)))


def test_two_slashes_are_one(tmp_path: Path, config: Path) -> None:
    found = plan(tmp_path, "--pidfile", f"/{tmp_path}/run/x.pid", "--logfile", "x.log", "portico-router", "--config", config)
    assert f"mkdir {tmp_path}/run," in next(steps(found)).says


def test_what_links_in_a_folder_lead_to_is_not_copied(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_text("a file\n")
    (tmp_path / "secret").write_text("of root's\n")
    (files / "secret").symlink_to(tmp_path / "secret")
    (files / "again").symlink_to(".")
    jail = tmp_path / "jail"
    found = plan(tmp_path, "-n", "--pidfile=", "--chroot", jail, "portico-service", "--option", f"root={files}", "static")
    at = f"{jail}{files}"
    said = {step.says for step in steps(found) if at in step.says}
    assert said - {f"mkdir {at}, root:root 0755"} == {f"write {at}/a.txt, 7 bytes"}


def test_what_the_daemon_could_not_read_is_not_copied(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for name, mode in (("a.txt", 0o644), ("of-root", 0o600)):
        (files / name).touch()
        (files / name).chmod(mode)
    words = ["--uid", "65534", "--gid", "65534", "-n", "--pidfile=", "--chroot", tmp_path / "jail", "portico-service"]
    found = plan(tmp_path, *words, "--option", f"root={files}", "static")
    said = [step.says for step in steps(found) if step.says.startswith(f"write {tmp_path}/jail{files}")]
    assert said == [f"write {tmp_path}/jail{files}/a.txt, 0 bytes"]


def test_a_keeper_needs_its_folder(tmp_path: Path, config: Path) -> None:
    words = ["twistd", "-n", "--pidfile=", "portico-keeper", "--config", str(config), "--address", "run/keeper.sock"]
    (finding,) = [finding for finding in check(words, tmp_path) if finding.fails]
    assert (finding.code, finding.option, finding.path) == ("sockets", "--address", f"{tmp_path}/run")
    (step,) = steps(Plan(words, tmp_path))
    assert step.says.startswith(f"mkdir {tmp_path}/run,")
    step.do()
    assert not [finding for finding in check(words, tmp_path) if finding.fails]


def test_authsvc_by_another_name_is_authsvc(tmp_path: Path) -> None:
    """Only authsvc's folder of sockets is wanted, where it is named."""
    words = ["twistd", "-n", "--pidfile=", "portico-service", "--run", str(tmp_path / "run"), "--state", str(tmp_path)]
    words += ["--what", "authsvc"]
    assert not [finding for finding in check([*words, "logins"], tmp_path) if finding.fails]
    found = check([*words, "--auth", str(tmp_path / "auth"), "logins"], tmp_path)
    assert [finding.option for finding in found if finding.fails] == ["--auth"]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"9" * 30])
def test_a_pid_file_with_anything_in_it_is_a_finding(tmp_path: Path, config: Path, text: bytes) -> None:
    (tmp_path / "x.pid").write_bytes(text)
    found = check(["twistd", "-n", "--pidfile=x.pid", "portico-router", "--config", str(config)], tmp_path)
    assert [finding.code for finding in found if finding.fails] == ["pid-content"]


def test_a_daemon_has_no_standard_output(tmp_path: Path, config: Path) -> None:
    words = ["twistd", "--pidfile=", "--logfile", "-", "portico-router", "--config", str(config)]
    assert [finding.code for finding in check(words, tmp_path) if finding.fails] == ["log-lost"]
    assert [finding.code for finding in check([*words, "--log", "twistd"], tmp_path) if finding.fails] == ["log-lost"]
    assert not [finding for finding in check([words[0], "--nodaemon", *words[1:]], tmp_path) if finding.fails]


def test_a_daemon_that_stays_root_is_told(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It works, so it is no failure."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    words = ["twistd", "-n", "--pidfile=", "portico-router", "--config", str(config)]
    (finding,) = [finding for finding in check(words, tmp_path) if finding.code == "root"]
    assert (finding.option, finding.fails) == ("--uid", False)
    own = ["--uid", str(os.getuid()), "--gid", str(os.getgid())]
    assert "root" not in [finding.code for finding in check([words[0], *own, *words[1:]], tmp_path)]
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert "root" not in [finding.code for finding in check(words, tmp_path)]


def test_a_folder_that_is_gone_after_a_reboot_is_told(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr("portico.daemon.places.EMPTIED", (run,))
    monkeypatch.setattr("portico.daemon.places.TMPFILES", (tmp_path / "tmpfiles.d",))
    words = ["twistd", "-n", "--logfile", "log/x", "--pidfile", str(run / "x/x.pid"), "portico-router", "--config", str(config)]
    (finding,) = [finding for finding in check(words, tmp_path) if finding.code == "volatile"]
    assert (finding.path, finding.fails) == (f"{run}/x", False)
    line = finding.mend.partition("portico.conf: ")[2]
    assert line.startswith(f"d {run}/x 0755 ") and len(line.split()) == 6
    (tmp_path / "tmpfiles.d").mkdir()
    (tmp_path / "tmpfiles.d/other.conf").write_text(f"# {run}/x\n\nd\nr {run}/x\nd {run}/x/y 0755 - - -\n")
    assert "volatile" in [finding.code for finding in check(words, tmp_path)]
    (tmp_path / "tmpfiles.d/portico.conf").write_text(f"{line}\n")
    assert "volatile" not in [finding.code for finding in check(words, tmp_path)]

"""`portico.toml`: what is read from it, and an error for all else that names the file, the key and what was expected."""

from pathlib import Path

import msgspec
import pytest
from portico.checking import Check
from portico.config import BadConfig, Config, Handoff, Limits, Tcp, address, load, parse

GOOD = """
listeners = [{address = "0.0.0.0:8080"}]
routes = [{path = "/", service = "web"}, {prefix = "/api/", service = "api"}]

[services.web]
target = "handoff"

[services.api]
target = "tcp"
address = "api:9000"

[limits]
head_size = 4096
"""
OUR_OWN = Path(__file__).parents[1] / "portico.toml"


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "portico.toml"
    path.write_text(GOOD)
    config = load(path)
    assert [listener.address for listener in config.listeners] == ["0.0.0.0:8080"]
    assert config.services == {"web": Handoff(), "api": Tcp("api:9000")}
    assert config.limits == msgspec.structs.replace(Limits(), head_size=4096)
    assert config.admin is None
    assert config.in_process.also == []
    assert sorted(config.patterns_for("api")) == [("/api/", True), ("=/", False)]
    assert sorted(config.patterns_for("web")) == [("/api/", False), ("=/", True)]


def test_the_file_that_comes_with_portico() -> None:
    config = load(OUR_OWN)
    assert [listener.address for listener in config.listeners] == ["0.0.0.0:8080"]
    assert set(config.services) >= {"static", "uploads", "autobahn", "txws"}
    assert config.admin is not None
    assert config.admin.address.startswith("unix:")  # several routers may share one network


def test_a_services_options_are_its_own_affair() -> None:
    config = parse(GOOD.replace('target = "handoff"', 'target = "handoff"\noptions = {root = "/srv", depth = 3}'))
    assert config.services["web"] == Handoff(options={"root": "/srv", "depth": 3})


def test_checks_are_off_unless_they_are_asked_for() -> None:
    api = parse(GOOD).services["api"]
    assert isinstance(api, Tcp)
    assert (api.check, api.tunnel_idle) == (None, None)
    for text, check in (
        ("{}", Check()),
        ('{path = "/healthz", status = "200, 204", timeout = 0.5}', Check("/healthz", None, "200, 204", timeout=0.5)),
    ):
        api = parse(GOOD.replace('"api:9000"', f'"api:9000"\ncheck = {text}')).services["api"]
        assert isinstance(api, Tcp)
        assert api.check == check


WRONG = {
    "not TOML": ("listeners", "[[[", ["at line 2"]),
    "unknown key": ("routes =", "roots =", ["unknown field `roots`", "expected one of", "routes"]),
    "no listeners": ('listeners = [{address = "0.0.0.0:8080"}]', "listeners = []", ["listeners: ", "expected at least one"]),
    "no routes": ("routes = ", "[x]\nroutes = ", ["unknown field `x`"]),
    "listener without an address": ('{address = "0.0.0.0:8080"}', "{}", ["listeners[0]: ", "missing required field `address`"]),
    "listener with an unknown key": ("{address", "{port = 1, address", ["listeners[0]: ", "`port`", "expected one of address"]),
    "listener's address of a wrong type": ('"0.0.0.0:8080"', "8080", ["listeners[0].address: ", "expected `str`, got `int`"]),
    "listener without a port": ("0.0.0.0:8080", "0.0.0.0", ["listeners[0].address: ", "expected host:port", "'0.0.0.0'"]),
    "listener's port too high": ("0.0.0.0:8080", "0.0.0.0:65536", ["listeners[0].address: ", "'0.0.0.0:65536'"]),
    "IPv6 without brackets": ("0.0.0.0:8080", "::1:8080", ["listeners[0].address: ", "[host]:port", "'::1:8080'"]),
    "route to nowhere": ('"/", service = "web"', '"/", service = "wep"', ["routes[0].service: ", "(api, web)", "'wep'"]),
    "route without a condition": ('path = "/", ', "", ["routes[0]: ", "`prefix`", "`path`"]),
    "route with prefix and path": ('path = "/"', 'path = "/", prefix = "/"', ["routes[0]: ", "either `prefix` or `path`"]),
    "route with an unknown key": ('path = "/"', 'paths = "/"', ["routes[0]: ", "`paths`", "expected one of", " path"]),
    "route of a wrong type": ('prefix = "/api/"', "prefix = 1", ["routes[1].prefix: ", "`str", "got `int`"]),
    "prefix without a slash": ('"/api/"', '"api/"', ["routes[1]", "'api/'", "starts with a slash"]),
    "path without a slash": ('path = "/"', 'path = "x"', ["routes[0]", "'=x'", "starts with a slash"]),
    "the same prefix twice": ('path = "/"', 'prefix = "/api"', ["routes: ", "stands there twice"]),
    "unknown target": ('"handoff"', '"ftp"', ["services.web.target: ", "expected one of handoff, tcp", "'ftp'"]),
    "no target": ('target = "handoff"', "", ["services.web.target: ", "expected one of handoff, tcp", "found none"]),
    "service that is no table": (
        '[services.web]\ntarget = "handoff"',
        "[services]\nweb = 3",
        ["services.web: ", "expected a table"],
    ),
    "tcp without an address": ('address = "api:9000"', "", ["services.api: ", "missing required field `address`"]),
    "tcp with a bad address": ("api:9000", "api", ["services.api.address: ", "expected host:port", "'api'"]),
    "handoff with tcp's key": ('"handoff"', '"handoff"\naddress = "x:1"', ["services.web: ", "`address`", "target, folder"]),
    "unknown keepalive": ('9000"', '9000"\nkeepalive = "no"', ["services.api.keepalive: ", "'no'", "close, pin"]),
    "negative timeout": ('9000"', '9000"\nconnect_timeout = -1', ["services.api.connect_timeout: ", "> 0"]),
    "unknown key of a check": (
        '9000"',
        '9000"\ncheck = {pth = "/"}',
        ["services.api.check: ", "`pth`", "expected one of path, host, status, interval, timeout, rise, fall"],
    ),
    "check that is no table": ('9000"', '9000"\ncheck = true', ["services.api.check: ", "got `bool`"]),
    "check's number": ('9000"', '9000"\ncheck = {fall = 0}', ["services.api.check.fall: ", ">= 1"]),
    "check's path": ('9000"', '9000"\ncheck = {path = "x"}', ["services.api.check.path: ", "starts with a slash", "'x'"]),
    "check's path with a blank": ('9000"', '9000"\ncheck = {path = "/a b"}', ["services.api.check.path: ", "'/a b'"]),
    "check's host": ('9000"', '9000"\ncheck = {path = "/", host = "a\\r\\nb"}', ["services.api.check.host: "]),
    "check's statuses": ('9000"', '9000"\ncheck = {path = "/", status = "2xx"}', ["services.api.check.status: ", "'2xx'"]),
    "check's host without a path": ('9000"', '9000"\ncheck = {host = "h"}', ["services.api.check.host: ", "beside `path`"]),
    "check's statuses without a path": (
        '9000"',
        '9000"\ncheck = {status = "200"}',
        ["services.api.check.status: ", "beside `path`"],
    ),
    "check of a handoff service": ('"handoff"', '"handoff"\ncheck = {}', ["services.web: ", "`check`"]),
    "idle tunnels for no time": ('9000"', '9000"\ntunnel_idle = 0', ["services.api.tunnel_idle: ", "> 0"]),
    "unknown limit": ("head_size", "heat_size", ["limits: ", "`heat_size`", "expected one of", "head_size"]),
    "head too small": ("4096", "255", ["limits.head_size: ", ">= 256"]),
    "head too large": ("4096", "65537", ["limits.head_size: ", "<= 65536"]),
    "limit of a wrong type": ("4096", '"4k"', ["limits.head_size: ", "expected `int`, got `str`"]),
    "no time": ("head_size = 4096", "head_deadline = 0", ["limits.head_deadline: ", "> 0"]),
    "not a time": ("head_size = 4096", "head_deadline = nan", ["limits.head_deadline: ", "> 0"]),
    "no queue": ("head_size = 4096", "queue_size = 0", ["limits.queue_size: ", ">= 1"]),
    "bad operators' port": (
        "[limits]",
        '[admin]\naddress = "8081"\n[limits]',
        ["admin.address: ", "expected host:port", "'8081'"],
    ),
    "unknown operators' key": ("[limits]", "[admin]\nport = 1\n[limits]", ["admin: ", "`port`", "expected one of address"]),
    "bad list": ("[limits]", "[in_process]\nalso = 'x'\n[limits]", ["in_process.also: ", "expected `array`, got `str`"]),
    "options of nobody": (
        "[limits]",
        "[in_process.options.authsvc]\nuser_tries = 3\n[limits]",
        ["in_process.options: ", "expected names that are in `also`", "'authsvc'"],
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG)
def test_errors_name_the_file_the_key_and_what_was_expected(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in GOOD
    path = tmp_path / "portico.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadConfig) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    for part in said:
        assert part in text
    assert "$" not in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["listeners", "routes", "services"])
def test_a_missing_part_is_named(name: str) -> None:
    parts = {"listeners": GOOD.splitlines()[1], "routes": "routes = []", "services": "services = {}"}
    del parts[name]
    with pytest.raises(BadConfig, match=f"missing required field `{name}`"):
        parse("\n".join(parts.values()))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.toml: No such file or directory"):
        load(tmp_path / "none.toml")
    with pytest.raises(BadConfig, match=r": Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    with pytest.raises(BadConfig, match=r"latin\.toml: .*utf-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("name:0", ("name", 0)),
        ("[::]:65535", ("::", 65535)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_addresses(text: str, parts: tuple[str, int]) -> None:
    assert address(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", ":", ":80", "host", "host:", "host:x", "host:-1", "host:65536", "host:8 0", "::1:80", "[]:80", "[::1]", "host:\u0661"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        address(text)


def test_every_limit_has_a_default_and_a_bound() -> None:
    for limit in msgspec.structs.fields(Limits):
        assert limit.default is not msgspec.NODEFAULT
        for wrong in ("0", "-1"):
            with pytest.raises(BadConfig, match=limit.name):
                parse(GOOD.replace("head_size = 4096", f"{limit.name} = {wrong}"))


def test_the_configuration_cannot_be_changed_by_accident() -> None:
    config = parse(GOOD)
    assert isinstance(config, Config)
    with pytest.raises(AttributeError):
        config.limits.head_size = 1  # type: ignore[misc]

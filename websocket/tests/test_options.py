import pytest
from svckit.settings import BadOptions
from websocketsvc.options import AutobahnOptions, Limits, TxwsOptions, allowed_origins
from websocketsvc.table import mount_table

from .support.fixtures import MakeSettings


def test_defaults(settings: MakeSettings) -> None:
    options = settings().options_as(TxwsOptions)
    assert {path: entry.protocol for path, entry in mount_table(options.mounts).items()} == {
        b"/ws/txws/echo": "websocketsvc.echo_stream.EchoFactory",
        b"/ws/live": "websocketsvc.live.LiveFactory",
    }
    assert options.max_message == 1 << 20
    assert isinstance(options, Limits)
    autobahn = settings().options_as(AutobahnOptions)
    assert list(mount_table(autobahn.mounts)) == [b"/ws/autobahn/echo"]


def test_from_the_environment_all_are_strings(settings: MakeSettings) -> None:
    options = settings(max_message="5", close_timeout="0.5", ping_interval="0", mounts="/a=b.C  /d=e.F").options_as(TxwsOptions)
    assert (options.max_message, options.close_timeout, options.ping_interval) == (5, 0.5, 0)
    assert {path: entry.protocol for path, entry in mount_table(options.mounts).items()} == {b"/a": "b.C", b"/d": "e.F"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_message": 0},
        {"max_request": -1},
        {"handshake_timeout": 0},
        {"close_timeout": "soon"},
        {"ping_interval": -1},
        {"stall_timeout": 0},
        {"max_connections": 0},
        {"max_unsent": 0},
        {"frames": "json"},
        {"drain_spread": -1},
        {"compression": "perhaps"},
        {"mounts": 7},
        {"colour": "red"},
    ],
)
def test_wrong_options(settings: MakeSettings, wrong: dict[str, object]) -> None:
    with pytest.raises(BadOptions, match=next(iter(wrong))):
        settings(**wrong).options_as(AutobahnOptions)


@pytest.mark.parametrize(
    ("text", "origins"),
    [("*", None), ("https://a *", None), ("", frozenset()), ("HTTPS://A  null", frozenset({"https://a", "null"}))],
)
def test_allowed_origins(text: str, origins: frozenset[str] | None) -> None:
    assert allowed_origins(text) == origins

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import Struct
from svckit.settings import BadOptions
from twisted.internet.task import Clock
from websocketsvc import mounts as module
from websocketsvc.mounts import Mount, Mounts, Place, Wrap, load_mounts
from websocketsvc.options import MountTable, Options

from .support.fixtures import MakeSettings

MADE: Any = "made"  # in place of a factory


@pytest.fixture
def load(settings: MakeSettings, clock: Clock) -> Callable[..., list[Mount]]:
    def load_these(
        table: MountTable, wrap: Wrap = lambda named, limits: MADE, service: str = "chat", **options: Any
    ) -> list[Mount]:
        return load_mounts(settings(service), Options(**options), table, wrap, clock)

    return load_these


def test_each_name_is_loaded_and_wrapped(load: Callable[..., list[Mount]]) -> None:
    wrapped: list[object] = []

    def wrap(named: object, limits: Options) -> Any:
        wrapped.append(named)
        return MADE

    mounts = load({"/j": "json.dumps", "/l": "json.loads"}, wrap, origins="https://a")
    import json

    assert wrapped == [json.dumps, json.loads]
    assert [(mount.path, mount.factory, mount.origins, mount.login) for mount in mounts] == [
        (b"/j", MADE, frozenset({"https://a"}), False),
        (b"/l", MADE, frozenset({"https://a"}), False),
    ]


def test_settings_for_one_path(load: Callable[..., list[Mount]]) -> None:
    got: list[Options] = []
    entry = {"protocol": "json.loads", "max_message": 7, "origins": "https://b"}

    def wrap(named: object, limits: Options) -> Any:
        got.append(limits)
        return MADE

    mounts = load({"/j": "json.dumps", "/l": entry}, wrap, max_message=9)
    assert [limits.max_message for limits in got] == [9, 7]
    assert [mount.origins for mount in mounts] == [None, frozenset({"https://b"})]


@pytest.mark.parametrize("name", ["no.such.module", "json.nothing", "json..x", "..", "not a name"])
def test_a_name_that_leads_nowhere(load: Callable[..., list[Mount]], name: str) -> None:
    with pytest.raises(BadOptions, match=r"chat: mounts: '/a': cannot mount"):
        load({"/a": name})


def test_a_thing_that_cannot_be_wrapped(load: Callable[..., list[Mount]]) -> None:
    def wrap(named: object, limits: object) -> Any:
        raise TypeError("not one of those")

    with pytest.raises(BadOptions, match="not one of those"):
        load({"/a": "json.dumps"}, wrap)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("", "chat: mounts: nothing"),
        ({"/a": {"protocol": "json.dumps", "compression": True}}, "compression"),  # which this service does not have
        ({"/a": {"protocol": "json.dumps", "options": {"x": 1}}}, "no options"),
        ({"/a": {"protocol": "json.dumps", "login": True}}, "no auth service"),
    ],
)
def test_a_malformed_table_names_the_service(load: Callable[..., list[Mount]], table: MountTable, text: str) -> None:
    with pytest.raises(BadOptions, match=text):
        load(table)


class Players(Struct, forbid_unknown_fields=True):
    players: int = 2


def test_what_is_named_may_have_a_part_in_it(load: Callable[..., list[Mount]], monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[Place] = []

    def for_mount(place: Place) -> object:
        places.append(place)
        return SimpleNamespace(count=place.options_as(Players).players, judge_name=lambda name: "bad" if name == "x" else None)

    monkeypatch.setattr(module, "game", SimpleNamespace(for_mount=for_mount), raising=False)
    table = {"/g/*": {"protocol": "websocketsvc.mounts.game", "options": {"players": "4"}, "max_message": 5}}
    (mount,) = load(table, lambda named, limits: named.count)
    assert cast(object, mount.factory) == 4, "whatever was made of it"
    assert (places[0].path, places[0].limits.max_message) == ("/g/*", 5)
    assert mount.judge is not None
    assert (mount.judge("x"), mount.judge("y")) == ("bad", None)
    with pytest.raises(BadOptions, match="options"):
        load({"/g/*": {"protocol": "websocketsvc.mounts.game", "options": {"colour": 4}}})


def test_one_segment_in_place_of_an_asterisk() -> None:
    exact, below = Mount(b"/ws/a", MADE), Mount(b"/ws/*", MADE, judge=lambda name: None if name.isalpha() else "letters only")
    mounts = Mounts({mount.path: mount for mount in (exact, below)})
    assert mounts.find(b"/ws/a") is exact
    assert mounts.find(b"/ws/b") is below
    assert mounts.find(b"/ws/7") == "letters only"
    for path in (b"/ws/", b"/ws", b"/ws/b/c", b"/", b"/x/b"):
        assert mounts.find(path) == f"No WebSocket is mounted at {path.decode()}; there is /ws/*, /ws/a."

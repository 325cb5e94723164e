from types import SimpleNamespace

import pytest
from msgspec import Struct
from svckit.settings import BadOptions
from websocketsvc import mounts as module
from websocketsvc.mounts import Mount, Mounts, Place, load_mounts
from websocketsvc.options import Options


@pytest.fixture
def load(settings):
    def load_these(table, wrap=lambda named, limits: "made", service: str = "chat", **options):
        return load_mounts(settings(service), Options(**options), table, wrap, None)

    return load_these


def test_each_name_is_loaded_and_wrapped(load) -> None:
    wrapped: list[object] = []
    mounts = load(
        {"/j": "json.dumps", "/l": "json.loads"}, lambda named, _: wrapped.append(named) or "made", origins="https://a"
    )
    import json

    assert wrapped == [json.dumps, json.loads]
    assert [(mount.path, mount.factory, mount.origins, mount.login) for mount in mounts] == [
        (b"/j", "made", frozenset({"https://a"}), False),
        (b"/l", "made", frozenset({"https://a"}), False),
    ]


def test_settings_for_one_path(load) -> None:
    got: list[Options] = []
    entry = {"protocol": "json.loads", "max_message": 7, "origins": "https://b"}
    mounts = load({"/j": "json.dumps", "/l": entry}, lambda named, limits: got.append(limits) or "made", max_message=9)
    assert [limits.max_message for limits in got] == [9, 7]
    assert [mount.origins for mount in mounts] == [None, frozenset({"https://b"})]


@pytest.mark.parametrize("name", ["no.such.module", "json.nothing", "json..x", "..", "not a name"])
def test_a_name_that_leads_nowhere(load, name: str) -> None:
    with pytest.raises(BadOptions, match=r"chat: mounts: '/a': cannot mount"):
        load({"/a": name})


def test_a_thing_that_cannot_be_wrapped(load) -> None:
    def wrap(named: object, limits: object):
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
def test_a_malformed_table_names_the_service(load, table, text: str) -> None:
    with pytest.raises(BadOptions, match=text):
        load(table)


class Players(Struct, forbid_unknown_fields=True):
    players: int = 2


def test_what_is_named_may_have_a_part_in_it(load, monkeypatch) -> None:
    places: list[Place] = []

    def for_mount(place: Place) -> object:
        places.append(place)
        return SimpleNamespace(count=place.options_as(Players).players, judge_name=lambda name: "bad" if name == "x" else None)

    monkeypatch.setattr(module, "game", SimpleNamespace(for_mount=for_mount), raising=False)
    table = {"/g/*": {"protocol": "websocketsvc.mounts.game", "options": {"players": "4"}, "max_message": 5}}
    (mount,) = load(table, lambda named, limits: named.count)
    assert mount.factory == 4
    assert (places[0].path, places[0].limits.max_message) == ("/g/*", 5)
    assert (mount.judge("x"), mount.judge("y")) == ("bad", None)
    with pytest.raises(BadOptions, match="options"):
        load({"/g/*": {"protocol": "websocketsvc.mounts.game", "options": {"colour": 4}}})


def test_one_segment_in_place_of_an_asterisk() -> None:
    exact, below = Mount(b"/ws/a", None), Mount(b"/ws/*", None, judge=lambda name: None if name.isalpha() else "letters only")
    mounts = Mounts({mount.path: mount for mount in (exact, below)})
    assert mounts.find(b"/ws/a") is exact
    assert mounts.find(b"/ws/b") is below
    assert mounts.find(b"/ws/7") == "letters only"
    for path in (b"/ws/", b"/ws", b"/ws/b/c", b"/", b"/x/b"):
        assert mounts.find(path) == f"No WebSocket is mounted at {path.decode()}; there is /ws/*, /ws/a."

import pytest
from svckit.settings import BadOptions
from websocketsvc.mounts import load_mounts
from websocketsvc.options import Options


def test_each_name_is_loaded_and_wrapped(settings) -> None:
    options = Options(origins="https://a")
    wrapped: list[object] = []
    mounts = load_mounts(
        settings(), options, {"/j": "json.dumps", "/l": "json.loads"}, lambda named: wrapped.append(named) or "made"
    )
    import json

    assert wrapped == [json.dumps, json.loads]
    assert [(mount.path, mount.factory, mount.limits, mount.origins) for mount in mounts] == [
        (b"/j", "made", options, frozenset({"https://a"})),
        (b"/l", "made", options, frozenset({"https://a"})),
    ]


@pytest.mark.parametrize("name", ["no.such.module", "json.nothing", "json..x", "..", "not a name"])
def test_a_name_that_leads_nowhere(settings, name: str) -> None:
    with pytest.raises(BadOptions, match=r"chat: mounts: '/a': cannot mount"):
        load_mounts(settings("chat"), Options(), {"/a": name}, lambda named: "made")


def test_a_thing_that_cannot_be_wrapped(settings) -> None:
    def wrap(named: object):
        raise TypeError("not one of those")

    with pytest.raises(BadOptions, match="not one of those"):
        load_mounts(settings(), Options(), {"/a": "json.dumps"}, wrap)


def test_a_malformed_table_names_the_service(settings) -> None:
    with pytest.raises(BadOptions, match="chat: mounts: nothing"):
        load_mounts(settings("chat"), Options(), "", lambda named: "made")

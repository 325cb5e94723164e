import pytest
from websocketsvc.options import MountTable
from websocketsvc.table import Entry, mount_table


def test_three_ways_to_write_the_same() -> None:
    entry = {"protocol": "x.Y", "frames": "text", "max_message": 9}
    table = {b"/a": Entry("b.C"), b"/d": Entry("x.Y", frames="text", max_message=9)}
    assert mount_table({"/a": "b.C", "/d": entry}) == table
    assert mount_table('{"/a": "b.C", "/d": {"protocol": "x.Y", "frames": "text", "max_message": 9}}') == table
    assert mount_table(" /a=b.C\t/d=x.Y ") == {b"/a": Entry("b.C"), b"/d": Entry("x.Y")}


def test_what_an_entry_changes() -> None:
    (entry,) = mount_table({"/d": {"protocol": "x.Y", "login": True, "ping_interval": 0, "options": {"a": 1}}}).values()
    assert entry.changes() == {"ping_interval": 0}
    assert (entry.login, entry.options) == (True, {"a": 1})


@pytest.mark.parametrize(
    ("mounts", "text"),
    [
        ("", "nothing is mounted"),
        ({}, "nothing is mounted"),
        ("{}", "nothing is mounted"),
        ("/a", "no dotted name"),
        ({"/a": ""}, "no dotted name"),
        ("a=b", "neither a path"),
        ({"/../a": "b"}, "climbs"),
        ({"/a": "b", "//a": "c"}, "twice"),
        ('{"/a": 7}', "mounts: "),
        ('{"/a": "b"', "mounts: "),
        ({"/a": {}}, "'/a': .*protocol"),
        ({"/a": {"protocol": "b", "colour": "red"}}, "'/a': .*colour"),
        ({"/a": {"protocol": "b", "max_message": 0}}, "'/a': "),
        ({"/a": {"protocol": "b", "frames": "json"}}, "'/a': "),
    ],
)
def test_wrong_mounts(mounts: MountTable, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        mount_table(mounts)


def test_mounts_are_in_normal_form() -> None:
    assert mount_table({"//ws/%65cho": "b"}) == {b"/ws/echo": Entry("b")}

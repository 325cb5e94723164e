"""Which groups may do what."""

import os
from pathlib import Path
from typing import Any

import pytest
from authsvc.rules import LOOK_INTERVAL, Rule, Rules, RulesFile, read_rules
from twisted.internet.task import Clock

TEXT = """
[[rules]]
prefix = "/uploads/"
methods = ["GET", "PUT"]
groups = ["editors", "admins"]

[[rules]]
prefix = "/uploads"
methods = ["DELETE"]
groups = ["admins"]

[[rules]]
prefix = "/uploads/public"
groups = ["*"]

[[rules]]
path = "/uploads/public/secret"
groups = ["admins"]

[[rules]]
prefix = "/closed/"
groups = []
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(TEXT)
    return tmp_path / "rules.toml"


@pytest.mark.parametrize(
    ("groups", "request_line", "allowed"),
    [
        ("editors", "PUT /uploads/x", True),
        ("editors", "PUT /uploads", True),
        ("editors", "HEAD /uploads/x", True),
        ("editors", "DELETE /uploads/x", False),
        ("editors", "put /uploads/x", False),
        ("editors", "POST /uploads/x", False),
        ("admins", "DELETE /uploads/x?a=b", True),
        ("", "GET /uploads/x", False),
        ("others", "GET /uploads/x", False),
        ("", "DELETE /uploads/public/x", True),
        ("", "GET /uploads/publicity", False),
        ("", "GET /uploads/public/secret", False),
        ("admins", "GET /uploads/public/secret", True),
        ("", "GET /uploads/public/secret/x", True),
        ("", "GET /uploads/public/../x", False),
        ("", "GET //uploads//x", False),
        ("", "GET /%75ploads/x", False),
        ("", "GET http://host/uploads/x", False),
        ("admins", "GET /closed/x", False),
        ("", "GET /static/x", True),
        ("", "GET /", True),
        ("", "GET /../x", False),
        ("", "GET nonsense", False),
    ],
)
def test_who_may_do_what(path: Path, groups: str, request_line: str, allowed: bool) -> None:
    method, target = request_line.encode().split(b" ")
    assert read_rules(path).allow(frozenset(groups.split()), method, target) is allowed


@pytest.mark.parametrize("written", ["/uploads/\u00e9", "/uploads/e\u0301"], ids=["composed", "decomposed"])
def test_a_letter_that_can_be_spelled_in_two_ways_is_one(written: str) -> None:
    rules = Rules([Rule(path=written, groups=("editors",))])
    for target in (b"/uploads/%C3%A9", b"/uploads/e%CC%81", b"/uploads/e\xcc\x81", b"/uploads/%65%cc%81?x"):
        assert not rules.allow(frozenset(), b"PUT", target)
        assert rules.allow(frozenset({"editors"}), b"PUT", target)
    assert rules.allow(frozenset(), b"PUT", b"/uploads/e")
    assert rules.allow(frozenset(), b"PUT", b"/uploads/%E9")  # no UTF-8: another name, or none


def test_without_rules_every_user_may_do_everything() -> None:
    assert Rules([]).allow(frozenset(), b"DELETE", b"/x")


def test_a_rule_at_the_root_closes_all_the_rest(path: Path) -> None:
    path.write_text('[[rules]]\nprefix = "/"\ngroups = ["admins"]\n' + TEXT)
    rules = read_rules(path)
    assert not rules.allow(frozenset(), b"GET", b"/static/x")
    assert rules.allow(frozenset({"admins"}), b"GET", b"/static/x")
    assert rules.allow(frozenset(), b"GET", b"/uploads/public/x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", "rules.toml"),
        ("[[rule]]", "unknown field"),
        ('[[rules]]\nprefix = "/x"', "groups"),
        ('[[rules]]\nprefix = "/x"\ngroup = ["a"]\ngroups = []', "unknown field `group`"),
        ('[[rules]]\nprefix = "/x"\ngroups = "a"', "Expected `array`"),
        ('[[rules]]\nprefix = "/x"\ngroups = []\nmethods = []', "length >= 1"),
        ("[[rules]]\ngroups = []", "rule 1: expected either prefix or path"),
        ('[[rules]]\nprefix = "/x"\npath = "/x"\ngroups = []', "rule 1: expected either prefix or path"),
        ('[[rules]]\nprefix = "x"\ngroups = []', "rule 1: x: expected a path from / on"),
        ('[[rules]]\nprefix = "/x/../y"\ngroups = []', "normal form"),
        ('[[rules]]\npath = "/%41"\ngroups = []', "normal form"),
    ],
)
def test_what_is_wrong_is_said(path: Path, text: str, reason: str) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_rules(path)


# -- a file that changes


class Following:
    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, Clock()
        self.file = RulesFile(path, self.clock.seconds)

    def write(self, text: str) -> None:
        """As careful editors do: a new file in the place of the old one."""
        draft = self.path.with_name("draft")
        draft.write_text(text)
        os.replace(draft, self.path)

    def allowed(self) -> bool:
        return self.file.rules.allow(frozenset({"editors"}), b"PUT", b"/uploads/x")


def test_a_change_holds_after_the_next_look(path: Path, log: list[Any]) -> None:
    following = Following(path)
    assert following.allowed()
    following.write(TEXT.replace("editors", "writers"))
    following.clock.advance(LOOK_INTERVAL - 0.1)
    assert following.allowed()
    following.clock.advance(0.1)
    assert not following.allowed()
    assert [event["log_format"] for event in log] == ["the rules are read again from {path}"]


def test_a_file_that_cannot_be_read_changes_nothing_and_is_said_once(path: Path, log: list[Any]) -> None:
    following = Following(path)
    following.write("nonsense")
    for _ in range(3):
        following.clock.advance(LOOK_INTERVAL)
        assert following.allowed()
    path.unlink()
    for _ in range(3):
        following.clock.advance(LOOK_INTERVAL)
        assert following.allowed()
    assert [event["log_format"] for event in log] == ["the rules stay as they were: {reason}"] * 2
    following.write(TEXT.replace("editors", "writers"))
    following.clock.advance(LOOK_INTERVAL)
    assert not following.allowed()


def test_no_file_and_one_that_is_not_there(tmp_path: Path) -> None:
    assert RulesFile(None, Clock().seconds).rules.allow(frozenset(), b"PUT", b"/x")
    with pytest.raises(FileNotFoundError):
        RulesFile(tmp_path / "none", Clock().seconds)

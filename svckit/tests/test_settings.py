"""A service's options: checked, converted, and complained about by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from svckit.settings import BadOptions, Settings


@dataclass(frozen=True)
class Options:
    root: str = "/srv"
    limit: int = 10
    ratio: float = 0.5
    listing: bool = False
    names: list[str] = field(default_factory=list)
    greeting: str | None = None


@dataclass(frozen=True)
class Needy:
    root: str


class Struct(msgspec.Struct):
    root: str
    depth: Annotated[int, msgspec.Meta(ge=1)] = 1


@dataclass(frozen=True)
class Nothing:
    pass


def settings(options: Mapping[str, object]) -> Settings:
    return Settings(service="static", replica="r-1", state=Path("/state"), options=options)


def test_defaults() -> None:
    made = Settings(service="static", replica="r-1", state=Path("/state"))
    assert (made.auth, made.drain_time, dict(made.options)) == (None, 10.0, {})
    assert made.options_as(Options) == Options()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"root": "/x", "limit": 3, "listing": True, "names": ["a"]}, Options("/x", 3, listing=True, names=["a"])),
        ({"limit": "3", "ratio": "0.25", "listing": "true"}, Options(limit=3, ratio=0.25, listing=True)),
        ({"listing": "false"}, Options()),
        ({"listing": "1"}, Options(listing=True)),
        ({"ratio": 1}, Options(ratio=1.0)),
        ({"greeting": "hello"}, Options(greeting="hello")),
        ({"greeting": "3"}, Options(greeting="3")),
    ],
)
def test_from_toml_and_from_the_environment(options: dict[str, object], expected: Options) -> None:
    assert settings(options).options_as(Options) == expected


def test_a_struct_will_do() -> None:
    made = settings({"root": "/x", "depth": "2"}).options_as(Struct)
    assert (made.root, made.depth) == ("/x", 2)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (Options, {"rot": "/x"}, ["static", "'rot'", "greeting, limit, listing, names, ratio, root"]),
        (Options, {"Root": "/x"}, ["'Root'"]),
        (Nothing, {"root": "/x"}, ["'root'", "none"]),
        (Struct, {"root": "/x", "rot": 1}, ["'rot'", "depth, root"]),
        (Options, {"limit": "many"}, ["static", "limit", "int"]),
        (Options, {"limit": 1.5}, ["limit", "int"]),
        (Options, {"listing": "perhaps"}, ["listing", "bool"]),
        (Options, {"names": [1]}, ["names", "str"]),
        (Needy, {}, ["static", "root"]),
        (Struct, {"root": "/x", "depth": 0}, ["depth", "1"]),
    ],
)
def test_an_error_names_service_key_and_expectation(kind: Any, options: dict[str, object], words: list[str]) -> None:
    with pytest.raises(BadOptions) as caught:
        settings(options).options_as(kind)
    for word in words:
        assert word in str(caught.value)

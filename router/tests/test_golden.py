"""The examples of the documentation, each a configuration with connections and what becomes of them.

Each case is asked whole, byte by byte, and with bytes after it.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from portico.asking import request_of
from portico.config import Config, load
from portico.core import matchers
from portico.core.answers import Answer
from portico.core.clienthello import TlsFacts, make_hello
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable, Wait
from portico.redirect import Redirect
from svckit.paths import BadTarget, normalise

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "matchers" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml") if not path.stem.endswith(".cases"))
MODULES = {path.stem.rstrip("_") for path in Path(matchers.__file__).parent.glob("*.py")} - {"__init", "contract", "joined"}


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((EXAMPLES / f"{name}.cases.toml").read_text())["case"]
    return found


CASES = [pytest.param(name, case, id=f"{name}-{number}") for name in NAMES for number, case in enumerate(cases(name))]


def table(name: str) -> RouteTable[str | Redirect]:
    config: Config = load(EXAMPLES / f"{name}.toml")
    return config.table({service: service for service in config.services})


def facts(given: dict[str, Any]) -> TlsFacts:
    return TlsFacts(given["sni"].encode() if "sni" in given else None, tuple(each.encode() for each in given.get("alpn", ())))


def bytes_of(case: dict[str, Any]) -> bytes:
    if "request" in case:
        return request_of(case["request"])
    if "hello" in case:
        return make_hello(facts(case["hello"]))
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    return str(case.get("text", "")).encode("latin-1")


def preface(case: dict[str, Any], data: bytes = b"") -> Preface:
    made = Preface(data, tls=facts(case["tls"]) if "tls" in case else None, returned=case.get("returned", False))
    made.silent = case.get("silence", 0.0)
    return made


def outcome(decision: Rule[str | Redirect] | Wait | Answer) -> dict[str, Any]:
    if isinstance(decision, Rule):
        return {"service": decision.service}
    return {"more": True} if isinstance(decision, Wait) else {"status": decision.status}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_case(name: str, case: dict[str, Any]) -> None:
    routes, data = table(name), bytes_of(case)
    expected = {key: value for key, value in case.items() if key in ("service", "more", "status")}
    assert len(expected) == 1
    whole = preface(case, data)
    whole.final = case.get("final", False)
    assert outcome(routes.decide(whole)) == expected
    grown = preface(case)
    for at in range(len(data)):
        if (early := outcome(routes.decide(grown))) != {"more": True}:
            assert early == expected
        grown.add(data[at : at + 1])
    grown.final = whole.final
    assert outcome(routes.decide(grown)) == expected
    if "more" not in expected and not whole.final and data:
        assert outcome(routes.decide(preface(case, data + b"\0trailing"))) == expected
        assert outcome(routes.decide(preface(case, data + data))) == expected


def test_each_matcher_has_a_page_and_an_example() -> None:
    pages = {path.stem for path in (DOCS / "matchers").glob("*.md")} - {"README"}
    assert pages == set(NAMES) == MODULES
    assert {path.name.removesuffix(".cases.toml") for path in EXAMPLES.glob("*.cases.toml")} == pages


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_example(name: str) -> None:
    page = (DOCS / "matchers" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert shown in (EXAMPLES / f"{name}.toml").read_text()
    for word in ("**Looks at**", "**Says**", "needs more" if name != "default" else "when all other"):
        assert word in page


@pytest.mark.parametrize("name", NAMES)
def test_the_cases_say_enough(name: str) -> None:
    """Each service of an example gets a connection, and one case at least is undecided or refused."""
    found = cases(name)
    assert {case["service"] for case in found if "service" in case} == set(load(EXAMPLES / f"{name}.toml").services)
    assert any("service" not in case for case in found)


def test_the_index_names_each_page() -> None:
    index = (DOCS / "matchers" / "README.md").read_text()
    assert set(re.findall(r"\[`(\w+)`\]\((\w+)\.md\)", index)) == {(name, name) for name in NAMES}


ROWS = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|$", (DOCS / "normalisation.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("targets", "normal"), ROWS)
def test_the_table_of_normal_forms(targets: str, normal: str) -> None:
    for target in re.findall("`([^`]+)`", targets):
        if normal == "400":
            with pytest.raises(BadTarget):
                normalise(target.encode())
        else:
            assert normalise(target.encode()) == normal.strip("`").encode()


def test_the_table_of_normal_forms_is_there() -> None:
    assert len(ROWS) == 11

"""Options, and what stops the service from starting."""

from pathlib import Path
from typing import Any

import pytest
from staticsvc.service import make_factory
from svckit.settings import BadOptions, Settings
from svckit.web import GuardedSite
from twisted.internet.task import Clock


def start(auth: Path | None = None, protect: Any = None, **options: object) -> Any:
    settings = Settings(service="static", replica="r1", state=Path("/nonexistent"), auth=auth, options=options)
    return make_factory(settings, Clock(), protect)  # type: ignore[arg-type]


def test_starts_with_nothing_said() -> None:
    assert isinstance(start(), GuardedSite)


def test_the_examples_are_served(make: Any) -> None:
    client = make(root="")
    for target in ("/static/", "/static/hello.txt", "/static/portico.svg"):
        assert client.ask(target)[0] == 200
    assert b"logged in" in client.ask("/static/private/", "Authorization: yes")[2]


def test_protect_gets_the_folder_of_the_auth_sockets(tmp_path: Path) -> None:
    seen: list[tuple[Any, ...]] = []

    def protect(*given: Any, service: str) -> Any:
        seen.append((*given, service))
        return given[0]

    start(tmp_path, protect)
    ((resource, folder, reactor, service),) = seen
    assert folder == tmp_path and isinstance(reactor, Clock) and resource.isLeaf and service == "static"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"root": "/nonexistent"}, "static: root: /nonexistent: expected a folder to read"),
        ({"root": "/etc/passwd"}, "root: /etc/passwd"),
        ({"pages": "/nonexistent"}, "static: pages: /nonexistent: expected a folder"),
        ({"pages": "/proc/self/task"}, "expected a file to read"),
        ({"listing": "perhaps"}, "listing"),
        ({"listings": "true"}, "unknown option 'listings'"),
        ({"roots": "/docs"}, "roots: expected PREFIX=FOLDER, found '/docs'"),
        ({"roots": "docs=/srv"}, "roots: docs: a prefix starts with a slash"),
        ({"roots": "/docs=/nonexistent"}, "roots: /nonexistent: expected a folder"),
        ({"roots": "/docs=/tmp /docs/=/tmp"}, "roots: /docs/: stands there twice"),
        ({"protected": "private"}, "protected: private: a prefix starts with a slash"),
        ({"protected": "/static/./private/"}, "protected: /static/./private/: expected a path in its normal form"),
        ({"protected": "/static/x/../private"}, "protected: /static/x/../private: expected a path in its normal form"),
        ({"protected": "/static/private?"}, r"protected: /static/private\?: expected a path in its normal form"),
        ({"protected": "/.."}, "protected: /..: expected a path in its normal form"),
        ({"fallback": "/a//b"}, "fallback: /a//b"),
        ({"index": "sub/index.html"}, "index: sub/index.html: expected the name of a file"),
        ({"not_found": ".htaccess"}, "not_found: .htaccess: expected the name of a file"),
        ({"cache": "no-cache"}, "cache: expected PATTERN: VALUE"),
        ({"cache": "*: \u00fc"}, "cache: expected PATTERN: VALUE"),
        ({"cache": "no-cache"}, "^static: cache: expected"),
        ({"hot_files": "many"}, "hot_files"),
        ({"hot_files": "-1"}, "hot_files: -1: expected 0 or more"),
        ({"roots": {"/docs/": ""}}, "roots: /docs/: expected a folder, found none"),
        ({"fallback": "/app/"}, "fallback: /app/: expected a prefix in /static/"),
    ],
)
def test_bad_options_are_said_at_the_start(options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadOptions, match=text):
        start(**options)

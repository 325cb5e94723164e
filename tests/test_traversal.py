"""A short version of the attempts to leave the static service's root (`python -m tests.traversal` has the long one)."""

from pathlib import Path

from .support.static_site import static_site
from .traversal.attempts import make_root, run
from .traversal.shapes import MARK, targets


def test_nothing_gets_out(tmp_path: Path) -> None:
    root, options = make_root(tmp_path)
    with static_site(tmp_path, root, options) as running:
        found = run(running.port, targets(600, seed=20))
        open_to_all = run(running.port, [b"/static/hello.txt", b"/static/sub/", b"/docs/any", b"/static/docs"])
    assert found.statuses.total() == 600
    assert not found.escaped and not found.failed, found
    assert open_to_all.statuses == {200: 3, 301: 1}, "the service serves what it is to serve"


def test_what_gets_out_is_seen(tmp_path: Path) -> None:
    root, _ = make_root(tmp_path)
    for name, content in (("a", MARK), ("b", b"root:x:0:0"), ("c", b"anything else")):
        (root / name).write_bytes(content)
    with static_site(tmp_path, root) as running:
        found = run(running.port, [b"/static/a", b"/static/b", b"/static/c", b"/static/d"])
    assert found.escaped == [b"/static/a", b"/static/b", b"/static/c"]


def test_attempts_are_many_and_the_same_each_time() -> None:
    assert len(list(targets(10_000, 1))) == 10_000
    assert len(set(targets(10_000, 1))) > 9_000
    assert list(targets(100, 2)) == list(targets(100, 2)) != list(targets(100, 3))

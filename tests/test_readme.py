"""What the README tells a newcomer to do, done: its files written, its commands run."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from svckit.auth.protect import Protected
from svckit.settings import BadOptions, Settings
from twisted.internet.task import Clock

from .support.one_process import BIN, OneProcess
from .support.site import free_port, wait_for_listener
from .support.tree import ROOT

README = (ROOT / "README.md").read_text()
SECTION = README.partition("## Your own service in five minutes")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", SECTION, re.DOTALL)
WRITTEN = [(text.partition("\n")[0].removeprefix("# "), text) for kind, text in BLOCKS if kind in ("python", "toml")]
FILES = {name: text for name, text in WRITTEN if name.startswith("hello/")}
COMMANDS = [text.strip() for kind, text in BLOCKS if kind == "sh"]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A clone as far as the README's commands need one."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(BIN)
    yield tmp_path


def test_a_service_of_ones_own(folder: Path) -> None:
    assert list(FILES) == ["hello/app.py", "hello/portico.toml"] and len(COMMANDS) == 3
    port = free_port()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(":8081", f":{port}"))
    router, service, ask = (command.replace(":8081", f":{port}") for command in COMMANDS)
    with ExitStack() as stack:
        for number, command in enumerate((router, service)):
            running = OneProcess(["sh", "-c", f"cd {folder} && exec env {command}"], port, folder / f"log-{number}")
            stack.callback(running.stop)
        wait_for_listener("127.0.0.1", port)
        assert shutil.which("curl"), "the suite's programs have it"
        end = time.monotonic() + 60  # until the service is there; a connection waits for it no longer than queue_timeout
        while (done := subprocess.run(ask.split(), capture_output=True, timeout=60)).stdout != b"hello from /hello/world\n":
            assert time.monotonic() < end, (done, (folder / "log-0").read_text(), (folder / "log-1").read_text())


def test_a_login_before_it(tmp_path: Path) -> None:
    added, changed = (line.strip() for line in re.findall(r"^    (.*\bprotect\b.*)$", SECTION, re.MULTILINE))
    plain = FILES["hello/app.py"]
    assert "    return GuardedSite(Hello(), reactor)\n" in plain
    names: dict[str, Any] = {}
    exec(f"{added}\n" + plain.replace("return GuardedSite(Hello(), reactor)", changed), names)
    settings = Settings(service="hello", replica="1", state=tmp_path, auth=tmp_path)
    assert isinstance(names["make_factory"](settings, Clock()).resource, Protected)
    with pytest.raises(BadOptions, match="PORTICO_AUTH"):
        names["make_factory"](replace(settings, auth=None), Clock())


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Those within the project: the file is there, and the heading in it."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor and path.suffix == ".md":
            assert anchor in _anchors(path.read_text()), f"{page}: {target}"


def test_each_page_is_in_the_site() -> None:
    index = (ROOT / "docs/index.md").read_text()
    for page in PAGES:
        name = page.removeprefix("docs/").removesuffix(".md")
        if page not in ("README.md", "docs/index.md") and not re.match(r"matchers/[a-z]", name):
            assert f"\n{name}\n" in index, f"{page} is in no list of docs/index.md"


def _anchors(text: str) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

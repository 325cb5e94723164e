"""The first page in a real browser, over all services by handoff: what it shows, and that all of it works.

Its pictures lie in the folder that PORTICO_ARTEFACTS names, to be looked at: on a desk, on a phone, and in the dark.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from .support.browser import Browser
from .support.payload import MIB
from .support.tree import ROOT
from .support.way import Way
from .support.whole import Whole, whole_site

AXE = ROOT / "tests/vendor/axe.min.js"
GRAVE = ("serious", "critical")
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    with tempfile.TemporaryDirectory(prefix="p") as name, whole_site(Path(name)) as running:
        yield running


@pytest.fixture(scope="module")
def way(whole: Whole) -> Iterator[Way]:
    way = Way(whole.port)
    yield way
    way.close()


@pytest.fixture
def browser(chromium: Browser, whole: Whole) -> Browser:
    """A new profile, with the login filled in where it is asked for."""
    chromium.renew()
    chromium.screen(*DESK)
    chromium.log_in_as("admin", whole.password, "*/uploads/", "*/static/*")  # not what sends files
    return chromium


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("PORTICO_ARTEFACTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_page(browser: Browser, port: int, room: bool = False) -> None:
    """The page, alive: each service has its replica in the picture, and, if asked for, we are in the room."""
    browser.open(f"http://localhost:{port}/")
    browser.wait_until("document.querySelector('[data-service=static] .replica') !== null")
    browser.wait_until("document.querySelector('#n-routers').textContent === '1 router'")
    browser.wait_until("document.querySelector('#list li').textContent !== 'Looking…'")
    if room:
        browser.wait_until("/alone|are here/.test(document.querySelector('#people').textContent)")


def text(browser: Browser, selector: str) -> str:
    return str(browser.run(f"document.querySelector('{selector}').textContent"))


def test_it_loads_without_an_error_and_asks_nobody_else(browser: Browser, whole: Whole) -> None:
    browser.watch()
    browser.errors.clear()
    browser.requests.clear()
    open_page(browser, whole.port, room=True)
    assert browser.errors == []
    asked = {urlsplit(url) for url in browser.requests if not url.startswith("data:")}
    assert {url.netloc for url in asked} == {f"localhost:{whole.port}"}
    assert {"/", "/uploads/", "/ws/live", "/ws/rooms/lobby"} <= {url.path for url in asked}
    assert browser.dialogues == 0, "nobody is asked to log in who only looks"


@pytest.mark.parametrize(("name", "screen", "dark"), [("desk", DESK, False), ("phone", PHONE, False), ("dark", DESK, True)])
def test_everybody_can_read_it(
    browser: Browser, whole: Whole, artefacts: Path, name: str, screen: tuple[int, int], dark: bool
) -> None:
    browser.screen(*screen, dark)
    open_page(browser, whole.port, room=True)
    (artefacts / f"first-page-{name}.png").write_bytes(browser.picture())
    browser.run(f"{AXE.read_text()};1")
    found = browser.run("axe.run().then((all) => all.violations.map(({id, impact, nodes}) => [id, impact, nodes[0].html]))")
    assert isinstance(found, list)
    assert [each for each in found if each[1] in GRAVE] == [], "axe-core has serious faults to tell"
    assert browser.run("document.documentElement.scrollWidth <= innerWidth"), "nothing has to be moved sideways"


def test_all_of_it_can_be_reached_by_keyboard(browser: Browser, whole: Whole) -> None:
    open_page(browser, whole.port)
    seen = []
    for _ in range(30):
        for kind in ("keyDown", "keyUp"):
            browser._call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.append(
            browser.run("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")
        )
    assert seen[0] == "skip"
    assert {"login", "file", "room-talk", "name", "said", "which", "text"} <= set(seen)


def test_the_picture_shows_a_replica_that_comes_and_goes(browser: Browser, whole: Whole) -> None:
    open_page(browser, whole.port)
    replicas = "document.querySelectorAll('[data-service=static] .replica').length"
    assert browser.run(replicas) == 1
    second = whole.start("static", "2")
    browser.wait_until(f"{replicas} === 2")
    assert text(browser, "#live-changes") == "static has 2 replicas now."
    second.stop()
    browser.wait_until(f"{replicas} === 1")


def test_an_upload_is_paused_and_goes_on_after_the_network_was_cut(
    browser: Browser, whole: Whole, way: Way, tmp_path: Path
) -> None:
    file = tmp_path / "große datei.bin"
    file.write_bytes(os.urandom(12 * MIB + 7))
    way.mend()
    way.slow(1 * MIB)  # until it is paused: nobody has to hurry
    open_page(browser, way.port)
    browser.choose("#file", file)
    browser.click("#upload button")
    sent = "document.querySelector('#transfers progress').value"
    browser.wait_until(f"document.querySelector('#transfers progress') !== null && {sent} > 0.1")
    assert browser.dialogues == 1
    browser.click("#transfers .pause")
    browser.wait_until("document.querySelector('#transfers .said').textContent.startsWith('Paused at')")
    assert text(browser, "#transfers .pause") == "Resume"
    way.slow(6 * MIB)
    way.cut()
    browser.click("#transfers .pause")
    browser.wait_until("document.querySelector('#transfers .said').textContent.includes('broke')")
    way.mend()
    browser.wait_until(f"{sent} > 0.5 || document.querySelector('#upload-said').matches('.good')")
    way.cut()  # once more, in the middle
    way.mend()
    browser.wait_until("document.querySelector('#upload-said').matches('.good, .bad')", 60)
    assert text(browser, "#upload-said") == f"{file.name} is there, 12 MiB."
    got = requests.get(f"http://localhost:{whole.port}/uploads/{file.name}", timeout=30)
    assert hashlib.sha256(got.content).digest() == hashlib.sha256(file.read_bytes()).digest()
    browser.wait_until(f"[...document.querySelectorAll('#list a')].some((link) => link.textContent === '{file.name}')")
    browser.wait_until("document.querySelector('#user').textContent === 'Logged in as admin'")
    assert browser.dialogues == 1
    browser.wait_until("!document.querySelector('#live').matches('.off')")  # it is back as well


def test_two_files_at_once_and_one_is_cancelled(browser: Browser, whole: Whole, way: Way, tmp_path: Path) -> None:
    for name in ("one.bin", "two.bin"):
        (tmp_path / name).write_bytes(os.urandom(8 * MIB))
    way.mend()
    way.slow(1 * MIB)
    open_page(browser, way.port)
    browser.choose("#file", tmp_path / "one.bin", tmp_path / "two.bin")
    browser.click("#upload button")
    browser.wait_until("document.querySelectorAll('#transfers li').length === 2")
    browser.wait_until("[...document.querySelectorAll('#transfers progress')].every((bar) => bar.value > 0)")
    browser.click("#transfers li:nth-child(2) .stop")
    browser.wait_until("document.querySelector('#upload-said').textContent.startsWith('two.bin: Cancelled')")
    way.slow(0)
    browser.wait_until("document.querySelector('#upload-said').textContent === 'one.bin is there, 8.0 MiB.'", 60)
    names = [file["name"] for file in requests.get(f"http://localhost:{whole.port}/uploads/", timeout=20).json()]
    assert "one.bin" in names and "two.bin" not in names


def test_two_people_talk_in_the_room(browser: Browser, whole: Whole, way: Way) -> None:
    way.mend()
    way.slow(0)
    open_page(browser, whole.port, room=True)
    first = browser.here
    browser.renew(beside=True)
    second = browser.here
    open_page(browser, way.port, room=True)
    browser.wait_until("document.querySelector('#people').textContent === '2 are here.'")
    say(browser, "hello from the second")
    browser.go_to(first)
    hears(browser, "guest: hello from the second")
    say(browser, "and back")
    browser.go_to(second)
    hears(browser, "guest: and back")
    way.cut()
    browser.wait_until("document.querySelector('#people').textContent.startsWith('Not connected')")
    say(browser, "said while cut off")
    browser.go_to(first)
    say(browser, "missed meanwhile")
    way.mend()
    hears(browser, "guest: said while cut off")
    browser.go_to(second)
    hears(browser, "guest: missed meanwhile")
    assert lines(browser).count("guest: and back") == 1, "nothing comes twice"


def say(browser: Browser, what: str) -> None:
    browser.write("#said", what)
    browser.click("#room button")


def lines(browser: Browser) -> list[str]:
    found = browser.run("[...document.querySelectorAll('#room-talk li')].map((line) => line.lastChild.previousSibling"
                        " ? line.querySelector('b').textContent + line.lastChild.textContent : line.textContent)")  # fmt: skip
    assert isinstance(found, list)
    return found


def hears(browser: Browser, what: str) -> None:
    browser.wait_until(f"[...document.querySelectorAll('#room-talk li')].some((line) => line.textContent.endsWith('{what}'))")


def test_login(browser: Browser, whole: Whole) -> None:
    open_page(browser, whole.port)
    assert text(browser, "#user") == ""
    browser.click("#login")
    browser.wait_until("document.querySelector('#user').textContent === 'Logged in as admin'")
    assert browser.run("document.querySelector('#login').hidden") is True
    assert browser.dialogues == 1
    assert browser.run("fetch('/static/private/').then((answer) => answer.status)") == 200
    assert browser.dialogues == 1, "asked once for all"
    open_page(browser, whole.port)
    browser.wait_until("document.querySelector('#user').textContent === 'Logged in as admin'")

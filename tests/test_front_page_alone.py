"""The first page with the static service alone: what is missing is said, and what the page does by itself is tried."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.browser import Browser
from .support.one_process import OneProcess
from .support.site import ROOT, json_lines
from .support.static_site import static_site


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with static_site(tmp_path_factory.mktemp("alone"), ROOT / "static/files") as running:
        yield running


@pytest.fixture
def page(alone: OneProcess, chromium: Browser) -> Browser:
    chromium.renew()
    chromium.open(f"http://localhost:{alone.port}/")
    return chromium


def test_what_is_not_there_is_said(page: Browser) -> None:
    page.wait_until("document.querySelector('#live-said').textContent.includes('not to be had here')")
    page.wait_until("document.querySelector('#people').textContent === 'Nobody answers in the room.'")
    page.wait_until("document.querySelector('#list').textContent === 'The uploads service does not answer.'")
    page.wait_until("document.querySelector('#login').hidden")


def test_what_nobody_hears_is_said(page: Browser) -> None:
    page.run("room.failures = MOST_FAILURES")  # nobody has to wait here
    page.wait_until("room.socket === null")
    page.write("#said", "hello?")
    page.click("#room button")
    assert page.run("room.socket !== null"), "it is tried again"
    page.run("room.failures = MOST_FAILURES")
    page.wait_until("document.querySelector('#room-talk').textContent === 'Nobody has heard what you said.'")


def status(*services: tuple[str, int]) -> str:
    """The page's `show`, with so many replicas of each service."""
    told = {
        "time": 1.0, "routers": 1, "draining": False, "accepted": 1, "returned": 0, "held": 0, "waiting": 0,
        "services": {
            name: {
                "target": "handoff", "open": 0, "queued": 0,
                "replicas": [{"replica": str(at), "state": "ready", "open": 0} for at in range(count)],
            }
            for name, count in services
        },
    }  # fmt: skip
    return f"show({json.dumps(told)})"


def test_the_picture_keeps_the_focus_where_it_is(page: Browser) -> None:
    focused = "document.activeElement.textContent"
    page.run(status(("static", 1), ("uploads", 1)))
    page.run("document.querySelector('[data-service=uploads] a').focus()")
    page.run(status(("static", 1), ("uploads", 2)))
    assert page.run(focused) == "uploads"
    page.run(status(("rooms", 1), ("static", 1), ("uploads", 2)))
    assert page.run(focused) == "uploads"
    names = "[...document.querySelectorAll('#services b')].map((name) => name.textContent)"
    assert page.run(names) == ["rooms", "static", "uploads"]
    page.run(status(("rooms", 1), ("uploads", 2)))
    assert page.run(names) == ["rooms", "uploads"] and page.run(focused) == "uploads"


def test_all_changes_of_one_moment_are_said(page: Browser) -> None:
    page.run(status(("static", 1), ("uploads", 1), ("rooms", 1)))
    page.run(status(("static", 2), ("uploads", 1), ("rooms", 0)))
    said = page.run("document.querySelector('#live-changes').textContent")
    assert said == "static has 2 replicas now. rooms has 0 replicas now."


def test_a_service_that_was_away_is_asked_again_how_it_takes_uploads(page: Browser) -> None:
    page.run("send([new File(['x'], 'one')])")
    page.wait_until("document.querySelector('#upload-said').matches('.bad')")
    assert page.run("resumable") is None
    page.run("window.fetch = async () => new Response(null, {status: 204, headers: {'Tus-Version': '1.0.0'}}); 1")
    page.run("send([new File(['x'], 'two')]); 1")
    assert page.run("resumable") is True
    page.run("send([]); window.fetch = null; 1")
    assert page.run("resumable") is True, "it has said so"


def test_what_is_said_of_a_refusal(page: Browser) -> None:
    page.run("send([new File(['x'], 'one')])")
    page.wait_until("document.querySelector('#upload-said').textContent === 'one: The answer was 404.'")
    assert page.run("refusal(503, '503 Service Unavailable: none.\\n')") == "503 Service Unavailable: none."
    assert page.run("refusal(400, 'Not a name.\\n')") == "400: Not a name."


def test_the_keyboard_goes_on_when_an_upload_leaves_the_list(page: Browser) -> None:
    page.run("send([new File(['x'], 'one')])")
    page.wait_until("document.querySelector('#transfers .stop').textContent === 'Remove'")
    page.run("document.querySelector('#transfers .stop').focus()")
    page.run("document.activeElement.click()")
    assert page.run("document.activeElement.id") == "file"


def test_a_file_that_is_dropped_beside_the_field_does_not_replace_the_page(page: Browser) -> None:
    drop = (
        "(() => {{ const data = new DataTransfer(); data.{0};"
        " return !document.querySelector('{1}').dispatchEvent("
        "new DragEvent('drop', {{bubbles: true, cancelable: true, dataTransfer: data}})); }})()"
    )
    assert page.run(drop.format("items.add(new File(['x'], 'x'))", "h1")) is True
    assert page.run("document.querySelectorAll('#transfers li').length") == 0
    assert page.run(drop.format("setData('text/plain', 'x')", "#said")) is False, "words may go into a field"
    assert page.run(drop.format("items.add(new File(['x'], 'x'))", "#drop")) is True
    assert page.run("document.querySelectorAll('#transfers li').length") == 1


def test_without_scripts_it_says_so_and_sends_files_by_a_form(alone: OneProcess, chromium: Browser, tmp_path: Path) -> None:
    chromium.renew()
    chromium.scripts(False)
    chromium.open(f"http://localhost:{alone.port}/")
    needs_them = dict.fromkeys(("#login", "#live", "#list", "#room-talk"), False)
    for selector, shown in {**needs_them, "main noscript p": True, "#file": True}.items():
        assert chromium.run(f"document.querySelector('{selector}').checkVisibility()") is shown, selector
    (tmp_path / "a.txt").write_text("a")
    chromium.choose("#file", tmp_path / "a.txt")
    chromium.click("#upload button")
    chromium.wait_until("location.pathname === '/uploads/'")
    assert any(line.get("uri") == "/uploads/" and line["method"] == "POST" for line in json_lines(alone.log))

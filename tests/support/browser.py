"""A headless Chromium, driven over the DevTools protocol: open a page, use it with mouse and keyboard, run a script in it."""

import json
import re
import subprocess
import time
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

__all__ = ["Browser"]

SECONDS_TO_START = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
)
_announced = re.compile(r"DevTools listening on (ws://\S+)").search


class Browser:
    """One page of one browser, with a profile of its own."""

    def __init__(self, chromium: str, folder: Path) -> None:
        """`chromium` is the program; `folder` is empty, for the profile and the log."""
        self._log = folder / "log"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._open_wire = ExitStack()
        self._number = 0
        self._session: str | None = None
        self._login = ("", "")
        self._pages: list[object] = []
        self.errors: list[str] = []
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        try:
            connecting = connect(self._address(), max_size=None, open_timeout=30, ping_interval=None)
            self._wire: ClientConnection = self._open_wire.enter_context(connecting)
            self._open_page()
        except BaseException:
            self._end()
            raise
        return self

    def renew(self, beside: bool = False) -> None:
        """Go on with a new page in a new profile: no connections, and nothing remembered. `beside`: the ones before stay."""
        self._session = None
        if not beside:
            for page in self._pages:
                self._call("Target.closeTarget", targetId=page)
            self._pages.clear()
        profile = self._call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        self._open_page(browserContextId=profile)

    @property
    def here(self) -> str:
        """The page that is driven now, to come back to."""
        assert self._session is not None
        return self._session

    def go_to(self, page: str) -> None:
        """Drive the page that was `here` once; the other ones go on by themselves."""
        self._session = page

    def watch(self) -> None:
        """From now on `errors` and `requests` gather what this page has in its console, and whom it asks for anything."""
        for domain in ("Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def _notice(self, event: dict[str, Any]) -> None:
        found = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(found["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(found["url"])
            case "Log.entryAdded" if found["entry"]["level"] == "error":
                self.errors.append(found["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(found["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if found["type"] in ("error", "assert"):
                self.errors.append(json.dumps(found["args"]))

    def screen(self, width: int, height: int, dark: bool = False) -> None:
        """Be a screen of this size, in CSS pixels; a narrow one is a phone's."""
        phone = width < 600
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = "dark" if dark else "light"
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def scripts(self, run: bool) -> None:
        """Whether pages may run scripts of their own; what is run in them from here runs all the same."""
        self._call("Emulation.setScriptExecutionDisabled", value=not run)

    def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return b64decode(str(shot["data"]))

    def _open_page(self, **where: object) -> None:
        page = self._call("Target.createTarget", url="about:blank", **where)["targetId"]
        self._pages.append(page)
        self._session = str(self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"])
        self._call("Page.enable")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open_wire.close()
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def _address(self) -> str:
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end:
            found = _announced(self._log.read_text(errors="replace"))
            if found:
                return found[1]
            assert self._process.poll() is None, self._log.read_text(errors="replace")
            time.sleep(0.05)
        raise TimeoutError(f"the browser does not start: {self._log.read_text(errors='replace')}")

    def log_in_as(self, user: str, password: str, *places: str) -> None:
        """Fill in every dialogue for a login from now on; `dialogues` counts them.

        `places` are patterns of the addresses that may ask; all others are left alone, and so are quicker where much is sent.
        """
        self._login, self.dialogues = (user, password), 0
        self._call("Fetch.enable", handleAuthRequests=True, patterns=[{"urlPattern": place} for place in places or ["*"]])

    def _call(self, method: str, **parameters: object) -> dict[str, object]:
        answer = self._hear("id", self._send(method, **parameters))
        assert "error" not in answer, answer
        result = answer["result"]
        assert isinstance(result, dict)
        return result

    def _send(self, method: str, page: str | None = None, /, **parameters: object) -> int:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if (page or self._session) is not None:
            message["sessionId"] = page or self._session
        self._wire.send(json.dumps(message))
        return self._number

    def _hear(self, key: str, value: object) -> dict[str, object]:
        """The next message whose `key` is `value`; others are let go."""
        while True:
            message = json.loads(self._wire.recv(timeout=60))
            if message.get(key) == value:
                found: dict[str, object] = message
                return found
            self._notice(message)
            if message.get("method") == "Fetch.requestPaused":
                self._send("Fetch.continueRequest", message["sessionId"], requestId=message["params"]["requestId"])
            elif message.get("method") == "Fetch.authRequired":
                self._fill_in(message["sessionId"], message["params"])

    def _fill_in(self, page: str, asked: dict[str, Any]) -> None:
        """What a user does with the dialogue for a login."""
        self.dialogues += 1
        user, password = self._login
        typed = {"response": "ProvideCredentials", "username": user, "password": password}
        self._send("Fetch.continueWithAuth", page, requestId=asked["requestId"], authChallengeResponse=typed)

    def open(self, url: str) -> None:
        """Load a page and wait until it is there."""
        found = self._call("Page.navigate", url=url)
        assert "errorText" not in found, found
        self.wait_until("document.readyState === 'complete'")

    def wait_until(self, script: str, seconds: float = 30.0) -> None:
        """Until an expression is true in the page.

        Raises:
            AssertionError: it did not become true, or it threw.
        """
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < end, f"still not true after {seconds} s: {script}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Press and let go the mouse's button in the middle of an element, wherever it is on the screen."""
        node = self._node(selector)
        self._call("DOM.scrollIntoViewIfNeeded", nodeId=node)
        quads = self._call("DOM.getContentQuads", nodeId=node)["quads"]
        assert isinstance(quads, list)
        x, y = sum(quads[0][0::2]) / 4, sum(quads[0][1::2]) / 4
        for event in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=event, x=x, y=y, button="left", clickCount=1)

    def write(self, selector: str, text: str) -> None:
        """Put `text` into a field, as if typed."""
        self._call("DOM.focus", nodeId=self._node(selector))
        self._call("Input.insertText", text=text)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a file input, as its dialogue does."""
        self._call("DOM.setFileInputFiles", nodeId=self._node(selector), files=[str(file) for file in files])

    def _node(self, selector: str) -> object:
        root = self._call("DOM.getDocument", depth=0)["root"]
        assert isinstance(root, dict)
        found = self._call("DOM.querySelector", nodeId=root["nodeId"], selector=selector)["nodeId"]
        assert found, f"there is no {selector} on the page"
        return found

    def run(self, script: str) -> object:
        """The value of an expression in the page; a promise is waited for.

        Raises:
            AssertionError: it threw.
        """
        found = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        result = found["result"]
        assert isinstance(result, dict)
        return result.get("value")

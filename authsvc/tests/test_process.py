"""The service as a process: first start, crash, second start, and its end."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from svckit.auth import AuthUnavailable, RemoteChecker
from twisted.cred.credentials import UsernamePassword
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase


class ProcessTests(TestCase):
    """`svckit run authsvc`, as in its container."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authsvc"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.checker = RemoteChecker(self.folder / "auth", reactor)
        self.addCleanup(self.checker.client.close)

    def run_authsvc(self) -> subprocess.Popen[str]:
        environment = {"PORTICO_AUTH": "auth", "PORTICO_STATE": "state", "PORTICO_REPLICA": "one", "PORTICO_RUN": "run"}
        command = [str(Path(sys.executable).with_name("svckit")), "run", "authsvc"]
        child = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.wait, 30)
        self.addCleanup(child.kill)
        return child

    def log_until(self, child: subprocess.Popen[str], text: str) -> "Deferred[list[dict[str, Any]]]":
        def read() -> list[dict[str, Any]]:
            lines: list[dict[str, Any]] = []
            assert child.stdout is not None
            for line in child.stdout:
                lines.append(json.loads(line))
                if text in lines[-1]["message"]:
                    return lines
            raise AssertionError(f"ended without {text!r}: {lines}")

        return deferToThread(read)

    async def test_first_start_crash_second_start_and_end(self) -> None:
        child = self.run_authsvc()
        lines = await self.log_until(child, "answers on")
        (password,) = [line["password"] for line in lines if "first start" in line["message"]]
        credentials = UsernamePassword(b"admin", password.encode())
        self.assertEqual(await self.checker.requestAvatarId(credentials), b"admin")
        child.kill()
        child.wait(30)
        with self.assertRaises(AuthUnavailable):
            await self.checker.requestAvatarId(credentials)
        self.assertTrue((self.folder / "auth" / "one.sock").exists())
        child = self.run_authsvc()
        lines = await self.log_until(child, "answers on")
        self.assertNotIn(password, json.dumps(lines))
        self.assertEqual(await self.checker.requestAvatarId(credentials), b"admin")
        child.terminate()
        self.assertEqual(await deferToThread(child.wait, 30), 0)
        self.assertFalse((self.folder / "auth" / "one.sock").exists())

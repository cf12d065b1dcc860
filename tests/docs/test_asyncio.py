"""The programs of ``docs/asyncio.md``, in Python's development mode: they warn of nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import CHECKOUT, PATIENCE

PAGE = (CHECKOUT / "docs" / "asyncio.md").read_text()
EXAMPLE = CHECKOUT / "examples" / "asyncio_app.py"


class AsyncioPageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.app, self.framework, self.tests = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)

    def run_program(self, program: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program],
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        slow = r"^Executing .* took [\d.]+ seconds\n"  # on a busy machine
        return done.stdout, re.sub(slow, "", done.stderr, flags=re.M)

    def test_app(self) -> None:
        self.assertEqual(self.app, EXAMPLE.read_text())
        out, err = self.run_program(self.app)
        self.assertRegex(
            out, r"\ASMTP on port \d+\nbob@example\.org sent \d+ octets\nsent to alice@example\.org\n\Z"
        )
        self.assertEqual(err, "")

    def test_framework(self) -> None:
        out, err = self.run_program(self.framework)
        self.assertEqual(
            sorted(re.sub(r" \d{2,3}$", "", line) for line in out.splitlines()),
            ["alice@example.org", "carol@example.org"],
        )
        self.assertEqual(err, "")

    def test_tests(self) -> None:
        _, err = self.run_program(self.tests)
        self.assertRegex(err, r"\A\.\.\n-+\nRan 2 tests in [\d.]+s\n\nOK\n\Z")

    def test_the_errors(self) -> None:
        """They are as the table has them."""
        out, _ = self.run_program("""
import asyncio
from mailproto.aio import running_reactor
from twisted.internet.task import deferLater

async def main():
    async with running_reactor() as reactor:
        try:
            await deferLater(reactor, 0.01)
        except RuntimeError as error:
            print("RuntimeError:", error)
        try:
            async with running_reactor():
                pass
        except RuntimeError as error:
            print("RuntimeError:", error)

asyncio.run(main())
""")
        for line in out.splitlines():
            self.assertTrue(
                any(
                    line.startswith(told.partition("...")[0].rpartition("<")[0] or told)
                    for told in re.findall(r"^\| `([^`]+)`", PAGE, re.M)
                ),
                line,
            )
        self.assertEqual(len(out.splitlines()), 2)

"""Runs the examples of a page of ``docs/``, as its reader would.

Blocks of ``python`` are programs: one that imports something begins anew, and any other goes on with the
names of the one before it.  A block of ``dialogue`` is had with the ``factory`` of the last program.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from mailproto.testing import Dialogue

__all__ = ["FOLDER", "Page", "run_pytest"]

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs"

PATIENCE = 20
"""The most seconds that an example may take for a password."""


class Page:
    """A page, and what its examples leave behind.

    :ivar names: the names of the last program.
    """

    def __init__(self, name: str) -> None:
        self.blocks = re.findall(r"^```(\w+)\n(.*?)^```$", (FOLDER / name).read_text(), re.M | re.S)
        self.names: dict[str, Any] = {}
        self.dialogues = 0

    async def run(self) -> None:
        """Run all examples in their order."""
        for language, text in self.blocks:
            if language == "python":
                if text.startswith(("from ", "import ")):
                    self.names = {"__name__": "example"}
                exec(compile(text, "example", "exec", dont_inherit=True), self.names)
            elif language == "dialogue":
                await self.play(text)

    async def play(self, text: str) -> None:
        """Have a dialogue; where it waits for the reactor, what was heard before has been read."""
        self.dialogues += 1
        dialogue = Dialogue(self.names["factory"])
        first, *parts = text.split("wait for the reactor\n")
        dialogue.play(first + ("..." if parts else ""))
        for part in parts:
            for _ in range(PATIENCE * 100):
                if dialogue.connections[""].unread():
                    break
                await deferLater(reactor, 0.01)  # type: ignore[arg-type]
            dialogue.play(part)
        dialogue.close()
        await deferLater(reactor, 0)  # type: ignore[arg-type]


def run_pytest(folder: Path, test: str, app: Path) -> str:
    """Run the tests of a page beside the program that they are for, as a reader would save them.

    :returns: what pytest prints.
    """
    if find_spec("pytest") is None:
        raise SkipTest("needs pytest: pip install 'mailproto[test]'")
    (folder / app.name).write_text(app.read_text())
    (folder / "test_page.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_page.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr

"""Programs that tests run: what they print, and their end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

CHECKOUT = Path(__file__).resolve().parent.parent
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
COMMAND = [sys.executable, "-c", "from mailproto.service._command import main; main()"]

PATIENCE = 60
"""Seconds for a program to start, and to end."""


class Program:
    """A running program, its output read by a thread."""

    def __init__(self, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify()
        with self._changed:
            self.lines.append("")  # the end
            self._changed.notify()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of ``pattern`` in what it prints, now or later."""

        def found() -> bool:
            return bool(re.search(pattern, self.output) or "" in self.lines)

        with self._changed:
            self._changed.wait_for(found, PATIENCE)
        match = re.search(pattern, self.output)
        if match is None:
            raise AssertionError(f"never said {pattern!r}:\n{self.output}")
        return match

    @property
    def output(self) -> str:
        """What it printed so far."""
        return "".join(self.lines)

    def send_signal(self, signal_number: int) -> None:
        """Send it a signal that does not end it."""
        self._process.send_signal(signal_number)

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Send it a signal; its status at the end, negative for a signal's."""
        self._process.send_signal(signal_number)
        return self.wait()

    def wait(self) -> int:
        """Its status at its end."""
        try:
            status = self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
        return status


class ProgramCase(TestCase):
    """Tests that run programs in a folder that is not the checkout."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, *arguments: str, **environment: str) -> Program:
        """Start ``twistd`` in the foreground; it ends with the test."""
        program = Program([*TWISTD, "--nodaemon", "--pidfile=", *arguments], self.folder, environment)
        self.addCleanup(program.stop)
        return program

    def command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[Any]:
        """Run the ``mailproto`` command."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


def port_of(program: Program, name: str) -> int:
    """Where it said that it listens for ``name``."""
    return int(program.wait_for(rf"mailproto: {name} on 127\.0\.0\.1:(\d+)\n").group(1))

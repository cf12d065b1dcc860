"""A server of others, in a process of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.interop.server import HOST, PATIENCE

__all__ = ["PASSWORD", "Daemon", "need_root", "new_folder"]

PASSWORD = "tanstaaftanstaaf"


class Daemon:
    """A running server.

    :ivar port: where it takes mail by SMTP.
    :ivar folder: all that it writes is below.
    :ivar log: what it says of itself.
    :param hello: what clients must say before it greets them.
    :param greeting: how what it says first begins; b"" if it says nothing.
    :param address: where it listens.
    :param stop_command: the command that ends it, where a signal to what ``command`` started does not.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        log: Path,
        command: Sequence[str | Path],
        *,
        stop_command: Sequence[str | Path] = (),
        hello: bytes = b"",
        greeting: bytes = b"220",
        address: str = HOST,
    ) -> None:
        self.folder = folder
        self.port = port
        self.log = log
        self._stop_command = stop_command
        output = folder / "output"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.stop)
        deadline = time.monotonic() + PATIENCE
        while not _greets(address, port, hello, greeting):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"{command[0]} did not start:\n{self.printed()}")
            time.sleep(0.05)

    def printed(self) -> str:
        """Its log, for a test that failed."""
        files = (self.folder / "output", self.log)
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def stop(self) -> None:
        """End it, and what it started."""
        if self._stop_command:
            subprocess.run([str(part) for part in self._stop_command], capture_output=True, check=False)
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        with contextlib.suppress(ProcessLookupError):  # its session is its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _greets(address: str, port: int, hello: bytes, greeting: bytes) -> bool:
    try:
        with socket.create_connection((address, port), 5) as client:
            client.settimeout(5)
            client.sendall(hello)
            return not greeting or client.recv(len(greeting)) == greeting
    except OSError:
        return False


def new_folder() -> Path:
    """One that other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mailproto-test-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def need_root() -> None:
    """Skip the test otherwise."""
    if os.geteuid() != 0:
        raise SkipTest("needs root, to start a mail server that has users of its own")

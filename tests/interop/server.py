"""The server as users run it: ``twistd -n mailproto`` in a process of its own, with mail of its own."""

from __future__ import annotations

import atexit
import itertools
import os
import poplib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PASSWORD = "secret word"
LISTENERS = ("smtp", "submission", "lmtp", "pop3", "imap", "submissions", "pop3s", "imaps")
PATIENCE = 30
"""Seconds for anything that is waited for; nothing takes as long on a machine with time to spare."""

WORK = 100
"""Milliseconds for which the server's reactor may work for one connection at a time.

Twice what counts as a stall, and only the processor time of its thread: what it waits for says nothing of the
server while other tests run.
"""

_STALLED = re.compile(r"\bstalled .*?\bcpu_ms=(\d+).*")
_LISTENING = re.compile(r"mailproto: (\w+) on [\d.]+:(\d+)")


class Server:
    """A running server.

    :ivar ports: by the name of the listener's option.
    :ivar folder: its data folder.
    :param wrapper: the beginning of the command, such as one that enters a namespace.
    """

    def __init__(
        self,
        folder: Path,
        accounts: Sequence[str],
        options: Sequence[str] = (),
        *,
        wrapper: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._wrapper = wrapper
        self.accounts = accounts
        self._options = options
        self.ports: dict[str, int] = {}
        self._log = folder.with_name(f"{folder.name}.log")
        self._stalls = 0
        self.start()

    def start(self) -> None:
        """Begin with what the data folder holds, on new ports; returns when it is ready."""
        arguments = [
            *self._wrapper,
            str(Path(sys.executable).parent / "twistd"),
            "-n",
            "--pidfile=",
            "mailproto",
        ]
        arguments += ["--data", str(self.folder), "--hostname", "mail.test", "--domain", "example.org"]
        for name in LISTENERS:
            arguments += [f"--{name}", f"tcp:0:interface={HOST}"]
        arguments += self._options
        for name in self.accounts:
            arguments += ["--account", f"{name}:{PASSWORD}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder.parent,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            )
        self._stalls = 0
        deadline = time.monotonic() + PATIENCE
        while "mailproto is ready" not in (printed := self.printed()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server did not start:\n{printed}")
            time.sleep(0.02)
        self.ports = {name: int(port) for name, port in _LISTENING.findall(printed)}

    def printed(self) -> str:
        """All that it printed and logged since it started."""
        return self._log.read_text(errors="replace")

    def terminate(self) -> None:
        """Ask it to end, as an administrator does, and see that it ends well."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end:\n{self.printed()}") from None
        printed = self.printed()
        # Once all is done, twistd ends itself with the signal that it got.
        clean = "Server Shut Down." in printed and "Traceback" not in printed
        if not clean or status not in (0, -signal.SIGTERM):
            raise AssertionError(f"the server ended with status {status}:\n{printed}")
        self.assert_fair()

    def assert_fair(self) -> None:
        """No connection has kept the others waiting since this was asked last."""
        stalls = long_work(self.printed())
        new, self._stalls = stalls[self._stalls :], len(stalls)
        if new:
            raise AssertionError("in this test or one before it, all others had to wait:\n" + "\n".join(new))

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def memory(self) -> int:
        """Octets of its resident set."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def trust(self) -> ssl.SSLContext:
        """For clients that check the certificate: it is the server's own."""
        return ssl.create_default_context(cafile=self.certificate)

    @property
    def certificate(self) -> str:
        """The file that clients are to trust."""
        return str(self.folder / "tls-cert.pem")


def new_folder() -> Path:
    """A name for a data folder, in a folder that is removed when the tests end."""
    parent = tempfile.mkdtemp(prefix="mailproto-test-")
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return Path(parent) / "data"


ACCOUNTS = ("alice@example.org", "bob@example.org", "carol@example.org")
"""Few, because each costs a password hash."""


@cache
def shared() -> Server:
    """One server for all tests that do not end it."""
    server = Server(new_folder(), ACCOUNTS)
    atexit.register(server.kill)
    return server


def emptied(server: Server) -> Server:
    """The server, with nothing in anybody's INBOX; it has been fair so far."""
    server.assert_fair()
    for name in server.accounts:
        client = poplib.POP3(HOST, server.ports["pop3"], timeout=PATIENCE)
        client.user(name)
        client.pass_(PASSWORD)
        for number in range(client.stat()[0]):
            client.dele(number + 1)
        client.quit()
    return server


def long_work(printed: str) -> list[str]:
    """The lines of a server's log that say that it worked for `WORK` or longer at a time."""
    return [found[0] for found in _STALLED.finditer(printed) if int(found[1]) >= WORK]


_numbers = itertools.count(1)


def message(text: str = "Hello.", *, to: str = "") -> tuple[str, bytes]:
    """(subject, octets) of a message like no other."""
    subject = f"test {next(_numbers)}"
    header = f"From: <bob@example.com>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\r\n"
    return subject, (header + text + "\r\n").encode()


def run(*command: str | Path, given: bytes | None = None, status: int | None = 0) -> bytes:
    """What a program prints on standard output.

    :param status: what its exit status must be; None for any.
    """
    done = subprocess.run(
        [str(part) for part in command], input=given, capture_output=True, timeout=PATIENCE, check=False
    )
    if status is not None and done.returncode != status:
        raise AssertionError(
            f"{command} ended with {done.returncode}:\n{done.stdout.decode()}\n{done.stderr.decode()}"
        )
    return done.stdout


def need(program: str, package: str) -> None:
    """Skip the test where a program is missing."""
    if shutil.which(program) is None:
        raise SkipTest(f"needs {program}: install the Debian package {package}")

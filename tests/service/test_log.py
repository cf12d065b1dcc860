"""The log of ``twistd mailproto``."""

from __future__ import annotations

import errno
import io
import signal
import smtplib
import socket
import struct
import time
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import (
    Logger,
    LogLevel,
    LogPublisher,
    globalLogPublisher,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailproto import maillog
from mailproto.observing import Client, Refusal, SignedIn, TurnedAway
from mailproto.service import _log
from mailproto.service._log import SOON, TextLog
from tests.processes import ProgramCase, port_of

LOG = maillog.MailLog()
CLIENT = Client(peer="192.0.2.1", protocol="smtp")


class Reactor(Clock):
    """A `Clock` that runs, or does not."""

    running = True


class TextLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = io.StringIO()
        self.reactor = Reactor()

    def observe(self, observer: Any) -> None:
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_it_writes_what_twisted_writes(self) -> None:
        theirs = io.StringIO()
        self.observe(TextLog(self.file, self.reactor))
        self.observe(textFileLogObserver(theirs))
        log = Logger("some.where")
        LOG.signed_in(SignedIn(CLIENT, "alice", "PLAIN"))
        LOG.turned_away(TurnedAway(CLIENT, "too many connections"))
        log.info("two\nlines {a}", a=1)
        log.error("bad {a}", a="\u202e")
        log.failure("worse", Failure(ZeroDivisionError()))
        LOG.refused(Refusal(CLIENT, "550 \u202e", command="RCPT"))
        self.reactor.advance(SOON)
        self.assertEqual(self.file.getvalue(), theirs.getvalue())
        self.assertIn("[mail#info] signed-in peer=192.0.2.1", theirs.getvalue())
        self.flushLoggedErrors(ZeroDivisionError)

    def test_levels(self) -> None:
        for least, shown in (
            (LogLevel.debug, "debug info error"),
            (LogLevel.info, "info error"),
            (LogLevel.error, "error"),
        ):
            file = io.StringIO()
            log = Logger("x", observer=LogPublisher(TextLog(file, self.reactor, least)))
            log.debug("debug")
            log.info("info")
            log.error("error")
            self.assertEqual(" ".join(line.split()[-1] for line in file.getvalue().splitlines()), shown)

    def test_lines_are_written_together(self) -> None:
        """One that comes alone is written at once, and those that come soon after it a little later."""
        self.patch(_log, "SOON", 3600)  # the machine may be slow
        observer = TextLog(self.file, self.reactor)
        self.observe(observer)
        for lines in (1, 4):
            LOG.signed_in(SignedIn(CLIENT, "alice", "PLAIN"))
            self.assertEqual(self.file.getvalue().count("\n"), lines)
            for _ in range(2):
                LOG.signed_in(SignedIn(CLIENT, "alice", "PLAIN"))
            self.assertEqual(self.file.getvalue().count("\n"), lines)
            self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
            self.reactor.advance(3600)
            self.assertEqual(self.file.getvalue().count("\n"), lines + 2)
            observer._flushed = 0  # long ago

    def test_a_clock_that_is_set_back(self) -> None:
        observer = TextLog(self.file, self.reactor)
        for seconds in (time.time(), 1e9, 2e9):
            observer(
                {
                    "log_format": maillog.LINE,
                    "line": "x",
                    "log_level": LogLevel.info,
                    "log_time": seconds,
                }
            )
        self.assertEqual(self.file.getvalue().count("\n"), 3)

    def test_what_is_grave_waits_for_nothing(self) -> None:
        self.observe(TextLog(self.file, self.reactor))
        for number, emit in enumerate(
            (
                lambda: LOG.turned_away(TurnedAway(CLIENT, "too many connections")),
                lambda: Logger("x").info("anything else"),
            ),
            1,
        ):
            LOG.signed_in(SignedIn(CLIENT, "alice", "PLAIN"))
            emit()
            self.assertEqual(self.file.getvalue().count("\n"), 2 * number)

    def test_nothing_is_kept_once_the_reactor_has_stopped(self) -> None:
        self.observe(TextLog(self.file, self.reactor))
        self.reactor.running = False
        LOG.signed_in(SignedIn(CLIENT, "alice", "PLAIN"))
        self.assertEqual(self.file.getvalue().count("\n"), 1)

    def test_a_disk_that_is_full(self) -> None:
        """The server goes on, and the log tells of it once it can."""

        class Disk(io.StringIO):
            is_full = True

            def write(self, text: str) -> int:
                if self.is_full:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(text)

        disk = Disk()
        observer = TextLog(disk, self.reactor)
        self.observe(observer)
        LOG.signed_in(SignedIn(CLIENT, "alice", "PLAIN"))
        self.reactor.advance(SOON)
        Logger("x").info("anything else")
        LOG.turned_away(TurnedAway(CLIENT, "too many connections"))
        self.assertEqual(disk.getvalue(), "")
        disk.is_full = False
        LOG.turned_away(TurnedAway(CLIENT, "too many connections"))
        LOG.turned_away(TurnedAway(CLIENT, "too many connections"))
        self.assertEqual(disk.getvalue().count("turned-away"), 2)
        told = "log lines were lost, in 3 writes: [Errno 28] No space left on device"
        self.assertEqual(disk.getvalue().count(told), 1)

    def test_the_time_goes_on(self) -> None:
        observer = TextLog(self.file, self.reactor)
        for seconds in (0, 0.9, 1, 3600):
            observer(
                {
                    "log_format": maillog.LINE,
                    "line": "x",
                    "log_level": LogLevel.warn,
                    "log_time": 1e9 + seconds,
                }
            )
        stamps = [line.split()[0] for line in self.file.getvalue().splitlines()]
        self.assertEqual(len(set(stamps)), 3)
        self.assertEqual(stamps[0], stamps[1])


class TwistdTests(ProgramCase):
    SERVER = ("--smtp", "tcp:0:interface=127.0.0.1", "--account", "alice@localhost:secret")

    def send(self, port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("bob@example.org", ["alice@localhost"], "Subject: hello\r\n\r\n")

    def reset(self, port: int) -> None:
        """Come and go as bad connections do."""
        connection = socket.create_connection(("127.0.0.1", port))
        connection.recv(1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def test_no_debug_events_unless_one_wants_them(self) -> None:
        for options, shown in (((), False), (("--log-level", "debug"), True)):
            with self.subTest(options=options):
                server = self.start("mailproto", *self.SERVER, *options)
                server.wait_for("mailproto is ready")
                port = port_of(server, "smtp")
                self.reset(port)
                self.send(port)
                server.wait_for(
                    r"\[mail#info\] taken id=\w+ peer=127\.0\.0\.1 .* recipient=<alice@localhost>"
                )
                self.assertNotIn("non-clean", server.output)
                self.assertEqual("[mail#debug] ended peer=127.0.0.1 protocol=smtp" in server.output, shown)
                server.stop()

    def test_a_file_that_is_rotated(self) -> None:
        """As twistd does it on SIGUSR1."""
        server = self.start("--logfile", "mail.log", "mailproto", *self.SERVER)
        log, old = Path(self.folder, "mail.log"), Path(self.folder, "mail.log.1")
        port = int(self.wait_for(log, "mailproto: smtp on 127.0.0.1:", "mailproto is ready"))
        self.send(port)
        self.wait_for(log, "taken id=")
        server.send_signal(signal.SIGUSR1)
        while not old.exists():
            time.sleep(0.02)
        self.send(port)
        self.wait_for(log, "taken id=")
        self.assertEqual((old.read_text() + log.read_text()).count("taken id="), 2)

    def wait_for(self, log: Path, *texts: str) -> str:
        """What comes after the first of ``texts``, once all of them are in the file."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            text = log.read_text() if log.exists() else ""
            if all(each in text for each in texts):
                return text.partition(texts[0])[2].split()[0]
            time.sleep(0.02)
        raise AssertionError(f"never had {texts}: {text}")

    def test_an_observer_of_ones_own(self) -> None:
        Path(self.folder, "mine.py").write_text(
            "import sys\n"
            "from twisted.logger import jsonFileLogObserver\n"
            "def observer():\n    return jsonFileLogObserver(sys.stdout)\n"
        )
        server = self.start("--logger", "mine.observer", "mailproto", *self.SERVER, PYTHONPATH=self.folder)
        port = int(server.wait_for(r'"address": "127\.0\.0\.1:(\d+)"')[1])
        server.wait_for("mailproto is ready")
        self.send(port)
        server.wait_for(r'"recipient": "<alice@localhost>"')

    def test_a_level_that_is_none(self) -> None:
        server = self.start("mailproto", "--log-level", "loud")
        server.wait_for("--log-level: must be 'debug' or 'info' or .* or 'critical', not 'loud'")

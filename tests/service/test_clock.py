"""A system's clock that is set, under a running server: nothing comes late."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from tests.processes import Program, ProgramCase, port_of

TWISTD_WITH_CLOCK = """
import time
from pathlib import Path

real, offset = time.time, Path("offset").absolute()
offset.write_text("0")
time.time = lambda: real() + float(offset.read_text() or 0)  # before Twisted takes it for its own
from twisted.scripts.twistd import run
run()
"""

HOUR = 60 * 60
ENOUGH = 10
"""Seconds; far more than anything here should take."""


class ClockTests(ProgramCase):
    def test_set_back_and_forward(self) -> None:
        """While a wrong password waits to be answered, after 1.5 seconds."""
        program = self.start_server(plain=False)
        for offset in (-HOUR, -10 * 365 * 24 * HOUR, HOUR):
            self.assertTrue(1.4 < self.answer_time(program, offset) < ENOUGH, offset)

    def start_server(self, *, plain: bool) -> Program:
        twistd = [sys.executable, "-c", TWISTD_WITH_CLOCK, "--nodaemon", "--pidfile=", "mailproto"]
        program = Program(
            [*twistd, "--data=data", "--pop3=tcp:0:interface=127.0.0.1"],
            self.folder,
            {"MAILPROTO_PLAIN_TWISTED": str(int(plain))},
        )
        self.addCleanup(program.stop)
        program.wait_for("mailproto is ready")
        return program

    def answer_time(self, program: Program, offset: int) -> float:
        """Seconds for an answer to a wrong password, if the clock is set meanwhile."""
        with socket.create_connection(("127.0.0.1", port_of(program, "pop3")), ENOUGH) as client:
            began = time.monotonic()
            client.sendall(b"USER alice@mail.test\r\nPASS wrong\r\n")
            answers = client.recv(1000)
            time.sleep(0.5)
            Path(self.folder, "offset").write_text(str(offset))
            while answers.count(b"\r\n") < 3:
                answers += client.recv(1000)
            self.assertIn(b"-ERR", answers)
            return time.monotonic() - began

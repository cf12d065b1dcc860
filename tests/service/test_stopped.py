"""A command that a signal stops says so, by its text and its status."""

from __future__ import annotations

import signal
import socket

from tests.processes import COMMAND, Program, ProgramCase


class StoppedTests(ProgramCase):
    def test_while_a_server_does_not_answer(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"pop3://bob@127.0.0.1:{listening.getsockname()[1]}"
            arguments = ["fetch", url, "mbox:box", "--state", "state", "--password-env", "SECRET"]
            program = Program([*COMMAND, *arguments], self.folder, {"SECRET": "secret"})
            listening.settimeout(60)
            connection, _ = listening.accept()
            with connection:
                status = program.stop(signal.SIGTERM)
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertEqual(program.output, "mailproto: stopped by SIGTERM, before all was done\n")

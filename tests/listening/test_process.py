"""A ``.tac`` file with a `Listener` in a real twistd: how it starts, and what a signal does."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import subprocess
import threading
import time
from pathlib import Path

from mailproto.connection.limits import Limits
from tests.processes import CHECKOUT, PATIENCE, TWISTD, Program, ProgramCase, port_of

TAC = """
import sys
from dataclasses import replace
from twisted.application import service
from twisted.internet import reactor
from twisted.internet.task import deferLater
from mailproto.delivery import FunctionDelivery
from mailproto.listening import Listener
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits


async def deliver(envelope, content):
    print("delivering", flush=True)
    await deferLater(reactor, {seconds})
    print("delivered", flush=True)


application = service.Application("slow")
factory = SMTPServerFactory(
    FunctionDelivery(deliver), clock=reactor, hostname="localhost", limits=SMTPLimits(close_timeout=2)
)
Listener({endpoint!r}, factory).setServiceParent(application)
"""
ANY = "tcp:0:interface=127.0.0.1"


class Sender(threading.Thread):
    """Sends one message; the replies to it and to QUIT."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.reply = ""
        self.start()

    def run(self) -> None:
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
                client.ehlo()
                client.mail("a@x.example")
                client.rcpt("b@y.example")
                self.reply = str(client.data("Subject: hello\r\n\r\n"))
        except (OSError, smtplib.SMTPException) as error:
            self.reply = self.reply or f"cut off: {error}"


class ListenerProcessTests(ProgramCase):
    def start_slow(self, seconds: float, endpoint: str = ANY) -> Program:
        Path(self.folder, "slow.tac").write_text(TAC.format(seconds=seconds, endpoint=endpoint))
        return self.start("--no_save", "--python", "slow.tac")

    def idle(self, port: int) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(client.close)
        self.assertEqual(client.recv(1000)[:4], b"220 ")
        return client

    def test_a_delivery_is_finished(self) -> None:
        program = self.start_slow(1)
        port = port_of(program, "smtp")
        idle = self.idle(port)
        sender = Sender(port)
        program.wait_for("delivering")
        program.send_signal(signal.SIGTERM)
        self.assertEqual(idle.recv(1000)[:10], b"421 4.3.2 ")
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port))
        self.assertNotIn("delivered", program.output)
        self.assertEqual(program.wait(), -signal.SIGTERM)
        sender.join()
        self.assertIn("delivered", program.output)
        self.assertIn("250, b'2.", sender.reply)
        self.assertNotIn("Traceback", program.output)

    def test_one_that_never_ends_is_cut_off(self) -> None:
        """Also if nobody has the patience to wait for that."""
        program = self.start_slow(3600)
        sender = Sender(port_of(program, "smtp"))
        program.wait_for("delivering")
        began = time.monotonic()
        program.send_signal(signal.SIGTERM)
        program.wait_for("Received SIGTERM")
        self.assertEqual(program.stop(), -signal.SIGTERM)
        self.assertLess(time.monotonic() - began, Limits().close_timeout)
        sender.join()
        self.assertNotIn("(250", sender.reply)

    def test_a_port_in_use_is_told_in_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            endpoint = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            program = self.start_slow(1, endpoint)
            self.assertEqual(program.wait(), 1)
            last = program.output.splitlines()[-1]
            to_do = "Address already in use: end the program that listens there, or choose another port"
            self.assertTrue(last.endswith(f"cannot listen on {endpoint}: {to_do}"), last)
            self.assertNotIn("Traceback", program.output)

    def test_a_daemons_starter_tells_it_too(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            endpoint = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            Path(self.folder, "slow.tac").write_text(TAC.format(seconds=1, endpoint=endpoint))
            done = subprocess.run(
                [*TWISTD, "--no_save", "--python", "slow.tac"],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on {endpoint}"[:40], done.stderr)
        self.assertFalse(Path(self.folder, "twistd.pid").exists())

"""The programs of ``docs/relay.md`` keep a message until another server takes it."""

from __future__ import annotations

import contextlib
import io
import re
import smtplib
import socket
import sys
from pathlib import Path
from typing import Any

from mailproto.awaiting import settle
from mailproto.model import QueueFilter
from mailproto.testing import Dialogue
from tests.docs.pages import FOLDER
from tests.processes import Program, ProgramCase, port_of

PAGE = "relay.md"
SINK = """
from twisted.application import service
from mailproto.delivery import FunctionDelivery
from mailproto.listening import Listener
from mailproto.smtp import SMTPServerFactory

async def deliver(envelope, content):
    print("from", envelope.sender, "to", envelope.recipients[0].address, flush=True)

application = service.Application("sink")
smtp = SMTPServerFactory(FunctionDelivery(deliver))
Listener("tcp:PORT:interface=127.0.0.1", smtp).setServiceParent(application)
"""

LONGEST = 40
"""Lines of code of a whole server."""

BOTH = """
S: 220 ...
C: EHLO tester
S*: 250-...
S: 250 HELP
C: MAIL FROM:<bob@example.org>
S: 250 ...
C: RCPT TO:<alice@example.org>
S: 250 ...
C: RCPT TO:<carol@test>
S: 250 ...
C: DATA
S: 354 ...
C: Subject: x
C:
C: .
S: 250 ...
"""


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        number: int = unused.getsockname()[1]
        return number


def send(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.login("alice@example.org", "secret")
        client.sendmail("alice@example.org", ["bob@test"], "Subject: x\r\n\r\nx\r\n")


class RelayPageTests(ProgramCase):
    def setUp(self) -> None:
        super().setUp()
        self.next_port = free_port()
        text = (FOLDER / PAGE).read_text()
        text = text.replace(":2525?", f":{self.next_port}?").replace("tcp:8587:", "tcp:0:")
        self.app, self.asyncio_app, self.own_delivery = re.findall(
            r"^```python\n(.*?)^```$", text, re.M | re.S
        )

    def start_file(self, name: str, text: str) -> Program:
        Path(self.folder, name).write_text(text)
        return self.start("--no_save", "--python", name)

    def start_sink(self) -> Program:
        return self.start_file("sink.tac", SINK.replace("PORT", str(self.next_port)))

    def test_with_twistd(self) -> None:
        app = self.start_file("app.tac", self.app)
        send(port_of(app, "submission"))
        app.wait_for("unreached destination=smtp://127.0.0.1")
        self.assertEqual(app.stop(), -15)
        sink = self.start_sink()
        port_of(sink, "smtp")
        queued = self.command("queue", "list", "--store", "sqlite:mail")
        self.assertIn("<bob@test> waiting", queued.stdout, queued.stderr)
        self.assertEqual(
            self.command("queue", "flush", "--store", "sqlite:mail").stdout, "retry: 1 message\n"
        )
        self.start_file("app.tac", self.app).wait_for("sent id=")
        sink.wait_for("from alice@example.org to bob@test")

    def test_on_asyncio(self) -> None:
        sink = self.start_sink()
        port_of(sink, "smtp")
        app = Program([sys.executable, "-X", "dev", "-c", self.asyncio_app], self.folder, {})
        self.addCleanup(app.stop)
        send(int(app.wait_for(r"submission on port (\d+)").group(1)))
        sink.wait_for("from alice@example.org to bob@test")
        self.assertEqual(app.stop(), 0)
        slow = r"^Executing .* took [\d.]+ seconds\n"  # on a busy machine; hashing takes half a second
        self.assertRegex(re.sub(slow, "", app.output, flags=re.M), r"\Asubmission on port \d+\n\s*\Z")

    async def test_a_delivery_beside_the_queue(self) -> None:
        program = self.own_delivery.replace('SQLiteStore("waiting")', "MemoryStore()")
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(program.replace("SQLiteStore", "MemoryStore"), "example", "exec"), names)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            dialogue = Dialogue(names["factory"])
            dialogue.play(BOTH)
            dialogue.close()
        self.assertRegex(printed.getvalue(), r"\Abob@example\.org sent \d+ octets\n\Z")
        [message] = await settle(names["waiting"].queue.find(QueueFilter()))
        self.assertEqual([str(each.recipient.address) for each in message.recipients], ["carol@test"])

    def test_they_are_short(self) -> None:
        for program in (self.app, self.asyncio_app):
            self.assertLessEqual(len([line for line in program.splitlines() if line]), LONGEST)

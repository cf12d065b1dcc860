"""The proxy of ``docs/proxy.md`` does what the page says."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.delivery.reports import Report
from mailproto.model import Address, Envelope, Outcome, Recipient, Session
from tests.docs.scripted_peer import DROP, ScriptedPeer
from tests.processes import CHECKOUT, Program, ProgramCase

EXAMPLE = Path(CHECKOUT, "examples", "smtp_proxy.tac")
PAGE = Path(CHECKOUT, "docs", "proxy.md")
PAGE_BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
T = TypeVar("T")
SENDER, ALICE, EVE = "bob@client.test", "alice@peer.test", "eve@peer.test"
TEXT = "Subject: hello\r\n\r\nIt works.\r\n"


class PageTests(SynchronousTestCase):
    def test_it_shows_the_file(self) -> None:
        self.assertEqual(PAGE_BLOCKS[0], EXAMPLE.read_text())

    def test_it_is_short(self) -> None:
        self.assertLess(len(EXAMPLE.read_text().splitlines()), 20)


class ReportTests(SynchronousTestCase):
    """The last block of the page."""

    def test_the_sender_learns_of_the_others(self) -> None:
        names: dict[str, Any] = {}
        exec(PAGE_BLOCKS[-1], names)
        sent: list[Report] = []

        async def data(content: Content) -> list[Outcome]:
            return outcomes

        async def send(*report: Any) -> None:
            sent.append(Report(*report))

        this = SimpleNamespace(hop=SimpleNamespace(data=data), reports=SimpleNamespace(send=send))
        recipients = tuple(Recipient(Address(name, "peer.test")) for name in ("alice", "eve"))
        envelope = Envelope("4711", Address("bob", "client.test"), recipients, Session("ESMTP", "mx.test"))
        taken, refused = Outcome(250, "2.0.0", "OK"), Outcome(550, "5.2.1", "Gone")
        for outcomes, reports in (([taken, refused], 1), ([taken, taken], 0), ([refused, refused], 0)):
            sent.clear()
            delivering = names["deliver"](this, envelope, Content(TEXT.encode()))
            self.assertEqual(self.successResultOf(Deferred.fromCoroutine(delivering)), outcomes)
            self.assertEqual(len(sent), reports)
            for report in sent:
                self.assertIn(b"<eve@peer.test>", bytes(report.content))
                self.assertNotIn(b"<alice@peer.test>", bytes(report.content))


class ProxyBase(ProgramCase):
    """Starts the proxy.

    :ivar program: the one that runs.
    """

    program: Program

    def proxy(self, port: int) -> Program:
        """Start it before the server at a port of this machine."""
        return self.start(
            "--no_save",
            "--python",
            str(EXAMPLE),
            MAILPROTO_NEXT_HOP=f"127.0.0.1:{port}",
            MAILPROTO_SMTP="tcp:0:interface=127.0.0.1",
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        started = self.program.wait_for(r"starting on (\d+)\n|on 127\.0\.0\.1:(\d+)\n")
        return int(started[1] or started[2])

    def both(self, port: int, dialogue: Callable[[int], T]) -> tuple[T, T]:
        """A dialogue with the server at ``port``, and one through the proxy."""
        self.program = self.proxy(port)
        return dialogue(port), dialogue(self.port)


class ProxyTests(ProxyBase):
    """A client of the proxy gets the very replies of the next hop."""

    def next_hop(self, **settings: str) -> ScriptedPeer:
        """A server with these replies, and the proxy in front of it."""
        greeting = settings.pop("greeting", "220 peer.test ESMTP")
        names = {"END": ".", "EVE": f"RCPT TO:<{EVE}>"}
        peer = ScriptedPeer({names.get(name, name): reply for name, reply in settings.items()}, greeting)
        self.addCleanup(peer.close)
        self.program = self.proxy(peer.port)
        return peer

    def client(self) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.port, timeout=60)
        self.addCleanup(client.close)
        client.ehlo("client.test")
        return client

    def begin(self, client: smtplib.SMTP) -> None:
        self.assertEqual(client.mail(SENDER)[0], 250)
        self.assertEqual(client.rcpt(ALICE)[0], 250)

    def test_a_message(self) -> None:
        peer = self.next_hop()
        client = self.client()
        self.assertEqual(client.sendmail(SENDER, [ALICE], TEXT, ["body=8bitmime"]), {})
        [content] = peer.contents
        self.assertTrue(content.startswith(b"Received: from client.test "), content)
        self.assertTrue(content.endswith(b"\r\n" + TEXT.encode()), content)
        self.assertIn(f"MAIL FROM:<{SENDER}> SIZE={len(TEXT)} BODY=8bitmime", peer.heard)
        self.begin(client)
        code, text = client.data(TEXT)
        self.assertEqual(code, 250)
        self.assertRegex(text, rb"\A2\.0\.0 Taken as [0-9a-f]+: OK, queued as 1234\Z")
        client.quit()
        peer.wait_until_heard("QUIT", "(end)")
        self.program.wait_for(r'taken id=.* detail="250 2\.0\.0 OK, queued as 1234"')

    def test_each_refusal(self) -> None:
        """At MAIL, at RCPT, at DATA and after the content: with its code, its text, and all its lines."""
        for verb, reply in (
            ("MAIL", "451 4.7.1 Greylisted"),
            ("MAIL", "554 5.7.1 No mail from there"),
            ("RCPT", "550-5.1.1 No such user.\r\n550 5.1.1 See https://peer.test/"),
            ("RCPT", "452 4.2.2 Full"),
            ("DATA", "451 4.3.0 Not now"),
            ("END", "554 5.7.1 Spam"),
            ("END", "452 4.3.1 Disk full"),
        ):
            self.next_hop(**{verb: reply})
            client = self.client()
            code = int(reply[:3])
            text = "\n".join(line[4:] for line in reply.split("\r\n")).encode()
            if verb == "MAIL":
                answer = client.mail(SENDER)
            elif verb == "RCPT":
                client.mail(SENDER)
                answer = client.rcpt(ALICE)
            else:
                self.begin(client)
                answer = client.data(TEXT)
            self.assertEqual(answer, (code, text), reply)
            client.quit()
            self.program.stop()

    def test_one_of_two_recipients(self) -> None:
        """The next hop gets the message for the other one."""
        peer = self.next_hop(EVE="550 5.1.1 No such user")
        refused = self.client().sendmail(SENDER, [EVE, ALICE], TEXT)
        self.assertEqual(refused, {EVE: (550, b"5.1.1 No such user")})
        self.assertEqual(len(peer.contents), 1)

    def test_a_reset(self) -> None:
        peer = self.next_hop()
        client = self.client()
        self.begin(client)
        self.assertEqual(client.rset()[0], 250)
        peer.wait_until_heard("RSET")
        self.assertEqual(client.sendmail(SENDER, [ALICE], TEXT), {})
        self.assertEqual(peer.heard.count("RSET"), 1)
        self.assertEqual(peer.heard.count("(end)"), 0)

    def test_after_a_refusal_the_next_message_goes_on(self) -> None:
        """Over the same connection; the next hop's transaction is given up first."""
        peer = self.next_hop(DATA="451 4.3.0 Not now")
        client = self.client()
        self.begin(client)
        self.assertEqual(client.data(TEXT)[0], 451)
        peer.replies["DATA"] = "354 Go on"
        self.begin(client)
        self.assertEqual(client.data(TEXT)[0], 250)
        self.assertEqual(peer.heard.count("RSET"), 1)
        self.assertEqual(peer.heard.count("(end)"), 0)

    def test_a_client_that_is_gone(self) -> None:
        peer = self.next_hop()
        client = self.client()
        self.begin(client)
        client.close()
        peer.wait_until_heard("RSET", "QUIT", "(end)")

    def test_a_next_hop_that_drops_the_connection(self) -> None:
        """At any step: the client may try again, over the same connection, and the log says why."""
        for verb in ("MAIL", "RCPT", "DATA", "END"):
            peer = self.next_hop(**{verb: DROP})
            client = self.client()
            code, _ = client.mail(SENDER)
            if verb != "MAIL":
                code, _ = client.rcpt(ALICE)
            if verb in ("DATA", "END"):
                code, text = client.data(TEXT)
                self.assertEqual(text, b"4.4.2 Temporary failure, try again later")
            self.assertEqual(code, 451, verb)
            client.rset()
            peer.replies[{"END": "."}.get(verb, verb)] = {"DATA": "354 Go"}.get(verb, "250 OK")
            self.assertEqual(client.sendmail(SENDER, [ALICE], TEXT), {})
            client.quit()
            self.program.wait_for(r"\[mail#warn\] deferred .*Connection lost")
            self.assertNotIn("Traceback", self.program.output)
            self.program.stop()

    def test_a_next_hop_that_ends_its_service(self) -> None:
        self.next_hop(RCPT="421 4.3.2 Going down")
        client = self.client()
        client.mail(SENDER)
        self.assertEqual(client.rcpt(ALICE), (421, b"4.3.2 Going down"))
        self.assertRaises(smtplib.SMTPServerDisconnected, client.noop)

    def test_a_next_hop_that_turns_us_away(self) -> None:
        self.next_hop(greeting="554 5.3.2 No service")
        self.assertEqual(self.client().mail(SENDER), (554, b"5.3.2 No service"))

    def test_no_next_hop(self) -> None:
        peer = self.next_hop()
        peer.close()
        self.assertEqual(self.client().mail(SENDER), (451, b"4.4.1 Temporary failure, try again later"))
        self.program.wait_for(r'deferred .*detail="Cannot connect to 127\.0\.0\.1:')

    def test_what_the_next_hop_does_not_offer(self) -> None:
        """An extension that the message needs is refused at MAIL; one that it does not need is left out."""
        peer = self.next_hop(EHLO="250 peer.test")
        client = self.client()
        code, text = client.mail(SENDER, ["body=8bitmime"])
        self.assertEqual((code, text[:5]), (554, b"5.6.3"))
        self.assertEqual(client.mail(SENDER, ["size=100"])[0], 250)
        self.assertIn(f"MAIL FROM:<{SENDER}>", peer.heard)

"""Postfix, Exim and OpenSMTPD bring mail to our server, as clients of SMTP and LMTP."""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from twisted.internet.defer import DeferredQueue, TimeoutError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mailproto.content import Content
from mailproto.delivery import Delivery, accepted
from mailproto.errors import RecipientUnknown
from mailproto.interfaces import IServiceExtensions
from mailproto.model import Address, Envelope, Outcome, Parameters, ServiceExtensions, Session
from mailproto.smtp.lmtp import LMTPServerFactory
from tests.interop.daemons import Daemon, exim, opensmtpd, postfix
from tests.interop.server import HOST, PATIENCE, message
from tests.interop.sink import Arrival, Sink, reactor

TEXT = "..two dots\r\n.\r\n.one\r\n\r\n" + "x" * 900 + "\r\n" + "..\r\n" * 3000
SENDER = "bob@plain.test"


@implementer(IServiceExtensions)
class Promising(Delivery):
    """Says that it sends notifications.

    :ivar envelopes: of what came.
    """

    service_extensions = ServiceExtensions(dsn=True)

    def __init__(self) -> None:
        self.envelopes: DeferredQueue[Envelope] = DeferredQueue()

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        self.envelopes.put(envelope)
        return accepted(envelope)


class RelayTestCase(TestCase):
    """A server that relays to our sink; a subclass says which."""

    start: ClassVar[Callable[[], Daemon]]
    daemon: Daemon

    def setUp(self) -> None:
        self.daemon = type(self).start()

    async def relay(self, octets: bytes, *recipients: str, options: Sequence[str] = ()) -> None:
        """Give a message to the server, which brings it to the sink."""

        def send() -> None:
            with smtplib.SMTP(HOST, self.daemon.port, timeout=PATIENCE) as client:
                client.sendmail(SENDER, recipients, octets, options)

        await deferToThread(send)

    async def arrival(self, sink: Sink) -> Arrival:
        try:
            return await sink.arrival()
        except TimeoutError:
            raise AssertionError(f"no mail came:\n{self.daemon.printed()}") from None

    async def logged(self, pattern: str) -> None:
        """Wait for a line of the server's log."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.daemon.printed()):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r} in\n{self.daemon.printed()}")
            await deferLater(reactor, 0.05)

    def assert_body(self, arrival: Arrival, octets: bytes) -> None:
        """Header fields may be added on the way, and nothing else."""
        body = octets.partition(b"\r\n\r\n")[2]
        self.assertEqual(arrival.content.partition(b"\r\n\r\n")[2], body)

    def recipients(self, arrival: Arrival) -> list[str]:
        return sorted(str(recipient.address) for recipient in arrival.envelope.recipients)


class Tests:
    """What every one of them does."""

    class SMTPTests(RelayTestCase):
        async def test_a_message(self) -> None:
            sink = Sink(self, tls=None)
            _, octets = message(TEXT)
            await self.relay(octets, "alice@plain.test")
            arrival = await self.arrival(sink)
            self.assert_body(arrival, octets)
            self.assertEqual(str(arrival.envelope.sender), SENDER)
            self.assertEqual(self.recipients(arrival), ["alice@plain.test"])
            self.assertEqual(arrival.envelope.session.protocol, "ESMTP")

        async def test_starttls(self) -> None:
            sink = Sink(self, require_tls=True)
            _, octets = message(TEXT)
            await self.relay(octets, "alice@tls.test")
            arrival = await self.arrival(sink)
            self.assert_body(arrival, octets)
            assert arrival.envelope.session.tls is not None
            self.assertRegex(arrival.envelope.session.tls.version, r"\ATLSv1\.[23]\Z")

        async def test_many_recipients_some_refused(self) -> None:
            taken: list[Arrival] = []
            notices: DeferredQueue[str] = DeferredQueue()

            class Choosy(Delivery):
                async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
                    if path.local.startswith("no"):
                        raise RecipientUnknown

                async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
                    if envelope.sender:
                        taken.append(Arrival(envelope, bytes(content)))
                    else:
                        notices.put(bytes(content).decode())
                    return accepted(envelope)

            Sink(self, tls=None, delivery=Choosy())
            _, octets = message()
            names = [f"{'no' if number % 20 == 0 else 'yes'}{number}@plain.test" for number in range(60)]
            await self.relay(octets, *names)
            # The sender's domain is relayed too, so that what they say of the others comes back here.
            refused: set[str] = set()
            while len(refused) < 3:
                notice = await notices.get().addTimeout(PATIENCE, reactor)
                refused |= {name for name in names if f"{name}>" in notice or f"; {name}" in notice}
            self.assertEqual(refused, {name for name in names if name.startswith("no")})
            got = sorted(name for arrival in taken for name in self.recipients(arrival))
            self.assertEqual(got, sorted(name for name in names if name.startswith("yes")))

        async def test_eight_bits(self) -> None:
            sink = Sink(self, tls=None)
            _, octets = message("grüße")
            await self.relay(octets, "alice@plain.test", options=["BODY=8BITMIME"])
            self.assert_body(await self.arrival(sink), octets)


class PostfixTests(Tests.SMTPTests):
    start = staticmethod(postfix)

    async def test_pipelining_and_size(self) -> None:
        sink = Sink(self, tls=None, max_message_size=200_000)
        _, octets = message("x" * 100_000)
        await self.relay(octets, *(f"u{number}@plain.test" for number in range(50)))
        arrival = await self.arrival(sink)
        self.assertEqual(len(arrival.envelope.recipients), 50)
        self.assertGreater(int(arrival.envelope.parameters["SIZE"] or 0), 100_000)

    async def test_smtputf8(self) -> None:
        sink = Sink(self, tls=None)
        octets = "From: <bob@plain.test>\r\nSubject: grüße\r\n\r\nhällo\r\n".encode()

        def send() -> None:
            with smtplib.SMTP(HOST, self.daemon.port, timeout=PATIENCE) as client:
                client.ehlo()
                client.sendmail(SENDER, "ålice@plain.test", octets, ["SMTPUTF8", "BODY=8BITMIME"])

        await deferToThread(send)
        arrival = await self.arrival(sink)
        self.assertEqual(self.recipients(arrival), ["ålice@plain.test"])
        self.assertIn("SMTPUTF8", arrival.envelope.parameters)
        self.assertIn("Subject: grüße\r\n".encode(), arrival.content)
        self.assertIn(b"with UTF8SMTP", arrival.content)

    async def test_dsn(self) -> None:
        """What is asked for is passed on to who offers it."""
        delivery = Promising()
        Sink(self, tls=None, delivery=delivery)

        def send() -> None:
            with smtplib.SMTP(HOST, self.daemon.port, timeout=PATIENCE) as client:
                rcpt = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;a+2Bb@c.test"]
                client.sendmail(SENDER, "alice@plain.test", message()[1], ["RET=HDRS", "ENVID=x+2By"], rcpt)

        await deferToThread(send)
        envelope = await delivery.envelopes.get().addTimeout(PATIENCE, reactor)
        self.assertEqual((envelope.parameters["RET"], envelope.parameters["ENVID"]), ("HDRS", "x+2By"))
        [recipient] = envelope.recipients
        self.assertEqual(set((recipient.parameters["NOTIFY"] or "").split(",")), {"SUCCESS", "FAILURE"})
        self.assertEqual(recipient.parameters["ORCPT"], "rfc822;a+2Bb@c.test")

    async def test_lmtp_by_tcp_and_by_a_unix_socket(self) -> None:
        for domain, path in (("lmtp.test", ""), ("unix.test", str(self.daemon.folder / "lmtp"))):
            sink = Sink(self, LMTPServerFactory, path=path, tls=None)
            _, octets = message(TEXT)
            await self.relay(octets, f"alice@{domain}", f"carol@{domain}")
            arrival = await self.arrival(sink)
            self.assert_body(arrival, octets)
            self.assertEqual(self.recipients(arrival), [f"alice@{domain}", f"carol@{domain}"])
            self.assertEqual(arrival.envelope.session.protocol, "LMTP")
            self.assertEqual(arrival.envelope.session.peer, "" if path else HOST)
            await sink.close()

    async def test_lmtp_takes_for_some_and_refuses_for_others(self) -> None:
        class Choosy(Delivery):
            async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
                return [
                    Outcome(550, "5.2.1", "Off")
                    if r.address.local == "carol"
                    else Outcome(250, "2.0.0", "In")
                    for r in envelope.recipients
                ]

        Sink(self, LMTPServerFactory, tls=None, delivery=Choosy())
        _, octets = message()
        await self.relay(octets, "alice@lmtp.test", "carol@lmtp.test")
        await self.logged(r"to=<alice@lmtp\.test>.*status=sent \(250 2\.0\.0 In")
        await self.logged(r"to=<carol@lmtp\.test>.*dsn=5\.2\.1, status=bounced")


class EximTests(Tests.SMTPTests):
    start = staticmethod(exim)

    async def test_chunking(self) -> None:
        """K in its log stands for BDAT; dots are not stuffed there."""
        sink = Sink(self, tls=None)
        _, octets = message(TEXT * 20)
        await self.relay(octets, "bdat@plain.test")
        self.assert_body(await self.arrival(sink), octets)
        await self.logged(r"=> bdat@plain\.test .* K C=\"250")

    async def test_lmtp(self) -> None:
        sink = Sink(self, LMTPServerFactory, tls=None)
        _, octets = message(TEXT)
        await self.relay(octets, "alice@lmtp.test", "carol@lmtp.test")
        arrival = await self.arrival(sink)
        self.assert_body(arrival, octets)
        self.assertEqual(self.recipients(arrival), ["alice@lmtp.test", "carol@lmtp.test"])


class OpenSMTPDTests(Tests.SMTPTests):
    start = staticmethod(opensmtpd)

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.daemon.stop)

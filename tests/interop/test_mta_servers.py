"""Our client brings mail to Postfix, Exim and OpenSMTPD, which bring it back to the sink, and to Dovecot."""

from __future__ import annotations

import mailbox
from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, ClassVar, Literal

from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.trial.unittest import TestCase

from mailproto.client import ServerAddress
from mailproto.client.errors import TLSFailed
from mailproto.model import Address, Outcome, Recipient
from mailproto.smtp import SMTPClient, SMTPSender, send_mail
from mailproto.smtp.lmtp import LMTPClient
from tests.interop.daemons import Daemon, dovecot, exim, opensmtpd, postfix
from tests.interop.server import HOST, message
from tests.interop.sink import HOSTNAME, Sink, certificate, reactor

SENDER = "bob@plain.test"
REFUSED = "no@plain.test"
TEXT = "..two dots\r\n.\r\n.one\r\n\r\n" + "x" * 900 + "\r\n" + "..\r\n" * 3000
LARGE = ("." + "x" * 70 + "\r\n") * 20_000


def trust(hostname: str = HOSTNAME) -> Any:
    """TLS with a server that has the sink's certificate."""
    pem = Path(certificate()[0]).read_bytes()
    return optionsForClientTLS(hostname, trustRoot=Certificate.loadPEM(pem))


def codes(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.code for outcome in outcomes]


class Tests:
    """What our client can do with every one of them."""

    class SMTPTests(TestCase):
        start: ClassVar[Callable[[], Daemon]]
        extensions: ClassVar[set[str]]
        tls: ClassVar[Literal["required", "opportunistic"]] = "required"
        daemon: Daemon

        def setUp(self) -> None:
            self.daemon = type(self).start()

        async def client(self, **settings: Any) -> SMTPClient:
            """Connected, and having said EHLO."""
            endpoint = TCP4ClientEndpoint(reactor, HOST, self.daemon.port)
            client = await SMTPClient.connect(reactor, endpoint, hostname="client.test", **settings)
            self.addCleanup(client.quit)
            await client.ehlo()
            return client

        async def assert_comes_back(self, sink: Sink, octets: bytes, recipients: Sequence[str]) -> None:
            """Header fields may be added on the way, and nothing else; one arrival or several."""
            found: list[str] = []
            while len(found) < len(recipients):
                arrival = await sink.arrival()
                self.assertEqual(arrival.content.partition(b"\r\n\r\n")[2], octets.partition(b"\r\n\r\n")[2])
                found += [str(recipient.address) for recipient in arrival.envelope.recipients]
            self.assertEqual(sorted(found), sorted(recipients))

        async def test_what_it_offers(self) -> None:
            client = await self.client()
            self.assertLessEqual(self.extensions, set(client.capabilities.keywords))

        async def test_a_message(self) -> None:
            sink = Sink(self, tls=None)
            for pipelining in (True, False):
                client = await self.client(pipelining=pipelining)
                _, octets = message(TEXT)
                self.assertEqual(codes(await client.send(SENDER, ["alice@plain.test"], octets)), [250])
                await self.assert_comes_back(sink, octets, ["alice@plain.test"])

        async def test_many_messages_on_one_connection(self) -> None:
            sink = Sink(self, tls=None)
            client = await self.client()
            messages = [message()[1] for _ in range(10)]
            sent = [client.send(SENDER, ["alice@plain.test"], octets) for octets in messages]
            for each in sent:
                self.assertEqual(codes(await each), [250])
            bodies = sorted([(await sink.arrival()).content.count(b"Subject: test ") for _ in messages])
            self.assertEqual(bodies, [1] * 10)

        async def test_many_recipients_some_refused(self) -> None:
            sink = Sink(self, tls=None)
            client = await self.client()
            _, octets = message()
            good = [f"u{number}@plain.test" for number in range(50)]
            outcomes = await client.send(SENDER, [*good[:25], REFUSED, *good[25:]], octets)
            self.assertEqual(codes(outcomes[:25]) + codes(outcomes[26:]), [250] * 50)
            self.assertEqual(outcomes[25].code // 10, 55)
            await self.assert_comes_back(sink, octets, good)

        async def test_a_large_message(self) -> None:
            sink = Sink(self, tls=None)
            client = await self.client()
            _, octets = message(LARGE)
            self.assertEqual(codes(await client.send(SENDER, ["alice@plain.test"], octets)), [250])
            await self.assert_comes_back(sink, octets, ["alice@plain.test"])

        async def test_starttls(self) -> None:
            sink = Sink(self, tls=None)
            client = await self.client()
            await client.starttls(trust())
            self.assertNotIn("STARTTLS", client.capabilities)
            _, octets = message(TEXT)
            self.assertEqual(codes(await client.send(SENDER, ["alice@plain.test"], octets)), [250])
            await self.assert_comes_back(sink, octets, ["alice@plain.test"])

        async def test_a_certificate_of_somebody_else(self) -> None:
            client = await self.client()
            with self.assertRaises(TLSFailed):
                await client.starttls(trust("elsewhere.test"))

        async def test_an_application_s_message(self) -> None:
            """By one call, through TLS with a certificate that is checked."""
            sink = Sink(self, tls=None)
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Bcc"] = SENDER, "alice@plain.test", f"carol@plain.test, {REFUSED}"
            mail.set_content(".\n..\nHällo\n")
            result = await send_mail(reactor, self.server_address(self.tls), mail)
            self.assertEqual(result.accepted, ["alice@plain.test", "carol@plain.test"])
            self.assertEqual(list(result.refused), [REFUSED])
            recipients = 0
            while recipients < 2:
                arrival = await sink.arrival()
                self.assertNotIn(b"\r\nBcc:", arrival.content)
                came = message_from_bytes(arrival.content, policy=default)
                self.assertEqual(came.get_content(), ".\r\n..\r\nHällo\r\n")
                recipients += len(arrival.envelope.recipients)

        async def test_a_pool(self) -> None:
            sink = Sink(self, tls=None)
            sender = SMTPSender(reactor, self.server_address("none"), connections=3)
            self.addCleanup(sender.close)
            messages = [message()[1] for _ in range(40)]
            sent = [sender.send(SENDER, ["alice@plain.test"], octets) for octets in messages]
            for each in sent:
                self.assertEqual(codes(await each), [250])
            for _ in messages:
                await sink.arrival()

        def server_address(self, tls: Literal["required", "opportunistic", "none"]) -> ServerAddress:
            return ServerAddress(HOST, self.daemon.port, tls=tls, trust_root=certificate()[0])

        async def test_after_a_refusal_the_session_goes_on(self) -> None:
            sink = Sink(self, tls=None)
            client = await self.client()
            _, octets = message()
            for refused in ([REFUSED], [REFUSED, REFUSED]):
                self.assertEqual(
                    {code // 10 for code in codes(await client.send(SENDER, refused, octets))}, {55}
                )
            self.assertEqual(codes(await client.send(SENDER, ["alice@plain.test"], octets)), [250])
            await self.assert_comes_back(sink, octets, ["alice@plain.test"])


class PostfixTests(Tests.SMTPTests):
    start = staticmethod(postfix)
    extensions = {"PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "DSN", "SMTPUTF8", "STARTTLS"}

    async def test_smtputf8(self) -> None:
        sink = Sink(self, tls=None)
        client = await self.client()
        octets = "From: <bob@plain.test>\r\nSubject: grüße\r\n\r\nhällo\r\n".encode()
        self.assertEqual(codes(await client.send(SENDER, ["ålice@plain.test"], octets)), [250])
        await self.assert_comes_back(sink, octets, ["ålice@plain.test"])

    async def test_dsn(self) -> None:
        """What is asked for comes: a notice of what was relayed."""
        sink = Sink(self, tls=None)
        client = await self.client()
        _, octets = message()
        alice = Recipient(
            Address("alice", "plain.test"), {"NOTIFY": "SUCCESS", "ORCPT": "rfc822;a+2Bb@c.test"}
        )
        await client.send(SENDER, [alice], octets, {"RET": "HDRS", "ENVID": "x+2By"})
        arrivals = [await sink.arrival(), await sink.arrival()]
        [notice] = [arrival.content for arrival in arrivals if not arrival.envelope.sender]
        self.assertIn(b"Original-Envelope-Id: x+y\r\n", notice)
        self.assertIn(b"Original-Recipient: rfc822;a+b@c.test\r\n", notice)
        self.assertRegex(notice, rb"Action: (relayed|delivered)\r\n")


class EximTests(Tests.SMTPTests):
    start = staticmethod(exim)
    extensions = {"PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "DSN", "SMTPUTF8", "STARTTLS"}


class OpenSMTPDTests(Tests.SMTPTests):
    start = staticmethod(opensmtpd)
    extensions = {"SIZE", "8BITMIME", "DSN", "STARTTLS"}
    tls = "opportunistic"  # and then in plaintext, see below

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.daemon.stop)

    async def test_starttls(self) -> None:
        """With OpenSSL 3, Debian's finds no private key, whoever asks: the user is told at once."""
        client = await self.client()
        with self.assertRaises(TLSFailed):
            await client.starttls(trust())


class DovecotTests(TestCase):
    """LMTP, by TCP and by a Unix socket."""

    def setUp(self) -> None:
        self.daemon = dovecot()

    async def deliver(self, endpoint: Any, recipients: Sequence[str], octets: bytes) -> list[Outcome]:
        client = await LMTPClient.connect(reactor, endpoint, hostname="client.test")
        await client.ehlo()
        outcomes = await client.send(SENDER, recipients, octets)
        await client.quit()
        return outcomes

    async def test_an_answer_for_each_recipient(self) -> None:
        for endpoint in (
            TCP4ClientEndpoint(reactor, HOST, self.daemon.port),
            UNIXClientEndpoint(reactor, str(self.daemon.folder / "lmtp")),
        ):
            subject, octets = message(TEXT)
            outcomes = await self.deliver(endpoint, ["alice@x.test", "nobody@x.test", "carol@x.test"], octets)
            self.assertEqual(codes(outcomes), [250, 550, 250])
            for name in ("alice", "carol"):
                folder = mailbox.Maildir(self.daemon.folder / "mail" / name / "Maildir", create=False)
                [kept] = [folder.get_bytes(key) for key, kept in folder.items() if kept["Subject"] == subject]
                body = kept.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
                self.assertEqual(body, octets.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"))

"""The server as users run it takes mail to its next hops: Postfix, Exim, OpenSMTPD and Dovecot."""

from __future__ import annotations

import atexit
import contextlib
import mailbox
import re
import smtplib
import time
from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from functools import cache
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.names import dns
from twisted.trial.unittest import SkipTest, TestCase

from tests.interop.daemons import PASSWORD, Daemon, dovecot, exim, opensmtpd, postfix, postfix_of_kinds
from tests.interop.dns_server import serve_dns
from tests.interop.server import HOST, PATIENCE, Server, message, new_folder
from tests.interop.sink import HOSTNAME, Arrival, Sink, certificate, free_port, reactor, unused_port

SENDER = "bob@plain.test"
TEXT = "..two dots\r\n.\r\n.one\r\n\r\n" + "x" * 900 + "\r\n" + "..\r\n" * 3000
NAMES = {name: [dns.Record_A(HOST, ttl=600)] for name in (HOSTNAME, "users.test", "wrong.test")}
"""`HOSTNAME` is the name in the certificate of all of them."""


@cache
def dns_port() -> int:
    """Of `NAMES`, while a test runs."""
    return unused_port()


@cache
def started(name: str) -> Daemon:
    """One of the servers that are not always here.

    :raises SkipTest: it is not.
    """
    return exim() if name == "exim" else opensmtpd()


@cache
def server() -> Server:
    """Ours, with a route for each domain."""
    _, ports = postfix_of_kinds()
    lmtp = dovecot()
    routes = {
        "plain.test": f"smtp://{HOST}:{free_port()}",
        "postfix.plain.test": f"smtp://{HOST}:{postfix().port}",
        "required.plain.test": f"smtp://{HOST}:{ports['tls']}?tls=required",
        "verified.plain.test": f"smtp://{HOSTNAME}:{ports['tls']}?tls=verified",
        "othername.plain.test": f"smtp://wrong.test:{ports['tls']}?tls=verified",
        "notls.plain.test": f"smtp://{HOST}:{ports['plain']}?tls=required",
        "needstls.plain.test": f"smtp://{HOST}:{ports['tls']}?tls=none",
        "old.plain.test": f"smtp://{HOST}:{ports['old']}",
        "users.plain.test": f"smtp://users.test:{ports['users']}?tls=required",
        "wrongpassword.plain.test": f"smtp://wrong.test:{ports['users']}?tls=required",
        "dovecot.test": f"lmtp://{HOST}:{lmtp.port}",
        "socket.test": f"lmtp://{lmtp.folder}/lmtp",
    }
    for name in ("exim", "opensmtpd"):
        with contextlib.suppress(SkipTest):
            routes[f"{name}.plain.test"] = f"smtp://{HOST}:{started(name).port}"
    folder = new_folder()
    credentials = folder.with_name("credentials")
    credentials.write_text(f"users.test alice {PASSWORD}\nwrong.test alice mistaken\n")
    credentials.chmod(0o600)
    options = [f"--route={domain}={url}" for domain, url in routes.items()]
    options += ["--relay=off", f"--relay-from={HOST}", f"--relay-credentials={credentials}"]
    options += [f"--resolver={HOST}:{dns_port()}", "--retry=1"]
    found = Server(folder, (), options, wrapper=("env", f"SSL_CERT_FILE={certificate()[0]}"))
    atexit.register(found.kill)
    return found


class NextHopCase(TestCase):
    """A server that has routes, and the sink to which all of its next hops bring their mail."""

    def setUp(self) -> None:
        _, ends = serve_dns(reactor, "test", NAMES, port=dns_port())
        for end in ends:
            self.addCleanup(end)
        self.server = server()

    def tearDown(self) -> None:
        self.server.assert_fair()

    async def send(
        self,
        octets: bytes,
        *recipients: str,
        sender: str = SENDER,
        options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> None:
        """Give a message to our server."""

        def submit() -> None:
            with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
                client.sendmail(sender, recipients, octets, options, rcpt_options)

        await deferToThread(submit)

    async def arrival(self, sink: Sink) -> Arrival:
        try:
            return await sink.arrival()
        except Exception:
            raise AssertionError(f"no mail came:\n{self.server.printed()[-5000:]}") from None

    async def line(self, kind: str, text: str) -> str:
        """A line of the server's log with a text in it."""
        pattern = re.compile(rf" {kind} .*{re.escape(text)}.*")
        deadline = time.monotonic() + PATIENCE
        while not (found := pattern.search(self.server.printed())):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern.pattern!r} in\n{self.server.printed()[-5000:]}")
            await deferLater(reactor, 0.02)
        return found[0]

    def assert_body(self, arrival: Arrival, octets: bytes) -> None:
        """Header fields may be added on the way, and nothing else."""
        self.assertEqual(arrival.content.partition(b"\r\n\r\n")[2], octets.partition(b"\r\n\r\n")[2])

    async def passes(self, domain: str, *, tls: bool) -> None:
        """A message goes all the way."""
        sink = Sink(self, tls=None)
        _, octets = message(TEXT)
        await self.send(octets, f"alice@{domain}")
        self.assert_body(await self.arrival(sink), octets)
        sent = await self.line("sent", f"<alice@{domain}>")
        self.assertEqual("tls=TLSv1" in sent, tls, sent)

    async def stays(self, domain: str, why: str) -> None:
        """A message does not leave, and is not given up."""
        Sink(self, tls=None)
        _, octets = message()
        recipient = f"stays@{domain}"
        await self.send(octets, recipient)
        await self.line("unreached", why)
        printed = self.server.printed()
        self.assertNotRegex(printed, f"(sent|given-up) .*<{recipient}>")


class MTATests(NextHopCase):
    async def test_postfix(self) -> None:
        await self.passes("postfix.plain.test", tls=True)

    async def test_exim(self) -> None:
        started("exim")
        await self.passes("exim.plain.test", tls=True)

    async def test_many_messages(self) -> None:
        """Over few connections, each in as few round trips as the server allows."""
        await self.many("postfix")
        await self.many("old")

    async def test_many_messages_to_exim(self) -> None:
        started("exim")
        await self.many("exim")

    async def test_many_messages_to_opensmtpd(self) -> None:
        """Debian's offers TLS, but has none (OpenSSL 3 gives it no key): after that it goes in plaintext."""
        started("opensmtpd")
        await self.many("opensmtpd")
        self.assertNotIn("tls=", await self.line("sent", "<u9@opensmtpd.plain.test>"))

    async def many(self, name: str) -> None:
        sink = Sink(self, tls=None)
        expected = set()
        for number in range(10):
            subject, octets = message()
            recipient = f"u{number}@{name}.plain.test"
            await self.send(octets, recipient)
            expected.add((subject, recipient))
        came = [await self.arrival(sink) for _ in expected]
        found = {
            (str(message_from_bytes(each.content)["Subject"]), str(each.envelope.recipients[0].address))
            for each in came
        }
        self.assertEqual(found, expected)
        await sink.close()


class TLSTests(NextHopCase):
    async def test_required(self) -> None:
        await self.passes("required.plain.test", tls=True)

    async def test_verified(self) -> None:
        await self.passes("verified.plain.test", tls=True)

    async def test_a_certificate_for_another_name(self) -> None:
        await self.stays(
            "othername.plain.test", "The certificate is not good for wrong.test: it is for sink.test"
        )

    async def test_a_server_without_tls(self) -> None:
        await self.stays("notls.plain.test", "STARTTLS is not offered")

    async def test_a_server_that_takes_nothing_without_tls(self) -> None:
        """The operator can mend that, too."""
        Sink(self, tls=None)
        _, octets = message()
        await self.send(octets, "alice@needstls.plain.test")
        delayed = await self.line("delayed", "<alice@needstls.plain.test>")
        self.assertIn('reply="451 4.7.0 530 5.7.0 Must issue a STARTTLS command first"', delayed)


class CredentialsTests(NextHopCase):
    async def test_a_user(self) -> None:
        await self.passes("users.plain.test", tls=True)

    async def test_a_wrong_password(self) -> None:
        """The operator can mend that: no mail comes back for it."""
        await self.stays("wrongpassword.plain.test", "535 5.7.8")


class OldServerTests(NextHopCase):
    """A server with hardly any extension."""

    async def test_eight_bits(self) -> None:
        sink = Sink(self, tls=None)
        text = "Grüße\r\n..\r\nfrom afar\r\n"
        header = (
            f"From: {SENDER}\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        )
        octets = (header + text).encode()
        await self.send(octets, "alice@old.plain.test", options=["BODY=8BITMIME"])
        arrival = await self.arrival(sink)
        self.assertTrue(arrival.content.isascii())
        self.assertEqual(message_from_bytes(arrival.content, policy=default).get_content(), text)

    async def test_an_international_recipient(self) -> None:
        sink = Sink(self, tls=None)
        _, octets = message()
        await self.send(octets, "ålice@old.plain.test", options=["SMTPUTF8"])
        report = await self.arrival(sink)
        self.assertEqual(str(report.envelope.sender), "")
        self.assertIn(b"5.6.7", report.content)
        self.assertIn(b"Final-Recipient: utf-8;=C3=A5lice@old.plain.test\r\n", report.content)

    async def test_it_knows_no_notices_of_success(self) -> None:
        """So we send one: it was relayed, and we know no more."""
        sink = Sink(self, tls=None)
        _, octets = message()
        await self.send(octets, "alice@old.plain.test", rcpt_options=["NOTIFY=SUCCESS"])
        arrivals = [await self.arrival(sink), await self.arrival(sink)]
        [report] = [each for each in arrivals if not str(each.envelope.sender)]
        self.assertIn(b"Action: relayed\r\n", report.content)
        self.assertIn(b"Reporting-MTA: dns; mail.test\r\n", report.content)

    async def test_postfix_knows_them(self) -> None:
        """It gets all that the sender asked for, and sends the notice itself."""
        sink = Sink(self, tls=None)
        _, octets = message()
        await self.send(
            octets,
            "alice@postfix.plain.test",
            options=["RET=HDRS", "ENVID=x+2By"],
            rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;a+2Bb@c.test"],
        )
        arrivals = [await self.arrival(sink), await self.arrival(sink)]
        [report] = [each.content for each in arrivals if not str(each.envelope.sender)]
        self.assertIn(b"Reporting-MTA: dns; postfix.test\r\n", report)
        self.assertIn(b"Original-Envelope-Id: x+y\r\n", report)
        self.assertIn(b"Original-Recipient: rfc822;a+b@c.test\r\n", report)


class DovecotTests(NextHopCase):
    """By LMTP, over TCP and a Unix socket."""

    async def test_an_answer_for_each_recipient(self) -> None:
        for domain in ("dovecot.test", "socket.test"):
            sink = Sink(self, tls=None)
            subject, octets = message(TEXT)
            names = ("alice", "nobody", "carol")
            await self.send(octets, *(f"{name}@{domain}" for name in names))
            for name in ("alice", "carol"):
                await self.line("sent", f"<{name}@{domain}>")
                kept = self.in_mailbox(name, subject)
                body = kept.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
                self.assertEqual(body, octets.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"))
            report = await self.arrival(sink)
            about = re.findall(rb"\r\nFinal-Recipient: rfc822; ?(.*)\r\n", report.content)
            self.assertEqual(about, [f"nobody@{domain}".encode()])
            await sink.close()

    def in_mailbox(self, name: str, subject: str) -> bytes:
        folder: Any = mailbox.Maildir(dovecot().folder / "mail" / name / "Maildir", create=False)
        [kept] = [folder.get_bytes(key) for key, kept in folder.items() if kept["Subject"] == subject]
        return bytes(kept)

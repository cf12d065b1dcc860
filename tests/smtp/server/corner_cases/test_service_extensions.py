"""Rows 23, 33, 37 and a4: what may be asked for where the delivery promises it."""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

from mailproto.interfaces import IServiceExtensions
from mailproto.model import ServiceExtensions
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.wire import SMTPWireLimits
from mailproto.testing import MemoryTransport
from tests.smtp.server.corner_cases.test_commands import HELLO, MAIL, SEND
from tests.smtp.server.corner_cases.transcript import TranscriptTestCase
from tests.smtp.server.dialogue import FakeDelivery


@implementer(IServiceExtensions)
class PromisingDelivery(FakeDelivery):
    service_extensions = ServiceExtensions(binary_mime=True, dsn=True, require_tls=True)


class PromiseTestCase(TranscriptTestCase):
    """With a new delivery for each connection, which promises something."""

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(**{**settings, "delivery": PromisingDelivery()})


class BinaryTests(PromiseTestCase):
    BINARY = HELLO + "C: MAIL FROM:<a@b> BODY=BINARYMIME\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\n"

    def test_33_binarymime_and_data(self) -> None:
        """RFC 3030 3: 503, and the message may still come by BDAT."""
        [message] = self.play(
            self.BINARY + "C: DATA\nS: 503 5.5.1...\nC: BDAT 6 LAST\nC~: ␍␊a␀␊␍\nS: 250...\n"
        )
        self.assertEqual(message.content, b"\r\na\0\n\r")

    def test_33_every_octet_comes_as_it_is(self) -> None:
        """RFC 3030 3: none of them ends anything; a header section still has lines."""
        everything = b"A: b\r\n\r\n" + bytes(range(256)) + b"\r\n.\r\n\n.\n\r.\rQUIT\r\n"
        for piece in (0, 1):
            transport = self.connect()
            transport.send(b"EHLO a\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\n")
            transport.read()
            transport.send(b"BDAT %d LAST\r\n%bNOOP\r\n" % (len(everything), everything), piece)
            self.assertRegex(transport.read(), rb"\A250 2\.0\.0 Taken as .*\r\n250 2\.0\.0 OK\r\n\Z")
            self.assertEqual(self.messages()[0].content, everything)

    def test_29_it_has_no_lines(self) -> None:
        """RFC 3030 3: so none is too long."""
        self.play(
            self.BINARY + f"C: BDAT 102 LAST\nC~: ␍␊{'x' * 100}\nS: 250...\n",
            limits=SMTPLimits(greeting_wait=0, wire=SMTPWireLimits(text_line=50)),
        )


class NotificationTests(PromiseTestCase):
    def assert_mail(self, parameters: str, code: int) -> None:
        with self.subTest(parameters):
            self.play(HELLO + f"C: MAIL FROM:<a@b> {parameters}\nS: {code}...")

    def assert_rcpt(self, parameters: str, code: int) -> None:
        with self.subTest(parameters):
            self.play(MAIL + f"C: RCPT TO:<a@b> {parameters}\nS: {code}...")

    def test_37_xtext(self) -> None:
        """RFC 3461 4: printable but for ``+`` and ``=``, and ``+`` with two upper-case digits."""
        for good in ("x", "a+2Bb", "+3D", "+20+7E", "~!<>", "x" * 100):
            self.assert_mail(f"ENVID={good}", 250)
            self.assert_rcpt(f"ORCPT=rfc822;{good}", 250)
        for bad in ("a+2bb", "a+b", "+", "+2", "a+GGb", "a=b", "+2B=", "+0D+0A", "+00"):
            self.assert_mail(f"ENVID={bad}", 501)
            self.assert_rcpt(f"ORCPT=rfc822;{bad}", 501)

    def test_37_notify(self) -> None:
        """RFC 3461 4.1: NEVER alone, the others in any order; nothing else, nothing twice the keyword."""
        for good in (
            "NEVER",
            "SUCCESS",
            "FAILURE",
            "DELAY",
            "SUCCESS,FAILURE,DELAY",
            "delay,failure",
            "never",
        ):
            self.assert_rcpt(f"NOTIFY={good}", 250)
        for bad in (
            "NEVER,SUCCESS",
            "FAILURE,NEVER",
            "",
            ",",
            "SUCCESS,",
            "ALWAYS",
            "SUCCESS;DELAY",
            "NEVER,NEVER",
        ):
            self.assert_rcpt(f"NOTIFY={bad}", 501)
        self.assert_rcpt("NOTIFY", 501)
        self.assert_rcpt("NOTIFY=NEVER NOTIFY=DELAY", 501)

    def test_37_orcpt_ret_and_envid(self) -> None:
        """RFC 3461 4.2 to 4.4."""
        for good in ("RET=FULL", "RET=HDRS", "ret=hdrs", "ENVID=QQ314159 RET=FULL"):
            self.assert_mail(good, 250)
        for bad in ("RET=", "RET", "RET=BODY", "RET=FULL,HDRS", "ENVID", "ENVID=", "RET=FULL RET=HDRS"):
            self.assert_mail(bad, 501)
        for bad in ("ORCPT", "ORCPT=", "ORCPT=a@b", "ORCPT=;a@b", "ORCPT=rfc 822;a@b"):
            self.assert_rcpt(bad, 501)

    def test_37_they_belong_to_their_command(self) -> None:
        """RFC 5321 4.1.1.11."""
        for keyword in ("NOTIFY=NEVER", "ORCPT=rfc822;a@b"):
            self.assert_mail(keyword, 555)
        for keyword in ("RET=FULL", "ENVID=x", "SIZE=1", "BODY=7BIT"):
            self.assert_rcpt(keyword, 555)

    def test_37_they_reach_the_delivery_as_they_came(self) -> None:
        """RFC 3461 5.2: what is to be passed on is kept."""
        self.play(
            HELLO + "C: MAIL FROM:<a@b> RET=HDRS ENVID=x+2By\nS: 250...\n"
            "C: RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;C+2BC@d\nS: 250...\n" + SEND
        )
        [(envelope, _)] = self.delivery.delivered
        self.assertEqual(dict(envelope.parameters), {"RET": "HDRS", "ENVID": "x+2By"})
        [recipient] = envelope.recipients
        self.assertEqual(dict(recipient.parameters), {"NOTIFY": "SUCCESS,DELAY", "ORCPT": "rfc822;C+2BC@d"})


class RequireTLSTests(PromiseTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(**{"tls": CertificateOptions(), **settings})

    def test_a4_only_inside_tls(self) -> None:
        """RFC 8689 2 and 4.1: offered there alone, without a value, and told to the delivery."""
        self.play(
            HELLO + "C: MAIL FROM:<a@b> REQUIRETLS\nS: 5...\nC: STARTTLS\nS: 220...\nC starts TLS\n" + HELLO
            + "C: MAIL FROM:<a@b> REQUIRETLS=yes\nS: 501...\nC: MAIL FROM:<a@b> REQUIRETLS\nS: 250...",
        )  # fmt: skip
        self.assertIn("REQUIRETLS", self.delivery.senders[-1][2])

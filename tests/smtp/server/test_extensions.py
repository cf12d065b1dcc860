"""Extensions that are offered because the delivery promises them, and what may be asked for then."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

from mailproto.interfaces import IServiceExtensions
from mailproto.model import ServiceExtensions, TLSInfo
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.server import SMTPServer
from mailproto.smtp.wire import Notify, Returned, mail_options, rcpt_options
from mailproto.testing import FEEDS, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery, LMTPDialogueTestCase
from tests.smtp.server.test_server import EHLO, MAIL, script

MESSAGE = "C: RCPT TO:<a@b>\nS: 250...\nC: DATA\nS: 354...\nC: .\nS: 250..."
ALL = ServiceExtensions(
    binary_mime=True, dsn=True, require_tls=True, deliver_by=60, mt_priority="MIXER", future_release=3600
)


@implementer(IServiceExtensions)
class PromisingDelivery(FakeDelivery):
    """Says that it honours everything."""

    def __init__(self, service_extensions: ServiceExtensions = ALL) -> None:
        super().__init__()
        self.service_extensions = service_extensions


class PromiseTestCase(DialogueTestCase):
    service_extensions = ALL

    def connect(self, **settings: Any) -> MemoryTransport:
        settings.setdefault("delivery", PromisingDelivery(self.service_extensions))
        return super().connect(**settings)

    def greet(self, transport: MemoryTransport) -> list[str]:
        """What EHLO offers."""
        transport.send(b"EHLO client.example\r\n")
        return [line[4:] for line in transport.read().decode().splitlines()[1:]]

    def assert_mail(self, parameters: str, reply: str, **settings: Any) -> None:
        """What MAIL with ``parameters`` is answered; a refusal begins nothing."""
        for feed in FEEDS:
            transport = self.connect(**settings)
            self.greet(transport)
            self.converse(transport, f"C: MAIL FROM:<bob@b> {parameters}\nS: {reply}...", feed)
            rcpt = "250" if reply.startswith("250") else "503"
            self.converse(transport, f"C: RCPT TO:<a@b>\nS: {rcpt}...", feed)


class OfferTests(PromiseTestCase):
    def test_what_is_promised_is_offered(self) -> None:
        offered = self.greet(self.connect())
        for line in ("BINARYMIME", "CHUNKING", "DSN", "DELIVERBY 60", "MT-PRIORITY MIXER"):
            self.assertIn(line, offered)

    def test_a_promise_without_particulars(self) -> None:
        self.service_extensions = ServiceExtensions(deliver_by=0, mt_priority="")
        offered = self.greet(self.connect())
        self.assertIn("DELIVERBY", offered)
        self.assertIn("MT-PRIORITY", offered)

    def test_international_addresses_may_be_more_than_a_delivery_can_do(self) -> None:
        self.assertIn("SMTPUTF8", self.greet(self.connect()))
        self.service_extensions = ServiceExtensions(smtputf8=False)
        self.assertNotIn("SMTPUTF8", self.greet(self.connect()))
        self.assert_mail("SMTPUTF8", "555 5.5.4")

    def test_nothing_is_offered_that_is_not_promised(self) -> None:
        self.service_extensions = ServiceExtensions()
        self.converse(self.connect(), script(EHLO))
        for parameter in (
            "RET=FULL", "ENVID=x", "REQUIRETLS", "BY=60;R", "MT-PRIORITY=1", "HOLDFOR=1",
            "HOLDUNTIL=2001-09-09T01:46:40Z",
        ):  # fmt: skip
            self.assert_mail(parameter, "555 5.5.4")
        self.assert_mail("BODY=BINARYMIME", "501 5.5.4")

    def test_no_parameter_is_known_behind_helo(self) -> None:
        transport = self.connect()
        self.converse(
            transport,
            """
            C: HELO a
            S: 250...
            C: MAIL FROM:<a@b> SIZE=1
            S: 555 5.5.4...
            C: MAIL FROM:<a@b>
            S: 250...
            C: RCPT TO:<a@b> NOTIFY=NEVER
            S: 555 5.5.4...
            """,
        )

    def test_limits(self) -> None:
        limits = SMTPLimits(recipients=7, transactions=1_000_000)
        self.assertIn("LIMITS RCPTMAX=7", self.greet(self.connect(limits=limits)))
        limits = SMTPLimits(recipients=1_000_000, transactions=1_000_000)
        self.assertNotIn("LIMITS", "".join(self.greet(self.connect(limits=limits))))


class BinaryTests(PromiseTestCase):
    BEGIN = "C: MAIL FROM:<bob@b> BODY=BinaryMIME\nC: RCPT TO:<a@b>\nS: 250...\nS: 250..."

    def begin(self) -> MemoryTransport:
        transport = self.connect()
        self.greet(transport)
        self.converse(transport, self.BEGIN)
        return transport

    def test_any_octets_are_kept(self) -> None:
        body = bytes(range(256)) + b"\r\n.\r\n\n\r"
        for piece in (0, 1):
            transport = self.begin()
            transport.send(b"BDAT 8\r\nA: b\r\n\r\nBDAT %d LAST\r\n" % len(body) + body, piece)
            self.assertRegex(transport.read(), rb"\A250 .*\r\n250 2\.0\.0 Taken .*\r\n\Z")
            self.assertTrue(self.delivery.delivered[0][1].endswith(b"+0000\r\nA: b\r\n\r\n" + body))

    def test_not_behind_data(self) -> None:
        self.converse(
            self.begin(),
            "C: DATA\nS: 503 5.5.1 A binary message comes by BDAT only\n"
            "C: BDAT 0 LAST\nS: 250 2.0.0 Taken...",
        )

    def test_the_header_section_is_still_text(self) -> None:
        for header, reply in ((b"A: b\n\r\n\r\n", "550 5.6.11"), (b"A: \0\r\n\r\n", "550 5.6.0")):
            for limits in (SMTPLimits(), SMTPLimits(memory=20)):
                transport = self.connect(limits=limits)
                self.greet(transport)
                self.converse(transport, self.BEGIN)
                content = header + b"\0" * 20
                transport.send(b"BDAT %d LAST\r\n" % len(content) + content)
                self.assertRegex(transport.read().decode(), rf"\A{reply} .*\r\n\Z")
                self.assertEqual(self.delivery.contents, [])

    def test_what_is_not_declared_binary_is_text(self) -> None:
        transport = self.connect()
        self.greet(transport)
        self.converse(transport, self.BEGIN.replace("BinaryMIME", "8BITMIME"))
        transport.send(b"BDAT 1 LAST\r\n\0")
        self.assertEqual(transport.read(), b"550 5.6.0 NUL in the message\r\n")


class NotificationTests(PromiseTestCase):
    def test_they_come_with_the_envelope(self) -> None:
        for feed in FEEDS:
            transport = self.connect()
            self.greet(transport)
            self.converse(
                transport,
                """
                C: MAIL FROM:<bob@b> RET=HDRS ENVID=QQ+2B1
                S: 250...
                C: RCPT TO:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;x+2By@z
                S: 250...
                C: RCPT TO:<c@d> NOTIFY=NEVER
                S: 250...
                C: DATA
                S: 354...
                C: .
                S: 250...
                """,
                feed,
            )
        [(envelope, _)] = self.delivery.delivered
        options = mail_options(envelope.parameters)
        self.assertEqual((options.returned, options.envelope_id), (Returned.HEADERS, "QQ+1"))
        first, second = (rcpt_options(recipient.parameters) for recipient in envelope.recipients)
        self.assertEqual(first.notify, Notify.SUCCESS | Notify.DELAY)
        self.assertEqual(first.original and first.original.address, "x+y@z")
        self.assertEqual((second.notify, second.original), (Notify.NEVER, None))
        self.assertEqual(envelope.recipients[0].parameters["ORCPT"], "rfc822;x+2By@z")

    def test_bad_ones_of_mail(self) -> None:
        for parameters in (
            "RET", "RET=ALL", "ENVID", "ENVID=+2b", "ENVID=" + "x" * 101,
            "RET=FULL RET=HDRS", "ENVID=a ENVID=b", "ENVID=a ENVID=A",
        ):  # fmt: skip
            self.assert_mail(parameters, "501 5.5.4")

    def test_bad_ones_of_rcpt(self) -> None:
        for parameters, reply in (
            ("NOTIFY", "501"), ("NOTIFY=NEVER,DELAY", "501"), ("NOTIFY=x", "501"), ("ORCPT=a@b", "501"),
            ("ORCPT=rfc822;+zz", "501"), ("NOTIFY=DELAY NOTIFY=NEVER", "501"), ("RET=FULL", "555"),
        ):  # fmt: skip
            transport = self.connect()
            self.greet(transport)
            self.converse(
                transport,
                f"C: MAIL FROM:<bob@b>\nC: RCPT TO:<a@b> {parameters}\nS: 250...\nS: {reply} 5.5.4...",
            )
            self.converse(transport, "C: DATA\nS: 503...")

    def test_an_international_original_recipient(self) -> None:
        transport = self.connect()
        self.greet(transport)
        self.converse(
            transport,
            "C: MAIL FROM:<bob@b> SMTPUTF8\nC: RCPT TO:<a@b> ORCPT=utf-8;é@b\nS: 250...\nS: 250...\n"
            "C: RCPT TO:<a@b> ORCPT=utf-8;\\x{E9}@b\nS: 250...",
        )


class DeliverByTests(PromiseTestCase):
    def test_values(self) -> None:
        for value in ("60;R", "61;rt", "1;N", "-100;N", "0;NT"):
            self.assert_mail(f"BY={value}", "250")
        for value in ("0;R", "-1;R", "x;R", "60", "60;Q"):
            self.assert_mail(f"BY={value}", "501 5.5.4")
        self.assert_mail("BY=59;R", "554 5.4.7")


class PriorityTests(PromiseTestCase):
    def test_values(self) -> None:
        for value in (-9, 0, 9):
            self.assert_mail(f"MT-PRIORITY={value}", "250")
        for value in (-10, 10, "x"):
            self.assert_mail(f"MT-PRIORITY={value}", "501 5.5.4")

    def test_the_trace_field_tells_it(self) -> None:
        transport = self.connect()
        self.greet(transport)
        self.converse(transport, script("C: MAIL FROM:<bob@b> MT-PRIORITY=-3\nS: 250...", MESSAGE))
        self.assertIn(b"\r\n\tfor <a@b>\r\n\tpriority -3;\r\n", self.delivery.delivered[0][1])


class FutureReleaseTests(PromiseTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        transport = super().connect(submission=True, portal=self.portal, any_sender=True, **settings)
        transport.send(b"EHLO a\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n")
        transport.read()
        return transport

    def test_offered_with_the_latest_time(self) -> None:
        self.assertIn("FUTURERELEASE 3600 2001-09-09T02:46:40Z", self.greet(self.connect()))

    def test_values(self) -> None:
        for parameter in ("HOLDFOR=3600", "HOLDUNTIL=2001-09-09T02:46:40Z", "HOLDUNTIL=1999-01-01T00:00:00Z"):
            self.assert_mail(parameter, "250")
        for parameter in ("HOLDFOR=3601", "HOLDUNTIL=2001-09-09T02:46:41Z"):
            self.assert_mail(parameter, "554 5.5.4")
        for parameter in ("HOLDFOR=0", "HOLDUNTIL=tomorrow", "HOLDFOR=1 HOLDUNTIL=2001-09-09T01:46:41Z"):
            self.assert_mail(parameter, "501 5.5.4")


class NoFutureReleaseTests(PromiseTestCase):
    def test_for_submission_only(self) -> None:
        self.assertNotIn("FUTURERELEASE", "".join(self.greet(self.connect())))
        self.assert_mail("HOLDFOR=1", "555 5.5.4")


class RequireTLSTests(PromiseTestCase):
    def inside(self) -> MemoryTransport:
        transport = self.connect(tls=CertificateOptions())
        self.greet(transport)
        transport.send(b"STARTTLS\r\n")
        self.assertEqual(transport.read()[:3], b"220")
        return transport

    def test_inside_tls_only(self) -> None:
        self.assertNotIn("REQUIRETLS", self.greet(self.connect(tls=CertificateOptions())))
        self.assert_mail("REQUIRETLS", "555 5.5.4")
        info = TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")
        with mock.patch.object(SMTPServer, "tls_info", return_value=info):
            transport = self.inside()
            self.assertIn("REQUIRETLS", self.greet(transport))
            self.converse(
                transport,
                script(
                    "C: MAIL FROM:<bob@b> REQUIRETLS=1\nS: 501 5.5.4 REQUIRETLS takes no value",
                    "C: MAIL FROM:<bob@b> REQUIRETLS\nS: 250...",
                    "C: RCPT TO:<a@b>\nS: 250...\nC: DATA\nS: 354...",
                    "C: TLS-Required: No\nC:\nC: .\nS: 250...",
                ),
            )
        [(envelope, content)] = self.delivery.delivered
        self.assertTrue(mail_options(envelope.parameters).require_tls)
        self.assertTrue(content.endswith(b"+0000\r\nTLS-Required: No\r\n\r\n"))


class LMTPOfferTests(LMTPDialogueTestCase):
    def test_promises_hold_for_lmtp_too(self) -> None:
        transport = self.connect(delivery=PromisingDelivery())
        transport.send(b"LHLO a\r\n")
        offered = transport.read()
        for line in (b"BINARYMIME", b"CHUNKING", b"DSN", b"MT-PRIORITY MIXER"):
            self.assertIn(b"250-" + line + b"\r\n", offered)


class InternationalDomainTests(DialogueTestCase):
    """RFC 6531 3.3, RFC 5890: what claims to be an A-label or a U-label is one."""

    def test_domains(self) -> None:
        for domain, reply in (
            ("xn--bcher-kva.example", "250"), ("XN--BCHER-KVA.example", "250"),
            ("r3---sn-4g5e.example", "250"), ("xn--i-7iq.example", "250"), ("XN--VI8HIV.ws", "250"),
            ("xn--zz--9.example", "501"), ("xn--a.example", "501"), ("sub.xn--bcher-kva1.example", "501"),
        ):  # fmt: skip
            enhanced = {"250": ("2.1.0", "2.1.5"), "501": ("5.1.7", "5.1.3")}[reply]
            self.assert_dialogue(script(EHLO, f"C: MAIL FROM:<a@{domain}>\nS: {reply} {enhanced[0]}..."))
            self.assert_dialogue(script(MAIL, f"C: RCPT TO:<a@{domain}>\nS: {reply} {enhanced[1]}..."))

    def test_labels_in_unicode(self) -> None:
        for domain, reply in (
            ("bücher.example", "250"),
            ("a\u0301\u0378.example", "501"),
            ("\u200d.example", "501"),
        ):
            self.assert_dialogue(script(EHLO, f"C: MAIL FROM:<a@{domain}> SMTPUTF8\nS: {reply}..."))
            undeclared = "501 5.1.7" if "\u200d" in domain else "553 5.6.7"
            self.assert_dialogue(script(EHLO, f"C: MAIL FROM:<a@{domain}>\nS: {undeclared}..."))

"""Received: with what protocol, under which protection, for whom (RFC 5321 4.4, RFC 3848, RFC 6531 4.3)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import Address, Recipient, Session, TLSInfo
from mailproto.smtp.server._trace import TraceWriter
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_authentication import SIGNED_IN
from tests.smtp.server.test_server import script

TLS = TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")
RECIPIENTS = (Recipient(Address("c", "d")),)


def received(*, utf8: bool = False, name_account: bool = False, **of_session: Any) -> str:
    """The field, unfolded."""
    session = Session(**{"protocol": "ESMTP", "hostname": "mx.example", "helo": "a", **of_session})
    writer = TraceWriter(session, name_account=name_account)
    return writer.received("id1", RECIPIENTS, 0, utf8=utf8).decode().replace("\r\n\t", " ")


class ProtocolNameTests(SynchronousTestCase):
    def test_every_combination(self) -> None:
        for protocol, utf8, tls, account, name in (
            ("SMTP", False, None, None, "SMTP"),
            ("SMTP", False, TLS, None, "SMTP"),
            ("ESMTP", False, None, None, "ESMTP"),
            ("ESMTP", False, TLS, None, "ESMTPS"),
            ("ESMTP", False, None, "alice", "ESMTPA"),
            ("ESMTP", False, TLS, "alice", "ESMTPSA"),
            ("ESMTP", True, None, None, "UTF8SMTP"),
            ("ESMTP", True, TLS, None, "UTF8SMTPS"),
            ("ESMTP", True, None, "alice", "UTF8SMTPA"),
            ("ESMTP", True, TLS, "alice", "UTF8SMTPSA"),
            ("LMTP", False, None, None, "LMTP"),
            ("LMTP", False, TLS, None, "LMTPS"),
            ("LMTP", False, None, "alice", "LMTPA"),
            ("LMTP", False, TLS, "alice", "LMTPSA"),
            ("LMTP", True, None, None, "UTF8LMTP"),
            ("LMTP", True, TLS, None, "UTF8LMTPS"),
            ("LMTP", True, None, "alice", "UTF8LMTPA"),
            ("LMTP", True, TLS, "alice", "UTF8LMTPSA"),
        ):
            field = received(protocol=protocol, utf8=utf8, tls=tls, account=account)
            protection = " (TLSv1.3 TLS_AES_256_GCM_SHA384)" if tls else ""
            with self.subTest(name=name):
                self.assertEqual(
                    field,
                    f"Received: from a by mx.example with {name}{protection} id id1 for <c@d>; "
                    "Thu, 1 Jan 1970 00:00:00 +0000\r\n",
                )


class RecipientTests(SynchronousTestCase):
    def test_an_international_domain_does_not_make_the_header_international(self) -> None:
        """Otherwise the next server would have to offer SMTPUTF8 for a message that needs it nowhere else."""
        writer = TraceWriter(Session("ESMTP", "mx.example", helo="a"))
        for address, text in (
            (Address("c", "bücher.example"), "for <c@xn--bcher-kva.example>"),
            (Address("josé", "bücher.example"), "for <josé@bücher.example>"),
            (Address("c", "a..ü"), "for <c@a..ü>"),
        ):
            field = writer.received("id1", (Recipient(address),), 0, utf8=True).decode()
            self.assertIn(text, field)


class HelloTests(SynchronousTestCase):
    """RFC 5321 4.4: what a client calls itself is opaque, and the field can be parsed all the same."""

    def start(self, helo: str, peer: str = "192.0.2.1") -> str:
        return received(helo=helo, peer=peer).partition(" by mx.example with ESMTP id id1 for <c@d>; ")[0]

    def test_domains_and_literals(self) -> None:
        for helo in ("a", "a-b.Example", "my_pc", "[192.0.2.7]", "[IPv6:::1]", "127.0.0.1"):
            self.assertEqual(self.start(helo), f"Received: from {helo} ([192.0.2.1])")
        self.assertEqual(self.start("myhost."), "Received: from myhost ([192.0.2.1])")
        self.assertEqual(self.start("a", ""), "Received: from a")

    def test_whatever_else(self) -> None:
        for helo, escaped in (
            ("josé-pc", "jos%C3%A9-pc"),
            ("Johns iPhone", "Johns%20iPhone"),
            ("(x) by evil; y", "%28x%29%20by%20evil%3B%20y"),
            ("a\\", "a%5C"),
            ("%41", "%2541"),
            ("=?utf-8?q?x?=", "%3D%3Futf-8%3Fq%3Fx%3F%3D"),
            ("\u202ex", "%E2%80%AEx"),
            ("a\r\nBcc: b", "a%0D%0ABcc:%20b"),
            ("[300.1.1.1]", "[300.1.1.1]"),
            ("a..b", "a..b"),
            ("-a", "-a"),
            (".", "."),
            ("", ""),
        ):
            with self.subTest(helo):
                self.assertEqual(self.start(helo), f"Received: from [192.0.2.1] (helo={escaped})")
        self.assertEqual(self.start("a b", ""), "Received: from unknown (helo=a%20b)")

    def test_no_line_is_too_long(self) -> None:
        for helo in ("😀" * 5000, "a" * 255, "a b" * 5000):
            field = TraceWriter(Session("ESMTP", "mx.example", peer="2001:db8::1", helo=helo)).received(
                "id1", RECIPIENTS, 0, utf8=True
            )
            self.assertLess(max(map(len, field.split(b"\r\n"))), 998)


class AccountTests(SynchronousTestCase):
    def test_not_named_unless_asked_for(self) -> None:
        self.assertNotIn("alice", received(account="alice@example.org"))

    def test_named(self) -> None:
        field = received(account="alice@example.org", tls=TLS, name_account=True)
        self.assertIn(
            " with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384) (authenticated as alice@example.org) id ", field
        )

    def test_nobody_signed_in(self) -> None:
        self.assertNotIn("authenticated", received(name_account=True))

    def test_a_name_cannot_end_the_comment_or_the_line(self) -> None:
        field = received(account="a) (b\\\r\nBcc: c\x00", name_account=True)
        self.assertIn("(authenticated as a\\) \\(b\\\\??Bcc: c?) id ", field)

    def test_beyond_ascii_only_where_the_message_is(self) -> None:
        self.assertIn("(authenticated as j?rgen)", received(account="jürgen", name_account=True))
        self.assertIn("(authenticated as jürgen)", received(account="jürgen", name_account=True, utf8=True))

    def test_no_line_is_too_long(self) -> None:
        field = received(account="(" * 5000, name_account=True)
        self.assertLess(max(map(len, field.split("\r\n"))), 998)


class SettingTests(DialogueTestCase):
    MESSAGE = (
        "C: MAIL FROM:<a@b>\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\nC: DATA\nS: 354...\nC: .\nS: 250..."
    )

    def test_off_and_on(self) -> None:
        for setting in (False, True):
            self.assert_dialogue(script(SIGNED_IN, self.MESSAGE), portal=self.portal, trace_account=setting)
            content = self.delivery.delivered[0][1]
            self.assertEqual(b"(authenticated as alice)" in content, setting)

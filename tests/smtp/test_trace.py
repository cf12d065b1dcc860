"""Received: with what protocol, under which protection, for whom (RFC 5321 4.4, RFC 3848, RFC 6531 4.3)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import Address, Recipient, Session, TLSInfo
from mailproto.smtp._trace import TraceWriter
from tests.smtp.dialogue import DialogueTestCase
from tests.smtp.test_authentication import SIGNED_IN
from tests.smtp.test_server import script

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

"""Login that is required apart from submission, or not required of it (RFC 4954 6, RFC 6409 4.3)."""

from __future__ import annotations

from typing import Any

from mailproto.auth import password_portal
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_authentication import BAD, EHLO, GOOD, SIGNED_IN, b64
from tests.smtp.server.test_server import script

PORTAL = password_portal({"alice": "secret"})
HELLO = EHLO.replace("CRAM-MD5 ", "")
SIGN_IN = SIGNED_IN.replace("CRAM-MD5 ", "")
MAIL = "C: MAIL FROM:<whoever@elsewhere.example>\nS: 250...\nC: RCPT TO:<bob@example.org>\nS: 250..."
MESSAGE = f"""
{MAIL}
C: DATA
S: 354...
C: Bcc: carol@example.org
C:
C: Hello
C: .
S: 250...
"""
WITHOUT = """
C: MAIL FROM:<a@b>
S: 530 5.7.0 Authentication required
C: RCPT TO:<a@b>
S: 530 5.7.0...
C: DATA
S: 530 5.7.0...
C: VRFY a
S: 530 5.7.0...
C: NOOP
S: 250...
C: RSET
S: 250...
"""


class RelayTests(DialogueTestCase):
    """``auth_required=True``: mail is taken after login, and not changed."""

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(**{"portal": PORTAL, "auth_required": True, **settings})

    def test_before_login(self) -> None:
        self.assert_dialogue(script(HELLO, WITHOUT))

    def test_after_login(self) -> None:
        """Any sender, and the fields as they are."""
        self.assert_dialogue(script(SIGN_IN, MESSAGE))
        [(envelope, content)] = self.delivery.delivered
        self.assertEqual((envelope.session.account, envelope.session.submission), ("alice", False))
        self.assertTrue(content.endswith(b"\r\nBcc: carol@example.org\r\n\r\nHello\r\n"), content)
        self.assertNotIn(b"Message-ID", content)

    def test_where_no_password_may_be_sent(self) -> None:
        self.peer = ELSEWHERE
        self.assert_dialogue(
            script(
                HELLO.replace("S: 250-AUTH PLAIN LOGIN\n", ""),
                f"C: AUTH PLAIN {GOOD}\nS: 538 5.7.11...",
                "C: MAIL FROM:<a@b>\nS: 530 5.7.0 Authentication required",
            )
        )

    def test_over_lmtp(self) -> None:
        self.factory_class = LMTPServerFactory
        self.assert_dialogue(script(HELLO.replace("EHLO", "LHLO"), WITHOUT))


class RelayWithoutLoginTests(DialogueTestCase):
    """A portal alone requires nothing: who signs in is known to the delivery."""

    def test_both(self) -> None:
        for before, account in ((HELLO, None), (SIGN_IN, "alice")):
            self.assert_dialogue(script(before, MESSAGE), portal=PORTAL)
            self.assertEqual(self.delivery.delivered[0][0].session.account, account)


class SubmissionWithoutLoginTests(DialogueTestCase):
    """``auth_required=False``: for a network that is protected otherwise."""

    def test_without_a_portal(self) -> None:
        self.assert_dialogue(
            script(HELLO.replace("S: 250-AUTH PLAIN LOGIN\n", ""), MESSAGE),
            submission=True,
            auth_required=False,
        )
        [(envelope, content)] = self.delivery.delivered
        self.assertEqual((envelope.session.account, envelope.session.submission), (None, True))
        self.assertIn(b"Message-ID", content)
        self.assertNotIn(b"Bcc", content)

    def test_who_signs_in_sends_under_an_address_of_their_own(self) -> None:
        settings: Any = {"submission": True, "auth_required": False, "portal": PORTAL}
        self.assert_dialogue(script(HELLO, MAIL), **settings)
        refused = "C: MAIL FROM:<whoever@elsewhere.example>\nS: 550 5.7.1..."
        self.assert_dialogue(script(SIGN_IN, refused), **settings)


class FailureTests(DialogueTestCase):
    """With the limits as they are by default."""

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(**{"portal": PORTAL, "limits": SMTPLimits(), **settings})

    def test_late(self) -> None:
        """The same for a name that does not exist, and whatever the checker is."""
        for portal in (PORTAL, self.portal):
            for name in ("alice", "bob"):
                transport = self.connect(portal=portal, mechanisms=["PLAIN", "LOGIN"])
                response = b64(f"\0{name}\0wrong")
                self.converse(transport, script(HELLO, f"C: AUTH PLAIN {response}\nwait 1.49 s"))
                self.converse(transport, "wait 0.02 s\nS: 535 5.7.8 Authentication failed")

    def test_a_client_that_does_not_wait(self) -> None:
        transport = self.connect()
        transport.send(b"EHLO a\r\n")
        transport.read()
        transport.send(f"AUTH PLAIN {BAD}\r\nNOOP\r\n".encode())
        transport.drop()
        self.clock.advance(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_login_in_the_first_minute(self) -> None:
        for required, is_open in ((True, False), (False, True)):
            transport = self.connect(portal=PORTAL, auth_required=required)
            transport.read()
            for _ in range(7):
                transport.send(b"NOOP\r\n")
                self.clock.advance(8)
            transport.read()
            self.clock.advance(4)
            told = b"" if is_open else b"421 4.4.2 mx.example no login in time, closing connection\r\n"
            self.assertEqual((transport.read(), transport.is_open), (told, is_open))

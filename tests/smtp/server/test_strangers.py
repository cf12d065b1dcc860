"""Who is a stranger, and waits behind others when there is not time for all (`connection._turn`)."""

from __future__ import annotations

from mailproto.errors import RecipientUnknown
from mailproto.smtp.server._server import SMTPServer
from mailproto.testing import MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, LMTPDialogueTestCase
from tests.smtp.server.test_lmtp import LHLO
from tests.smtp.server.test_server import script

HELLO = "C: HELO client.example\nS: 250..."


def is_stranger(transport: MemoryTransport) -> bool:
    protocol = transport.protocol
    assert isinstance(protocol, SMTPServer)
    return protocol.is_stranger


class StrangerTests(DialogueTestCase):
    def test_until_it_has_named_a_recipient_of_ours(self) -> None:
        transport = self.connect()
        self.delivery.refusals["nobody@b"] = RecipientUnknown()
        self.converse(
            transport, script(HELLO, "C: MAIL FROM:<a@b>\nS: 250...\nC: RCPT TO:<nobody@b>\nS: 550...")
        )
        self.assertTrue(is_stranger(transport))
        self.converse(transport, "C: RCPT TO:<b@b>\nS: 250...")
        self.assertFalse(is_stranger(transport))
        self.converse(transport, "C: RSET\nS: 250...")
        self.assertTrue(is_stranger(transport))

    def test_not_after_a_message(self) -> None:
        transport = self.connect()
        mail = """
    C: MAIL FROM:<a@b>
    S: 250...
    C: RCPT TO:<b@b>
    S: 250...
    C: DATA
    S: 354...
    C: x
    C: .
    S: 250...
"""
        self.converse(transport, script(HELLO, mail))
        self.assertFalse(is_stranger(transport))


class LMTPTests(LMTPDialogueTestCase):
    def test_lmtp_knows_its_clients(self) -> None:
        transport = self.connect()
        self.converse(transport, LHLO)
        self.assertFalse(is_stranger(transport))

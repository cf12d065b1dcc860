"""A client that sends nothing but nonsense is heard for a while."""

from __future__ import annotations

from mailproto.pop3.limits import POP3Limits
from tests.pop3.server.session import SessionTestCase

GOODBYE = b"-ERR Too many bad commands\r\n"


class BadCommandTests(SessionTestCase):
    def assert_sent_away(self, nonsense: bytes) -> None:
        """Whoever says that, and nothing else, is heard only so often."""
        with self.subTest(nonsense=nonsense):
            transport = self.connect()
            transport.read()
            transport.send(nonsense * (POP3Limits().bad_commands + 5))
            replies = transport.read()
            self.assertEqual(replies.count(b"-ERR"), POP3Limits().bad_commands + 1)
            self.assertTrue(replies.endswith(GOODBYE))

    def test_too_many_in_a_row_end_the_session(self) -> None:
        for nonsense in (b"FOO\r\n", b"\r\n", b"\xff\0\r\n", b"NOOP\n", b"A" * 300 + b"\r\n", b"USER\r\n"):
            self.assert_sent_away(nonsense)

    def test_exchanges_that_come_to_nothing(self) -> None:
        """Malformed, cancelled, of no mechanism: but a wrong password counts elsewhere."""
        for nonsense in (b"AUTH PLAIN =\r\n", b"AUTH PLAIN\r\n*\r\n", b"AUTH PLAIN\r\n!\r\n", b"AUTH X\r\n"):
            self.assert_sent_away(nonsense)

    def test_secrets_that_are_not_taken_in_clear(self) -> None:
        transport = self.connect("192.0.2.1")
        transport.send(b"AUTH PLAIN\r\n" * (POP3Limits().bad_commands + 5))
        self.assertTrue(transport.read().endswith(GOODBYE))

    def test_signing_in_starts_again(self) -> None:
        transport = self.connect()
        transport.send(b"AUTH X\r\n" * (POP3Limits().bad_commands - 1))
        self.assertNotIn(GOODBYE, transport.read())
        transport.send(b"AUTH PLAIN AGFsaWNlAHNlY3JldCB3b3Jk\r\nFOO\r\n")
        self.assertNotIn(GOODBYE, transport.read())

    def test_in_either_state(self) -> None:
        transport = self.sign_in()
        transport.send(b"USER alice\r\n" * POP3Limits().bad_commands)
        self.assertTrue(transport.read().endswith(GOODBYE))

    def test_a_good_one_between_them_starts_again(self) -> None:
        transport = self.connect()
        transport.read()
        transport.send((b"FOO\r\n" * (POP3Limits().bad_commands - 1) + b"CAPA\r\n") * 3)
        self.assertNotIn(GOODBYE, transport.read())

    def test_asking_for_messages_that_are_gone_is_no_nonsense(self) -> None:
        transport = self.sign_in()
        transport.send(b"RETR 1\r\n" * (POP3Limits().bad_commands + 5))
        self.assertNotIn(GOODBYE, transport.read())

"""Clients that close their side of the connection, or all of it, while a long command works."""

from __future__ import annotations

from mailproto.connection._line import TURN
from tests.imap.server.dialogue import Client, DialogueTestCase

ALIVE = b"* OK Still working\r\n"
SECOND = round(1 / TURN)
"""Turns of others in a second, where a turn passes at each."""


class HalfClosedTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(3):
            self.inbox.add(b"X: " + b"%d " % number * 1000 + b"\r\n\r\n")
        self.client = self.sign_in(select="INBOX")

    def begin(self, command: bytes) -> Client:
        """Give a command, and close our side, as ``nc -N`` does; every look at the clock takes a turn."""
        self.slow_clock(TURN)
        self.client.send(b"a %b\r\n" % command)
        self.client.session.readConnectionLost()
        return self.client

    def received(self, client: Client) -> bytes:
        """Everything that comes until the server closes the connection."""
        answer = b""
        for _ in range(20_000):
            answer += client.received()
            if not client.transport.is_open:
                break
            self.clock.advance(0)
        return answer

    def test_one_that_waits_gets_its_answer(self) -> None:
        keys = b" ".join(b"NOT HEADER X x%d" % number for number in range(300))
        received = self.received(self.begin(b"SEARCH " + keys))
        self.assertTrue(received.endswith(b"* SEARCH 1 2 3\r\na OK SEARCH completed\r\n"))
        self.assertTrue(received.startswith(ALIVE))
        self.assertIn(received.count(ALIVE), range(2, 30))
        self.assertEqual(received.replace(ALIVE, b""), b"* SEARCH 1 2 3\r\na OK SEARCH completed\r\n")

    def test_a_short_command_is_answered_as_ever(self) -> None:
        self.assertEqual(self.received(self.begin(b"NOOP")), b"a OK NOOP completed\r\n")

    def test_one_that_has_gone_is_served_no_longer(self) -> None:
        keys = b" ".join(b"NOT HEADER X x%d" % number for number in range(900))
        client = self.begin(b"SEARCH " + keys)
        for _ in range(5 * SECOND):
            self.clock.advance(0)
            if client.received() == ALIVE:  # the kernel's answer to this is a reset
                client.transport.drop()
                break
        self.assertFalse(client.transport.is_open)
        for _ in range(5):
            self.clock.advance(0)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def test_nothing_comes_in_the_midst_of_an_answer(self) -> None:
        self.fill(300)
        received = self.received(self.begin(b"FETCH 1:* (UID BODY.PEEK[])"))
        first = received.index(b"* 1 FETCH")
        self.assertNotIn(ALIVE, received[first:])
        self.assertTrue(received.endswith(b"a OK FETCH completed\r\n"))

"""What FETCH costs others: of what strangers can send, and of what can be asked."""

from __future__ import annotations

from mailproto.connection._line import TURN
from mailproto.imap.server._reading import OCTETS_AT_ONCE
from mailproto.model import Part
from tests.imap.server.dialogue import Client, DialogueTestCase, message, run


class FetchCostTests(DialogueTestCase):
    PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\na\r\n" * 9000
    FIELDS = b"X: y\r\n" * 9000 + b"\r\nbody"

    def writes_of(self, command: bytes, select: str = "INBOX") -> list[int]:
        """The octets of each write in the answer, to a client that reads."""
        client = self.sign_in(select=select)
        write = client.transport.write
        writes: list[int] = []

        def count(data: bytes) -> None:
            writes.append(len(data))
            write(data)

        client.transport.write = count  # type: ignore[method-assign]
        client.send(b"a %b\r\n" % command)
        self.answer(client)
        return writes

    def answer(self, client: Client) -> None:
        """Wait for the answer to FETCH, to a client that reads now and then."""
        received = b""
        for _ in range(100):
            self.clock.pump([0] * 100)
            received += client.received()
            if received.endswith(b"a OK FETCH completed\r\n"):
                return
        self.fail(f"no end: ...{received[-200:]!r}")

    def test_no_write_has_many_octets(self) -> None:
        keywords = [f"{'k' * 16}{at:02}" for at in range(100)]
        self.inbox.add(self.PARTS)
        [parts] = run(self.inbox.read([1], Part.BODY_STRUCTURE))
        self.assertGreater(len(parts.body_structure), 500_000)
        for _ in range(3):
            self.inbox.add(self.PARTS)
        for _ in range(2000):
            self.inbox.add(message(), keywords)
        self.inbox.add(b"Subject: " + b"a" * 1_000_000 + b"\r\n\r\nbody")
        for command, least in (
            (b"FETCH 1:4 BODYSTRUCTURE", 2),
            (b"FETCH 1:4 BODY", 1),
            (b"FETCH 1:4 (BODY BODY.PEEK[1])", 1),
            (b"FETCH 5:* FLAGS", 3),
            (b"FETCH 5:* (FLAGS BODY.PEEK[])", 3),
            (b"FETCH 5:* (FLAGS BODY.PEEK[HEADER])", 3),
            (b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (%b)]" % (b"a" * 16_000), 8),
            (b"FETCH 2005 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])", 6),
            (b"FETCH 2005 (" + b" ".join(b"BODY.PEEK[]<%d.30000>" % at for at in range(100)) + b")", 6),
        ):
            writes = self.writes_of(command)
            self.assertLess(max(writes), 2 * OCTETS_AT_ONCE, command)
            self.assertGreater(len(writes), least, command)

    def test_others_have_their_turn_within_a_message(self) -> None:
        self.inbox.add(self.PARTS)
        self.inbox.add(self.FIELDS)
        some = b"FETCH 2 (" + b" ".join(b"BODY.PEEK[HEADER.FIELDS (a%d)]" % at for at in range(500)) + b")"
        for command, least in (
            (b"FETCH 1 BODY", 250),
            (b"FETCH 1 BODY.PEEK[5]", 18),
            (b"FETCH 2 BODY.PEEK[HEADER.FIELDS (X)]", 9),
            (some, 500),
        ):
            client = self.sign_in(select="INBOX")
            turns = self.slow_clock(TURN * 2)
            client.send(b"a %b\r\n" % command)
            self.answer(client)
            self.assertGreaterEqual(len(turns), least, command)
            client.transport.drop()
            del self.clock.seconds, self.clock.callLater  # type: ignore[attr-defined]

    def test_a_client_that_goes_away_ends_it(self) -> None:
        self.inbox.add(self.PARTS)
        client = self.sign_in(select="INBOX")
        self.slow_clock(TURN * 2)
        client.send(b"a FETCH 1 BODY\r\n")
        self.clock.pump([0] * 10)
        client.transport.drop()
        self.clock.pump([0] * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.factory.connections, set())

    def test_others_have_their_turn_while_summaries_are_made(self) -> None:
        """They are made when a message in memory is first read."""
        self.inbox.add(self.PARTS)
        self.fill(100)
        client = self.sign_in(select="INBOX")
        turns = self.slow_clock(0)
        for command, least in ((b"FETCH 1 ENVELOPE", 250), (b"FETCH 2:* ENVELOPE", 4), (b"FETCH 2:* UID", 0)):
            turns.clear()
            client.send(b"a %b\r\n" % command)
            self.answer(client)
            self.assertGreaterEqual(len(turns), least)

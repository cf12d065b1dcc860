"""Large messages take many turns of the reactor, and in between the server is heard."""

from __future__ import annotations

from mailproto.client._streaming import OCTETS_A_TURN
from mailproto.client.errors import ConnectionLost
from mailproto.content import Content
from mailproto.model import Outcome
from mailproto.smtp.client._content import PIECE
from mailproto.smtp.errors import UNCERTAIN
from tests.smtp.client.dialogue import ALICE, BOB, PIPELINING, SENDER, TEXT, ClientTestCase, offering, turn

LARGE = b"x" * 78 + b"\r\n"
LARGE *= 20 * PIECE // len(LARGE)
GROUP = f"C: MAIL FROM:<{SENDER}>\nC: RCPT TO:<{ALICE}>\nC: DATA\n"


class TurnTestCase(ClientTestCase):
    """The server reads whatever is sent at once, which is where one turn has no other end."""

    def connect_to(self, offered: str) -> None:
        self.connect(offered)
        self.transport.capacity = 1 << 40

    def turn(self) -> bytes:
        """What is written in one turn of the reactor."""
        turn(self.clock)
        return self.transport.read()


class LookTests(TurnTestCase):
    """What has to be known of a message before a word of it is said."""

    def test_a_piece_a_turn(self) -> None:
        self.connect_to(PIPELINING)
        self.client.send(SENDER, [ALICE], LARGE)
        self.assertEqual(self.transport.read(), b"")
        turns = 1
        while not (said := self.turn()):
            turns += 1
        self.assertTrue(said.startswith(b"MAIL FROM:<me@client.example>\r\n"))
        self.assertIn(turns, range(len(LARGE) // PIECE, len(LARGE) // PIECE + 3))
        self.assertEqual(self.turn(), b"")

    def test_a_small_one_is_sent_at_once(self) -> None:
        self.connect_to(PIPELINING)
        self.client.send(SENDER, [ALICE], b"x" * PIECE)
        self.assertTrue(self.transport.read().startswith(b"MAIL"))

    def test_order_is_kept(self) -> None:
        self.connect_to(PIPELINING)
        self.client.send(SENDER, [ALICE], LARGE)
        noop = self.client.noop()
        self.client.send(SENDER, [BOB], TEXT)
        self.assertEqual(self.transport.read(), b"")
        self.converse(GROUP + "S: 550 5.1.8 No\nS: 503 No\nS: 503 No\nC: NOOP\nS: 250 OK\n...")
        self.result(noop)
        self.assertIn(b"RCPT TO:<bob@mx.example>", self.read())

    def test_once(self) -> None:
        """The next transaction of the message knows it."""
        self.connect_to(offering("LIMITS RCPTMAX=1"))
        self.client.send(SENDER, [ALICE, BOB], LARGE)
        self.read()
        self.transport.send(b"250 OK\r\n550 No\r\n503 No\r\n")
        self.assertIn(b"RCPT TO:<bob@mx.example>", self.transport.read())

    def test_lost_meanwhile(self) -> None:
        self.connect_to(PIPELINING)
        sent = self.client.send(SENDER, [ALICE], LARGE)
        self.turn()
        self.transport.drop()
        self.error(sent, ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_meanwhile(self) -> None:
        self.connect_to(PIPELINING)
        self.client.send(SENDER, [ALICE], LARGE).addErrback(lambda _: None).cancel()
        noop = self.client.noop()
        self.read()
        self.client.abort()
        self.error(noop, ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_file_that_cannot_be_read(self) -> None:
        self.connect_to(PIPELINING)
        sent = self.client.send(SENDER, [ALICE], Content.of_file("/nowhere/at/all", 10 * PIECE))
        noop = self.client.noop()
        self.assertEqual(self.read(), b"NOOP\r\n")
        self.assertEqual(self.codes(sent), [(451, "4.3.0")])
        self.assertNoResult(noop)

    def test_what_is_no_content(self) -> None:
        """The caller is told, and the next message is sent."""
        self.connect_to(PIPELINING)
        self.assertRaises(TypeError, self.client.send, SENDER, [ALICE], "x" * 10 * PIECE)
        self.assertRaises(TypeError, self.client.send, SENDER, [ALICE], LARGE, {"BODY": 5})
        self.assertEqual(self.read(), b"")
        self.client.send(SENDER, [ALICE], TEXT)
        self.converse(GROUP)


class StreamTests(TurnTestCase):
    def begin(self, offered: str = PIPELINING, content: bytes = LARGE) -> None:
        self.connect_to(offered)
        self.sent = self.client.send(SENDER, [ALICE], content)
        self.read()
        self.transport.send(b"250 OK\r\n250 OK\r\n")
        if "CHUNKING" not in offered:
            self.transport.send(b"354 Go\r\n")

    def test_some_octets_a_turn(self) -> None:
        for offered in (PIPELINING, offering("CHUNKING")):
            for unit in (b"x" * 78 + b"\r\n", b"\n", b"\r\n."):
                content = unit * (len(LARGE) // len(unit))
                self.begin(offered, content)
                sizes = [len(self.transport.read())]
                while self.clock.getDelayedCalls() and sizes[-1]:
                    sizes.append(len(self.turn()))
                self.assertLessEqual(max(sizes), OCTETS_A_TURN + 2 * PIECE)
                self.assertGreaterEqual(sum(sizes), len(content))

    def test_answered_before_the_end(self) -> None:
        """No yes is one then; a no is, and nothing more is sent."""
        for turns in range(len(LARGE) // OCTETS_A_TURN):
            for reply, outcome in (
                ("250 2.0.0 Taken", (451, "4.5.0")),
                ("354 2.0.0 Go on", (451, "4.5.0")),
                ("552 5.3.4 Too much", (552, "5.3.4")),
                ("421 4.3.2 Going", (421, "4.3.2")),
            ):
                self.begin()
                for _ in range(turns):
                    self.assertTrue(self.turn())
                self.transport.send(f"{reply}\r\n".encode())
                self.assertEqual(self.codes(self.sent), [outcome], (turns, reply))
                self.assertTrue(self.transport.was_aborted)
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answered_after_the_end(self) -> None:
        self.begin()
        self.assertTrue(self.read().endswith(b"\r\n.\r\n"))
        self.converse("S: 250 2.0.0 Taken")
        self.assertEqual(self.result(self.sent), [Outcome(250, "2.0.0", "Taken")])

    def test_chunks_answered_before_they_are_read(self) -> None:
        """One that is underway has no answer; neither has one that was not begun."""
        self.connect(offering("CHUNKING"))
        self.transport.capacity = 1000
        sent = self.client.send(SENDER, [ALICE], LARGE)
        self.read()
        self.transport.send(b"250 OK\r\n250 OK\r\n")
        self.assertGreater(self.transport.unread(), PIECE)
        self.transport.send(b"250 OK\r\n")
        self.assertEqual(self.codes(sent), [(451, "4.5.0")])
        self.assertTrue(self.transport.was_aborted)

    def test_more_answers_than_chunks(self) -> None:
        for turns in range(len(LARGE) // OCTETS_A_TURN - 1):
            self.begin(offering("CHUNKING"))
            sent = self.transport.read()
            for _ in range(turns):
                sent += self.turn()
            self.transport.send(b"250 OK\r\n" * sent.count(b"BDAT "))
            self.assertNoResult(self.sent)
            self.transport.send(b"250 OK\r\n")
            self.assertEqual(self.codes(self.sent), [(451, "4.5.0")])
            self.assertTrue(self.transport.was_aborted)

    def test_each_chunk_is_answered_at_once(self) -> None:
        """As by a server that is faster than we are: an answer is heard before the next turn."""
        self.begin(offering("CHUNKING"))
        self.transport.read()
        chunks = 0
        written = b"BDAT BDAT "
        while written and self.client.is_usable:
            self.transport.send(b"250 OK\r\n" * written.count(b"BDAT "))
            chunks += written.count(b"BDAT ")
            if self.sent.called:
                break
            written = self.turn()
        self.assertEqual(self.codes(self.sent), [(250, "2.0.0")])
        self.assertEqual(chunks, 20)

    def test_lost_in_between(self) -> None:
        for turns, outcome in ((0, (451, "4.4.2")), (3, (451, "4.4.2"))):
            self.begin()
            for _ in range(turns):
                self.turn()
            self.transport.drop()
            self.assertEqual(self.codes(self.sent), [outcome])
            self.assertFalse(self.result(self.sent)[0] is UNCERTAIN)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_at_the_end(self) -> None:
        self.begin()
        self.read()
        self.transport.drop()
        self.assertEqual(self.result(self.sent), [UNCERTAIN])

    def test_aborted_in_between(self) -> None:
        self.begin()
        self.turn()
        self.client.abort()
        self.assertEqual(self.codes(self.sent), [(451, "4.4.2")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_turns_are_progress(self) -> None:
        """However long they take: the server reads."""
        self.begin()
        self.transport.read()
        for _ in range(5):
            self.clock.rightNow += 170
            self.assertTrue(self.turn())
        self.assertTrue(self.client.is_usable)
        self.assertTrue(self.read().endswith(b"\r\n.\r\n"))

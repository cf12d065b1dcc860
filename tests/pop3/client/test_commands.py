"""The commands of POP3 clients, one after another and pipelined."""

from __future__ import annotations

import io
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from mailproto.client.errors import (
    CommandRefused,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServerTimeout,
)
from mailproto.pop3.limits import MAX_UNANSWERED, POP3Timeouts
from mailproto.pop3.wire import POP3ReplyLimits
from tests.pop3.client.dialogue import PIPELINING, PLAIN, ClientTestCase, offering


class CommandTests(ClientTestCase):
    def test_a_session(self) -> None:
        client = self.connect(PIPELINING, pipelining=False)
        stat, sizes, ids = client.stat(), client.list(), client.uidl()
        one, two, three = client.list(2), client.uidl(2), client.top(1)
        retr, dele, rset, noop = client.retr(1), client.dele(2), client.rset(), client.noop()
        done = client.commit()
        self.converse(
            """
            C: STAT
            S: +OK 2 320
            C: LIST
            S: +OK 2 messages
            S: 1 120
            S: 2 200
            S: .
            C: UIDL
            S: +OK
            S: 1 whqtswO00WBw418f9t5JxYwZ
            S: 2 QhdPYR:00WBw1Ph7x7
            S: .
            C: LIST 2
            S: +OK 2 200
            C: UIDL 2
            S: +OK 2 QhdPYR:00WBw1Ph7x7
            C: TOP 1 0
            S: +OK
            S: Subject: hi
            S:
            S: .
            C: RETR 1
            S: +OK 120 octets
            S: Subject: hi
            S:
            S: ..
            S: .
            C: DELE 2
            S: +OK
            C: RSET
            S: +OK
            C: NOOP
            S: +OK
            C: QUIT
            S: +OK bye
            C closes
            """
        )
        self.assertEqual(self.result(stat), (2, 320))
        self.assertEqual(self.result(sizes), {1: 120, 2: 200})
        self.assertEqual(self.result(ids), {1: "whqtswO00WBw418f9t5JxYwZ", 2: "QhdPYR:00WBw1Ph7x7"})
        self.assertEqual((self.result(one), self.result(two)), ({2: 200}, {2: "QhdPYR:00WBw1Ph7x7"}))
        self.assertEqual(self.result(three), b"Subject: hi\r\n\r\n")
        self.assertEqual(self.result(retr), b"Subject: hi\r\n\r\n.\r\n")
        for each in (dele, rset, noop, done):
            self.assertIsNone(self.result(each))
        self.assertFalse(client.is_usable)

    def test_refusals(self) -> None:
        client = self.connect(PLAIN)
        asked: list[Any] = [client.retr(9), client.uidl(), client.list(9), client.dele(1)]
        self.converse(
            """
            C: RETR 9
            S: -ERR
            C: UIDL
            S: -ERR [SYS/TEMP] busy
            C: LIST 9
            S: -ERR no such message
            C: DELE 1
            S: -ERR
            """
        )
        errors = [self.error(each, CommandRefused) for each in asked]
        texts = [str(each) for each in errors]
        self.assertEqual(texts, ["-ERR", "-ERR [SYS/TEMP] busy", "-ERR no such message", "-ERR"])
        self.assertEqual([each.is_permanent for each in errors], [True, False, True, True])
        self.assertTrue(client.is_usable)

    def test_utf8_and_lang(self) -> None:
        client = self.connect(offering("UTF8", "LANG"))
        utf8, lang = client.utf8(), client.lang("de-AT")
        self.converse("C: UTF8\nS: +OK\nC: LANG de-AT\nS: +OK de Gut so, mit Grüßen")
        self.assertIsNone(self.result(utf8))
        self.assertEqual(self.result(lang), "de")

    def test_capabilities(self) -> None:
        client = self.connect(offering("sasl PLAIN LOGIN", "SASL CRAM-MD5", "EXPIRE 0 USER", "X-Odd"))
        self.assertEqual(
            client.capabilities,
            {"SASL": ("PLAIN", "LOGIN", "CRAM-MD5"), "EXPIRE": ("0", "USER"), "X-ODD": ()},
        )
        self.connect(PLAIN)
        self.assertEqual(self.client.capabilities, {})

    def test_commit_that_fails(self) -> None:
        client = self.connect(PLAIN)
        done = client.commit()
        self.converse("C: QUIT\nS: -ERR [SYS/TEMP] some deleted messages not removed\nC closes")
        self.error(done, CommandRefused)

    def test_quit_tells_no_errors(self) -> None:
        client = self.connect(PLAIN)
        done = client.quit()
        self.converse("C: QUIT\nS: -ERR no\nC closes")
        self.transport.drop()
        self.assertIsNone(self.result(done))
        self.assertIsNone(self.result(client.quit()))

    def test_answers_after_the_end_mean_nothing(self) -> None:
        client = self.connect(PLAIN)
        done = client.commit()
        self.transport.read()
        self.transport.send(b"+OK bye\r\n+OK really\r\n* what\r\n")
        self.assertIsNone(self.result(done))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_wrong_arguments_are_errors_at_once(self) -> None:
        client = self.connect(PLAIN)
        for call in (
            lambda: client.retr(0),
            lambda: client.dele(-1),
            lambda: client.top(1, -1),
            lambda: client.list(0),
            lambda: client.lang("en\r\nDELE 1"),
            lambda: client.lang(),
            lambda: client.save(1, io.BytesIO(), limit=0),
        ):
            self.assertRaises(ValueError, call)
        for call in (lambda: client.retr("1"), lambda: client.save(1, None), lambda: client.dele(True)):  # type: ignore[arg-type]
            self.assertRaises(TypeError, call)
        self.assertEqual(self.transport.read(), b"")


class OctetsTests(CommandTests):
    feed = "octets"


class GreetingTests(ClientTestCase):
    def test_refused(self) -> None:
        client = self.connect()
        greeted = client.greeted()
        self.transport.send(b"-ERR [SYS/TEMP] too busy\r\n")
        self.assertFalse(self.error(greeted, GreetingRefused).is_permanent)
        self.assertTrue(self.transport.disconnecting)

    def test_what_is_none(self) -> None:
        for greeting in (b"220 SMTP\r\n", b"+ go on\r\n", b"* OK IMAP\r\n", b"\x16\x03\x01\n"):
            client = self.connect()
            greeted = client.greeted()
            self.transport.send(greeting)
            self.error(greeted, ProtocolViolation)

    def test_silence(self) -> None:
        greeted = self.connect().greeted()
        self.clock.advance(POP3Timeouts().greeting)
        self.error(greeted, ServerTimeout)


class PipeliningTests(ClientTestCase):
    def test_calls_are_sent_together(self) -> None:
        client = self.connect(PIPELINING)
        results: list[Any] = [client.retr(1), client.retr(2), client.dele(1), client.stat()]
        self.assertEqual(self.transport.read(), b"RETR 1\r\nRETR 2\r\nDELE 1\r\nSTAT\r\n")
        self.transport.send(b"+OK\r\na\r\n.\r\n-ERR gone\r\n+OK\r\n+OK 1 2\r\n")
        self.assertEqual(self.result(results[0]), b"a\r\n")
        self.error(results[1], CommandRefused)
        self.assertIsNone(self.result(results[2]))
        self.assertEqual(self.result(results[3]), (1, 2))

    def test_not_if_the_server_does_not_offer_it(self) -> None:
        client = self.connect(offering("TOP"))
        client.noop()
        client.noop()
        self.assertEqual(self.transport.read(), b"NOOP\r\n")
        self.transport.send(b"+OK\r\n")
        self.assertEqual(self.transport.read(), b"NOOP\r\n")

    def test_their_number_is_limited(self) -> None:
        client = self.connect(PIPELINING)
        results = [client.noop() for _ in range(MAX_UNANSWERED + 10)]
        self.assertEqual(self.transport.read().count(b"NOOP"), MAX_UNANSWERED)
        self.transport.send(b"+OK\r\n" * 3)
        self.assertEqual(self.transport.read().count(b"NOOP"), 3)
        self.transport.send(b"+OK\r\n" * (MAX_UNANSWERED - 3))
        self.transport.send(b"+OK\r\n" * 10)
        for each in results:
            self.assertIsNone(self.result(each))

    def test_quit_waits_for_all_answers(self) -> None:
        client = self.connect(PIPELINING)
        client.dele(1)
        client.commit()
        self.assertEqual(self.transport.read(), b"DELE 1\r\n")
        self.transport.send(b"+OK\r\n")
        self.assertEqual(self.transport.read(), b"QUIT\r\n")

    def test_the_end_fails_all(self) -> None:
        client = self.connect(PIPELINING)
        results: list[Any] = [client.retr(1), client.noop(), client.capa(), client.noop()]
        self.transport.send(b"+OK\r\nhalf")
        self.transport.drop()
        for each in results:
            self.error(each, ConnectionLost)
        self.error(client.noop(), ConnectionLost)

    def test_cancelled_before_it_is_sent(self) -> None:
        client = self.connect(PLAIN)
        first, second = client.noop(), client.dele(1)
        second.cancel()
        self.error(second, CancelledError)
        self.converse("C: NOOP\nS: +OK")
        self.assertIsNone(self.result(first))
        self.assertEqual(self.transport.read(), b"")

    def test_cancelled_after_that(self) -> None:
        """The answer is read, and belongs to nobody."""
        client = self.connect(PIPELINING)
        file = io.BytesIO()
        first, second = client.save(1, file), client.noop()
        first.cancel()
        self.error(first, CancelledError)
        self.transport.send(b"+OK\r\na\r\n.\r\n+OK\r\n")
        self.assertIsNone(self.result(second))
        self.assertEqual(file.getvalue(), b"")


class MessageTests(ClientTestCase):
    def test_to_a_file(self) -> None:
        client = self.connect(PIPELINING)
        file, top = io.BytesIO(), io.BytesIO()
        saved, topped = client.save(1, file), client.save(2, top, lines=3)
        self.converse("C: RETR 1\nC: TOP 2 3\nS: +OK\nS: a\nS: ..b\nS: .\nS: +OK\nS: c\nS: .")
        self.assertEqual((self.result(saved), file.getvalue()), (7, b"a\r\n.b\r\n"))
        self.assertEqual((self.result(topped), top.getvalue()), (3, b"c\r\n"))

    def test_it_is_written_as_it_comes(self) -> None:
        client = self.connect(PLAIN)
        file = io.BytesIO()
        client.save(1, file)
        self.transport.send(b"+OK\r\n" + b"x" * 1000)
        self.assertEqual(len(file.getvalue()), 1000)
        self.assertLess(client.protocol.wire.pending, 10)

    def test_a_file_that_is_full(self) -> None:
        class Full(io.BytesIO):
            def write(self, octets: Any) -> int:
                raise OSError("no space")

        client = self.connect(PIPELINING)
        saved, after = client.save(1, Full()), client.noop()
        self.transport.send(b"+OK\r\na\r\n")
        self.transport.send(b"b\r\n.\r\n+OK\r\n")
        self.error(saved, OSError)
        self.assertIsNone(self.result(after))

    def test_limits(self) -> None:
        for call in (
            lambda client: client.retr(1),
            lambda client: client.top(1, 5),
            lambda client: client.save(1, io.BytesIO(), limit=10),
        ):
            client = self.connect(PLAIN, limits=POP3ReplyLimits(in_memory=10))
            result, after = call(client), client.noop()
            self.transport.send(b"+OK 3 octets\r\n" + b"x" * 11)
            self.error(result, ProtocolViolation)
            self.error(after, ProtocolViolation)
            self.assertFalse(client.is_usable)

    def test_a_server_that_stops_in_the_middle(self) -> None:
        client = self.connect(PLAIN)
        result = client.retr(1)
        self.transport.send(b"+OK\r\n")
        self.clock.advance(POP3Timeouts().block - 1)
        self.transport.send(b"a")
        self.clock.advance(POP3Timeouts().block - 1)
        self.assertNoResult(result)
        self.clock.advance(1)
        self.error(result, ServerTimeout)


class StreamTests(ClientTestCase):
    def take(self, number: int = 1, most: int = 1 << 30, **settings: Any) -> tuple[list[bytes], Any]:
        taken: list[bytes] = []

        async def loop() -> None:
            async with self.client.stream(number, **settings) as pieces:
                async for piece in pieces:
                    taken.append(piece)
                    if len(taken) == most:
                        break

        return taken, ensureDeferred(loop())

    def test_pieces(self) -> None:
        self.connect(PIPELINING)
        taken, done = self.take()
        after = self.client.noop()
        self.assertEqual(self.transport.read(), b"RETR 1\r\nNOOP\r\n")
        for piece in (b"+OK\r\n", b"..a", b"b\r\n", b".\r\n+OK\r\n"):
            self.transport.send(piece)
        self.assertEqual(b"".join(taken), b".ab\r\n")
        self.assertIsNone(self.result(done))
        self.assertIsNone(self.result(after))

    def test_it_is_read_no_faster_than_it_is_taken(self) -> None:
        client = self.connect(PLAIN)
        gate: list[Deferred[None]] = []

        async def slow() -> int:
            size = 0
            async with client.stream(1) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    gate.append(Deferred())
                    await gate[-1]
            return size

        done = ensureDeferred(slow())
        self.transport.send(b"+OK\r\n" + b"x" * 10)
        self.assertFalse(self.transport.is_reading)
        self.clock.advance(10_000)  # there are no timeouts while the application takes its time
        self.transport.send(b"y" * 10 + b"\r\n.\r\n")
        gate[-1].callback(None)
        self.assertEqual(len(gate), 2)
        gate[-1].callback(None)
        self.assertEqual(self.result(done), 22)
        self.assertTrue(self.transport.is_reading)

    def test_a_loop_that_ends_early(self) -> None:
        self.connect(PIPELINING)
        taken, done = self.take(most=1)
        after = self.client.noop()
        self.transport.send(b"+OK\r\na\r\n")
        self.assertIsNone(self.result(done))
        self.transport.send(b"b\r\n" * 100 + b".\r\n+OK\r\n")
        self.assertEqual(taken, [b"a"])
        self.assertIsNone(self.result(after))

    def test_top(self) -> None:
        self.connect(PLAIN)
        taken, done = self.take(lines=2)
        self.converse("C: TOP 1 2\nS: +OK\nS: a\nS: .")
        self.assertIsNone(self.result(done))
        self.assertEqual(b"".join(taken), b"a\r\n")

    def test_errors(self) -> None:
        self.connect(PLAIN)
        _, refused = self.take()
        self.transport.send(b"-ERR gone\r\n")
        self.error(refused, CommandRefused)
        _, limited = self.take(limit=5)
        self.transport.send(b"+OK\r\n123456")
        self.error(limited, ProtocolViolation)
        self.connect(PLAIN)
        taken, lost = self.take()
        self.transport.send(b"+OK\r\nabc")
        self.transport.drop()
        self.error(lost, ConnectionLost)
        self.assertEqual(taken, [b"abc"])

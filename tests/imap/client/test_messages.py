"""FETCH, SEARCH, SORT, THREAD, STORE, APPEND, COPY, MOVE and EXPUNGE."""

from __future__ import annotations

import gc
import io
import tracemalloc
from email.message import EmailMessage
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults

from mailproto.client.errors import ClientError, CommandRefused, ConnectionLost, NotOffered, ProtocolViolation
from mailproto.content import Content
from mailproto.errors import StorageFull
from mailproto.imap.client import _spooling
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.values import FlagsChanged
from mailproto.model import NewMessage
from tests.imap.client.dialogue import FEW, ClientTestCase


class FetchTests(ClientTestCase):
    def test_messages_come_one_by_one(self) -> None:
        self.selected()
        fetched = self.client.fetch("1:*", "FLAGS", "RFC822.SIZE")
        self.converse("C: A2 UID FETCH 1:* (UID FLAGS RFC822.SIZE)")
        first = self.begin(fetched.__anext__())
        self.transport.send(b"* 1 FETCH (UID 5 FLAGS (\\seen $Kept) RFC822.SIZE 44)\r\n")
        message = self.result(first)
        self.assertEqual((message.uid, message.flags, message.size), (5, {"\\Seen", "$Kept"}, 44))
        rest = self.begin(fetched.all())
        self.transport.send(b"* 2 FETCH (FLAGS () RFC822.SIZE 1 UID 9)\r\nA2 OK Done\r\n")
        self.assertEqual([each.uid for each in self.result(rest)], [9])

    def test_a_refusal_is_raised_after_what_came(self) -> None:
        self.selected()
        fetched = self.client.fetch("5:9", "ENVELOPE")
        self.converse(
            """
            C: A2 UID FETCH 5:9 (UID ENVELOPE)
            S: * 1 FETCH (UID 5 ENVELOPE NIL)
            S: A2 NO Some are gone
            """
        )
        self.assertEqual(self.result(self.begin(fetched.__anext__())).uid, 5)
        self.error(self.begin(fetched.__anext__()), CommandRefused)

    def test_nothing_is_asked_for_no_messages(self) -> None:
        self.selected()
        self.assertEqual(self.result(self.begin(self.client.fetch([]).all())), [])
        self.assertEqual(self.transport.read(), b"")

    def test_a_long_set_is_sent_in_several_commands(self) -> None:
        self.selected()
        fetched = self.begin(self.client.fetch(range(1, 6000, 2), "FLAGS").all())
        sent = b""
        while command := self.transport.read():
            self.assertLess(len(command), 8000)
            sent += command
            self.transport.send(b"* 1 FETCH (UID 1 FLAGS ())\r\n* 3000 FETCH (UID 5999 FLAGS ())\r\n")
            self.transport.send(command.split()[0] + b" OK\r\n")
        self.assertEqual([each.uid for each in self.result(fetched)], [1, 5999])
        self.assertEqual((sent.count(b"UID FETCH"), sent.count(b",")), (3, 2997))

    def test_what_was_not_asked_for_goes_to_the_listener(self) -> None:
        self.selected()
        fetched = self.begin(self.client.fetch("5:6", "BODY.PEEK[]").all())
        self.converse(
            """
            C: A2 UID FETCH 5:6 (UID BODY.PEEK[])
            S: * 1 FETCH (UID 5 BODY[] {2}
            S: hi)
            S: * 1 FETCH (UID 5 FLAGS (\\Flagged))
            S: * 2 FETCH (UID 7 BODY[] "no")
            S: A2 OK
            """
        )
        [message] = self.result(fetched)
        self.assertEqual(bytes(message.content or b""), b"hi")
        self.assertEqual(self.events, [FlagsChanged(5, 1, frozenset({"\\Flagged"}))])

    def test_a_uid_that_is_not_told_is_known_from_its_number(self) -> None:
        self.selected()
        self.begin(self.client.fetch("1:*", "FLAGS").all())
        self.converse(
            """
            C: A2 UID FETCH 1:* (UID FLAGS)
            S: * 1 FETCH (UID 5 FLAGS ())
            S: * 2 FETCH (UID 6 FLAGS ())
            S: * 3 FETCH (UID 9 FLAGS ())
            S: A2 OK
            S: * 2 EXPUNGE
            S: * 2 FETCH (FLAGS (\\Seen))
            """
        )
        self.assertEqual(self.events[-1], FlagsChanged(9, 2, frozenset({"\\Seen"})))

    def test_large_bodies_are_in_files(self) -> None:
        self.selected()
        octets = b"0123456789" * 100_000
        fetched = self.begin(self.client.fetch(5, "BODY.PEEK[]", "BODY.PEEK[1]").all())
        self.transport.send(b"* 1 FETCH (UID 5 BODY[] {%d}\r\n" % len(octets))
        for start in range(0, len(octets), 7000):
            self.transport.send(octets[start : start + 7000])
        self.transport.send(b" BODY[1] {3}\r\nabc FLAGS ())\r\nA2 OK\r\n")
        [message] = self.result(fetched)
        self.assertEqual(message.content, octets)
        self.assertNotEqual(message.content.path if message.content else "", None)
        self.assertEqual(message.content.prefix, b"")
        self.assertEqual(message.sections["1"], b"abc")

    def test_one_part_goes_into_a_file(self) -> None:
        self.selected()
        for octets, piece in ((b"small", 5), (b"x" * 200_000, 4096)):
            with self.subTest(size=len(octets)):
                sink = io.BytesIO()
                done = self.client.fetch_into(5, sink, "1.2")
                tag = self.transport.read().split()[0]
                self.transport.send(b"* 1 FETCH (UID 5 BODY[1.2] {%d}\r\n" % len(octets))
                self.transport.send(octets, piece)
                self.transport.send(b")\r\n%b OK\r\n" % tag)
                self.assertEqual(self.result(done), len(octets))
                self.assertEqual(sink.getvalue(), octets)

    def test_a_section_that_is_not_there(self) -> None:
        self.selected()
        done = self.client.fetch_into(5, io.BytesIO(), "9")
        self.converse(
            """
            C: A2 UID FETCH 5 (UID BODY.PEEK[9])
            S: * 1 FETCH (UID 5 BODY[9] NIL)
            S: A2 OK
            """
        )
        self.assertIsNone(self.result(done))

    def test_a_sink_that_fails(self) -> None:
        class Full:
            def write(self, octets: bytes) -> None:
                raise OSError("no room")

        self.selected()
        done = self.client.fetch_into(5, Full())
        self.transport.send(b"* 1 FETCH (UID 5 BODY[] {100000}\r\n" + b"x" * 100_000 + b")\r\nA2 OK\r\n")
        self.assertEqual(str(self.error(done, OSError)), "no room")
        self.assertTrue(self.client.is_usable)

    def test_vanished(self) -> None:
        self.selected()
        fetched = self.client.fetch("1:*", "FLAGS", changed_since=40, vanished=True)
        done = self.begin(fetched.all())
        self.converse(
            """
            C: A2 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 40 VANISHED)
            S: * VANISHED (EARLIER) 1:3,8
            S: * 1 FETCH (UID 5 FLAGS () MODSEQ (44))
            S: A2 OK
            """
        )
        self.assertEqual([each.modseq for each in self.result(done)], [44])
        self.assertEqual(fetched.vanished, [1, 2, 3, 8])

    def test_without_a_connection(self) -> None:
        self.selected()
        self.transport.drop()
        self.error(self.begin(self.client.fetch("1:*", "FLAGS").all()), ConnectionLost)
        self.error(self.client.search(), ConnectionLost)
        self.error(self.client.select("x"), ConnectionLost)
        self.error(self.client.append("x", b"a", b"b"), ConnectionLost)
        self.result(self.client.quit())

    def test_cancelled(self) -> None:
        """The command goes on; what comes for it is dropped."""
        self.selected()
        search, first = self.client.search(), self.begin(self.client.fetch("1:*", "FLAGS").__anext__())
        search.cancel()
        first.cancel()
        self.error(search, CancelledError)
        self.error(first, CancelledError)
        self.transport.send(b"* ESEARCH ALL 1\r\nA2 OK\r\n* 1 FETCH (UID 1 FLAGS ())\r\nA3 OK\r\n")
        done = self.client.noop()
        self.transport.send(b"A4 OK\r\n")
        self.result(done)

    def test_cancelled_before_it_is_sent(self) -> None:
        """It is not sent: who calls it again would have it done twice."""
        client = self.selected()
        client.expunge()
        waiting: list[Deferred[Any]] = [
            client.append("x", b"a", b"b"),
            client.store([1], add={"\\Deleted"}),
            client.move([1], "x"),
        ]
        fetched = client.fetch("1:*", "BODY.PEEK[]")
        later = client.noop()
        for each in waiting:
            each.cancel()
            self.error(each, CancelledError)
        del fetched
        self.transport.read()
        self.transport.send(b"A2 OK\r\n")
        self.assertEqual(self.transport.read(), b"A3 NOOP\r\n")
        self.transport.send(b"A3 OK\r\n")
        self.result(later)

    def test_those_behind_a_cancelled_one_begin(self) -> None:
        client = self.selected()
        client.noop()
        alone = client.expunge()
        behind = client.noop()
        self.assertEqual(self.transport.read(), b"A2 NOOP\r\n")
        alone.cancel()
        self.error(alone, CancelledError)
        self.assertEqual(self.transport.read(), b"A3 NOOP\r\n")
        self.transport.send(b"A2 OK\r\nA3 OK\r\n")
        self.result(behind)

    def test_arguments(self) -> None:
        self.selected()
        for uids in ("0", "1 2", "1\r\nA3 NOOP", "", "x", True, [0], [1 << 32], b"1", "4294967296", 1.5):
            with self.subTest(uids=uids), self.assertRaises((TypeError, ValueError)):
                self.client.fetch(uids, "FLAGS")  # type: ignore[arg-type]
        for item in ("", "BODY[]\r\n", "FLAGS) (", "BODY[{3}", 5, "BODY[\x00]", "BODY[]]"):
            with self.subTest(item=item), self.assertRaises((TypeError, ValueError)):
                self.client.fetch(1, item)  # type: ignore[arg-type]
        self.assertEqual(self.transport.read(), b"")


class SlowApplicationTests(ClientTestCase):
    """What nobody takes is not read."""

    def fill(self, octets: int) -> int:
        """Send messages as long as the client reads.  :returns: how many were sent."""
        sent = 0
        row = b"* 1 FETCH (UID 5 BODY[] {10000}\r\n" + b"x" * 10_000 + b")\r\n"
        while self.transport.is_reading and sent * len(row) < octets and self.transport.is_open:
            self.transport.send(row)
            sent += 1
        return sent

    def test_reading_stops_and_goes_on(self) -> None:
        self.selected(limits=IMAPClientLimits(ahead=100_000))
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        self.assertEqual(self.fill(10_000_000), 10)
        self.clock.advance(10_000)  # nobody is to blame for this silence
        self.assertTrue(self.client.is_usable)
        for _ in range(5):
            self.result(self.begin(fetched.__anext__()))
        self.assertFalse(self.transport.is_reading)
        self.result(self.begin(fetched.__anext__()))
        self.assertTrue(self.transport.is_reading)

    def test_leaving_the_loop_gives_up_the_rest(self) -> None:
        self.selected(limits=IMAPClientLimits(ahead=100_000))

        async def first() -> int:
            async for message in self.client.fetch("1:*", "BODY.PEEK[]"):
                return message.uid
            return 0

        found = self.begin(first())
        self.fill(10_000)
        self.assertEqual(self.result(found), 5)
        self.assertEqual(self.fill(1_000_000), 100)

    def test_another_command_inside_the_loop(self) -> None:
        self.selected(limits=IMAPClientLimits(ahead=100_000))
        seen: list[Any] = []

        async def loop() -> None:
            async for message in self.client.fetch("1:*", "BODY.PEEK[]"):
                seen.append(message.uid)
                if len(seen) == 1:
                    await self.client.noop()

        done = self.begin(loop())
        self.assertEqual(self.fill(1_000_000), 100)
        self.transport.send(b"A2 OK\r\nA3 OK\r\n")
        self.result(done)
        self.assertEqual(len(seen), 100)

    def test_there_is_an_end_to_what_is_kept(self) -> None:
        for limits in (
            IMAPClientLimits(ahead=100_000, spooled=300_000),
            IMAPClientLimits(ahead=100_000, ahead_of_others=100_000),
        ):
            self.selected(limits=limits)
            fetched = self.client.fetch("1:*", "BODY.PEEK[]")
            waiting = self.client.noop()
            self.fill(2_000_000)
            self.error(self.begin(fetched.__anext__()), ClientError)
            self.transport.send(b"A2 OK\r\nA3 OK\r\n")
            self.result(waiting)

    def test_what_is_kept_for_others_is_in_a_file(self) -> None:
        self.selected(limits=IMAPClientLimits(ahead=100_000, ahead_of_others=250_000))
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        waiting = self.client.noop()
        self.assertEqual(self.fill(2_000_000), 200)
        self.transport.send(b"A2 OK\r\nA3 OK\r\n")
        self.result(waiting)
        messages = self.result(self.begin(fetched.all()))
        self.assertEqual([bytes(each.content) for each in messages], [b"x" * 10_000] * 200)

    def test_a_full_disk(self) -> None:
        def full(folder: object) -> None:
            raise StorageFull

        self.patch(_spooling, "SpoolFile", full)
        for octets, other in ((100_000, False), (10_000, True)):
            self.selected(limits=IMAPClientLimits(ahead=100))
            fetched = self.client.fetch("1:*", "BODY.PEEK[]")
            waiting = self.client.noop() if other else None
            for _ in range(2):
                self.transport.send(b"* 1 FETCH (UID 5 BODY[] {%d}\r\n" % octets + b"x" * octets + b")\r\n")
            self.error(self.begin(fetched.__anext__()), StorageFull)
            self.transport.send(b"A2 OK\r\n" + b"A3 OK\r\n" * other)
            self.assertTrue(self.client.is_usable)
            del waiting

    def test_a_close_while_nothing_is_read(self) -> None:
        self.selected(limits=IMAPClientLimits(ahead=100_000))
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        self.fill(10_000_000)
        self.client.abort()
        self.assertFalse(self.transport.is_open)
        for _ in range(10):
            self.result(self.begin(fetched.__anext__()))
        self.error(self.begin(fetched.__anext__()), ConnectionLost)


class HostileServerTests(ClientTestCase):
    def test_what_is_too_large_ends_the_connection(self) -> None:
        limits = IMAPClientLimits(
            line=1000, in_memory=100, literal=5000, response=2000, literals=3, nesting=4, garbage=2
        )
        attacks = {
            "line": b"* 1 FETCH (" + b"x" * 1100,
            "literal": b"* 1 FETCH (UID 5 BODY[] {5001}\r\n",
            "literal elsewhere": b"* LIST () NIL {5000}\r\n",
            "literals": b"* 1 FETCH (" + b"X {1}\r\na" * 5,
            "empty literals": b"* 1 FETCH (" + b"X {0}\r\n" * 5,
            "response": b"* LIST () NIL "
            + b"{900}\r\n"
            + b"a" * 900
            + b" {900}\r\n"
            + b"a" * 900
            + b" {900}\r\n",
            "number": b"* 1 FETCH (UID 5 BODY[] {99999999999999}\r\n",
        }
        for name, octets in attacks.items():
            for piece in (0, 1):
                with self.subTest(attack=name, piece=piece):
                    self.selected(limits=limits)
                    waiting = self.client.noop()
                    self.transport.send(octets, piece)
                    self.error(waiting, ProtocolViolation)
                    self.assertEqual(self.client.protocol.wire.pending, 0)

    def test_what_is_nested_too_deep_is_not_read(self) -> None:
        self.selected(limits=IMAPClientLimits(nesting=4))
        fetched = self.begin(self.client.fetch(5, "FLAGS", "BODYSTRUCTURE").all())
        self.transport.send(
            b"* 1 FETCH (UID 5 FLAGS (a) BODYSTRUCTURE " + b"(" * 9 + b")" * 9 + b")\r\nA2 OK\r\n"
        )
        [message] = self.result(fetched)
        self.assertEqual((message.flags, message.structure), ({"a"}, None))

    def test_millions_of_values_are_not_made(self) -> None:
        self.selected()
        fetched = self.begin(self.client.fetch(5, "FLAGS", "BODYSTRUCTURE").all())
        self.transport.send(
            b"* 1 FETCH (UID 5 FLAGS (a) BODYSTRUCTURE (" + b"()" * 2_000_000 + b"))\r\nA2 OK\r\n"
        )
        [message] = self.result(fetched)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertIsNone(message.structure)
        self.assertLess(tracemalloc.get_traced_memory()[1], 30_000_000)
        self.assertEqual(message.flags, {"a"})

    def test_ranges_that_are_too_large_stay_ranges(self) -> None:
        self.selected()
        found = self.client.search()
        self.transport.send(b"* ESEARCH (TAG A2) UID ALL 1:4294967295\r\nA2 OK\r\n")
        self.assertEqual(len(self.result(found)), 4294967295)
        copied = self.client.copy(1, "x")
        self.transport.send(b"A3 OK [COPYUID 1 1:4294967295 1:4294967295]\r\n")
        self.assertEqual(list(self.result(copied)), [])
        self.transport.send(
            b"* 4294967295 EXISTS\r\n* VANISHED 1:4294967295\r\n* 4294967295 FETCH (UID 3)\r\n"
        )
        self.assertTrue(self.client.is_usable)


class StoreTests(ClientTestCase):
    def test_refused_messages(self) -> None:
        self.selected()
        done = self.client.store([5, 6, 7], add={"\\Seen", "$Kept"}, unchanged_since=12)
        self.converse(
            """
            C: A2 UID STORE 5:7 (UNCHANGEDSINCE 12) +FLAGS.SILENT ($Kept \\Seen)
            S: * 1 FETCH (UID 5 MODSEQ (14))
            S: A2 OK [MODIFIED 6:7] Some
            """
        )
        stored = self.result(done)
        self.assertEqual([each.uid for each in stored.changed], [5])
        self.assertEqual(stored.refused, [6, 7])

    def test_changes(self) -> None:
        self.selected()
        for change, text in (
            ({"remove": {"\\Seen"}}, b"-FLAGS.SILENT (\\Seen)"),
            ({"replace": ()}, b"FLAGS.SILENT ()"),
            ({"replace": ["a"], "silent": False}, b"FLAGS (a)"),
        ):
            done = self.client.store(5, **change)  # type: ignore[arg-type]
            sent = self.transport.read()
            self.assertEqual(sent.partition(b" ")[2], b"UID STORE 5 " + text + b"\r\n")
            self.transport.send(sent.split()[0] + b" OK\r\n")
            self.result(done)

    def test_arguments(self) -> None:
        self.selected(FEW)
        for change in (
            {},
            {"add": {"a"}, "remove": {"b"}},
            {"add": "\\Seen"},
            {"add": {"a b"}},
            {"add": {"a\r\n"}},
        ):
            with self.subTest(change=change):
                self.error(self.client.store(5, **change), TypeError, ValueError)
        self.error(self.client.store(5, add={"a"}, unchanged_since=4), NotOffered)


class AppendTests(ClientTestCase):
    def test_with_permission(self) -> None:
        self.signed_in("IMAP4rev1 UIDPLUS")
        done = self.client.append("Sent", NewMessage(b"hi\r\n", frozenset({"\\Seen"}), 86_400))
        self.converse(
            """
            C: A1 APPEND Sent (\\Seen) " 2-Jan-1970 00:00:00 +0000" {4}
            S: + go
            C: hi
            C:
            S: A1 OK [APPENDUID 7 12] Done
            """
        )
        self.assertEqual(self.result(done).uids, (12,))

    def test_without_waiting(self) -> None:
        """Several messages are sent at once."""
        self.signed_in("IMAP4rev1 LITERAL+ UIDPLUS")
        done = self.client.append("INBOX", b"a\r\n", b"b\r\n")
        self.converse(
            """
            C: A1 APPEND INBOX {3+}
            C: a
            C:
            C: A2 APPEND INBOX {3+}
            C: b
            C:
            S: A1 OK [APPENDUID 7 12]
            S: A2 OK [APPENDUID 7 13]
            """
        )
        self.assertEqual(self.result(done).uids, (12, 13))

    def test_multiappend(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL- MULTIAPPEND")
        done = self.client.append("INBOX", b"a\r\n", NewMessage(b"b\r\n", frozenset({"x"})))
        self.converse(
            """
            C: A1 APPEND INBOX {3+}
            C: a
            C:  (x) {3+}
            C: b
            C:
            S: A1 OK [APPENDUID 7 20:21]
            """
        )
        self.assertEqual(self.result(done).uids, (20, 21))

    def test_literal_minus_is_for_small_messages(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL-")
        self.client.append("INBOX", b"x" * 4097)
        self.assertEqual(self.transport.read(), b"A1 APPEND INBOX {4097}\r\n")

    def test_a_refusal_before_the_octets(self) -> None:
        self.signed_in(FEW)
        refused, next_one = self.client.append("INBOX", b"a"), self.client.noop()
        self.converse(
            """
            C: A1 APPEND INBOX {1}
            S: A1 NO [TRYCREATE] No such mailbox
            C: A2 NOOP
            S: A2 OK
            """
        )
        self.assertEqual(self.error(refused, CommandRefused).reply.code, "TRYCREATE")
        self.result(next_one)

    def test_when_all_fail_no_error_is_left_over(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL+")
        done = self.client.append("INBOX", b"a", b"b", b"c")
        self.transport.drop()
        self.error(done, ConnectionLost)
        del done
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_large_message_is_sent_as_fast_as_it_is_read(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL+")
        octets = b"0123456789" * 300_000
        done = self.client.append("INBOX", Content(octets))
        later = self.client.noop()
        sent = b""
        self.assertLess(self.transport.unread(), 2_000_000)
        while len(sent) < len(octets):
            sent += self.transport.read()
            self.clock.advance(0)
        self.assertEqual(
            sent + self.transport.read(), b"A1 APPEND INBOX {3000000+}\r\n" + octets + b"\r\nA2 NOOP\r\n"
        )
        self.transport.send(b"A1 OK\r\nA2 OK\r\n")
        self.result(gatherResults([done, later]))

    def test_a_refusal_while_octets_are_sent(self) -> None:
        """What was announced is sent nevertheless, because the server reads it as that."""
        self.signed_in("IMAP4rev1 LITERAL+")
        done = self.client.append("INBOX", b"x" * 3_000_000)
        later = self.client.noop()
        sent = self.transport.read()
        self.transport.send(b"A1 NO [TOOBIG] Too large\r\n")
        self.error(done, CommandRefused)
        for _ in range(100):
            self.clock.advance(0)
            sent += self.transport.read()
        self.assertTrue(sent.endswith(b"xxx\r\nA2 NOOP\r\n"), sent[-50:])
        self.assertEqual(sent.count(b"x"), 3_000_000)
        self.transport.send(b"A2 OK\r\n")
        self.result(later)

    def test_a_message_that_cannot_be_read(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL+")
        content = Content(b"x" * 100_000)
        done = self.client.append("INBOX", content)
        self.transport.read()
        closed = Content(b"x" * 100_000)
        other = self.client.append("INBOX", closed)
        self.transport.send(b"A1 OK\r\n")
        self.result(done)
        self.assertNoResult(other)

    def test_binary(self) -> None:
        self.signed_in("IMAP4rev1 LITERAL+ BINARY")
        self.client.append("INBOX", b"a\0b")
        self.assertEqual(self.transport.read(), b"A1 APPEND INBOX ~{3+}\r\na\0b\r\n")

    def test_a_message_of_the_email_package(self) -> None:
        """Its lines end with CRLF, whatever its policy is."""
        self.signed_in("IMAP4rev1 LITERAL+")
        message = EmailMessage()
        message["Subject"] = "hi"
        message.set_content("From me\n")
        self.client.append("a", message)
        sent = self.transport.read().partition(b"\r\n")[2]
        self.assertTrue(sent.endswith(b"\r\n\r\nFrom me\r\n\r\n"), sent)
        self.assertNotIn(b"\n", sent.replace(b"\r\n", b""))
        self.error(self.client.append("a", "Subject: hi\r\n"), TypeError)  # type: ignore[arg-type]

    def test_utf_8_in_the_header(self) -> None:
        """It is marked, if the client has enabled UTF-8 (RFC 6855 4)."""
        self.signed_in("IMAP4rev1 LITERAL+ ENABLE UTF8=ONLY")
        international = "Subject: ü\r\n\r\nü".encode()
        self.client.append("a", international)
        self.assertEqual(self.transport.read(), b"A1 APPEND a {17+}\r\n" + international + b"\r\n")
        self.client.enable("UTF8=ACCEPT")
        self.assertEqual(self.transport.read(), b"")
        self.transport.send(b"A1 OK\r\n* ENABLED UTF8=ACCEPT\r\nA2 OK\r\n")
        self.assertEqual(self.transport.read(), b"A2 ENABLE UTF8=ACCEPT\r\n")
        self.client.append("a", NewMessage(international, frozenset({"\\Seen"})))
        marked = b"A3 APPEND a (\\Seen) UTF8 (~{17+}\r\n" + international + b")\r\n"
        self.assertEqual(self.transport.read(), marked)
        self.client.append("a", b"Subject: u\r\n\r\n\xfc")
        self.assertEqual(self.transport.read(), b"A4 APPEND a {15+}\r\nSubject: u\r\n\r\n\xfc\r\n")

    def test_several_with_utf_8(self) -> None:
        self.signed_in("IMAP4rev1 MULTIAPPEND ENABLE UTF8=ACCEPT")
        self.client.enable("UTF8=ACCEPT")
        self.transport.send(b"* ENABLED UTF8=ACCEPT\r\nA1 OK\r\n")
        self.transport.read()
        self.client.append("a", "ü: ü".encode(), b"b: b")
        self.converse(
            """
            C: A2 APPEND a UTF8 (~{6}
            S: + go on
            C~: ü: ü
            C: ) {4}
            S: + go on
            C: b: b
            S: A2 OK
            """
        )


class MoveTests(ClientTestCase):
    def test_move(self) -> None:
        self.selected()
        done = self.client.move([5, 6], "Old mail")
        self.converse(
            """
            C: A2 UID MOVE 5:6 "Old mail"
            S: * OK [COPYUID 9 5:6 1:2]
            S: * 1 EXPUNGE
            S: A2 OK
            """
        )
        self.assertEqual(list(self.result(done)), [(5, 1), (6, 2)])

    def test_without_move(self) -> None:
        self.selected("IMAP4rev1 UIDPLUS")
        done = self.client.move([5, 6], "Old")
        self.converse(
            """
            C: A2 UID COPY 5:6 Old
            S: A2 OK [COPYUID 9 5:6 1:2]
            C: A3 UID STORE 5:6 +FLAGS.SILENT (\\Deleted)
            S: A3 OK
            C: A4 UID EXPUNGE 5:6
            S: A4 OK
            """
        )
        self.assertEqual(list(self.result(done)), [(5, 1), (6, 2)])

    def test_without_move_and_uidplus(self) -> None:
        """Other messages that are marked as deleted are not expunged with them."""
        self.selected(FEW)
        done = self.client.move("5:*", "Old")
        self.converse(
            """
            C: A2 UID SEARCH UID 5:*
            S: * SEARCH 5 6
            S: A2 OK
            C: A3 UID COPY 5:6 Old
            S: A3 OK
            C: A4 UID STORE 5:6 +FLAGS.SILENT (\\Deleted)
            S: A4 OK
            C: A5 UID SEARCH DELETED
            S: * SEARCH 2 5 6 9
            S: A5 OK
            C: A6 UID STORE 2,9 -FLAGS.SILENT (\\Deleted)
            S: A6 OK
            C: A7 EXPUNGE
            S: A7 OK
            C: A8 UID STORE 2,9 +FLAGS.SILENT (\\Deleted)
            S: A8 OK
            """
        )
        self.assertEqual(list(self.result(done)), [])

    def test_a_copy_that_is_refused_expunges_nothing(self) -> None:
        self.selected(FEW)
        done = self.client.move(5, "Old")
        self.converse(
            """
            C: A2 UID COPY 5 Old
            S: A2 NO [OVERQUOTA] Full
            """
        )
        self.error(done, CommandRefused)
        self.assertEqual(self.transport.read(), b"")

    def test_expunge(self) -> None:
        self.selected()
        done = gatherResults([self.client.expunge([5]), self.client.expunge()])
        self.converse(
            """
            C: A2 UID EXPUNGE 5
            S: A2 OK
            C: A3 EXPUNGE
            S: A3 OK
            """
        )
        self.result(done)

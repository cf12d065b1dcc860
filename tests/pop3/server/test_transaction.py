"""POP3 after login: the maildrop, its messages, and what QUIT removes."""

from __future__ import annotations

import os
import re
from typing import Any

from twisted.internet.defer import Deferred, succeed

from mailproto.content import CHUNK, Content
from mailproto.model import FlagChange, FlagOperation, Part
from mailproto.pop3.limits import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS
from mailproto.pop3.server._maildrop import Maildrop
from tests.mail_log import captured, only
from tests.pop3.server.session import SessionTestCase

FIRST = b"Subject: one\r\n\r\n.line\r\nlast\r\n"  # 29 octets
SECOND = b"Subject: two\r\n\r\n"  # 16 octets
THIRD = b"x\r\n"


class DialogueTests(SessionTestCase):
    def setUp(self) -> None:
        super().setUp()
        for message in (FIRST, SECOND, THIRD):
            self.inbox.add(message)
        self.validity = self.inbox.uid_validity

    def converse(self, script: str) -> None:
        """A dialogue after login."""
        self.play(script, self.sign_in())

    def test_stat_and_list(self) -> None:
        self.converse(
            """
            C: STAT
            S: +OK 3 48
            C: LIST
            S: +OK 3 messages (48 octets)
            S: 1 29
            S: 2 16
            S: 3 3
            S: .
            C: list 2
            S: +OK 2 16
            """
        )

    def test_retr(self) -> None:
        self.converse(
            """
            C: RETR 1
            S: +OK 29 octets
            S: Subject: one
            S:
            S: ..line
            S: last
            S: .
            C: RETR 2
            C: RETR 3
            S: +OK 16 octets
            S: Subject: two
            S:
            S: .
            S: +OK 3 octets
            S: x
            S: .
            """
        )

    def test_top(self) -> None:
        self.converse(
            """
            C: TOP 1 0
            S: +OK Top of message follows
            S: Subject: one
            S:
            S: .
            C: TOP 1 1
            S: +OK Top of message follows
            S: Subject: one
            S:
            S: ..line
            S: .
            C: TOP 1 9999999999
            S: +OK Top of message follows
            S: Subject: one
            S:
            S: ..line
            S: last
            S: .
            """
        )

    def test_uidl(self) -> None:
        self.converse(
            f"""
            C: UIDL
            S: +OK Unique ids
            S: 1 {self.validity}.1
            S: 2 {self.validity}.2
            S: 3 {self.validity}.3
            S: .
            C: UIDL 3
            S: +OK 3 {self.validity}.3
            """
        )

    def test_deleted_messages_are_skipped_and_numbers_do_not_shift(self) -> None:
        self.converse(
            f"""
            C: DELE 2
            S: +OK Message 2 deleted
            C: STAT
            S: +OK 2 32
            C: LIST
            S: +OK 2 messages (32 octets)
            S: 1 29
            S: 3 3
            S: .
            C: UIDL
            S: +OK Unique ids
            S: 1 {self.validity}.1
            S: 3 {self.validity}.3
            S: .
            C: RETR 2
            S: -ERR Message 2 is deleted
            C: TOP 2 0
            S: -ERR Message 2 is deleted
            C: LIST 2
            S: -ERR Message 2 is deleted
            C: UIDL 2
            S: -ERR Message 2 is deleted
            C: DELE 2
            S: -ERR Message 2 is deleted
            C: RSET
            S: +OK 3 messages (48 octets)
            C: STAT
            S: +OK 3 48
            C: LIST 2
            S: +OK 2 16
            """
        )

    def test_bad_numbers_and_arguments_leave_the_connection_open(self) -> None:
        script = ""
        for command in ("RETR {}", "DELE {}", "LIST {}", "UIDL {}", "TOP {} 0"):
            for number in ("0", "-1", "99", "abc", "1.", "+1", "99999999999999999999", "\u0661"):
                script += f"C: {command.format(number)}\nS: -ERR No such message\n"
        for lines in ("-1", "abc", "1.", "99999999999"):
            script += f"C: TOP 1 {lines}\nS: -ERR TOP: not a number of lines\n"
        for command in ("RETR", "RETR 1 2", "DELE", "DELE 1 2", "LIST 1 2", "UIDL 1 2", "TOP", "TOP 1"):
            script += f"C: {command}\nS: -ERR {command.split()[0]}: wrong number of arguments\n"
        script += "C: NOOP\nS: +OK\n"  # so many in a row are not borne
        for command in ("STAT 1", "NOOP 1", "RSET 1", "QUIT 1", "CAPA 1", "TOP 1 2 3"):
            script += f"C: {command}\nS: -ERR {command.split()[0]}: wrong number of arguments\n"
        for command in ("LAST", "APOP a b", "USER alice", "PASS x", "AUTH PLAIN", "STLS", "XTND"):
            script += f"C: {command}\nS: -ERR Unknown command, or not after login\n"
        script += f"C: {'x' * 300}\nS: -ERR Line too long\n"
        self.converse(f"{script}C: NOOP\nS: +OK\nC: STAT\nS: +OK 3 48")

    def test_capa_is_the_same_as_before_login(self) -> None:
        before = self.connect()
        before.read()
        before.send(b"CAPA\r\n")
        after = self.sign_in()
        after.send(b"CAPA\r\n", int(self.feed == "octets"))
        self.assertEqual(after.read(), before.read())

    def test_an_empty_maildrop(self) -> None:
        self.inbox.remove([1, 2, 3])
        self.converse(
            """
            C: STAT
            S: +OK 0 0
            C: LIST
            S: +OK 0 messages (0 octets)
            S: .
            C: UIDL
            S: +OK Unique ids
            S: .
            C: RETR 1
            S: -ERR No such message
            C: QUIT
            S: +OK Bye
            S closes
            """
        )


class ByteByByteDialogueTests(DialogueTests):
    feed = "octets"


class SpareOctetDialogueTests(DialogueTests):
    feed = "spare"


class PipelinedDialogueTests(DialogueTests):
    feed = "together"


class UniqueIdTests(SessionTestCase):
    def test_it_is_short_printable_and_never_another_ones(self) -> None:
        seen = set()
        for _ in range(3):
            self.inbox.add(THIRD)
            transport = self.sign_in()
            transport.send(b"UIDL 1\r\n")
            _, number, unique_id = transport.read().split()
            self.assertEqual(number, b"1")
            self.assertTrue(re.fullmatch(rb"[\x21-\x7e]{1,70}", unique_id))
            seen.add(unique_id)
            self.play("C: DELE 1\nS: +OK...\nC: QUIT\nS: +OK...\nS closes", transport)
        self.assertEqual(len(seen), 3)


class RemovalTests(SessionTestCase):
    def setUp(self) -> None:
        super().setUp()
        for message in (FIRST, SECOND, THIRD):
            self.inbox.add(message)

    def left(self) -> list[int]:
        changes = self.successResultOf(Deferred.fromCoroutine(self.inbox.changes_since(0)))
        return [message.uid for message in changes.changed]

    def test_quit_removes(self) -> None:
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...\nC: DELE 3\nS: +OK...", transport)
        self.assertEqual(self.left(), [1, 2, 3])
        self.play("C: QUIT\nS: +OK Bye, 2 messages removed\nS closes", transport)
        self.assertFalse(transport.is_open)
        self.assertEqual(self.left(), [2])

    def test_only_what_this_session_deleted(self) -> None:
        change = FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))
        self.successResultOf(Deferred.fromCoroutine(self.inbox.store([2], change)))
        self.play("C: DELE 1\nS: +OK...\nC: QUIT\nS: +OK Bye, 1 messages removed\nS closes", self.sign_in())
        self.assertEqual(self.left(), [2, 3])

    def test_rset_before_quit(self) -> None:
        self.play("C: DELE 1\nS: +OK...\nC: RSET\nS: +OK...\nC: QUIT\nS: +OK Bye\nS closes", self.sign_in())
        self.assertEqual(self.left(), [1, 2, 3])

    def test_drop_timeout_and_shutdown_remove_nothing(self) -> None:
        for end in ("drop", "timeout", "shutdown"):
            transport = self.sign_in()
            self.play("C: DELE 1\nS: +OK...", transport)
            if end == "drop":
                transport.drop()
            elif end == "timeout":
                self.clock.advance(600)
                self.assertEqual(transport.read(), b"")
            else:
                self.factory.shut_down()
                transport.read()
            self.assertFalse(transport.is_open)
            self.assertEqual(self.left(), [1, 2, 3])

    def test_quit_is_answered_after_the_commit(self) -> None:
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...", transport)
        pending = self.inbox.pending = Deferred()
        self.play("C: QUIT\nC: NOOP", transport)
        self.inbox.pending = None
        pending.callback(None)
        self.assertEqual(transport.read(), b"+OK Bye, 1 messages removed\r\n")

    def test_a_commit_goes_on_when_the_client_does_not_wait(self) -> None:
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...", transport)
        pending = self.inbox.pending = Deferred()
        self.play("C: QUIT", transport)
        transport.drop()
        self.inbox.pending = None
        pending.callback(None)
        self.assertEqual(self.left(), [2, 3])

    def test_a_commit_that_fails(self) -> None:
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...", transport)
        self.inbox.failure = RuntimeError("no space")
        self.play("C: QUIT\nS: -ERR [SYS/TEMP] Temporary failure, try again later\nS closes", transport)
        self.assertFalse(transport.is_open)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_commit_that_fails_in_part(self) -> None:
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...\nC: DELE 2\nS: +OK...", transport)

        async def expunge(uids: object = None) -> list[int]:
            self.inbox.remove([1])
            return [1]

        self.inbox.expunge = expunge  # type: ignore[method-assign]
        self.play("C: QUIT\nS: -ERR [SYS/TEMP] Some deleted messages were not removed\nS closes", transport)
        self.assertFalse(transport.is_open)

    def test_what_another_session_removed_first_is_no_failure(self) -> None:
        transport = self.sign_in()
        self.play("C: DELE 1\nS: +OK...", transport)
        self.inbox.remove([1])
        self.play("C: QUIT\nS: +OK...\nS closes", transport)

    def test_a_mailbox_that_cannot_be_changed(self) -> None:
        self.inbox.writable = False
        self.play("C: DELE 1\nS: -ERR Mailbox is read-only\nC: QUIT\nS: +OK Bye\nS closes", self.sign_in())


class FairnessTests(SessionTestCase):
    """Each thing that the server looks at costs a microsecond; a hundred thousand of them are too many."""

    NUMBER = 100_000

    def setUp(self) -> None:
        super().setUp()
        clock, self.held = self.clock, 0.0

        class Counted(list[int]):
            """A list that tells the clock what was looked at."""

            def __getitem__(self, index: Any) -> Any:
                clock.rightNow += 1e-6
                return super().__getitem__(index)

            def __iter__(self) -> Any:
                clock.rightNow += len(self) * 1e-6
                return super().__iter__()

        uids = Counted(range(1, self.NUMBER + 1))
        self.drop = Maildrop(self.inbox, uids, Counted([10] * self.NUMBER))
        self.patch(Maildrop, "open", self.opened)
        self.transport = self.sign_in(capacity=1 << 30)

    async def opened(self, *_: Any) -> Maildrop:
        return self.drop

    def answers(self, data: bytes) -> bytes:
        """Send ``data``, and let the clock's turns pass; no part of that may take long."""
        began = self.clock.rightNow
        self.transport.send(data)
        self.held = self.clock.rightNow - began
        self.assertLess(self.held, 0.005)
        self.clock.advance(0)
        return self.transport.read()

    def test_lists(self) -> None:
        for command in (b"UIDL\r\n", b"LIST\r\n"):
            answers = self.answers(command * 3)
            self.assertEqual(answers.count(b"\r\n.\r\n"), 3)
            self.assertEqual(answers.count(b"\r\n"), 3 * (self.NUMBER + 2))

    def test_a_list_without_deleted_messages(self) -> None:
        self.answers(b"DELE 3\r\nDELE 4\r\n")
        lines = self.answers(b"LIST\r\n").split(b"\r\n")
        self.assertEqual(lines[0], b"+OK 99998 messages (999980 octets)")
        self.assertEqual(lines[1:5], [b"1 10", b"2 10", b"5 10", b"6 10"])
        self.assertEqual(lines[-3:], [b"100000 10", b".", b""])

    def test_rset(self) -> None:
        self.answers(b"DELE 3\r\n")
        answers = self.answers(b"RSET\r\n" * 1000)
        self.assertEqual(answers, b"+OK 100000 messages (1000000 octets)\r\n" * 1000)

    def test_a_client_that_leaves_in_the_middle_of_a_list(self) -> None:
        self.transport.send(b"UIDL\r\n" * 50)
        self.transport.drop()
        before = self.clock.rightNow
        self.clock.advance(0)
        self.assertLess(self.clock.rightNow - before, 0.001)

    def test_no_more_of_a_list_is_made_than_is_read(self) -> None:
        transport = self.sign_in(capacity=1 << 12)
        transport.send(b"UIDL\r\n")
        self.clock.advance(0)
        self.assertLess(transport.unread(), 1 << 17)
        read = transport.read()
        while not read.endswith(b"\r\n.\r\n"):
            self.clock.advance(0)
            read += transport.read()
        self.assertEqual(read.count(b"\r\n"), self.NUMBER + 2)


class LoginFairnessTests(SessionTestCase):
    def test_sizes_are_asked_for_in_batches_between_which_others_are_served(self) -> None:
        for _ in range(5000):
            self.inbox.add(b"x")
        asked: list[int] = []
        metadata = self.inbox.metadata

        async def costly(uids: Any) -> Any:
            asked.append(len(uids))
            self.clock.rightNow += len(uids) * 2e-6
            return await metadata(uids)

        self.inbox.metadata = costly  # type: ignore[method-assign]
        transport = self.connect()
        transport.read()
        began = self.clock.rightNow
        transport.send(b"USER alice\r\nPASS secret word\r\n")
        self.assertLess(self.clock.rightNow - began, 0.009)
        self.clock.advance(0)
        self.assertTrue(transport.read().endswith(b"+OK 5000 messages (5000 octets)\r\n"))
        self.assertEqual(sum(asked), 5000)


class QuitFairnessTests(SessionTestCase):
    """A message to be removed costs two microseconds."""

    NUMBER = 5000

    def setUp(self) -> None:
        super().setUp()
        for _ in range(self.NUMBER):
            self.inbox.add(b"x")
        self.batches: list[int] = []
        expunge = self.inbox.expunge

        async def costly(uids: Any) -> Any:
            self.batches.append(len(uids))
            self.clock.rightNow += len(uids) * 2e-6
            return await expunge(uids)

        self.inbox.expunge = costly  # type: ignore[method-assign]
        self.transport = self.sign_in()
        self.transport.send(b"".join(b"DELE %d\r\n" % number for number in range(2, self.NUMBER + 1)))
        self.clock.advance(0)
        self.transport.read()

    def test_messages_are_removed_in_batches_between_which_others_are_served(self) -> None:
        began = self.clock.rightNow
        self.transport.send(b"QUIT\r\n")
        self.assertLess(self.clock.rightNow - began, 0.009)
        self.clock.advance(0)
        self.assertEqual(self.transport.read(), b"+OK Bye, 4999 messages removed\r\n")
        self.assertEqual((sum(self.batches), max(self.batches)), (self.NUMBER - 1, 1000))
        self.assertEqual([info.uid for info in self.successResultOf(self.all())], [1])

    def test_it_goes_on_when_the_client_does_not_wait(self) -> None:
        self.transport.send(b"QUIT\r\n")
        self.assertLess(sum(self.batches), self.NUMBER - 1)
        self.transport.drop()
        self.clock.advance(0)
        self.assertEqual([info.uid for info in self.successResultOf(self.all())], [1])

    def all(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.inbox.read(range(1, self.NUMBER + 1), Part.SIZE))


class SnapshotTests(SessionTestCase):
    def test_two_sessions_see_the_mailbox_as_it_was_at_login(self) -> None:
        self.inbox.add(FIRST)
        one, two = self.sign_in(), self.sign_in()
        self.inbox.add(SECOND)
        self.play("C: STAT\nS: +OK 1 29\nC: RETR 2\nS: -ERR No such message", one)
        self.play("C: DELE 1\nS: +OK...\nC: QUIT\nS: +OK...\nS closes", one)
        self.play(
            """
            C: STAT
            S: +OK 1 29
            C: RETR 1
            S: -ERR Message 1 is no longer there
            C: TOP 1 0
            S: -ERR Message 1 is no longer there
            C: DELE 1
            S: +OK...
            C: QUIT
            S: +OK...
            S closes
            """,
            two,
        )
        self.play("C: STAT\nS: +OK 1 16", self.sign_in())


class ReadAheadTests(SessionTestCase):
    def retrieve(self, number: int, transport: Any) -> None:
        transport.send(b"RETR %d\r\n" % number)
        self.assertEqual(transport.read().split(b"\r\n")[1], b"%d" % number)

    def reads(self) -> list[list[int]]:
        reads, self.inbox.reads = self.inbox.reads, []
        return reads

    def test_who_retrieves_in_order_is_read_ahead_for(self) -> None:
        for number in range(1, 201):
            self.inbox.add(b"%d\r\n" % number)
        transport = self.sign_in()
        self.reads()
        for number in range(1, 201):
            self.retrieve(number, transport)
        most = READ_AHEAD_MESSAGES
        batches = [[1], *(list(range(at, min(at + most, 201))) for at in range(2, 201, most))]
        self.assertEqual(self.reads(), batches)

    def test_deleting_on_the_way(self) -> None:
        for number in range(1, 11):
            self.inbox.add(b"%d\r\n" % number)
        transport = self.sign_in()
        self.reads()
        self.play("C: DELE 2\nS: +OK...\nC: DELE 5\nS: +OK...", transport)
        for number in (1, 3, 4, 6):
            self.retrieve(number, transport)
            self.play(f"C: DELE {number}\nS: +OK...", transport)
        self.assertEqual(self.reads(), [[1], [3, 4, 6, 7, 8, 9, 10]])

    def test_who_picks_messages_gets_them_one_by_one(self) -> None:
        for number in range(1, 11):
            self.inbox.add(b"%d\r\n" % number)
        transport = self.sign_in()
        self.reads()
        for number in (10, 5, 7, 7, 1):
            self.retrieve(number, transport)
        self.assertEqual(self.reads(), [[10], [5], [7], [7], [1]])

    def test_what_is_held_is_bounded(self) -> None:
        large = READ_AHEAD_OCTETS // 3
        for number in range(1, 10):
            self.inbox.add((b"%d\r\n" % number).ljust(large - 2) + b"\r\n")
        transport = self.sign_in()
        self.reads()
        for number in range(1, 10):
            self.retrieve(number, transport)
        self.assertEqual(self.reads(), [[1], [2, 3, 4], [5, 6, 7], [8, 9]])

    def test_pipelined_commands_are_answered_in_order(self) -> None:
        for number in range(1, 101):
            self.inbox.add(b"%d\r\n" % number)
        transport = self.sign_in()
        before = transport.writes
        transport.send(b"".join(b"RETR %d\r\n" % number for number in range(1, 101)) + b"QUIT\r\n")
        replies = [b"+OK %d octets\r\n%d\r\n.\r\n" % (len(str(n)) + 2, n) for n in range(1, 101)]
        self.assertEqual(transport.read(), b"".join(replies) + b"+OK Bye\r\n")
        self.assertLess(transport.writes - before, 10)


class LargeMessageTests(SessionTestCase):
    def setUp(self) -> None:
        super().setUp()
        line = b".dot at the beginning and enough text to make a line of it\r\n"
        self.message = b"Subject: large\r\n\r\n" + line * (5 * CHUNK // len(line)) + b"no end"
        self.path = self.mktemp()
        with open(self.path, "wb") as file:
            file.write(self.message)
        self.inbox.add(self.message)
        self.content = Content.of_file(self.path, len(self.message))
        message = self.inbox.read

        async def read(uids: object, parts: object) -> object:
            found = await message(uids, parts)
            return [info._replace(content=self.content) for info in found]

        self.inbox.read = read  # type: ignore[method-assign]

    def test_it_arrives_whole(self) -> None:
        for command in (b"RETR 1", b"TOP 1 999999"):
            transport = self.sign_in(capacity=1000)
            transport.send(command + b"\r\nNOOP\r\n")
            self.clock.pump([0] * 20)
            _, _, body = transport.read().partition(b"\r\n")
            expected = self.message.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n+OK\r\n"
            self.assertTrue(body == expected, command)

    def test_it_is_sent_no_faster_than_it_is_read(self) -> None:
        transport = self.sign_in()
        transport.send(b"RETR 1\r\nNOOP\r\n")
        self.assertLess(transport.unread(), 2 * CHUNK)
        self.assertTrue(transport.read().endswith(b"\r\n.\r\n+OK\r\n"))

    def test_a_client_that_leaves_in_the_middle(self) -> None:
        transport = self.sign_in()
        transport.send(b"RETR 1\r\n")
        transport.drop()
        self.assertEqual(self.realm.signed_in, 0)

    def test_a_file_that_is_gone_is_an_error(self) -> None:
        """And one line of the mail log, without a traceback."""
        os.unlink(self.path)
        for command in ("RETR 1", "TOP 1 5"):
            transport = self.sign_in()
            with captured() as events:
                self.play(
                    f"C: {command}\nS: -ERR [SYS/TEMP] Temporary failure, try again later\nC: NOOP\nS: +OK",
                    transport,
                )
            line = only(events, "failed")["line"]
            self.assertIn(f"command={command[:4].strip()} reply=", line)
            self.assertIn('detail="cannot read message 1: [Errno 2] No such file', line)
            self.assertIn(self.path, line)

    def test_a_message_that_breaks_off_ends_the_connection(self) -> None:
        os.truncate(self.path, 2 * CHUNK)
        transport = self.sign_in()
        with captured() as events:
            transport.send(b"RETR 1\r\n")
            self.assertFalse(transport.read().endswith(b".\r\n"))
        self.assertTrue(transport.was_aborted)
        line = only(events, "failed")["line"]
        self.assertIn("command=RETR", line)
        self.assertIn('detail="cannot read message 1: ', line)


class OddMessageTests(SessionTestCase):
    """What a store should not hold, and may."""

    def assert_retrieved(self, message: bytes, body: bytes) -> None:
        self.inbox.add(message)
        transport = self.sign_in()
        transport.send(b"RETR 1\r\n")
        self.assertEqual(transport.read().partition(b"\r\n")[2], body)

    def test_no_final_line_end(self) -> None:
        self.assert_retrieved(b"A: b\r\n\r\n.", b"A: b\r\n\r\n..\r\n.\r\n")

    def test_lf_alone(self) -> None:
        self.assert_retrieved(b"A: b\n\n.c\r\nd\n", b"A: b\r\n\r\n..c\r\nd\r\n.\r\n")

    def test_nothing_at_all(self) -> None:
        self.assert_retrieved(b"", b".\r\n")

    def test_a_backend_without_offsets(self) -> None:
        self.inbox.add(FIRST)
        read = self.inbox.read

        async def bare(uids: object, parts: object) -> object:
            return [info._replace(offsets=None) for info in await read(uids, parts)]

        self.inbox.read = bare  # type: ignore[method-assign]
        self.play(
            "C: TOP 1 0\nS: +OK...\nS: Subject: one\nS:\nS: .",
            self.sign_in(),
        )

    def test_a_read_that_is_a_deferred(self) -> None:
        self.inbox.add(FIRST)
        transport = self.sign_in()
        found = self.successResultOf(Deferred.fromCoroutine(self.inbox.read([1], Part.CONTENT)))
        self.inbox.read = lambda uids, parts: succeed(found)  # type: ignore
        transport.send(b"RETR 1\r\n")
        self.assertTrue(transport.read().startswith(b"+OK 29 octets\r\nSubject: one\r\n"))

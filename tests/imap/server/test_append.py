"""APPEND, COPY, MOVE, and the spool."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from mailproto._spool_room import RoomClaim, SpoolRoom
from mailproto.content import Content
from mailproto.errors import MailError, OverQuota
from mailproto.imap.limits import IMAPLimits
from mailproto.imap.server._spool import IN_MEMORY, CommandFile, Spool
from mailproto.model import AppendedMessage, Part
from tests.imap.server.dialogue import Client, DialogueTestCase, message, run


class AppendTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory.spool_folder = self.mktemp()
        os.mkdir(self.factory.spool_folder)

    def content(self, uid: int) -> bytes:
        [info] = run(self.inbox.read([uid], Part.CONTENT))
        return bytes(info.content)

    def test_append_into_the_selected_mailbox(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a APPEND INBOX (\\Seen $Label) " 7-Feb-1994 21:52:25 -0800" {{10}}
            S: + OK
            C: A: b
            C:
            C: xy
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Label)
            S: * 1 EXISTS
            S: * 1 RECENT
            S: a OK [APPENDUID {self.inbox.uid_validity} 1] APPEND completed
            C: b FETCH 1 (INTERNALDATE FLAGS)
            S: * 1 FETCH (INTERNALDATE " 7-Feb-1994 21:52:25 -0800" FLAGS (\\Seen $Label \\Recent))
            S: b OK FETCH completed
            """
        )
        self.assertEqual(self.content(1), b"A: b\r\n\r\nxy")

    def test_append_byte_by_byte_and_without_asking(self) -> None:
        client = self.sign_in()
        for octet in b'a APPEND "INBOX" {9+}\r\nA: b\r\n\r\nx\r\nb NOOP\r\n':
            client.send(bytes([octet]))
        self.assertEqual(
            client.received(),
            b"a OK [APPENDUID %d 1] APPEND completed\r\nb OK NOOP completed\r\n" % self.inbox.uid_validity,
        )

    def test_a_mailbox_that_is_not_there_is_refused_before_the_octets_come(self) -> None:
        """Corner cases 24 and 36."""
        self.sign_in()
        self.talk(
            """
            C: a APPEND Nowhere {10}
            S: a NO [TRYCREATE] No such mailbox
            C: b APPEND Nowhere {6+}
            C: A: b
            S: b NO [TRYCREATE] No such mailbox
            C:
            C: c NOOP
            S: c OK NOOP completed
            """
        )

    def test_a_mailbox_that_goes_while_the_message_comes(self) -> None:
        client = self.sign_in()
        run(self.account.create("Work"))
        client.send(b"a APPEND Work {9+}\r\nA: b\r\n")
        run(self.account.delete("Work"))
        client.send(b"\r\nx\r\n")
        self.assertEqual(client.received(), b"a NO [TRYCREATE] No such mailbox\r\n")

    def test_a_message_that_came_in_one_piece_opens_its_mailbox_once(self) -> None:
        """To open it twice took a tenth of the time of an APPEND."""
        opened = []
        client = self.sign_in()
        open_ = self.account.open
        self.patch(self.account, "open", lambda name: opened.append(name) or open_(name))
        whole = b"a APPEND INBOX {9+}\r\nA: b\r\n\r\nx\r\n"
        client.send(whole)
        self.assertEqual(opened, ["INBOX"])
        client.send(whole[:-4])
        client.send(whole[-4:])
        self.assertEqual(opened, ["INBOX"] * 3)
        self.assertEqual(client.received().count(b"a OK"), 2)

    def test_a_message_too_large_is_refused_before_the_octets_come(self) -> None:
        """Corner case 24; and a size that no number holds."""
        self.sign_in()
        self.talk(
            """
            C: a APPEND INBOX {1048577}
            S: a NO [TOOBIG] Message larger than 1048576 octets
            C: b APPEND INBOX {9223372036854775808}
            S: b NO [TOOBIG] Message larger than 1048576 octets
            C: c NOOP
            S: c OK NOOP completed
            """
        )

    def test_messages_that_cannot_be(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a APPEND INBOX {0}
            S: a NO Message is empty
            C: b APPEND INBOX {4+}
            C: a\0bc
            S: b NO Message contains NUL
            C: c APPEND INBOX "31-Feb-2000 00:00:00 +0000" {4}
            S: c BAD ...
            C: d APPEND INBOX {2} trailing
            S: d BAD ...
            C: e STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 0)
            S: e OK STATUS completed
            """
        )

    def test_a_read_only_mailbox(self) -> None:
        self.inbox.writable = False
        self.sign_in()
        self.talk(
            """
            C: a APPEND INBOX {4}
            S: a NO [NOPERM] Mailbox is read-only
            """
        )

    def test_no_room(self) -> None:
        async def append(messages: object) -> None:
            raise OverQuota

        self.inbox.append = append
        self.sign_in()
        self.talk(
            """
            C: a APPEND INBOX {4+}
            C: A: b
            S: a NO [OVERQUOTA] Mailbox full
            """
        )

    def test_append_before_login(self) -> None:
        self.connect()
        self.talk(
            """
            C: a APPEND INBOX {4}
            S: a BAD [CLIENTBUG] Not valid in this state
            C: b NOOP
            S: b OK NOOP completed
            """
        )

    def test_a_large_message_goes_through_a_file_that_has_no_name(self) -> None:
        content = b"A: b\r\n\r\n" + b"0123456789abcde\n" * 20_000
        seen: list[type] = []
        original = self.inbox.append

        async def append(messages: list) -> object:
            seen.append(type(messages[0].content))
            return await original(messages)

        self.inbox.append = append
        client = self.sign_in()
        client.send(b"a APPEND INBOX {%d}\r\n" % len(content))
        for start in range(0, len(content), 50_001):
            client.send(content[start : start + 50_001])
        self.assertEqual(os.listdir(self.factory.spool_folder), [])
        client.send(b"\r\n")
        self.assertIn(b"a OK", client.received())
        self.assertEqual(seen, [Content])
        self.assertEqual(self.content(1), content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def test_a_client_that_goes_away_midway(self) -> None:
        client = self.sign_in()
        client.send(b"a APPEND INBOX {500000}\r\n" + b"x" * 400_000)
        [spool] = client.session.uploads
        client.transport.drop()
        self.assertEqual(client.session.uploads, [])
        self.assertIsNone(spool.file._file)

    def test_a_disk_that_is_full(self) -> None:
        os.rmdir(self.factory.spool_folder)
        client = self.sign_in()
        client.send(b"a APPEND INBOX {300000}\r\n" + b"x" * 300_000 + b"\r\nb NOOP\r\n")
        self.assertEqual(
            client.received(),
            b"+ OK\r\na NO [UNAVAILABLE] Temporary failure, try again later\r\nb OK NOOP completed\r\n",
        )


class SpooledTests(DialogueTestCase):
    """The octets that all connections hold together are limited, and one account cannot use them up."""

    FULL = b"NO [UNAVAILABLE] Too many messages are arriving, try again later\r\n"

    def setUp(self) -> None:
        super().setUp()
        run(self.store.directory.add("bob", ""))
        self.room = self.factory.spool_room = SpoolRoom(1000)

    def begin(self, name: str, octets: int, of: int, user: str = "alice") -> Client:
        """Send some octets of a message."""
        client = self.connect(name)
        client.send(b"in LOGIN %b secret\r\na APPEND INBOX {%d+}\r\n" % (user.encode(), of))
        client.send(b"x" * octets)
        client.received()
        return client

    def test_the_default(self) -> None:
        self.assertEqual(IMAPLimits().spooled, 1 << 30)

    def test_an_announced_message_is_refused_at_once(self) -> None:
        self.begin("1", 300, of=400)
        self.sign_in()
        self.talk(
            """
            C: b APPEND INBOX {201}
            S: b NO [UNAVAILABLE] Too many messages are arriving, try again later
            C: c APPEND INBOX {200}
            S: + OK
            """
        )

    def test_several_together(self) -> None:
        first, second = self.begin("1", 200, of=300), self.begin("2", 100, of=300)
        first.send(b"x" * 100)
        second.send(b"x" * 200 + b"\r\n")
        self.assertEqual(second.received(), b"a " + self.FULL)
        other = self.begin("3", 300, of=300, user="bob")
        self.assertEqual(self.room.held, {"alice": 300, "bob": 300})
        for client, missing in ((first, 0), (other, 0)):
            client.send(b"x" * missing + b"\r\n")
            self.assertIn(b"a OK", client.received())
        self.assertEqual((self.room.used, self.room.held), (0, {}))

    def test_line_ends_that_are_added_count(self) -> None:
        client = self.begin("1", 0, of=400)
        client.send(b"\n" * 400 + b"\r\nb APPEND INBOX {400+}\r\n" + b"\r\n" * 200 + b"\r\n")
        answers = client.received()
        self.assertTrue(answers.startswith(b"a " + self.FULL), answers)
        self.assertIn(b"b OK", answers)

    def test_they_count_until_they_are_stored(self) -> None:
        stored: Deferred[list[AppendedMessage]] = Deferred()
        self.inbox.append = lambda messages: stored  # type: ignore[method-assign, assignment, return-value]
        client = self.begin("1", 100, of=100)
        client.send(b"\r\n")
        self.assertEqual(self.room.used, 100)
        stored.callback([AppendedMessage(1, 1)])
        self.assertEqual(self.room.used, 0)

    def test_they_are_given_back(self) -> None:
        """By a client that goes away, or sends too much, or what cannot be stored."""
        for octets in (b"", b"x" * 200 + b"a\0b", b"x" * 400 + b"something else\r\n"):
            client = self.begin("1", 100, of=500)
            self.assertEqual(self.room.used, 100)
            client.send(octets)
            client.transport.drop()
            self.assertEqual((self.room.used, self.room.held), (0, {}), octets)
        self.inbox.writable = False
        self.begin("1", 100, of=100).send(b"\r\n")
        self.assertEqual(self.room.used, 0)


def new_spool() -> Spool:
    return Spool(CommandFile(None), RoomClaim(SpoolRoom(0), None))


class SpoolTests(DialogueTestCase):
    def test_line_ends_wherever_the_pieces_are_cut(self) -> None:
        text = b"\na\r\n\n\nb\rc\r\r\n\n"
        expected = b"\r\na\r\n\r\n\r\nb\rc\r\r\n\r\n"
        for size in range(1, len(text) + 1):
            spool = new_spool()
            for start in range(0, len(text), size):
                spool.write(text[start : start + size])
            self.assertEqual(spool.finish(), expected, size)

    def test_memory_up_to_a_limit(self) -> None:
        for size in (IN_MEMORY, IN_MEMORY + 1):
            spool = new_spool()
            spool.write(b"x" * size)
            content = spool.finish()
            self.assertEqual(len(content.prefix), size if size == IN_MEMORY else 0)
            self.assertEqual(bytes(content), b"x" * size)

    def test_nul_is_refused_and_the_rest_forgotten(self) -> None:
        spool = new_spool()
        for _ in range(3):
            spool.write(b"a\0" + b"x" * IN_MEMORY)
        self.assertRaises(MailError, spool.finish)


class CopyTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent = run(self.account.open("Sent"))
        self.fill(4, flags=["\\Seen"])
        self.inbox.remove([2])

    def test_copy_keeps_flags_and_dates(self) -> None:
        """Corner case 36."""
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a COPY 1:3 Sent
            S: a OK [COPYUID {self.sent.uid_validity} 1,3:4 1:3] COPY completed
            C: b UID COPY 3,99 sent
            S: b NO [TRYCREATE] No such mailbox
            C: c UID COPY 3,99 Sent
            S: c OK [COPYUID {self.sent.uid_validity} 3 4] COPY completed
            C: d UID COPY 99 Sent
            S: d OK UID COPY completed
            C: e COPY 4 Sent
            S: e BAD No such message
            C: f EXAMINE Sent
            S*: ...
            S: f OK [READ-ONLY] EXAMINE completed
            C: g FETCH 4 (FLAGS INTERNALDATE)
            S: * 4 FETCH (FLAGS (\\Seen \\Recent) INTERNALDATE " 1-Jan-1970 00:00:00 +0000")
            S: g OK FETCH completed
            """
        )

    def test_copy_into_the_selected_mailbox(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a COPY 1 INBOX
            S: * 4 EXISTS
            S: * 4 RECENT
            S: a OK [COPYUID {self.inbox.uid_validity} 1 5] COPY completed
            """
        )

    def test_a_target_that_cannot_be_written(self) -> None:
        self.sent.writable = False
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a COPY 1 Sent
            S: a NO [NOPERM] Mailbox is read-only
            C: b MOVE 1 Sent
            S: b NO [NOPERM] Mailbox is read-only
            """
        )

    def test_move_tells_of_the_copies_before_the_expunges(self) -> None:
        """Corner case 36."""
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a MOVE 2:3 Sent
            S: * OK [COPYUID {self.sent.uid_validity} 3:4 1:2] Moved
            S: * 2 EXPUNGE
            S: * 2 EXPUNGE
            S: a OK MOVE completed
            C: b UID MOVE 1 Nowhere
            S: b NO [TRYCREATE] No such mailbox
            C: c UID MOVE 99 Sent
            S: c OK UID MOVE completed
            C: d UID MOVE 1 Sent
            S: * OK [COPYUID {self.sent.uid_validity} 1 3] Moved
            S: * 1 EXPUNGE
            S: d OK UID MOVE completed
            """
        )

    def test_nothing_is_moved_out_of_a_mailbox_that_is_only_examined(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S*: ...
            S: a OK [READ-ONLY] EXAMINE completed
            C: b MOVE 1 Sent
            S: b NO [NOPERM] Mailbox is read-only
            """
        )

    def test_messages_keep_their_octets(self) -> None:
        self.inbox.add(message("copied"))
        client = self.sign_in(select="INBOX")
        client.send(b"a UID COPY 5 Sent\r\n")
        [info] = run(self.sent.read([1], Part.CONTENT))
        self.assertEqual(info.content, message("copied"))

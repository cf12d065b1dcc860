"""MULTIAPPEND (RFC 3502), and the literals that a command streams."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from mailproto._spool_room import SpoolRoom
from mailproto.errors import OverQuota
from mailproto.imap import IMAPServerFactory
from mailproto.imap.extensions import LITERAL_MINUS, STANDARD
from mailproto.imap.server import _append
from mailproto.imap.server._extensions import multiappend
from mailproto.model import Part
from mailproto.observing import Appended, Observer
from tests.imap.server.dialogue import DialogueTestCase, run


class MultiAppendTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.appends: list[int] = []
        original = self.inbox.append

        async def append(messages: Any) -> Any:
            self.appends.append(len(messages))
            return await original(messages)

        self.inbox.append = append  # type: ignore[method-assign]

    def contents(self) -> list[bytes]:
        status = run(self.inbox.status())
        infos = run(self.inbox.read(range(1, status.uid_next), Part.CONTENT))
        return [bytes(info.content) for info in infos]

    def test_several_messages_at_once(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a APPEND INBOX (\\Seen) {{4}}
            S: + OK
            C: A: b " 7-Feb-1994 21:52:25 -0800" {{7+}}
            C: C: dd
            C:  (x) "17-Jul-1996 02:44:25 -0700" {{4}}
            S: + OK
            C: E: f
            S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen x)
            S: * 3 EXISTS
            S: * 3 RECENT
            S: a OK [APPENDUID {self.inbox.uid_validity} 1:3] APPEND completed
            C: b FETCH 1:3 (INTERNALDATE FLAGS)
            S: * 1 FETCH (INTERNALDATE ... FLAGS (\\Seen \\Recent))
            S: * 2 FETCH (INTERNALDATE " 7-Feb-1994 21:52:25 -0800" FLAGS (\\Recent))
            S: * 3 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700" FLAGS (x \\Recent))
            S: b OK FETCH completed
            """
        )

    def send(self, data: bytes) -> bytes:
        client = self.sign_in()
        client.send(data)
        return client.received()

    def test_it_is_one_transaction(self) -> None:
        answer = self.send(b"a APPEND INBOX {1+}\r\n1 {1+}\r\n2 {1+}\r\n3\r\nb NOOP\r\n")
        self.assertIn(b" 1:3] APPEND completed\r\nb OK", answer)
        self.assertEqual((self.appends, self.contents()), ([3], [b"1", b"2", b"3"]))

    def test_octet_by_octet(self) -> None:
        client = self.sign_in()
        for octet in b"a APPEND {5+}\r\ninbox () {2+}\r\nab (\\Seen) {1+}\r\nc\r\nb NOOP\r\n":
            client.send(bytes([octet]))
        self.assertIn(b" 1:2] APPEND completed\r\nb OK", client.received())
        self.assertEqual(self.contents(), [b"ab", b"c"])

    def test_all_or_none(self) -> None:
        """Whatever is wrong with a later message, nothing is stored, and the connection stays in step."""
        begin = b"a APPEND INBOX {1+}\r\n1"
        for rest, answer in (
            (b" {0+}\r\n\r\n", b"a NO Message is empty\r\n"),  # RFC 3502 4: the client gives up
            (b" {3+}\r\na\0b {1+}\r\nx\r\n", b"a NO Message contains NUL\r\n"),
            (b" {1048577}\r\n", b"a NO [TOOBIG] Message larger than 1048576 octets\r\n"),
            (b" (\\Seen {1+}\r\nx\r\n", b"a BAD Expected a list of flags\r\n"),
            (b" {1+} x\r\n", b"a BAD Expected a literal\r\n"),
            (b" ~(3+)\r\n", b"a BAD Expected a literal\r\n"),
            (b" XCATENATE (TEXT {3+}\r\nb N)\r\n", b"a BAD Expected a literal\r\n"),
            (b" x\0\r\n", b"a BAD NUL or CR in a command line\r\n"),
            (b" {5+}\r\nx\r\ny", None),
        ):
            client = self.sign_in()
            client.send(begin + rest)
            if answer is None:
                uploads = client.session.uploads
                self.assertEqual(len(uploads), 2)
                client.transport.drop()
                self.assertEqual(client.session.uploads, [])
            else:
                client.send(b"b NOOP\r\n")
                self.assertEqual(client.received(), answer + b"b OK NOOP completed\r\n", rest)
            self.assertEqual(self.factory.spool_room.used, 0)
        self.assertEqual(self.appends, [])

    def test_no_room_for_all_of_them(self) -> None:
        async def append(messages: Any) -> Any:
            raise OverQuota

        self.inbox.append = append  # type: ignore[method-assign]
        answer = self.send(b"a APPEND INBOX {1+}\r\n1 {1+}\r\n2\r\nb NOOP\r\n")
        self.assertEqual(answer, b"a NO [OVERQUOTA] Mailbox full\r\nb OK NOOP completed\r\n")
        self.assertEqual(self.factory.spool_room.used, 0)

    def test_the_room_is_for_all_messages_together(self) -> None:
        self.factory.spool_room = SpoolRoom(1000)
        answer = self.send(
            b"a APPEND INBOX {400+}\r\n%b {101+}\r\n%b\r\nb NOOP\r\n" % (b"x" * 400, b"y" * 101)
        )
        self.assertEqual(
            answer,
            b"a NO [UNAVAILABLE] Too many messages are arriving, try again later\r\nb OK NOOP completed\r\n",
        )
        self.assertEqual(self.factory.spool_room.used, 0)

    def test_too_many_messages(self) -> None:
        most = multiappend.MESSAGES
        messages = b" {1+}\r\n1" * (most + 1)
        answer = self.send(b"a APPEND INBOX" + messages + b"\r\nb NOOP\r\n")
        self.assertEqual(answer, b"a NO [LIMIT] Too many messages\r\nb OK NOOP completed\r\n")
        self.assertEqual(self.appends, [])
        answer = self.send(b"a APPEND INBOX" + b" {1+}\r\n1" * most + b"\r\n")
        self.assertIn(b" 1:%d] APPEND completed" % most, answer)

    def test_each_line_may_be_long_but_not_all_options_of_one(self) -> None:
        flags = b"(" + b" ".join(b"flag%d" % n for n in range(4000)) + b")"
        self.assertGreater(2 * len(flags), self.factory.wire_limits.line)
        client = self.sign_in()
        client.send(b"a APPEND INBOX %b {1+}\r\n1 %b {1+}\r\n2\r\n" % (flags, flags))
        self.assertIn(b"a NO [LIMIT] Too many keywords", client.received())  # the store's limit
        client.send(b"a APPEND INBOX %b %b {1+}\r\n1\r\nb NOOP\r\n" % (flags, flags))
        self.assertIn(b"a BAD Command line too long\r\nb OK", client.received())

    def test_what_is_kept_of_all_lines_is_limited(self) -> None:
        self.factory.wire_limits = replace(self.factory.wire_limits, literal_total=100)
        for count, answer in ((4, b"a OK"), (5, b"a BAD [TOOBIG] Arguments too long\r\nb OK")):
            client = self.sign_in()
            client.send(b"a APPEND INBOX {1+}\r\n1" + b" (flag0 flag1) {1+}\r\n1" * count + b"\r\nb NOOP\r\n")
            self.assertTrue(client.received().startswith(answer))

    def test_many_messages_in_one_file(self) -> None:
        """Little is in memory, and a command has one descriptor."""
        self.patch(_append, "IN_MEMORY_TOGETHER", 1000)
        folder = self.factory.spool_folder = self.mktemp()
        os.mkdir(folder)
        contents = [b"%d\r\n" % n * (100 + n) for n in range(30)]
        client = self.sign_in()
        before = len(os.listdir("/proc/self/fd"))
        client.send(b"a APPEND INBOX" + b"".join([b" {%d+}\r\n%b" % (len(each), each) for each in contents]))
        [file] = {upload.file for upload in client.session.uploads}
        self.assertTrue(500 < file.in_memory <= 1000, file.in_memory)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before + 1)
        client.send(b"\r\n")
        self.assertIn(b" 1:30] APPEND completed", client.received())
        self.assertEqual(self.contents(), contents)
        self.assertEqual(file.in_memory, 0)

    def test_observers_hear_of_each(self) -> None:
        seen: list[Appended] = []

        class Watch(Observer):
            def appended(self, event: Appended) -> None:
                seen.append(event)

        factory = IMAPServerFactory(
            self.factory.portal, clock=self.clock, hostname="mail.example.org", observer=Watch()
        )
        self.factory = factory
        self.send(b"a APPEND INBOX {1+}\r\n1 {2+}\r\n22\r\n")
        self.assertEqual([(event.uid, event.size) for event in seen], [(1, 1), (2, 2)])

    def test_without_the_extension(self) -> None:
        extensions = [each for each in STANDARD if each.name != "MULTIAPPEND"]
        self.factory = IMAPServerFactory(
            self.factory.portal, clock=self.clock, hostname="mail.example.org", extensions=extensions
        )
        answer = self.send(b"a APPEND INBOX {1+}\r\n1 {8+}\r\nc NOOP\r\n\r\nb CAPABILITY\r\n")
        self.assertTrue(answer.startswith(b"a BAD APPEND takes one message\r\n* CAPABILITY "), answer)
        self.assertNotIn(b"MULTIAPPEND", answer)


class LiteralMinusTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        extensions = [each for each in STANDARD if each.name != "LITERAL+"]
        self.factory = IMAPServerFactory(
            self.factory.portal,
            clock=self.clock,
            hostname="mail.example.org",
            extensions=[*extensions, LITERAL_MINUS],
        )

    def test_long_literals_must_be_asked_for(self) -> None:
        """RFC 7888 5."""
        client = self.sign_in()
        text = b"Literals over 4096 octets must be synchronizing\r\n"
        for size, taken in ((4096, True), (4097, False)):
            for line, ok in (
                (b"a APPEND INBOX {%d+}\r\n%b\r\n", b"a OK"),
                (b"a ENABLE X {%d+}\r\n%b\r\n", b""),
            ):
                client.send(line % (size, b"x" * size))
                client.send(b"b NOOP\r\n")
                answer = client.received()
                self.assertTrue(answer.endswith(b"b OK NOOP completed\r\n"), answer)
                if ok:
                    self.assertTrue(answer.startswith(ok if taken else b"a BAD " + text), answer)
        client.send(b"a APPEND INBOX {4097}\r\n")
        self.assertEqual(client.received(), b"+ OK\r\n")
        client.send(b"x" * 4097 + b"\r\nc CAPABILITY\r\n")
        answer = client.received()
        self.assertIn(b" LITERAL-", answer)
        self.assertNotIn(b"LITERAL+", answer)

    def test_strings_too(self) -> None:
        client = self.connect()
        client.send(b"a LOGIN {4097+}\r\n%b x\r\nb NOOP\r\n" % (b"x" * 4097))
        self.assertIn(b"a BAD Literals over 4096", client.received())

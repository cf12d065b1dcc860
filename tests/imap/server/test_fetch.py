"""FETCH and UID FETCH."""

from __future__ import annotations

import os

from twisted.logger import LogLevel

from mailproto.connection._line import TURN
from mailproto.content import Content
from mailproto.model import MessageInfo, Part
from tests.imap.server.dialogue import MESSAGE, DialogueTestCase, message
from tests.mail_log import captured, only

MULTIPART = b"""Subject: parts\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
first\r
--b\r
Content-Type: message/rfc822\r
X-Part: two\r
\r
Subject: inner\r
To: a@example.org\r
\r
inner text\r
--b--\r
"""

FOLDED = b"""Received: one\r
X-A: 1\r
received: two\r
\tfolded\r
X-B: 2\r
\r
text"""


class AttributeTests(DialogueTestCase):
    def test_everything_about_a_message(self) -> None:
        self.inbox.add(MESSAGE, ["\\Seen"], 820_454_400)
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a FETCH 1 FULL
            S: * 1 FETCH (FLAGS (\\Seen \\Recent) INTERNALDATE " 1-Jan-1996 00:00:00 +0000" RFC822.SIZE {len(MESSAGE)} ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "Hello" (("Alice" NIL "alice" "example.org")) (("Alice" NIL "alice" "example.org")) (("Alice" NIL "alice" "example.org")) ((NIL NIL "bob" "example.org")) NIL NIL NIL NIL) BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" {len(MESSAGE) - MESSAGE.index(b"Hello Bob")} 2))
            S: a OK FETCH completed
            C: b UID FETCH 1 BODYSTRUCTURE
            S: * 1 FETCH (UID 1 BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" {len(MESSAGE) - MESSAGE.index(b"Hello Bob")} 2 NIL NIL NIL NIL))
            S: b OK UID FETCH completed
            """  # noqa: E501
        )

    def test_messages_named_in_many_ways(self) -> None:
        """Corner cases 8 and 9."""
        self.fill(5)
        self.inbox.remove([2])
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID FETCH 9999:* UID
            S: * 4 FETCH (UID 5)
            S: a OK UID FETCH completed
            C: b UID FETCH 5:3 (UID)
            S: * 2 FETCH (UID 3)
            S: * 3 FETCH (UID 4)
            S: * 4 FETCH (UID 5)
            S: b OK UID FETCH completed
            C: c FETCH 4,2,*,2:2 (UID)
            S: * 2 FETCH (UID 3)
            S: * 4 FETCH (UID 5)
            S: c OK FETCH completed
            C: d FETCH 5 UID
            S: d BAD No such message
            C: e UID FETCH 2,77 FLAGS
            S: e OK UID FETCH completed
            """
        )

    def test_an_empty_mailbox(self) -> None:
        """Corner case 9."""
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH * UID
            S: a BAD No such message
            C: b UID FETCH 1:* FLAGS
            S: b OK UID FETCH completed
            """
        )

    def test_many_messages_come_in_order_in_few_writes(self) -> None:
        self.fill(2500)
        client = self.sign_in(select="INBOX")
        writes = []
        client.transport.write = writes.append
        client.send(b"a FETCH 1:* (UID RFC822.SIZE)\r\n")
        lines = b"".join(writes).splitlines()
        self.assertEqual(len(lines), 2501)
        self.assertTrue(lines[2499].startswith(b"* 2500 FETCH (UID 2500 "))
        self.assertLess(len(writes), 6)

    def test_unknown_modifiers_are_refused(self) -> None:
        self.fill(1)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1 FLAGS (XODD 1)
            S: a BAD ...
            """
        )


class SectionTests(DialogueTestCase):
    def fetch(self, content: bytes, item: bytes) -> bytes:
        """What stands behind the item's name."""
        self.inbox.add(content)
        client = self.sign_in(select="INBOX")
        client.send(b"a FETCH * (%b)\r\n" % item)
        self.clock.pump([0] * 20)  # for messages with many parts
        begin, end = b"* %d FETCH (" % len(client.session.selected.uids), b")\r\na OK FETCH completed\r\n"
        data = client.received()
        self.assertTrue(data.startswith(begin) and data.endswith(end), data)
        return data[len(begin) : -len(end)]

    def test_the_whole_message_is_as_long_as_its_size(self) -> None:
        """Corner case 17."""
        self.assertEqual(
            self.fetch(MULTIPART, b"RFC822.SIZE BODY.PEEK[]"),
            b"RFC822.SIZE %d BODY[] {%d}\r\n%b" % (len(MULTIPART), len(MULTIPART), MULTIPART),
        )

    def test_old_names(self) -> None:
        self.inbox.add(b"A: b\r\n\r\ntext")
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)
            S: * 1 FETCH (RFC822 {12}
            S: A: b
            S:
            S: text RFC822.HEADER {8}
            S: A: b
            S:
            S:  RFC822.TEXT {4}
            S: text FLAGS (\\Seen \\Recent))
            S: a OK FETCH completed
            """
        )

    def test_partial_fetches(self) -> None:
        """Corner case 10."""
        content = b"A: b\r\n\r\n0123456789"
        self.assertEqual(self.fetch(content, b"BODY.PEEK[TEXT]<0.4>"), b"BODY[TEXT]<0> {4}\r\n0123")
        self.assertEqual(self.fetch(content, b"BODY.PEEK[TEXT]<8.4>"), b"BODY[TEXT]<8> {2}\r\n89")
        self.assertEqual(self.fetch(content, b"BODY.PEEK[TEXT]<99.4>"), b"BODY[TEXT]<99> {0}\r\n")

    def test_parts_of_a_message_without_parts(self) -> None:
        """Corner case 11."""
        self.assertEqual(self.fetch(message(body="abc"), b"BODY.PEEK[1]"), b"BODY[1] {3}\r\nabc")
        self.assertEqual(self.fetch(message(body="abc"), b"BODY.PEEK[2]"), b"BODY[2] NIL")

    def test_parts_of_a_message_with_parts(self) -> None:
        """Corner case 12."""
        for item, octets in (
            (b"1", b"first"),
            (b"1.MIME", b"Content-Type: text/plain\r\n\r\n"),
            (b"2.MIME", b"Content-Type: message/rfc822\r\nX-Part: two\r\n\r\n"),
            (b"2.HEADER", b"Subject: inner\r\nTo: a@example.org\r\n\r\n"),
            (b"2.TEXT", b"inner text"),
            (b"2.1", b"inner text"),
            (b"2.HEADER.FIELDS (TO)", b"To: a@example.org\r\n\r\n"),
        ):
            self.assertEqual(
                self.fetch(MULTIPART, b"BODY.PEEK[%b]" % item),
                b"BODY[%b] {%d}\r\n%b" % (item, len(octets), octets),
            )

    def test_header_fields(self) -> None:
        """Corner case 13."""
        some = b"Received: one\r\nreceived: two\r\n\tfolded\r\n\r\n"
        self.assertEqual(
            self.fetch(FOLDED, b"BODY.PEEK[HEADER.FIELDS (RECEIVED)]"),
            b"BODY[HEADER.FIELDS (RECEIVED)] {%d}\r\n%b" % (len(some), some),
        )
        others = b"X-A: 1\r\nX-B: 2\r\n\r\n"
        self.assertEqual(
            self.fetch(FOLDED, b"BODY.PEEK[HEADER.FIELDS.NOT (Received)]"),
            b"BODY[HEADER.FIELDS.NOT (Received)] {%d}\r\n%b" % (len(others), others),
        )

    def test_structures_that_are_broken(self) -> None:
        """Corner cases 14 and 15."""
        plain = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL)'
        self.assertEqual(self.fetch(b"A: b\r\n\r\ntext", b"BODYSTRUCTURE"), b"BODYSTRUCTURE " + plain)
        for content in (
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n",
            b"Content-Type: multipart/mixed\r\n\r\n--x\r\n",
            b"".join(
                b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(1000)
            ),
        ):
            structure = self.fetch(content, b"BODYSTRUCTURE")
            self.assertLess(len(structure), 50_000)
            self.assertEqual(structure.count(b"("), structure.count(b")"))

    def test_the_part_of_a_multipart_without_parts(self) -> None:
        """BODYSTRUCTURE cannot but name one, so clients ask for it."""
        alone = b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts\r\n"
        inside = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b\r\n--b\r\n"
        forwarded = inside % (b"Content-Type: message/rfc822\r\n\r\n" + alone)
        for content, part in ((alone, b"1"), (inside % alone, b"1.1"), (forwarded, b"1.1")):
            names = [b"BODY[%b]" % part, b"BODY[%b.MIME]" % part, b"BINARY[%b]" % part]
            self.assertEqual(
                self.fetch(content, b" ".join([name.replace(b"[", b".PEEK[") for name in names])),
                b" ".join([name + b" {0}\r\n" for name in names]),
            )
            self.assertEqual(self.fetch(content, b"BINARY.SIZE[%b]" % part), b"BINARY.SIZE[%b] 0" % part)
            for other in (part[:-1] + b"2", part + b".1"):
                self.assertEqual(self.fetch(content, b"BODY.PEEK[%b]" % other), b"BODY[%b] NIL" % other)

    def test_an_envelope_with_little_in_it(self) -> None:
        """Corner case 16."""
        self.assertEqual(
            self.fetch(
                b"From: a@example.org\r\nTo: friends: b@example.org;\r\nSubject:\r\n\r\n", b"ENVELOPE"
            ),
            b'ENVELOPE (NIL "" ((NIL NIL "a" "example.org")) ((NIL NIL "a" "example.org"))'
            b' ((NIL NIL "a" "example.org"))'
            b' ((NIL NIL "friends" NIL)(NIL NIL "b" "example.org")(NIL NIL NIL NIL))'
            b" NIL NIL NIL NIL)",
        )


class SeenTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(b"A: b\r\n\r\nx")
        self.inbox.add(b"A: b\r\n\r\nx", ["\\Seen"])

    def test_reading_a_body_sets_seen_and_says_so(self) -> None:
        """Corner case 6."""
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1:2 BODY.PEEK[TEXT]
            S: * 1 FETCH (BODY[TEXT] {1}
            S: x)
            S: * 2 FETCH (BODY[TEXT] {1}
            S: x)
            S: a OK FETCH completed
            C: b FETCH 1:2 BODY[TEXT]
            S: * 1 FETCH (BODY[TEXT] {1}
            S: x FLAGS (\\Seen))
            S: * 2 FETCH (BODY[TEXT] {1}
            S: x)
            S: b OK FETCH completed
            C2: a NOOP
            S2: * 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))
            S2: a OK NOOP completed
            """
        )

    def test_flags_that_are_asked_for_come_once(self) -> None:
        self.sign_in("2", select="INBOX")
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID FETCH 1 (FLAGS BODY[TEXT])
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) BODY[TEXT] {1}
            S: x)
            S: a OK UID FETCH completed
            """
        )

    def test_examine_changes_nothing(self) -> None:
        self.sign_in("2", select="INBOX")
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S*: ...
            S: a OK [READ-ONLY] EXAMINE completed
            C: b FETCH 1 (BODY[TEXT] FLAGS)
            S: * 1 FETCH (FLAGS () BODY[TEXT] {1}
            S: x)
            S: b OK FETCH completed
            """
        )


class FromFileMixin(DialogueTestCase):
    """INBOX hands out message 1's octets as a file."""

    SIZE = 3_000_000

    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(message("in a file"))
        self.inbox.add(message("small"))
        self.path = self.mktemp()
        self.octets = b"Subject: large\r\n\r\n" + os.urandom(self.SIZE)
        with open(self.path, "wb") as file:
            file.write(self.octets)
        original = self.inbox.read

        async def read(uids: list[int], parts: Part) -> list[MessageInfo]:
            large = Content.of_file(self.path, len(self.octets))
            return [
                info._replace(content=large, size=len(large)) if info.uid == 1 else info
                for info in await original(uids, parts)
            ]

        self.inbox.read = read


class LargeContentTests(FromFileMixin):
    def test_it_is_sent_whole(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a FETCH 1 (UID BODY.PEEK[])\r\n")
        self.assertEqual(
            client.received(),
            b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\na OK FETCH completed\r\n"
            % (len(self.octets), self.octets),
        )

    def test_several_sections(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a FETCH 1 (BODY.PEEK[]<10.5> BODY.PEEK[7] BODY.PEEK[]<9999999.5> BODY[]<0.4>)\r\n")
        self.assertEqual(
            client.received(),
            b"* 1 FETCH (BODY[]<10> {5}\r\n%b BODY[7] NIL BODY[]<9999999> {0}\r\n BODY[]<0> {4}\r\nSubj"
            b" FLAGS (\\Seen \\Recent))\r\na OK FETCH completed\r\n" % self.octets[10:15],
        )

    def test_it_waits_for_a_slow_client(self) -> None:
        client = self.sign_in(select="INBOX")
        write = client.transport.write
        written = 0

        def slow_write(data: bytes) -> None:
            nonlocal written
            write(data)
            written += len(data)
            client.session.pauseProducing()

        client.transport.write = slow_write
        client.send(b"a FETCH 1:2 BODY.PEEK[]\r\n")
        received = client.received()
        while not received.endswith(b"a OK FETCH completed\r\n"):
            before, written = written, 0
            self.assertLess(before, 400_000)
            client.session.resumeProducing()
            received += client.received()
        self.assertIn(self.octets, received)

    def test_a_client_that_goes_away_ends_it(self) -> None:
        client = self.sign_in(select="INBOX")
        client.transport.write = lambda data: client.session.pauseProducing()
        client.send(b"a FETCH 1:2 BODY.PEEK[]\r\n")
        client.transport.drop()
        self.assertEqual(self.factory.connections, set())

    def test_a_file_that_is_gone(self) -> None:
        """The others are sent, and the mail log says which it is, of whom, and why."""
        os.unlink(self.path)
        self.sign_in(select="INBOX")
        with captured() as events:
            self.talk(
                """
                C: a FETCH 1:2 (UID BODY.PEEK[TEXT])
                S: * 2 FETCH (UID 2 BODY[TEXT] {11}
                S: Hello Bob
                S: )
                S: a NO [CORRUPTION] Some of the messages could not be read
                C: b SEARCH TEXT hello
                S: * SEARCH 2
                S: b OK SEARCH completed
                """
            )
        self.assertEqual([event["command"] for event in events], ["FETCH", "SEARCH"])
        for event in events:
            self.assertEqual((event["kind"], event["log_level"]), ("failed", LogLevel.error))
            self.assertEqual(event["account"], "alice")
            self.assertTrue(event["detail"].startswith("cannot read message 1 of INBOX: [Errno 2]"), event)
            self.assertIn(self.path, event["detail"])

    def test_a_file_that_is_gone_because_the_message_is(self) -> None:
        """It was expunged by another session, after this one was told of changes."""
        self.sign_in(select="INBOX")
        read = self.inbox.read

        async def read_and_expunge(uids: list[int], parts: Part) -> list[MessageInfo]:
            found = await read(uids, parts)
            if os.path.exists(self.path):
                os.unlink(self.path)
                self.inbox.remove([1])
            return list(found)

        self.inbox.read = read_and_expunge  # type: ignore[method-assign, assignment]
        with captured() as events:
            self.talk(
                """
                C: a FETCH 1:2 (UID BODY.PEEK[TEXT])
                S: * 2 FETCH (UID 2 BODY[TEXT] {11}
                S: Hello Bob
                S: )
                S: a NO [EXPUNGEISSUED] Some of the messages no longer exist
                """
            )
        self.assertEqual(events, [])

    def test_a_file_that_ends_midway(self) -> None:
        os.truncate(self.path, self.SIZE // 2)
        client = self.sign_in(select="INBOX")
        with captured() as events:
            client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
            self.assertNotIn(b"a OK", client.received())
        self.assertFalse(client.transport.is_open)
        event = only(events, "failed")
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn("cannot read message 1 of INBOX: ", event["detail"])


class FairnessTests(DialogueTestCase):
    def test_a_long_command_lets_others_have_their_turn(self) -> None:
        self.fill(3000)
        client = self.sign_in(select="INBOX")
        turns = self.slow_clock(TURN * 2)
        client.send(b"a FETCH 1:* RFC822.SIZE\r\n")
        self.assertNotIn(b"a OK", client.received())
        self.clock.advance(0)
        self.assertEqual(len(turns), 5)  # after each 500, but for the last
        self.assertIn(b"a OK FETCH completed\r\n", client.received())

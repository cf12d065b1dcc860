"""The sources: what is said to POP3 and IMAP servers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from mailproto.auth import Password
from mailproto.client import MailboxURL
from mailproto.client.errors import CommandRefused, ConnectionLost
from mailproto.fetching._fetch_new import source_name
from mailproto.fetching._sources import Got, IMAPSource, POP3Source
from mailproto.fetching._values import Listed
from mailproto.imap import IMAPClient
from mailproto.model import NewMessage
from mailproto.testing import connected
from tests.imap.server.dialogue import DialogueTestCase
from tests.pop3.client.dialogue import PIPELINING, PLAIN, ClientTestCase


class POP3Tests(ClientTestCase):
    def ask(self, transcript: str, awaitable: Any) -> Any:
        asked = ensureDeferred(awaitable)
        self.converse(transcript)
        return asked

    def test_ids_that_stand_once(self) -> None:
        source = POP3Source(self.connect(PIPELINING))
        listed = self.ask(
            """
            C: LIST
            C: UIDL
            S: +OK
            S: 1 10
            S: 2 20
            S: 3 30
            S: 4 40
            S: .
            S: +OK
            S: 1 a
            S: 2 b
            S: 3 b
            S: .
            """,
            source.listed(),
        )
        expected = [Listed(1, "a", 10), Listed(2, "", 20), Listed(3, "", 30), Listed(4, "", 40)]
        self.assertEqual(self.result(listed), expected)

    def test_a_server_without_ids(self) -> None:
        source = POP3Source(self.connect(PLAIN))
        listed = self.ask("C: LIST\nS: +OK\nS: 1 10\nS: .\nC: UIDL\nS: -ERR what?", source.listed())
        self.assertEqual(self.result(listed), [Listed(1, "", 10)])

    def test_a_message_that_is_refused(self) -> None:
        source = POP3Source(self.connect(PIPELINING))
        got = self.result(
            self.ask(
                """
                C: RETR 1
                C: RETR 2
                S: -ERR it is broken
                S: +OK
                S: Subject: x
                S: .
                """,
                source.get([Listed(1, "", 10), Listed(2, "", 12)]),
            )
        )
        self.assertIn("it is broken", got[0])
        self.assertEqual(bytes(got[1].content), b"Subject: x\r\n")

    def test_a_connection_that_is_lost_within_a_message(self) -> None:
        source = POP3Source(self.connect(PIPELINING))
        got = self.result(
            self.ask(
                """
                C: RETR 1
                C: RETR 2
                S: +OK
                S: Subject: x
                S: .
                S: +OK
                S: Subject: half
                S closes
                """,
                source.get([Listed(1, "", 12), Listed(2, "", 30)]),
            )
        )
        self.assertEqual((bytes(got[0].content), got[1]), (b"Subject: x\r\n", None))
        self.assertIsInstance(source.lost, ConnectionLost)

    def test_removal_ends_with_quit(self) -> None:
        source = POP3Source(self.connect(PIPELINING))
        removed = self.ask(
            "C: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\nC: QUIT\nS: -ERR some are left\nC closes",
            source.remove([Listed(1, "", 10), Listed(2, "", 12)]),
        )
        self.error(removed, CommandRefused)


class IMAPTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        client = IMAPClient(self.clock)
        self.link = connected(self.factory, client, clock=self.clock)
        self.addCleanup(self.link.pump)
        self.addCleanup(client.abort)
        self.link.result(client.authenticate(Password("alice", "secret")))
        self.append = lambda *messages: self.link.result(client.append("INBOX", *messages))
        self.source = IMAPSource(client, "INBOX", read_only=False)

    def test_messages_come_with_what_belongs_to_them(self) -> None:
        self.assertEqual(list(self.link.result(self.source.listed())), [])
        large = b"Subject: large\r\n\r\n" + b"x" * 100_000
        self.append(
            NewMessage(b"Subject: a\r\n\r\n", frozenset({"\\Seen", "\\Deleted", "$x"}), 1_000_000_000, 120),
            NewMessage(large, frozenset(), 1_000_000_001),
        )
        listed = self.link.result(self.source.listed())
        validity = self.inbox.uid_validity
        self.assertEqual(listed, [Listed(1, f"{validity}:1", 14), Listed(2, f"{validity}:2", len(large))])
        first, second, gone = self.link.result(self.source.get([*listed, Listed(9, "x", 1)]))
        assert isinstance(first, Got)
        self.assertEqual((first.flags, first.date), (frozenset({"\\Seen"}), 1_000_000_000))
        self.assertEqual(second.content, large)
        self.assertEqual(second.flags, frozenset())
        self.assertIsNone(gone)

    def test_removal_leaves_what_others_have_marked(self) -> None:
        marked = NewMessage(b"Subject: a\r\n\r\n", frozenset({"\\Deleted"}))
        self.append(marked, NewMessage(b"Subject: b\r\n\r\n"), marked)
        listed = self.link.result(self.source.listed())
        self.link.result(self.source.remove([listed[1]]))
        self.assertEqual([each.handle for each in self.link.result(self.source.listed())], [1, 3])

    def test_new_numbers(self) -> None:
        self.assertTrue(self.source.is_renumbered("2:1", "1:7"))
        self.assertFalse(self.source.is_renumbered("2:1", "2:7"))


class NameTests(DialogueTestCase):
    def test_tls_makes_no_other_source(self) -> None:
        for one, other in (
            ("pop3s://bob@Host", "pop3://bob@host"),
            ("imaps://bob@host/A", "imap://bob@host:143/A"),
            ("imap://bob@host:1143", "imap://bob@host:1143/inbox"),
        ):
            names = {source_name(MailboxURL.parse(url)) for url in (one, other)}
            self.assertEqual(len(names), 1, names)
        self.assertNotEqual(
            source_name(MailboxURL.parse("imap://b@h/A")), source_name(MailboxURL.parse("imap://b@h/a"))
        )

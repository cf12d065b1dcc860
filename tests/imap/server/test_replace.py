"""REPLACE (RFC 8508)."""

from __future__ import annotations

from typing import Any

from mailproto.model import Part
from tests.imap.server.dialogue import DialogueTestCase, run


class ReplaceTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        self.drafts: Any = run(self.account.open("Drafts"))

    def contents(self, mailbox: Any = None) -> list[bytes]:
        mailbox = mailbox or self.inbox
        uids = list(range(1, run(mailbox.status()).uid_next))
        return [bytes(info.content) for info in run(mailbox.read(uids, Part.CONTENT))]

    def test_in_the_same_mailbox(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a REPLACE 2 INBOX (\\Seen \\Draft) {{3}}
            S: + OK
            C: new
            S: * OK [APPENDUID {self.inbox.uid_validity} 4] Replacement message ready
            S: * 4 EXISTS
            S: * 4 RECENT
            S: * 2 EXPUNGE
            S: a OK REPLACE completed
            C: b FETCH 3 (UID FLAGS BODY.PEEK[])
            S: * 3 FETCH (UID 4 FLAGS (\\Draft \\Seen \\Recent) BODY[] {{3}}
            S: new)
            S: b OK FETCH completed
            """
        )
        self.assertEqual(len(self.contents()), 3)

    def test_into_another_one(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a UID REPLACE 3 Drafts {{3+}}
            C: new
            S: * OK [APPENDUID {self.drafts.uid_validity} 1] Replacement message ready
            S: * 3 EXPUNGE
            S: a OK UID REPLACE completed
            C: b NOOP
            S: b OK NOOP completed
            """
        )
        self.assertEqual((len(self.contents()), self.contents(self.drafts)), (2, [b"new"]))

    def test_another_session_sees_both_or_nothing(self) -> None:
        self.sign_in("other", select="INBOX")
        client = self.sign_in(select="INBOX")
        client.send(b"a REPLACE * INBOX {3+}\r\nnew\r\n")
        self.assertIn(b"* 3 EXPUNGE\r\na OK", client.received())
        other = self.clients["other"]
        other.send(b"b NOOP\r\n")
        self.assertEqual(
            other.received(), b"* 4 EXISTS\r\n* 3 RECENT\r\n* 3 EXPUNGE\r\nb OK NOOP completed\r\n"
        )

    def test_catenate(self) -> None:
        """The new message is made of the one that it replaces (RFC 8508 4.2)."""
        client = self.sign_in(select="INBOX")
        client.send(b'a UID REPLACE 1 INBOX CATENATE (TEXT {6+}\r\nA: b\r\n URL "/INBOX/;UID=1")\r\n')
        self.assertIn(b"a OK", client.received())
        self.assertTrue(self.contents()[-1].startswith(b"A: b\r\nFrom: alice@"), self.contents()[-1])

    def test_nothing_happens_if_one_of_both_cannot(self) -> None:
        client = self.sign_in(select="INBOX")
        for command, answer in (
            (b"REPLACE 9 INBOX {3+}\r\nnew", b"a BAD "),
            (b"UID REPLACE 9 INBOX {3+}\r\nnew", b"a NO [EXPUNGEISSUED] That message is gone\r\n"),
            (b"REPLACE 1 Nowhere {3+}\r\nnew", b"a NO [TRYCREATE] No such mailbox\r\n"),
            (b"REPLACE 1 INBOX {0+}\r\n", b"a NO Message is empty\r\n"),
            (b"REPLACE 1 INBOX {3+}\r\nn\0w", b"a NO Message contains NUL\r\n"),
            (b"REPLACE 1:2 INBOX {3+}\r\nnew", b"a BAD "),
            (b"REPLACE 1,2 INBOX {3+}\r\nnew", b"a BAD "),
            (b"REPLACE 0 INBOX {3+}\r\nnew", b"a BAD "),
            (b"REPLACE 1 INBOX new", b"a BAD Expected a literal\r\n"),
            (b"REPLACE 1 INBOX {3+}\r\nnew {3+}\r\nnew", b"a BAD "),
        ):
            client.send(b"a %b\r\nb NOOP\r\n" % command)
            said = client.received()
            self.assertTrue(said.startswith(answer), (command, said))
            self.assertTrue(said.endswith(b"b OK NOOP completed\r\n"), (command, said))
            self.assertNotIn(b"EXPUNGE\r\n", said)
        self.assertEqual((client.session.uploads, self.factory.spool_room.used), ([], 0))
        self.assertEqual(len(self.contents()), 3)

    def test_a_message_that_is_gone_already(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a REPLACE 2 INBOX {3}\r\n")
        self.inbox.remove([2])
        client.send(b"new\r\n")
        self.assertIn(b"a NO [EXPUNGEISSUED] That message is gone\r\n", client.received())
        self.assertEqual(len(self.contents()), 2)

    def test_a_mailbox_that_is_only_read(self) -> None:
        client = self.sign_in()
        client.send(b"a EXAMINE INBOX\r\n")
        client.received()
        client.send(b"b REPLACE 1 INBOX {3}\r\n")
        self.assertIn(b"b NO [NOPERM] ", client.received())

    def test_it_is_for_the_selected_mailbox(self) -> None:
        client = self.sign_in()
        client.send(b"b REPLACE 1 INBOX {3+}\r\nnew\r\n")
        self.assertEqual(client.received(), b"b BAD [CLIENTBUG] Not valid in this state\r\n")

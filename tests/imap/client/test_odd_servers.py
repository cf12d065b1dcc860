"""Faults and oddities in the style of mail services and older servers, made up by us.

What was seen in public reports is in `test_seen`.
"""

from __future__ import annotations

from typing import Any

from mailproto.auth import Password, Token
from mailproto.client.errors import AuthenticationRefused, ProtocolViolation
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.values import FetchedMessage
from tests.imap.client.dialogue import FEW, PLAIN_BOB, ClientTestCase


class OddServerTests(ClientTestCase):
    def fetched(self, response: bytes, *items: str, capabilities: str = FEW) -> FetchedMessage:
        """The message that comes as ``response`` to FETCH."""
        self.selected(capabilities)
        done = self.begin(self.client.fetch(5, *items).all())
        self.transport.read()
        self.transport.send(b"* 1 FETCH " + response + b"\r\nA2 OK\r\n")
        [message] = self.result(done)
        return message

    def test_gmail(self) -> None:
        """Codes in the text, capabilities that change with the login, labels, and its own ids."""
        self.connect(
            """
            S: * OK Gimap ready for requests from 192.0.2.1 ab12cd34
            """
        )
        done = self.client.authenticate(Token("bob", "t"))
        self.converse(
            """
            C: A1 CAPABILITY
            S: * CAPABILITY IMAP4rev1 UNSELECT IDLE XLIST X-GM-EXT-1 SASL-IR AUTH=XOAUTH2
            S: A1 OK Thats all she wrote! ab12cd34
            C: A2 AUTHENTICATE XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgdAEB
            S: * CAPABILITY IMAP4rev1 MOVE CONDSTORE ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE
            S: A2 OK bob@example.com authenticated (Success)
            """
        )
        self.assertEqual(self.result(done), "XOAUTH2")
        self.assertIn("SPECIAL-USE", self.client.capabilities)
        listed = self.client.list()
        self.converse(
            """
            C: A3 LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)
            S: * LIST (\\HasChildren \\Noselect) "/" "[Gmail]"
            S: * LIST (\\All \\HasNoChildren) "/" "[Gmail]/Alle Nachrichten"
            S: * LIST (\\HasNoChildren) "/" "B&APw-cher"
            S: A3 OK Success
            """
        )
        folder, everything, books = self.result(listed)
        self.assertEqual(
            (folder.is_selectable, everything.special_use, books.name), (False, {"\\All"}, "Bücher")
        )
        box = self.client.select("[Gmail]/Alle Nachrichten")
        self.converse(
            """
            C: A4 SELECT "[Gmail]/Alle Nachrichten" (CONDSTORE)
            S: * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $NotPhishing $Phishing)
            S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen \\*)] Flags permitted.
            S: * OK [UIDVALIDITY 11] UIDs valid.
            S: * 1 EXISTS
            S: * 0 RECENT
            S: * OK [UIDNEXT 6] Predicted next UID.
            S: * OK [HIGHESTMODSEQ 2214]
            S: A4 OK [READ-WRITE] [Gmail]/Alle Nachrichten selected. (Success)
            """
        )
        selected = self.result(box)
        self.assertEqual((selected.modseq, selected.is_read_only), (2214, False))
        fetched = self.begin(self.client.fetch(5, "X-GM-LABELS", "X-GM-MSGID", "X-GM-THRID").all())
        self.converse(
            r"""
            C: A5 UID FETCH 5 (UID X-GM-LABELS X-GM-MSGID X-GM-THRID)
            S: * 1 FETCH (X-GM-THRID 77 X-GM-MSGID 88 X-GM-LABELS ("\\Inbox" "a \"b\"" W) UID 5)
            S: A5 OK Success
            """
        )
        [message] = self.result(fetched)
        self.assertEqual(message.items["X-GM-LABELS"], [b"\\Inbox", b'a "b"', b"W"])
        self.assertEqual((message.thread_id, message.email_id), ("77", "88"))

    def test_exchange_online(self) -> None:
        """A greeting with its own tail, a message that is not shown, and no word of why it refuses."""
        self.connect("S: * OK The Microsoft Exchange IMAP4 service is ready. [TABPADEAUABSADIAMgA=]")
        done = self.client.authenticate(Password("bob", "secret"))
        self.converse(
            f"""
            C: A1 CAPABILITY
            S: * CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT IDLE
            S: A1 OK CAPABILITY completed.
            C: A2 AUTHENTICATE PLAIN {PLAIN_BOB}
            S: A2 NO AUTHENTICATE failed.
            """
        )
        self.assertEqual(str(self.error(done, AuthenticationRefused)), "NO AUTHENTICATE failed.")
        message = self.fetched(
            b'(FLAGS (\\Seen $MDNSent) BODYSTRUCTURE (("text" "plain" ("charset" "iso-8859-1") NIL NIL'
            b' "quoted-printable" 12 1 NIL NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 0 NIL NIL'
            b' NIL NIL) "mixed" ("boundary" "_002_") NIL "de-DE") UID 5)',
            *("FLAGS", "BODYSTRUCTURE"),
        )
        assert message.structure is not None
        text, attached = message.structure.parts
        self.assertEqual((text.charset, text.lines, attached.media_type), ("iso-8859-1", 1, "message/rfc822"))
        self.assertEqual((attached.parts, attached.envelope), ((), None))
        self.assertEqual(message.structure.languages, ("de-DE",))

    def test_courier(self) -> None:
        """Names of fields come back in quotes; each mailbox is below INBOX; times have a leading space."""
        self.signed_in(
            "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE ACL ACL2=UNION"
        )
        done = self.client.list("%")
        self.converse(
            """
            C: A1 LIST "" "%"
            S: * LIST (\\Unmarked \\HasChildren) "." "INBOX"
            S: A1 OK LIST completed
            """
        )
        self.assertEqual([each.delimiter for each in self.result(done)], ["."])
        message = self.fetched(
            b'(UID 5 INTERNALDATE " 1-Feb-2024 10:00:00 +0100" BODY[HEADER.FIELDS'
            b' ("SUBJECT" "date")] {15}\r\n'
            b"Subject: hi\r\n\r\n)",
            *("INTERNALDATE", "BODY.PEEK[HEADER.FIELDS (SUBJECT DATE)]"),
        )
        self.assertEqual(message.header, b"Subject: hi\r\n\r\n")
        self.assertEqual(message.sections["HEADER.FIELDS (SUBJECT DATE)"], b"Subject: hi\r\n\r\n")
        self.assertEqual(str(message.internal_date), "2024-02-01 10:00:00+01:00")

    def test_old_cyrus(self) -> None:
        """Responses without a text, two spaces, and literals for what could be quoted."""
        self.connect("S: * OK mail Cyrus IMAP4 v2.1.15 server ready")
        self.client.login("bob", "secret")
        self.converse(
            """
            C: A1 CAPABILITY
            S: * CAPABILITY IMAP4 IMAP4rev1 ACL QUOTA LITERAL+ MAILBOX-REFERRALS NAMESPACE UIDPLUS
            S: A1 OK Completed
            C: A2 LOGIN "bob" "secret"
            S: A2 OK User logged in
            C: A3 CAPABILITY
            S: * CAPABILITY IMAP4 IMAP4rev1 ACL QUOTA
            S: A3 OK
            """
        )
        box = self.client.select("INBOX")
        self.converse(
            """
            C: A4 SELECT INBOX
            S: * FLAGS (\\Answered \\Flagged NonJunk)
            S: * OK [PERMANENTFLAGS (\\Answered \\Flagged NonJunk \\*)]
            S: * 1 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1]
            S: * OK [UIDVALIDITY 1079]
            S: * OK [UIDNEXT 6]
            S: A4 OK [READ-WRITE] Completed
            """
        )
        selected = self.result(box)
        self.assertEqual((selected.uid_next, selected.uid_validity), (6, 1079))
        found = self.client.search("UNSEEN")
        self.converse("C: A5 UID SEARCH UNSEEN\nS: * SEARCH\nS: A5 OK Completed (0 msgs)")
        self.assertEqual(len(self.result(found)), 0)
        message = self.fetched(
            b'(UID 5 ENVELOPE ({4}\r\nMon, "it\'s {6}" NIL NIL NIL (({3}\r\nBob NIL "bob" "x.example"))'
            b" NIL NIL NIL {3}\r\n<1>))",
            "ENVELOPE",
        )
        envelope = message.envelope
        assert envelope is not None
        self.assertEqual((envelope.subject, envelope.message_id), ("it's {6}", "<1>"))
        self.assertEqual([str(each) for each in envelope.to], ["Bob <bob@x.example>"])

    def test_yahoo(self) -> None:
        """Spaces at the end, raw UTF-8 in quotes, and a sequence number that it does not tell the UID of."""
        self.selected(FEW)
        found = self.client.search()
        self.transport.send(b"* SEARCH 1 2 30 \r\nA2 OK UID SEARCH completed \r\n")
        self.assertEqual(self.result(found).uids, [1, 2, 30])
        message = self.fetched(
            b'(UID 5 ENVELOPE ("x" "%b" (("%b" NIL "j" "x.example")) NIL NIL NIL NIL NIL NIL NIL))'
            % ("Grüße \U0001f600".encode(), "Jürgen".encode()),
            "ENVELOPE",
        )
        assert message.envelope is not None
        self.assertEqual(
            (message.envelope.subject, message.envelope.from_[0].name), ("Grüße \U0001f600", "Jürgen")
        )

    def test_icloud(self) -> None:
        """Capabilities of its own, and the name of the item as it was asked for."""
        self.connect(
            "S: * OK [CAPABILITY st-p00 IMAP4 IMAP4rev1 ID SASL-IR AUTH=ATOKEN AUTH=PLAIN] (0123-abc) p00"
        )
        self.assertIn("AUTH=ATOKEN", self.client.capabilities)
        message = self.fetched(b"(BODY.PEEK[] {2}\r\nhi UID 5 MODSEQ (44))", "BODY.PEEK[]")
        self.assertEqual((message.content, message.modseq), (b"hi", 44))

    def test_domino(self) -> None:
        """A backslash separates levels; lists of addresses are NIL or empty."""
        self.signed_in(FEW)
        done = self.client.list()
        self.converse(
            r"""
            C: A1 LIST "" "*"
            S: * LIST (\HasNoChildren) "\\" "Sent\\2024"
            S: * LIST (\HasNoChildren) "\\" Inbox
            S: A1 OK LIST completed
            """
        )
        self.assertEqual(
            [(each.name, each.delimiter) for each in self.result(done)],
            [("Sent\\2024", "\\"), ("INBOX", "\\")],
        )
        message = self.fetched(b"(UID 5 ENVELOPE (NIL NIL () NIL ((NIL NIL NIL NIL)) (NIL) NIL))", "ENVELOPE")
        assert message.envelope is not None
        self.assertEqual(
            (message.envelope.from_, message.envelope.to, message.envelope.message_id), ((), (), "")
        )

    def test_broken_structures(self) -> None:
        """Of servers that forget spaces, fields, or how a part looks: the rest of the answer is there."""
        for value, expected in (
            (b'("TEXT" "PLAIN" ("CHARSET" "us-ascii")NIL NIL "7BIT" 4 1)', "text/plain us-ascii 4"),
            (b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" "4" "1")', "text/plain  4"),
            (b'("TEXT" NIL NIL NIL NIL NIL NIL)', "text/octet-stream  0"),
            (b"(NIL NIL)", "application/octet-stream  0"),
            (b'("TEXT" "HTML" ("CHARSET" {5}\r\n "NAME") NIL NIL "8BIT" 7)', "text/html utf-8 7"),
            (
                b'("text" "plain" ("charset" "utf-8" "name") NIL NIL "8bit" 4294967296 0)',
                "text/plain utf-8 4294967296",
            ),
            (
                b'("text" "plain" "charset" NIL NIL "8bit" 3 0 NIL ("inline" NIL) (("en")) NIL)',
                "text/plain  3",
            ),
            (b'("APPLICATION" "X" ("NAME" "say "hi" twice.pdf") NIL NIL "BASE64" 9)', "application/x  9"),
            (b'(("text" "plain" NIL NIL NIL "7bit" 1 1) "mixed")', "multipart/mixed  0"),
            (b'(("text" "plain" NIL NIL NIL "7bit" 1 1)())', "multipart/mixed  0"),
            (
                b'("message" "rfc822" NIL NIL NIL "7bit" 9 (NIL) ("text" "plain" NIL NIL NIL "7bit" 1 1) 3)',
                "message/rfc822  9",
            ),
            (b"()", None),
            (b"NIL", None),
            (b'"text"', None),
        ):
            with self.subTest(value=value):
                self.selected(FEW)
                done = self.begin(self.client.fetch(5, "FLAGS", "BODYSTRUCTURE").all())
                text = b"(FLAGS (a) BODYSTRUCTURE " + value + b" UID 5)"
                self.transport.send(
                    b"* 1 FETCH " + text.replace(b"{5}\r\n", b"{5}\r\nutf-8") + b"\r\nA2 OK\r\n"
                )
                [message] = self.result(done)
                self.assertEqual(message.flags, {"a"})
                part = message.structure
                shown = None if part is None else f"{part.media_type} {part.charset} {part.size}"
                self.assertEqual(shown, expected)

    def test_what_cannot_be_read_leaves_the_rest(self) -> None:
        message = self.fetched(
            b'(UID 5 RFC822.SIZE 44 ENVELOPE ("broken FLAGS (a))', "RFC822.SIZE", "ENVELOPE"
        )
        self.assertEqual((message.size, message.envelope), (44, None))
        message = self.fetched(b"(UID 5 RFC822.SIZE 44 ENVELOPE (NIL NIL)", "RFC822.SIZE", "ENVELOPE")
        self.assertEqual(message.size, 44)
        self.assertIsNotNone(message.envelope)

    def test_a_line_too_many_for_each_message(self) -> None:
        """As Xeams sends them: only so many in a row are an end."""
        self.selected(FEW, limits=IMAPClientLimits(garbage=3))
        done = self.begin(self.client.fetch("1:*", "BODY[]").all())
        self.transport.read()
        for uid in range(1, 9):
            self.transport.send(
                b"* 1 FETCH (UID %d BODY[] {2}\r\nhi)\r\n FLAGS ()\r\n RFC822.SIZE 2)\r\n" % uid
            )
        self.transport.send(b"A2 OK\r\n")
        self.assertEqual([each.content for each in self.result(done)], [b"hi"] * 8)
        done = self.client.noop()
        self.transport.send(b"x\r\n" * 4)
        self.error(done, ProtocolViolation)

    def test_uw_imap(self) -> None:
        """An offset in the name of a section, flags that nobody knows, and odd dates."""
        message = self.fetched(
            b'(UID 5 FLAGS (\\Recent \\XAOL-READ $Forwarded \\*) INTERNALDATE "31-Feb-2024 10:00:00 +0000"'
            b" BODY[TEXT]<0> {2}\r\nhi RFC822.HEADER {3}\r\na: )",
            *("FLAGS", "INTERNALDATE", "BODY.PEEK[TEXT]<0.2>", "RFC822.HEADER"),
        )
        self.assertEqual(message.flags, {"\\Recent", "\\XAOL-READ", "$Forwarded", "\\*"})
        self.assertIsNone(message.internal_date)
        self.assertEqual((message.sections["TEXT"], message.header), (b"hi", b"a: "))

    def test_zimbra(self) -> None:
        """It splits an answer, and tells of the flags again in between."""
        self.selected("IMAP4rev1 CONDSTORE")
        done = self.begin(self.client.fetch([5, 6], "FLAGS", "BODY[]").all())
        self.transport.send(
            b"* 1 FETCH (UID 5 FLAGS () BODY[] {1}\r\na)\r\n* 1 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (9))\r\n"
            b'* 2 FETCH (UID 6 FLAGS (\\Seen) BODY[] "b")\r\n* 3 EXISTS\r\n* 4 EXISTS\r\nA2 OK\r\n'
        )
        messages: list[Any] = self.result(done)
        self.assertEqual([each.uid for each in messages], [5, 6])
        self.assertEqual(len(self.events), 2)

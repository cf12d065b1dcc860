"""LIST with rights and annotations: in one command, or one by one (RFC 8440, RFC 9590)."""

from __future__ import annotations

from mailproto.imap.values import MetadataChanged
from tests.imap.client.dialogue import FEW, ClientTestCase

ENTRY = "/private/comment"


class ListTests(ClientTestCase):
    def test_in_one_command(self) -> None:
        self.signed_in("IMAP4rev1 LIST-EXTENDED LIST-STATUS ACL LIST-MYRIGHTS METADATA LIST-METADATA")
        done = self.client.list(status=["MESSAGES"], rights=True, metadata=[ENTRY, "/shared/x"])
        self.converse(
            """
            C: A1 LIST "" "*" RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES) MYRIGHTS \
METADATA (/private/comment /shared/x))
            S: * LIST () "." INBOX
            S: * MYRIGHTS INBOX lrswipkxtecda
            S: * METADATA INBOX (/private/comment {2}
            S: hi)
            S: * METADATA INBOX (/SHARED/x NIL)
            S: * LIST () "." "a b"
            S: * STATUS "a b" (MESSAGES 3)
            S: * MYRIGHTS "a b" lrs
            S: * METADATA "a b" /shared/comment
            S: * LIST (\\NonExistent) "." lost
            S: * MYRIGHTS other lrs
            S: A1 OK
            """
        )
        inbox, spaced, lost = self.result(done)
        self.assertEqual(inbox.rights, "lrswipkxtecda")
        self.assertEqual(inbox.metadata, {ENTRY: b"hi", "/shared/x": None})
        self.assertEqual((spaced.rights, spaced.counts.messages, spaced.metadata), ("lrs", 3, {}))
        self.assertEqual((lost.rights, lost.counts, lost.metadata), (None, None, {}))
        self.assertEqual(self.events, [MetadataChanged("a b", ("/shared/comment",))])

    def test_one_by_one(self) -> None:
        self.signed_in("IMAP4rev1 ACL METADATA")
        done = self.client.list(rights=True, metadata=[ENTRY])
        self.converse(
            """
            C: A1 LIST "" "*"
            S: * LIST () "/" inbox
            S: * LIST () "/" Entw&APw-rfe
            S: * LIST (\\NonExistent) "/" lost
            S: A1 OK
            C: A2 MYRIGHTS INBOX
            C: A3 MYRIGHTS Entw&APw-rfe
            S: * MYRIGHTS Entw&APw-rfe lr
            S: A3 OK
            S: * MYRIGHTS inbox lrs
            S: A2 OK
            C: A4 GETMETADATA INBOX (/private/comment)
            C: A5 GETMETADATA Entw&APw-rfe (/private/comment)
            S: A4 NO [NOPERM] No
            S: * METADATA "Entw&APw-rfe" (/private/comment "x")
            S: A5 OK
            """
        )
        inbox, drafts, lost = self.result(done)
        self.assertEqual((inbox.rights, inbox.metadata), ("lrs", {}))
        self.assertEqual((drafts.rights, drafts.metadata), ("lr", {ENTRY: b"x"}))
        self.assertEqual((lost.rights, lost.metadata), (None, {}))

    def test_where_the_server_has_neither(self) -> None:
        self.signed_in(FEW)
        done = self.client.list(rights=True, metadata=[ENTRY])
        self.converse(
            """
            C: A1 LIST "" "*"
            S: * LIST () "/" INBOX
            S: A1 OK
            """
        )
        [inbox] = self.result(done)
        self.assertEqual((inbox.rights, inbox.metadata), (None, {}))

    def test_arguments(self) -> None:
        self.signed_in()
        self.error(self.client.list(metadata=ENTRY), TypeError)
        self.error(self.client.list(metadata=["comment"]), ValueError)
        self.error(self.client.list(status="MESSAGES"), TypeError)
        self.error(self.client.list(rights="lr"), TypeError)  # type: ignore[arg-type]
        self.assertEqual(self.transport.read(), b"")


class MetadataTests(ClientTestCase):
    def test_what_the_server_tells_unasked_is_no_answer(self) -> None:
        self.signed_in("IMAP4rev1 METADATA METADATA-SERVER")
        asked = [self.client.metadata(name, ENTRY) for name in ("a", "b", "")]
        self.converse(
            """
            C: A1 GETMETADATA a (/private/comment)
            C: A2 GETMETADATA b (/private/comment)
            C: A3 GETMETADATA "" (/private/comment)
            S: * METADATA b /private/comment
            S: * METADATA b (/private/comment "2")
            S: * METADATA "" (/private/comment "3")
            S: A3 OK
            S: * METADATA a (/private/comment "1")
            S: A1 OK
            S: A2 OK
            """
        )
        self.assertEqual([self.result(each)[ENTRY] for each in asked], [b"1", b"2", b"3"])
        self.assertEqual(self.events, [MetadataChanged("b", (ENTRY,))])

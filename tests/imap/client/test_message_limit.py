"""Servers that do no more than some messages at once: the client goes on with the others (RFC 9738)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.client.errors import CommandRefused, ProtocolViolation
from mailproto.imap import IMAPClient
from mailproto.imap.client._message_limit import last_done, part_below, parts_around
from mailproto.imap.limits import IMAPClientLimits, IMAPLimits
from mailproto.imap.values import UidSet
from mailproto.testing import connected
from tests.imap.client.dialogue import MANY, ClientTestCase
from tests.imap.server.dialogue import DialogueTestCase

LIMITED = f"{MANY} MULTIAPPEND PARTIAL SEARCHRES MESSAGELIMIT=2 SAVELIMIT=3"


class LimitTests(ClientTestCase):
    def test_fetch(self) -> None:
        self.selected(LIMITED)
        fetched = self.client.fetch("1:*", "FLAGS")
        self.converse(
            """
            C: A2 UID FETCH 1:* (UID FLAGS)
            S: * 5 FETCH (UID 9 FLAGS ())
            S: * 4 FETCH (UID 8 FLAGS ())
            S: A2 OK [MESSAGELIMIT 2 8] Only these
            C: A3 UID FETCH 1:7 (UID FLAGS)
            S: * 3 FETCH (UID 5 FLAGS ())
            S: * 2 FETCH (UID 3 FLAGS ())
            S: * NO [MESSAGELIMIT 2 3] Only these
            S: A3 OK [EXPUNGEISSUED] Some are gone
            C: A4 UID FETCH 1:2 (UID FLAGS)
            S: A4 OK Done
            """
        )
        self.assertEqual([each.uid for each in self.result(self.begin(fetched.all()))], [9, 8, 5, 3])

    def test_fetch_of_sets_that_need_several_commands(self) -> None:
        self.selected(LIMITED)
        fetched = self.client.fetch(range(1, 4001, 2), "FLAGS")
        sent = [self.transport.read()]
        for tag, code in ((2, "[MESSAGELIMIT 2 3] "), (3, ""), (4, "[MESSAGELIMIT 2 3995] "), (5, "")):
            self.transport.send(f"A{tag} OK {code}Done\r\n".encode("ascii"))
            sent.append(self.transport.read())
        self.assertEqual(sent[1], b"A3 UID FETCH 1 (UID FLAGS)\r\n")
        self.assertTrue(sent[3].endswith(b",3993 (UID FLAGS)\r\n"), sent[3][-50:])
        self.assertEqual(self.result(self.begin(fetched.all())), [])

    def test_search(self) -> None:
        self.selected(LIMITED)
        found = self.client.search('SUBJECT "ä" UNSEEN')
        self.converse(
            """
            C: A2 UID SEARCH RETURN (ALL) CHARSET UTF-8 SUBJECT {2+}
            C: ä UNSEEN
            S: * ESEARCH (TAG "A2") UID ALL 9 MODSEQ 5
            S: A2 OK [MESSAGELIMIT 2 8] Only these
            C: A3 UID SEARCH RETURN (ALL) CHARSET UTF-8 UID 1:7 SUBJECT {2+}
            C: ä UNSEEN
            S: * ESEARCH (TAG "A3") UID ALL 5 MODSEQ 7
            S: A3 OK Done
            """
        )
        result = self.result(found)
        self.assertEqual((list(result), result.modseq), ([5, 9], 7))

    def test_a_part_of_a_limited_search(self) -> None:
        """The server, which has not announced its limit, has counted only what it has searched."""
        self.selected(f"{MANY} PARTIAL SEARCHRES")
        found = self.client.search(partial=(1, 2), save=True)
        self.converse(
            """
            C: A2 UID SEARCH RETURN (PARTIAL 1:2 SAVE) ALL
            S: * ESEARCH (TAG "A2") UID PARTIAL (1:2 8:9)
            S: A2 OK [MESSAGELIMIT 2 8] Only these
            C: A3 UID SEARCH RETURN (ALL) ALL
            S: * ESEARCH (TAG "A3") UID ALL 8:9
            S: A3 OK [MESSAGELIMIT 2 8] Only these
            C: A4 UID SEARCH RETURN (ALL) UID 1:7 ALL
            S: * ESEARCH (TAG "A4") UID ALL 3,5
            S: A4 OK Done
            """
        )
        self.assertEqual(self.result(found).uids, [3, 5])
        self.client.expunge("$")
        self.assertEqual(self.transport.read(), b"A5 UID EXPUNGE 3,5\r\n")

    def test_what_is_saved(self) -> None:
        """The client remembers all, and the server would only remember some (3.4)."""
        self.selected(LIMITED)
        self.client.search(save=True)
        self.client.store("$", add={"a"})
        self.converse(
            """
            C: A2 UID SEARCH RETURN (ALL) ALL
            S: * ESEARCH (TAG "A2") UID ALL 8:9
            S: A2 OK [MESSAGELIMIT 2 8] Only these
            C: A3 UID SEARCH RETURN (ALL) UID 1:7 ALL
            S: * ESEARCH (TAG "A3") UID ALL 5
            S: A3 OK Done
            C: A4 UID STORE 5,8:9 +FLAGS.SILENT (a)
            """
        )

    def test_a_part_above_the_limit(self) -> None:
        """It would be refused (3.1)."""
        self.selected(LIMITED)
        found, fetched = self.client.search(partial=(1, 3)), self.client.fetch("1:*", partial=(-1, -3))
        self.assertEqual(self.transport.read(), b"A2 UID SEARCH RETURN (ALL) ALL\r\n")
        self.transport.send(b"A2 OK\r\n")
        self.assertEqual(self.transport.read(), b"A3 UID SEARCH RETURN (ALL) UID 1:*\r\n")
        self.assertEqual(self.result(found).uids, [])
        del fetched

    def test_store(self) -> None:
        self.selected(LIMITED)
        done = self.client.store("5:*", add={"a"}, silent=False)
        self.converse(
            """
            C: A2 UID STORE 5:* +FLAGS (a)
            S: * 4 FETCH (UID 9 FLAGS (a))
            S: A2 OK [MESSAGELIMIT 2 8] Only these
            C: A3 UID STORE 5:7 +FLAGS (a)
            S: * 2 FETCH (UID 6 FLAGS (a))
            S: A3 OK Done
            """
        )
        self.assertEqual([each.uid for each in self.result(done).changed], [9, 6])

    def test_copy(self) -> None:
        """The server copies all or nothing, so the client asks for fewer."""
        self.selected(LIMITED)
        done = self.client.copy([1, 3, 5, 7, 9], "x")
        self.converse(
            """
            C: A2 UID COPY 1,3,5,7,9 x
            S: A2 NO [MESSAGELIMIT 2 7] Too many
            C: A3 UID COPY 7,9 x
            S: A3 OK [COPYUID 1 7,9 1:2] Done
            C: A4 UID COPY 1,3,5 x
            S: A4 NO [MESSAGELIMIT 2 3] Too many
            C: A5 UID COPY 3,5 x
            S: A5 OK [COPYUID 1 3,5 3:4] Done
            C: A6 UID COPY 1 x
            S: A6 OK [COPYUID 1 1 5] Done
            """
        )
        self.assertEqual(list(self.result(done)), [(7, 1), (9, 2), (3, 3), (5, 4), (1, 5)])

    def test_copies_that_are_refused(self) -> None:
        self.selected(LIMITED)
        for tag, code in (
            (2, "MESSAGELIMIT 2"),
            (3, "MESSAGELIMIT 2 1"),
            (4, "MESSAGELIMIT 2 10"),
            (5, "LIMIT"),
        ):
            done = self.client.copy([1, 9], "x")
            self.transport.send(f"A{tag} NO [{code}] No\r\n".encode("ascii"))
            self.error(done, CommandRefused)

    def test_move_and_expunge(self) -> None:
        self.selected(LIMITED)
        moved, gone = self.client.move("1:9", "x"), self.client.expunge("1:9")
        self.converse(
            """
            C: A2 UID MOVE 1:9 x
            S: * OK [COPYUID 1 8:9 1:2] Some
            S: * 2 EXPUNGE
            S: A2 OK [MESSAGELIMIT 2 8] Only these
            C: A3 UID EXPUNGE 1:9
            S: A3 OK [MESSAGELIMIT 2 4] Only these
            C: A4 UID MOVE 1:9 x
            S: * OK [COPYUID 1 5 3] Some
            S: A4 OK Done
            C: A5 UID EXPUNGE 1:9
            S: A5 OK [MESSAGELIMIT 2 4] What?
            """
        )
        self.assertEqual(list(self.result(moved)), [(8, 1), (9, 2), (5, 3)])
        self.result(gone)  # a server that makes no progress is not asked for ever

    def test_append(self) -> None:
        self.signed_in(LIMITED)
        self.client.append("x", *[b"a"] * 5)
        self.assertEqual(self.transport.read().count(b"APPEND"), 3)

    def test_a_search_without_end(self) -> None:
        self.selected(LIMITED, limits=IMAPClientLimits(messages=10))
        found = self.client.search()
        last = 1000
        while self.client.is_usable and last > 900:
            tag = self.transport.read().split()[0]
            self.transport.send(
                b"* ESEARCH UID ALL %d\r\n%b OK [MESSAGELIMIT 1 %d] x\r\n" % (last, tag, last)
            )
            last -= 1
        self.error(found, ProtocolViolation)
        self.assertGreater(last, 990)

    def test_servers_that_make_no_progress(self) -> None:
        self.selected(LIMITED)
        code = b"OK [MESSAGELIMIT 2 7] Only these\r\n"
        fetched, stored = self.client.fetch("1:9"), self.client.store("1:9", add={"a"})
        found = self.client.search()
        for tag in range(2, 12):
            self.transport.send(b"A%d %b" % (tag, code))
            if self.client._session.is_idle:
                break
        self.assertTrue(self.client._session.is_idle)
        for done in (stored, found, self.begin(fetched.all())):
            self.result(done)


class SetTests(SynchronousTestCase):
    def test_last_done(self) -> None:
        for arguments, before, expected in (
            (b"1000 23221", None, 23221),
            (b"1000 23221", 23222, 23221),
            (b"1000 23221", 23221, None),
            (b"1000", None, None),
            (b"1000 x", None, None),
            (b"1000 0", None, None),
            (b"1000 4294967296", None, None),
            (None, None, None),
        ):
            self.assertEqual(last_done(arguments, before), expected)

    def test_parts(self) -> None:
        self.assertEqual(str(part_below("5:*", None, 9)), "5:8")
        self.assertEqual(str(part_below("*:5,2", None, 9)), "2,5:8")
        self.assertEqual(part_below("$", None, 9), [])
        self.assertEqual(part_below("1:9", UidSet([1, 9]), 1), [])
        self.assertEqual([str(each) for each in parts_around("1:*", None, 9)], ["9:4294967295", "1:8"])
        self.assertEqual(parts_around("1:8", UidSet(range(1, 9)), 9), [])
        self.assertEqual(parts_around("$", None, 9), [])


class OurServerTests(DialogueTestCase):
    def test_more_than_the_limit(self) -> None:
        self.factory.limits = IMAPLimits(failure_delay=0, command_messages=3)
        client = IMAPClient(self.clock)
        link = connected(self.factory, client, clock=self.clock)
        self.addCleanup(link.pump)
        self.addCleanup(client.abort)
        link.result(client.authenticate(Password("alice", "secret")))
        self.assertIn("MESSAGELIMIT=3", client.capabilities)
        appended = link.result(client.append("INBOX", *[b"Subject: a\r\n\r\n"] * 10))
        self.assertEqual(appended.uids, tuple(range(1, 11)))
        link.result(client.select("INBOX"))
        fetched = link.result(client.fetch("1:*", "FLAGS").all())
        self.assertEqual(sorted(each.uid for each in fetched), [*range(1, 11)])
        self.assertEqual(link.result(client.search()).uids, [*range(1, 11)])
        self.assertEqual(link.result(client.search(partial=(1, 4), save=True)).uids, [1, 2, 3, 4])
        self.assertEqual(len(link.result(client.fetch("$", "FLAGS").all())), 4)
        link.result(client.store("1:*", add={"\\Flagged"}))
        self.assertEqual(len(link.result(client.search("FLAGGED"))), 10)
        copied = link.result(client.copy("2:9", "Sent"))
        self.assertEqual(sorted(copied.source), [*range(2, 10)])
        moved = link.result(client.move("1:5", "Trash"))
        self.assertEqual(sorted(moved.source), [*range(1, 6)])
        link.result(client.store("6:9", add={"\\Deleted"}))
        link.result(client.expunge("1:*"))
        self.assertEqual(link.result(client.search()).uids, [10])

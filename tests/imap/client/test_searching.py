"""SEARCH, SORT and THREAD, and what is remembered of a search."""

from __future__ import annotations

import datetime

from mailproto.client.errors import CommandRefused, ConnectionLost, NotOffered
from mailproto.imap.values import Query, ThreadNode
from tests.imap.client.dialogue import FEW, MANY, ClientTestCase


class SearchTests(ClientTestCase):
    def test_esearch(self) -> None:
        self.selected()
        found = self.client.search(Query.unseen() & (Query.from_("al") | ~Query.subject('a"b')))
        self.converse(
            r"""
            C: A2 UID SEARCH RETURN (ALL) UNSEEN OR FROM "al" NOT SUBJECT "a\"b"
            S: * ESEARCH (TAG "A2") UID ALL 2,10:11 MODSEQ 917
            S: A2 OK
            """
        )
        result = self.result(found)
        self.assertEqual((list(result), result.modseq), ([2, 10, 11], 917))

    def test_search(self) -> None:
        self.selected(FEW)
        found = self.client.search('UNSEEN FROM "älice" SINCE 1-Feb-2024')
        self.converse(
            """
            C: A2 UID SEARCH CHARSET UTF-8 UNSEEN FROM {6}
            S: +
            C~: älice
            C:  SINCE 1-Feb-2024
            S: * SEARCH 9 2 10
            S: * SEARCH
            S: A2 OK
            """
        )
        self.assertEqual(self.result(found).uids, [2, 9, 10])

    def test_keys(self) -> None:
        date = datetime.date(2024, 2, 1)
        for query, text in (
            (Query.since(date) & Query.before(date), b"SINCE 1-Feb-2024 BEFORE 1-Feb-2024"),
            (~(Query.seen() & Query.draft()), b"NOT (SEEN DRAFT)"),
            (Query.seen() | (Query.draft() & Query.all()), b"OR SEEN (DRAFT ALL)"),
            (Query.header("List-Id", ""), b'HEADER "List-Id" ""'),
            (Query.uids([1, 2, 9]), b"UID 1:2,9"),
            (~Query.raw("SEEN DRAFT"), b"NOT (SEEN DRAFT)"),
            (Query.larger(5) & Query.changed_since(7), b"LARGER 5 MODSEQ 7"),
        ):
            with self.subTest(text=text):
                self.selected()
                self.client.search(query)
                self.assertEqual(self.transport.read(), b"A2 UID SEARCH RETURN (ALL) " + text + b"\r\n")

    def test_keys_that_are_none(self) -> None:
        self.selected()
        for criteria in ("", 'FROM "half', "A\r\nA9 DELETE x", "FROM älice", "{3}", "x\x00", None, b"SEEN"):
            with self.subTest(criteria=criteria):
                self.error(self.client.search(criteria), TypeError, ValueError)  # type: ignore[arg-type]
        for make in (
            lambda: Query.keyword("a b"),
            lambda: Query.header("a:b"),
            lambda: Query.text("a\x00"),
            lambda: Query.uids([]),
            lambda: Query.larger(-1),
            lambda: Query.since("1-Feb-2024"),  # type: ignore[arg-type]
            lambda: Query.seen() & "UNSEEN",  # type: ignore[operator]
        ):
            with self.assertRaises((TypeError, ValueError)):
                make()
        self.assertEqual(self.transport.read(), b"")

    def test_sort_keeps_the_order(self) -> None:
        self.selected("IMAP4rev1 SORT")
        found = self.client.sort(["REVERSE DATE", "FROM"], "ALL")
        self.converse(
            """
            C: A2 UID SORT (REVERSE DATE FROM) UTF-8 ALL
            S: * SORT 9 2 10
            S: A2 OK
            """
        )
        self.assertEqual(list(self.result(found)), [9, 2, 10])

    def test_sort_is_not_offered(self) -> None:
        self.selected(FEW)
        self.error(self.client.sort("DATE"), NotOffered)
        self.error(self.client.thread(), NotOffered)

    def test_threads(self) -> None:
        self.selected("IMAP4rev1 THREAD=REFERENCES")
        found = self.client.thread()
        self.converse(
            """
            C: A2 UID THREAD REFERENCES UTF-8 ALL
            S: * THREAD (2)(3 6 (4 23)(44 7 96))((8)(9))
            S: A2 OK
            """
        )
        chain = ThreadNode(44, (ThreadNode(7, (ThreadNode(96),)),))
        branch = ThreadNode(6, (ThreadNode(4, (ThreadNode(23),)), chain))
        absent = ThreadNode(None, (ThreadNode(8), ThreadNode(9)))
        self.assertEqual(self.result(found), [ThreadNode(2), ThreadNode(3, (branch,)), absent])


class PartialTests(ClientTestCase):
    """RFC 9394."""

    def test_search(self) -> None:
        self.selected(f"{MANY} PARTIAL")
        last, none = (
            self.client.search("UNDELETED", partial=(-1, -100)),
            self.client.search(partial=(501, 600)),
        )
        self.converse(
            """
            C: A2 UID SEARCH RETURN (PARTIAL -1:-100) UNDELETED
            S: * ESEARCH (TAG "A2") UID PARTIAL (-1:-100 5,7:9)
            S: A2 OK
            C: A3 UID SEARCH RETURN (PARTIAL 501:600) ALL
            S: * ESEARCH (TAG "A3") UID PARTIAL (501:600 NIL)
            S: A3 OK
            """
        )
        self.assertEqual(self.result(last).uids, [5, 7, 8, 9])
        self.assertEqual(self.result(none).uids, [])

    def test_search_where_the_server_gives_all(self) -> None:
        for capabilities, places, expected in (
            (FEW, (1, 2), [2, 5]),
            (FEW, (3, 2), [5, 7]),
            (MANY, (-1, -2), [7, 9]),
            (MANY, (-2, -9), [2, 5, 7]),
            (f"{MANY} CONTEXT=SEARCH", (-1, -1), [9]),
            (MANY, (5, 9), []),
            (MANY, (-5, -9), []),
        ):
            with self.subTest(capabilities=capabilities, places=places):
                self.selected(capabilities)
                found = self.client.search(partial=places)
                self.assertNotIn(b"PARTIAL", self.transport.read())
                name = b"SEARCH 9 2 5 7" if capabilities == FEW else b"ESEARCH UID ALL 2,5,7,9"
                self.transport.send(b"* %b\r\nA2 OK\r\n" % name)
                self.assertEqual(self.result(found).uids, expected)

    def test_context_counts_from_the_beginning_only(self) -> None:
        self.selected(f"{MANY} CONTEXT=SEARCH")
        self.client.search(partial=(1, 9))
        self.assertEqual(self.transport.read(), b"A2 UID SEARCH RETURN (PARTIAL 1:9) ALL\r\n")

    def test_fetch(self) -> None:
        self.selected(f"{MANY} PARTIAL")
        fetched = self.client.fetch("1:*", "FLAGS", partial=(-1, -2), changed_since=7)
        self.converse(
            """
            C: A2 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 7 PARTIAL -1:-2)
            S: * 8 FETCH (UID 9 FLAGS ())
            S: A2 OK
            """
        )
        self.assertEqual([each.uid for each in self.result(self.begin(fetched.all()))], [9])

    def test_fetch_where_the_server_gives_all(self) -> None:
        self.selected()
        fetched = self.client.fetch("3:*", "FLAGS", partial=(-1, -2))
        self.converse(
            """
            C: A2 UID SEARCH RETURN (ALL) UID 3:*
            S: * ESEARCH (TAG "A2") UID ALL 5,8:9
            S: A2 OK
            C: A3 UID FETCH 8:9 (UID FLAGS)
            S: * 7 FETCH (UID 8 FLAGS ())
            S: * 8 FETCH (UID 9 FLAGS ())
            S: A3 OK
            """
        )
        self.assertEqual([each.uid for each in self.result(self.begin(fetched.all()))], [8, 9])
        self.assertEqual(self.result(self.begin(self.client.fetch([], partial=(1, 2)).all())), [])

    def test_a_search_that_is_refused_ends_the_fetch(self) -> None:
        self.selected(FEW)
        fetched = self.client.fetch("1:*", partial=(1, 2))
        taken = self.begin(fetched.all())
        self.transport.send(b"A2 NO Not now\r\n")
        self.error(taken, CommandRefused)

    def test_a_set_for_several_commands_has_places_of_its_own(self) -> None:
        self.selected(f"{MANY} PARTIAL")
        fetched = self.client.fetch(range(1, 8000, 2), "FLAGS", partial=(1, 2))
        sent = self.transport.read()
        self.assertTrue(sent.startswith(b"A2 UID SEARCH RETURN (ALL) UID 1,3,5"), sent[:50])
        for tag, found in ((2, "1,3"), (3, "3001"), (4, "7001")):
            self.transport.send(f"* ESEARCH UID ALL {found}\r\nA{tag} OK\r\n".encode())
            sent = self.transport.read()
        self.assertEqual(sent, b"A5 UID FETCH 1,3 (UID FLAGS)\r\n")
        del fetched

    def test_sort(self) -> None:
        self.selected(f"{MANY} SORT ESORT PARTIAL")
        found = self.client.sort("SIZE", partial=(-1, -4))
        self.converse(
            """
            C: A2 UID SORT RETURN (PARTIAL -1:-4) (SIZE) UTF-8 ALL
            S: * ESEARCH (TAG "A2") UID PARTIAL (-1:-4 9,3:2,5)
            S: A2 OK
            """
        )
        self.assertEqual(self.result(found), [9, 3, 2, 5])
        self.selected("IMAP4rev1 SORT")
        found = self.client.sort("SIZE", partial=(-1, -2))
        self.transport.send(b"* SORT 9 3 2 5\r\nA2 OK\r\n")
        self.assertEqual(list(self.result(found)), [2, 5])

    def test_more_than_was_asked_for(self) -> None:
        """A hostile server's ranges stay ranges, and are not made into numbers."""
        self.selected(f"{MANY} SORT ESORT PARTIAL")
        for call in (self.client.search, lambda partial: self.client.sort("DATE", partial=partial)):
            found = call(partial=(1, 3))
            tag = self.transport.read().split()[0]
            self.transport.send(b"* ESEARCH UID PARTIAL (1:3 1:4294967295)\r\n%b OK\r\n" % tag)
            self.assertIn(len(self.result(found)), (0, (1 << 32) - 1))
        self.selected(FEW)
        found = self.client.search(partial=(2, 1 << 31))
        self.transport.send(b"* ESEARCH UID ALL 1:4294967295\r\nA2 OK\r\n")
        self.assertEqual(len(self.result(found).uids), (1 << 31) - 1)

    def test_arguments(self) -> None:
        self.selected(f"{MANY} PARTIAL SORT")
        for places in ((0, 5), (1, -5), (1,), "1:5", [1, 5], (1, 5.0), (True, 5), (1, 1 << 32), 5):
            with self.subTest(places=places):
                self.error(self.client.search(partial=places), TypeError, ValueError)  # type: ignore[arg-type]
                self.error(self.client.sort("DATE", partial=places), TypeError, ValueError)  # type: ignore[arg-type]
                with self.assertRaises((TypeError, ValueError)):
                    self.client.fetch(1, partial=places)  # type: ignore[arg-type]
        with self.assertRaises(ValueError):
            self.client.fetch(1, changed_since=5, vanished=True, partial=(1, 2))
        self.assertEqual(self.transport.read(), b"")


class SavedTests(ClientTestCase):
    """RFC 5182."""

    def test_the_server_remembers(self) -> None:
        """All is sent at once: a server keeps the order (RFC 5182 2.3)."""
        self.selected(f"{MANY} SEARCHRES")
        found = self.client.search("UNSEEN", save=True)
        fetched = self.client.fetch("$", "FLAGS")
        stored, copied = self.client.store("$", add={"a"}), self.client.copy("$", "x")
        self.converse(
            """
            C: A2 UID SEARCH RETURN (ALL SAVE) UNSEEN
            C: A3 UID FETCH $ (UID FLAGS)
            S: * ESEARCH (TAG "A2") UID ALL 5
            S: A2 OK
            S: * 3 FETCH (UID 5 FLAGS ())
            S: A3 OK
            C: A4 UID STORE $ +FLAGS.SILENT (a)
            C: A5 UID COPY $ x
            S: A4 OK
            S: A5 OK
            """
        )
        self.assertEqual(self.result(found).uids, [5])
        self.assertEqual([each.uid for each in self.result(self.begin(fetched.all()))], [5])
        self.result(stored), self.result(copied)
        again = self.client.search(Query.uids("$") & ~Query.seen(), partial=(1, 1), save=True)
        self.assertEqual(self.transport.read(), b"A6 UID SEARCH RETURN (ALL) UID $ NOT SEEN\r\n")
        self.transport.send(b'* ESEARCH (TAG "A6") UID ALL 5,7\r\nA6 OK\r\n')
        self.assertEqual(self.result(again).uids, [5])
        self.client.expunge("$")
        self.assertEqual(self.transport.read(), b"A7 UID EXPUNGE 5\r\n")

    def test_the_client_remembers(self) -> None:
        self.selected(FEW)
        found = self.client.search("UNSEEN", save=True)
        fetched, stored = self.client.fetch("$", "FLAGS"), self.client.store("$", add={"a"})
        within = self.client.search(~Query.uids("$"))
        self.converse(
            """
            C: A2 UID SEARCH UNSEEN
            S: * SEARCH 5 6
            S: A2 OK
            C: A3 UID FETCH 5:6 (UID FLAGS)
            S: * 3 FETCH (UID 5 FLAGS ())
            S: A3 OK
            C: A4 UID STORE 5:6 +FLAGS.SILENT (a)
            C: A5 UID SEARCH NOT UID 5:6
            S: A4 OK
            S: A5 OK
            """
        )
        self.result(found), self.result(stored), self.result(within)
        self.assertEqual([each.uid for each in self.result(self.begin(fetched.all()))], [5])

    def test_nothing_is_saved(self) -> None:
        """And nothing is done with it."""
        self.selected(FEW)
        self.result(self.client.store("$", add={"a"}))
        self.assertEqual(self.result(self.begin(self.client.fetch("$").all())), [])
        self.assertEqual(self.transport.read(), b"")
        self.client.search(Query.uids("$"))
        self.assertEqual(self.transport.read(), b"A2 UID SEARCH NOT ALL\r\n")

    def test_a_refused_search_saves_nothing(self) -> None:
        self.selected(FEW)
        found, stored = self.client.search("UNSEEN", save=True), self.client.store("$", add={"a"})
        self.transport.send(b"A2 NO Not now\r\n")
        self.error(found, CommandRefused)
        self.result(stored)

    def test_another_mailbox_forgets(self) -> None:
        for leave in ("select", "unselect", "close_mailbox"):
            self.selected(FEW)
            found = self.client.search(save=True)
            self.transport.send(b"* SEARCH 5\r\nA2 OK\r\n")
            self.result(found)
            self.transport.read()
            getattr(self.client, leave)(*["b"] * (leave == "select"))
            self.result(self.client.expunge("$"))
            self.assertNotIn(b"UID", self.transport.read())

    def test_saved_in_a_mailbox_that_is_not_yet_selected(self) -> None:
        self.signed_in(FEW)
        self.client.select("b")
        self.client.search(save=True)
        self.client.store("$", add={"a"})
        self.transport.send(b"* 1 EXISTS\r\nA1 OK\r\n* SEARCH 5\r\nA2 OK\r\n")
        self.assertTrue(self.transport.read().endswith(b"A3 UID STORE 5 +FLAGS.SILENT (a)\r\n"))

    def test_a_server_that_cannot_save(self) -> None:
        self.selected(f"{MANY} SEARCHRES")
        found = self.client.search(save=True)
        self.converse(
            """
            C: A2 UID SEARCH RETURN (ALL SAVE) ALL
            S: A2 NO [NOTSAVED] Too much
            C: A3 UID SEARCH RETURN (ALL) ALL
            S: * ESEARCH (TAG "A3") UID ALL 5
            S: A3 OK
            """
        )
        self.assertEqual(self.result(found).uids, [5])
        self.client.expunge("$")
        self.assertEqual(self.transport.read(), b"A4 UID EXPUNGE 5\r\n")

    def test_a_lost_connection(self) -> None:
        self.selected(FEW)
        waiting = [self.client.search(save=True), self.client.store("$", add={"a"})]
        waiting.append(self.begin(self.client.fetch("$").all()))
        self.transport.drop()
        for each in waiting:
            self.error(each, ConnectionLost)


class MultisearchTests(ClientTestCase):
    """RFC 7377."""

    def test_in_one_command(self) -> None:
        self.selected(f"{MANY} MULTISEARCH")
        found = self.client.search_in(["INBOX", "a b", "Entwürfe"], Query.subject("ä"))
        self.converse(
            """
            C: A2 ESEARCH IN (mailboxes (INBOX "a b" Entw&APw-rfe)) RETURN (ALL) CHARSET UTF-8 SUBJECT {2+}
            C: ä
            S: * ESEARCH (TAG "A2" MAILBOX "Entw&APw-rfe" UIDVALIDITY 9) UID ALL 4,9
            S: * ESEARCH (TAG "A2" MAILBOX inbox UIDVALIDITY 7) UID ALL 1
            S: * ESEARCH (TAG "A2" MAILBOX "a b" UIDVALIDITY 8) UID
            S: A2 OK
            """
        )
        told = self.result(found)
        self.assertEqual(
            {name: list(each) for name, each in told.items()}, {"INBOX": [1], "Entwürfe": [4, 9]}
        )
        self.assertEqual(told["Entwürfe"].uid_validity, 9)

    def test_one_after_the_other(self) -> None:
        self.signed_in("IMAP4rev1 UNSELECT")
        found = self.client.search_in(["INBOX", "gone", "b"], "SEEN")
        self.converse(
            """
            C: A1 EXAMINE INBOX
            S: * 3 EXISTS
            S: * OK [UIDVALIDITY 7] Ok
            S: A1 OK [READ-ONLY]
            C: A2 UID SEARCH SEEN
            S: * SEARCH 3 1
            S: A2 OK
            C: A3 EXAMINE gone
            S: A3 NO [NONEXISTENT] No
            C: A4 EXAMINE b
            S: A4 OK [READ-ONLY]
            C: A5 UID SEARCH SEEN
            S: * SEARCH
            S: A5 OK
            C: A6 UNSELECT
            S: A6 OK
            """
        )
        told = self.result(found)
        self.assertEqual({name: list(each) for name, each in told.items()}, {"INBOX": [1, 3]})
        self.assertEqual(told["INBOX"].uid_validity, 7)
        self.assertIsNone(self.client.selected)

    def test_the_selected_mailbox_stays(self) -> None:
        self.selected(FEW)
        self.error(self.client.search_in(["a"]), NotOffered)
        self.assertEqual(self.client.selected, "INBOX")

    def test_arguments(self) -> None:
        self.signed_in(f"{MANY} MULTISEARCH")
        self.error(self.client.search_in("INBOX"), TypeError)
        self.error(self.client.search_in(["a\r\nb"]), ValueError)
        self.error(self.client.search_in(["a"], Query.uids("$")), ValueError)
        self.assertEqual(self.result(self.client.search_in([])), {})
        self.assertEqual(self.transport.read(), b"")

"""Commands that are under way together (RFC 9051 5.5), and the sets of UIDs by which they are told apart."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.values import UidSet
from tests.imap.client.dialogue import ClientTestCase


class PipeliningTests(ClientTestCase):
    def sent(self, *calls: Any) -> list[bytes]:
        self.waiting: list[Deferred[Any]] = list(calls)
        return [line.split(b" ", 1)[1] for line in self.transport.read().splitlines()]

    def test_what_cannot_be_confused_is_sent_together(self) -> None:
        client = self.selected()
        sent = self.sent(client.noop(), client.search(), client.copy(1, "a"), client.status("b", "UIDNEXT"))
        self.assertEqual(len(sent), 4)
        self.transport.send(
            b"* STATUS b (UIDNEXT 4)\r\nA5 OK\r\n* ESEARCH UID ALL 3\r\nA3 OK\r\nA2 OK\r\nA4 OK\r\n"
        )
        self.assertEqual(self.result(self.waiting[3]).uid_next, 4)
        self.assertEqual(self.result(self.waiting[1]).uids, [3])

    def test_fetches_of_different_messages(self) -> None:
        client = self.selected()
        one, two = client.fetch([1, 2], "FLAGS"), client.fetch([3], "FLAGS")
        self.assertEqual(len(self.sent()), 2)
        self.transport.send(
            b"* 3 FETCH (UID 3 FLAGS (c))\r\n* 1 FETCH (UID 1 FLAGS (a))\r\nA2 OK\r\nA3 OK\r\n"
        )
        self.assertEqual([each.uid for each in self.result(self.begin(one.all()))], [1])
        self.assertEqual([each.uid for each in self.result(self.begin(two.all()))], [3])

    def test_what_may_be_confused_waits(self) -> None:
        client = self.selected()
        self.assertEqual(len(self.sent(client.search(), client.search())), 1)
        self.assertEqual(len(self.sent(client.noop())), 0)  # the order stays
        self.transport.send(b"A2 OK\r\n")
        self.assertEqual(len(self.sent()), 2)

    def test_select_waits_for_all_and_all_wait_for_it(self) -> None:
        client = self.selected()
        self.assertEqual(len(self.sent(client.noop(), client.select("b"), client.noop())), 1)
        self.transport.send(b"A2 OK\r\n")
        self.assertEqual(len(self.sent()), 1)
        self.transport.send(b"A3 OK\r\n")
        self.assertEqual(len(self.sent()), 1)

    def test_a_set_with_a_star_overlaps_everything(self) -> None:
        client = self.selected()
        one, two = client.fetch("5:*", "FLAGS"), client.fetch([3], "FLAGS")
        self.assertEqual(len(self.sent()), 1)
        del one, two

    def test_searches_once_the_server_has_named_a_tag(self) -> None:
        client = self.selected()
        first = client.search()
        self.assertEqual(len(self.sent()), 1)
        self.transport.send(b'* ESEARCH (TAG "A2") UID ALL 1\r\nA2 OK\r\n')
        sent = self.sent(client.search("SEEN"), client.search("DRAFT"), client.search("ANSWERED"))
        self.assertEqual(len(sent), 3)
        self.transport.send(
            b"* ESEARCH (TAG A4) UID ALL 4\r\n* ESEARCH (MAILBOX x TAG {2}\r\nA5) UID\r\nA5 OK\r\n"
            b'* ESEARCH (TAG "A3") UID ALL 3\r\nA4 OK\r\nA3 OK\r\n'
        )
        self.assertEqual([list(self.result(each)) for each in (first, *self.waiting)], [[1], [3], [4], []])

    def test_searches_wait_where_the_server_names_no_tag(self) -> None:
        client = self.selected()
        self.assertEqual(len(self.sent(client.search(), client.search())), 1)
        self.transport.send(b"* ESEARCH UID ALL 1\r\nA2 OK\r\n")
        self.assertEqual(self.result(self.waiting[0]).uids, [1])
        self.assertEqual(len(self.sent(client.search())), 1)
        self.transport.send(b"* ESEARCH UID ALL 1\r\nA3 OK\r\n")
        self.assertEqual(self.transport.read(), b"A4 UID SEARCH RETURN (ALL) ALL\r\n")

    def test_a_strange_tag_is_believed_if_there_is_one_search(self) -> None:
        client = self.selected()
        self.sent(client.search())
        search = self.waiting[0]
        self.transport.send(b'* ESEARCH (TAG "a2") UID ALL 1\r\nA2 OK\r\n')
        self.assertEqual(self.result(search).uids, [1])
        self.assertEqual(len(self.sent(client.search(), client.search())), 1)


class UidSetTests(SynchronousTestCase):
    def test_uid_sets(self) -> None:
        uids = UidSet([7, 1, 2, 3, 9, 8])
        self.assertEqual((str(uids), len(uids), uids[3], uids[-1]), ("1:3,7:9", 6, 7, 9))
        for start in range(-7, 8):
            for stop in (*range(-7, 8), None):
                for step in (1, 2, -1):
                    self.assertEqual(list(uids[start:stop:step]), sorted([1, 2, 3, 7, 8, 9][start:stop:step]))
        everything = UidSet.of_ranges([(1, 10), (20, (1 << 32) - 1)])
        self.assertEqual(str(everything[5:]), "6:10,20:4294967295")
        self.assertEqual(uids - UidSet([2, 8, 9]), [1, 3, 7])
        self.assertEqual(uids | UidSet([4]), [1, 2, 3, 4, 7, 8, 9])
        self.assertEqual(uids & UidSet([2, 4, 8, 9, 20]), [2, 8, 9])
        self.assertEqual([uids.index_of(each) for each in (1, 7, 9, 5)], [0, 3, 5, None])
        self.assertEqual(list(reversed(uids)), [9, 8, 7, 3, 2, 1])
        self.assertTrue(uids.overlaps(UidSet([5, 8])))
        self.assertFalse(uids.overlaps(UidSet([5, 10])))
        self.assertEqual(UidSet(uids), uids)
        self.assertEqual(hash(UidSet([1])), hash(UidSet([1])))
        self.assertNotIn(0, uids)

"""SEARCH and UID SEARCH."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer_only

from mailproto.connection._line import TURN
from mailproto.imap.server import _search
from mailproto.interfaces import IMailbox
from tests.imap.server.dialogue import DialogueTestCase, message

DAY = 86_400

ENCODED = (
    b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\n"
    b"Subject: =?iso-8859-1?q?Gr=FC=DFe?= aus K=?utf-8?b?w7Y=?=ln\r\n"
    b"Date: Tue, 8 Feb 1994 01:00:00 +0900\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    b"w5xiZXJyYXNjaHVuZyE=\r\n"
)


class KeyTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(message("one", "apple pie\r\n"), ["\\Seen"], 10 * DAY + 1)
        self.inbox.add(message("two", "banana\r\n"), ["\\Flagged", "$Junk"], 11 * DAY - 1)
        self.inbox.add(message("gone"), ["\\Deleted"], 0)
        self.inbox.add(ENCODED, ["\\Seen", "\\Answered"], 12 * DAY)
        self.inbox.add(message("large", "x" * 5000), ["\\Draft"], 13 * DAY)
        self.inbox.remove([3])

    def search(self, keys: str) -> list[int]:
        client = self.sign_in()
        client.send(b"e EXAMINE INBOX\r\n")
        client.received()
        client.send(b"a SEARCH CHARSET UTF-8 " + keys.encode() + b"\r\n")
        line, end = client.received().split(b"\r\n", 1)
        self.assertEqual(end, b"a OK SEARCH completed\r\n", line)
        self.assertTrue(line.startswith(b"* SEARCH"))
        client.transport.drop()
        return [int(number) for number in line.split()[2:]]

    def test_flags(self) -> None:
        for keys, found in {
            "ALL": [1, 2, 3, 4],
            "SEEN": [1, 3],
            "UNSEEN": [2, 4],
            "ANSWERED": [3],
            "UNDELETED": [1, 2, 3, 4],
            "DELETED": [],
            "KEYWORD $junk": [2],
            "UNKEYWORD $JUNK": [1, 3, 4],
            "NOT DRAFT": [1, 2, 3],
            "RECENT": [1, 2, 3, 4],
            "OLD": [],
            "NEW": [2, 4],
        }.items():
            self.assertEqual(self.search(keys), found, keys)

    def test_sets(self) -> None:
        for keys, found in {
            "2:3": [2, 3],
            "UID 1,3:4,99": [1, 3],
            "NOT *": [1, 2, 3],
            "UID 99:*": [4],
            "1:2 SEEN": [1],
        }.items():
            self.assertEqual(self.search(keys), found, keys)

    def test_dates_ignore_time_and_zone(self) -> None:
        """Corner case 20."""
        for keys, found in {
            "ON 11-Jan-1970": [1, 2],
            "SINCE 11-Jan-1970": [1, 2, 3, 4],
            "SINCE 12-Jan-1970": [3, 4],
            "BEFORE 13-Jan-1970": [1, 2],
            "SENTON 8-Feb-1994": [3],
            "SENTSINCE 8-Feb-1994": [3],
            "SENTBEFORE 8-Feb-1994": [],
            "NOT SENTSINCE 1-Jan-1970": [1, 2, 4],
        }.items():
            self.assertEqual(self.search(keys), found, keys)

    def test_days_are_those_of_the_zone_that_a_date_was_given_in(self) -> None:
        """RFC 9051 6.4.4: "disregarding time and timezone"."""
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID STORE 1:* +FLAGS.SILENT (\\Deleted)
            S: a OK UID STORE completed
            C: b CLOSE
            S: b OK CLOSE completed
            C: c APPEND INBOX "24-Mar-2007 23:59:59 +0200" {1+}
            C: x "25-Mar-2007 00:00:00 +0200" {1+}
            C: x "25-Mar-2007 23:00:00 -0800" {1+}
            C: x
            S: c OK [APPENDUID ...] APPEND completed
            C: d SELECT INBOX
            S*: ...
            S: d OK [READ-WRITE] SELECT completed
            C: e FETCH 1:3 INTERNALDATE
            S: * 1 FETCH (INTERNALDATE "24-Mar-2007 23:59:59 +0200")
            S: * 2 FETCH (INTERNALDATE "25-Mar-2007 00:00:00 +0200")
            S: * 3 FETCH (INTERNALDATE "25-Mar-2007 23:00:00 -0800")
            S: e OK FETCH completed
            C: f SEARCH BEFORE 25-Mar-2007
            S: * SEARCH 1
            S: f OK SEARCH completed
            C: g SEARCH ON 25-Mar-2007
            S: * SEARCH 2 3
            S: g OK SEARCH completed
            C: h SEARCH 1,3 SINCE 25-Mar-2007
            S: * SEARCH 3
            S: h OK SEARCH completed
            C: i SORT (REVERSE ARRIVAL) US-ASCII ALL
            S: * SORT 3 2 1
            S: i OK SORT completed
            C: j COPY 3 Sent
            S: j OK [COPYUID ...] COPY completed
            C: k SELECT Sent
            S*: ...
            S: k OK [READ-WRITE] SELECT completed
            C: l FETCH 1 INTERNALDATE
            S: * 1 FETCH (INTERNALDATE "25-Mar-2007 23:00:00 -0800")
            S: l OK FETCH completed
            """
        )

    def test_sizes(self) -> None:
        size = len(message("one", "apple pie\r\n"))
        self.assertEqual(self.search(f"LARGER {size}"), [3, 4])
        self.assertEqual(self.search(f"SMALLER {size}"), [2])

    def test_text_is_decoded_and_has_no_case(self) -> None:
        """Corner case 21."""
        for keys, found in {
            "SUBJECT ONE": [1],
            "FROM alice": [1, 2, 4],
            'FROM "JÖRG"': [3],
            "FROM joerg@example.org": [3],
            'HEADER From "<joerg@"': [3],
            'SUBJECT "grÜße aus"': [3],
            'HEADER Content-Type ""': [3],
            'HEADER X-None ""': [],
            "BODY PIE": [1],
            "BODY subject": [],
            'BODY "überraschung"': [3],
            "TEXT subject": [1, 2, 3, 4],
            "TEXT banana": [2],
            'TEXT "köln"': [3],
        }.items():
            self.assertEqual(self.search(keys), found, keys)

    def test_header_texts_that_octets_hide(self) -> None:
        self.inbox.add(b"Subject: folded\r\n\tbetween words\r\nTo: x\n\nSubject: below\r\n\r\n")
        self.inbox.add("Subject: Grüße\r\n\r\n".encode())
        for keys, found in {
            'SUBJECT "folded\tbetween"': [5],
            "SUBJECT below": [],
            "BODY below": [5],
            'SUBJECT "GRÜSSE"': [],
            'SUBJECT "grüSSe"': [],
            'SUBJECT "GRÜße"': [3, 6],
            'SUBJECT " "': [5, 3],
        }.items():
            self.assertEqual(set(self.search(keys)), set(found), keys)

    def test_addresses_that_octets_hide(self) -> None:
        self.inbox.add(b'From: <user-from (comment)@ (comment) domain.org>\r\nCc: "x\\y" <a@b>\r\n\r\n')
        for keys, found in {
            "FROM user-from@domain.org": [5],
            "FROM from@domain": [5],
            'FROM "(comment)"': [5],
            "HEADER From user-from@domain.org": [],
            "HEADER From domain.org": [5],
            "CC xy": [5],
            "TO user-from": [],
            'FROM ""': [1, 2, 3, 4, 5],
            'CC ""': [5],
            "FROM @": [1, 2, 3, 4, 5],
        }.items():
            self.assertEqual(set(self.search(keys)), set(found), keys)

    def test_keys_in_keys(self) -> None:
        for keys, found in {
            "OR SUBJECT one FLAGGED": [1, 2],
            "OR (SEEN ANSWERED) NOT OR SEEN FLAGGED": [3, 4],
            "NOT (BODY banana FLAGGED)": [1, 3, 4],
            "OR BODY pie OR LARGER 4000 ON 13-Jan-1970": [1, 3, 4],
            "SEEN SMALLER 4000 BODY pie": [1],
        }.items():
            self.assertEqual(self.search(keys), found, keys)

    def test_cheap_keys_spare_the_content(self) -> None:
        reads, sizes = [], []
        read, metadata = self.inbox.read, self.inbox.metadata

        async def reading(uids: list[int], parts: Any) -> object:
            reads.append(list(uids))
            return await read(uids, parts)  # type: ignore[arg-type]

        async def sizing(uids: list[int]) -> object:
            sizes.append(list(uids))
            return await metadata(uids)

        self.inbox.read, self.inbox.metadata = reading, sizing
        self.assertEqual(self.search("BODY pie LARGER 1 SEEN"), [1])
        self.assertEqual(sizes, [[1, 4]])
        self.assertEqual({uid for uids in reads for uid in uids}, {1, 4})
        reads.clear()
        sizes.clear()
        self.search("SEEN")
        self.assertEqual((reads, sizes), ([], []))

    def test_a_mailbox_without_columns_of_metadata(self) -> None:
        @implementer_only(IMailbox)
        class Plain(type(self.inbox)):
            metadata = None

        self.inbox.__class__ = Plain
        self.assertEqual(self.search("LARGER 1 SEEN"), [1, 3])
        self.assertEqual(self.search("SMALLER 1"), [])


class ResultTests(DialogueTestCase):
    def test_nothing_found_is_said(self) -> None:
        """Corner case 18."""
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a SEARCH SEEN
            S: * SEARCH
            S: a OK SEARCH completed
            C: b SEARCH RETURN (MIN COUNT) SEEN
            S: * ESEARCH (TAG "b") COUNT 0
            S: b OK SEARCH completed
            """
        )

    def test_uids(self) -> None:
        self.fill(4)
        self.inbox.remove([2])
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID SEARCH 2:*
            S: * SEARCH 3 4
            S: a OK UID SEARCH completed
            C: b UID SEARCH RETURN () ALL
            S: * ESEARCH (TAG "b") UID ALL 1,3:4
            S: b OK UID SEARCH completed
            C: c SEARCH RETURN (MIN MAX COUNT ALL) 2:3
            S: * ESEARCH (TAG "c") MIN 2 MAX 3 ALL 2:3 COUNT 2
            S: c OK SEARCH completed
            """
        )

    def test_charsets(self) -> None:
        """Corner cases 19 and 23."""
        self.inbox.add(message("Hello"))
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a SEARCH CHARSET KOI8-R SUBJECT hello
            S: a NO [BADCHARSET (US-ASCII UTF-8)] ...
            C: u SEARCH CHARSET "utf8" SUBJECT {5+}
            C: hello
            S: * SEARCH 1
            S: u OK SEARCH completed
            C: b SEARCH CHARSET us-ascii SUBJECT {5}
            S: + OK
            C: hello
            S: * SEARCH 1
            S: b OK SEARCH completed
            C: c SEARCH CHARSET UTF-8 SUBJECT {0+}
            C:
            S: * SEARCH 1
            S: c OK SEARCH completed
            """
        )

    def test_numbers_that_are_not_there_match_nothing(self) -> None:
        """As other servers do; RFC 9051 6.4.4 only says that for UIDs."""
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a SEARCH 1:*
            S: * SEARCH
            S: a OK SEARCH completed
            C: b SEARCH UID 1
            S: * SEARCH
            S: b OK SEARCH completed
            """
        )
        self.fill(3)
        self.talk(
            """
            C: c NOOP
            S: * 3 EXISTS
            S: * 3 RECENT
            S: c OK NOOP completed
            C: d SEARCH 3:4,9,4294967295
            S: * SEARCH 3
            S: d OK SEARCH completed
            C: e UID SEARCH NOT 2,9 NOT UID 3,9
            S: * SEARCH 1
            S: e OK UID SEARCH completed
            C: f SEARCH 9:*
            S: * SEARCH 3
            S: f OK SEARCH completed
            """
        )

    def test_many_numbers_are_sent_in_pieces(self) -> None:
        self.patch(_search, "_AT_ONCE", 3)
        self.fill(10)
        self.inbox.remove([4])
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a UID SEARCH ALL
            S: * SEARCH 1 2 3 5 6 7 8 9 10
            S: a OK UID SEARCH completed
            C: b UID SEARCH RETURN (COUNT ALL) NOT UID 6,8
            S: * ESEARCH (TAG "b") UID ALL 1:3,5,7,9:10 COUNT 7
            S: b OK UID SEARCH completed
            """
        )

    def test_limits_are_told(self) -> None:
        client = self.sign_in(select="INBOX")
        for keys in (b" UNSEEN" * 1001, b" TEXT {9000+}\r\n" + b"x" * 9000):
            client.send(b"a SEARCH%b\r\n" % keys)
            self.assertTrue(client.received().startswith(b"a NO [LIMIT] "))

    def test_a_long_search_lets_others_have_their_turn(self) -> None:
        self.fill(20)
        client = self.sign_in(select="INBOX")
        turns = self.slow_clock(TURN / 5)
        client.send(b"a SEARCH BODY hello\r\n")
        self.assertEqual(client.received(), b"")
        self.clock.advance(0)
        self.assertGreater(len(turns), 2)
        self.assertTrue(client.received().endswith(b"a OK SEARCH completed\r\n"))

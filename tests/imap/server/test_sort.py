"""SORT and SORT=DISPLAY (RFC 5256, RFC 5957), with return options (RFC 5267 3)."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer_only

from mailproto.backends._memory import MemoryStore
from mailproto.imap.server import _search
from mailproto.interfaces import IMailbox
from tests.imap.server.dialogue import DialogueTestCase, message

DAY = 86_400


def mail(sender: str, subject: str, date: str = "", more: str = "") -> bytes:
    day = f"Date: {date}\r\n" if date else ""
    return f"From: {sender}\r\nSubject: {subject}\r\n{day}{more}\r\nText\r\n".encode()


class OrderTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        add = self.inbox.add
        add(mail('"Zoe" <b@x>', "Re: banana", "Tue, 2 Jan 2024 00:00:00 +0000"), ["\\Seen"], 5 * DAY)
        add(mail("C@x", "Apple", "Mon, 1 Jan 2024 23:30:00 -0100", "To: zed@x\r\n"), (), 3 * DAY)
        add(mail("=?utf-8?q?=C3=84nne?= <d@x>", "[list] apple (fwd)", "nonsense"), ["\\Seen"], 1 * DAY)
        add(mail("a@x", "cherry and much more of it", "", "Cc: adam@x\r\nTo: <yan@x>\r\n"), (), 4 * DAY)
        self.sign_in(select="INBOX")

    def order(self, criteria: str, keys: str = "ALL") -> list[int]:
        client = self.clients[""]
        client.send(f"s SORT ({criteria}) UTF-8 {keys}\r\n".encode())
        line, end = client.received().split(b"\r\n", 1)
        self.assertEqual(end, b"s OK SORT completed\r\n", line)
        self.assertTrue(line.startswith(b"* SORT"))
        return [int(number) for number in line.split()[2:]]

    def test_each_criterion(self) -> None:
        for criteria, found in {
            "ARRIVAL": [3, 2, 4, 1],
            "CC": [1, 2, 3, 4],
            "DATE": [3, 4, 1, 2],
            "FROM": [4, 1, 2, 3],
            "SIZE": [4, 2, 1, 3],
            "SUBJECT": [2, 3, 1, 4],
            "TO": [1, 3, 4, 2],
            "DISPLAYFROM": [4, 3, 2, 1],
            "DISPLAYTO": [1, 3, 4, 2],
            "REVERSE DISPLAYTO": [2, 4, 1, 3],
            "REVERSE ARRIVAL": [1, 4, 2, 3],
            "SUBJECT REVERSE ARRIVAL": [2, 3, 1, 4],
            "REVERSE SUBJECT ARRIVAL": [4, 1, 3, 2],
            "reverse subject reverse subject arrival": [4, 1, 3, 2],
        }.items():
            self.assertEqual(self.order(criteria), found, criteria)
        self.assertEqual(self.order("ARRIVAL", "SEEN"), [3, 1])
        self.assertEqual(self.order("ARRIVAL", "DRAFT"), [])

    def test_the_first_of_equal_criteria_counts(self) -> None:
        self.assertEqual(self.order("SUBJECT ARRIVAL REVERSE SUBJECT"), [3, 2, 1, 4])

    def test_uids(self) -> None:
        self.inbox.remove([2])
        self.talk(
            """
            C: a UID SORT (ARRIVAL) US-ASCII ALL
            S: * 2 EXPUNGE
            S: * SORT 3 4 1
            S: a OK UID SORT completed
            C: b SORT (ARRIVAL) US-ASCII ALL
            S: * SORT 2 3 1
            S: b OK SORT completed
            """
        )

    def test_a_message_that_is_gone_is_left_out(self) -> None:
        self.inbox.remove([2])
        self.talk(
            """
            C: a SORT (ARRIVAL) US-ASCII ALL
            S: * SORT 3 4 1
            S: a OK SORT completed
            """
        )

    def test_return_options(self) -> None:
        """ESORT: the order is kept, and ranges only go up (RFC 5267 3.2)."""
        self.fill(3)
        self.talk(
            """
            C: a SORT RETURN () (REVERSE ARRIVAL) UTF-8 ALL
            S: * 7 EXISTS
            S: * 7 RECENT
            S: * ESEARCH (TAG "a") ALL 1,4,2:3,5:7
            S: a OK SORT completed
            C: b UID SORT RETURN (MIN MAX COUNT) (ARRIVAL) UTF-8 1:4
            S: * ESEARCH (TAG "b") UID MIN 3 MAX 1 COUNT 4
            S: b OK UID SORT completed
            C: c SORT RETURN (PARTIAL 1:3) (ARRIVAL) UTF-8 1:4
            S: * ESEARCH (TAG "c") PARTIAL (1:3 3,2,4)
            S: c OK SORT completed
            C: d SORT RETURN (ALL) (ARRIVAL) UTF-8 DRAFT
            S: * ESEARCH (TAG "d")
            S: d OK SORT completed
            """
        )

    def test_what_is_not_valid(self) -> None:
        self.talk(
            """
            C: a SORT (ARRIVAL) ALL
            S: a BAD ...
            C: b SORT () UTF-8 ALL
            S: b BAD ...
            C: c SORT (WHATEVER) UTF-8 ALL
            S: c BAD ...
            C: d SORT (REVERSE) UTF-8 ALL
            S: d BAD ...
            C: e SORT (REVERSE REVERSE DATE) UTF-8 ALL
            S: e BAD ...
            C: f SORT (DATE) KOI8-R ALL
            S: f NO [BADCHARSET (US-ASCII UTF-8)] ...
            C: g SORT RETURN (PARTIAL 1:3 ALL) (DATE) UTF-8 ALL
            S: g BAD ...
            """
        )
        client = self.clients[""]
        client.send(b"h SORT (%b) UTF-8 ALL\r\n" % b" ".join([b"DATE"] * 21))
        self.assertIn(b"h NO [LIMIT]", client.received())


class ManyTests(DialogueTestCase):
    def test_an_answer_of_many_comes_in_pieces(self) -> None:
        self.fill(30)
        self.sign_in(select="INBOX")
        self.patch(_search, "_AT_ONCE", 7)
        client = self.clients[""]
        client.send(b"a SORT (REVERSE DATE) UTF-8 ALL\r\nb SORT RETURN () (DATE) UTF-8 ALL\r\n")
        numbers = " ".join(map(str, range(1, 31)))
        self.assertEqual(
            client.received().decode().splitlines(),
            [f"* SORT {numbers}", "a OK SORT completed", '* ESEARCH (TAG "b") ALL 1:7,8:14,15:21,22:28,29:30',
             "b OK SORT completed"],
        )  # fmt: skip


class WithoutAddOnsTests(DialogueTestCase):
    def make_store(self) -> MemoryStore:
        class Own(MemoryStore):
            def make_account(self, name: str) -> Any:
                return super().make_account(name)

        return Own()

    def test_it_is_not_there(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"c CAPABILITY\r\ns SORT (DATE) UTF-8 ALL\r\n")
        answer = client.received()
        self.assertNotIn(b"SORT", answer.split(b"\r\n")[0])
        self.assertIn(b"WITHIN", answer.split())
        self.assertIn(b"s BAD", answer)


class OfferTests(DialogueTestCase):
    def test_only_where_the_mailboxes_can_do_it(self) -> None:
        with_it = self.sign_in()
        with_it.send(b"c CAPABILITY\r\n")
        words = with_it.received().split()
        for word in (b"SORT", b"SORT=DISPLAY", b"ESORT", b"THREAD=REFERENCES", b"WITHIN", b"SEARCHRES"):
            self.assertIn(word, words)

    def test_a_mailbox_without_an_index(self) -> None:
        """SEARCH reads its messages."""

        @implementer_only(IMailbox)
        class Plain(type(self.inbox)):  # type: ignore[misc]
            find = None

        self.inbox.add(message("one"))
        self.inbox.__class__ = Plain
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a SEARCH SUBJECT one FROM alice
            S: * SEARCH 1
            S: a OK SEARCH completed
            """
        )

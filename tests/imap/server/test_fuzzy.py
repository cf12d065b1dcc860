"""SEARCH=FUZZY (RFC 6203)."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase, message


class FuzzyTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        for subject in (
            "IMAP broken",
            "Nothing",
            "breakage of IMAP",
            "The IMAP breakage",
            "IMAP breaking, again",
        ):
            self.inbox.add(message(subject), ["\\Seen"], 0)
        self.sign_in(select="INBOX")

    def test_words_in_any_order_and_form(self) -> None:
        self.talk(
            """
            C: a SEARCH SUBJECT "IMAP breakage"
            S: * SEARCH 4
            S: a OK SEARCH completed
            C: b SEARCH FUZZY SUBJECT "IMAP breakage"
            S: * SEARCH 3 4 5
            S: b OK SEARCH completed
            C: c SEARCH FUZZY (SUBJECT "IMAP breaks" SEEN) NOT 5
            S: * SEARCH 3 4
            S: c OK SEARCH completed
            C: d SEARCH FUZZY NOT SUBJECT "IMAP breaker"
            S: * SEARCH 1 2
            S: d OK SEARCH completed
            C: e SEARCH FUZZY OR 1 SUBJECT nothing
            S: * SEARCH 1 2
            S: e OK SEARCH completed
            C: f SEARCH FUZZY FUZZY SUBJECT ""
            S: * SEARCH 1 2 3 4 5
            S: f OK SEARCH completed
            """
        )

    def test_scores(self) -> None:
        self.talk(
            """
            C: a SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT "IMAP breakage"
            S: * ESEARCH (TAG "a") ALL 3:5 RELEVANCY (60 100 20)
            S: a OK SEARCH completed
            C: b SORT (RELEVANCY) UTF-8 FUZZY SUBJECT "breaking IMAP"
            S: * SORT 5 3 4
            S: b OK SORT completed
            C: c SORT RETURN (RELEVANCY ALL) (REVERSE RELEVANCY CC) UTF-8 FUZZY SUBJECT "IMAP breaking"
            S: * ESEARCH (TAG "c") ALL 3:5 RELEVANCY (20 20 100)
            S: c OK SORT completed
            C: d SORT RETURN (PARTIAL 1:1 RELEVANCY) (RELEVANCY) UTF-8 FUZZY SUBJECT "breaking IMAP"
            S: * ESEARCH (TAG "d") RELEVANCY (60) PARTIAL (1:1 5)
            S: d OK SORT completed
            C: e SEARCH RETURN (RELEVANCY) FUZZY SUBJECT none
            S: * ESEARCH (TAG "e") RELEVANCY ()
            S: e OK SEARCH completed
            C: f SEARCH RETURN (RELEVANCY COUNT) FUZZY 2:3
            S: * ESEARCH (TAG "f") COUNT 2 RELEVANCY (100 100)
            S: f OK SEARCH completed
            """
        )

    def test_typing_errors(self) -> None:
        self.talk(
            """
            C: a SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT "IMAP breakaeg"
            S: * ESEARCH (TAG "a") ALL 3:5 RELEVANCY (20 20 20)
            S: a OK SEARCH completed
            C: b SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT "imap borken"
            S: * ESEARCH (TAG "b") ALL 1 RELEVANCY (10)
            S: b OK SEARCH completed
            C: c SEARCH RETURN (RELEVANCY ALL) FUZZY OR TEXT nohting TEXT broken
            S: * ESEARCH (TAG "c") ALL 1:2 RELEVANCY (100 10)
            S: c OK SEARCH completed
            C: d SEARCH FUZZY SUBJECT ipam
            S: * SEARCH
            S: d OK SEARCH completed
            C: e SEARCH SUBJECT nohting
            S: * SEARCH
            S: e OK SEARCH completed
            C: f UID SORT (RELEVANCY) UTF-8 FUZZY SUBJECT nohting
            S: * SORT 2
            S: f OK UID SORT completed
            C: g ESEARCH IN (mailboxes INBOX) FUZZY SUBJECT nohting
            S: * ESEARCH (TAG "g" MAILBOX INBOX UIDVALIDITY ...
            S: g OK ESEARCH completed
            """
        )

    def test_what_is_not_valid(self) -> None:
        self.talk(
            """
            C: a SEARCH RETURN (RELEVANCY) SUBJECT x
            S: a BAD ...
            C: b SORT (RELEVANCY) UTF-8 SUBJECT x
            S: b BAD ...
            C: c SORT (DATE RELEVANCY) UTF-8 FUZZY SUBJECT x
            S: c NO [CANNOT] ...
            C: d SEARCH FUZZY
            S: d BAD ...
            """
        )

    def test_words_count_as_keys(self) -> None:
        client = self.clients[""]
        client.send(b"a SEARCH %bALL\r\n" % (b'FUZZY TEXT "a b c d e f g h i j k l m n o p q r s t" ' * 46))
        self.assertIn(b"a NO [LIMIT] Too many search keys", client.received())

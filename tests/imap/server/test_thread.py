"""THREAD (RFC 5256)."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase


def mail(own: str, subject: str, *references: str) -> bytes:
    line = f"References: {' '.join(f'<{each}@x>' for each in references)}\r\n" if references else ""
    return f"Message-ID: <{own}@x>\r\nSubject: {subject}\r\n{line}\r\nText\r\n".encode()


class ThreadTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        for number, octets in enumerate(
            (
                mail("a", "Plans"),
                mail("gone", "Other"),
                mail("b", "Re: Plans", "a"),
                mail("c", "Re: Plans", "a", "b"),
                mail("d", "New subject", "a"),
                mail("e", "Plans"),
            )
        ):
            self.inbox.add(octets, ["\\Flagged"] if number % 2 else (), number)
        self.inbox.remove([2])
        self.sign_in(select="INBOX")

    def test_each_algorithm(self) -> None:
        self.talk(
            """
            C: a UID THREAD REFERENCES UTF-8 ALL
            S: * THREAD ((1 (3 4)(5))(6))
            S: a OK UID THREAD completed
            C: b THREAD REFERENCES UTF-8 ALL
            S: * THREAD ((1 (2 3)(4))(5))
            S: b OK THREAD completed
            C: c THREAD ORDEREDSUBJECT US-ASCII ALL
            S: * THREAD (1 (2)(3)(5))(4)
            S: c OK THREAD completed
            C: d THREAD REFS UTF-8 ALL
            S: * THREAD (1 (2 3)(4))(5)
            S: d OK THREAD completed
            """
        )

    def test_some_messages(self) -> None:
        self.talk(
            """
            C: a UID THREAD REFERENCES UTF-8 UID 4,5
            S: * THREAD ((4)(5))
            S: a OK UID THREAD completed
            C: b THREAD REFERENCES UTF-8 DRAFT
            S: * THREAD
            S: b OK THREAD completed
            C: c UID THREAD REFS UTF-8 FLAGGED
            S: * THREAD (4)(6)
            S: c OK UID THREAD completed
            """
        )

    def test_messages_that_are_all_gone(self) -> None:
        self.inbox.remove([1, 3, 4, 5, 6])
        self.talk(
            """
            C: a THREAD REFERENCES UTF-8 ALL
            S: * THREAD
            S: a OK THREAD completed
            """
        )

    def test_what_is_not_valid(self) -> None:
        self.talk(
            """
            C: a THREAD JWZ UTF-8 ALL
            S: a BAD ...
            C: b THREAD REFERENCES ALL
            S: b BAD ...
            C: c THREAD REFERENCES KOI8-R ALL
            S: c NO [BADCHARSET (US-ASCII UTF-8)] ...
            C: d THREAD REFERENCES UTF-8
            S: d BAD ...
            """
        )

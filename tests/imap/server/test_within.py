"""WITHIN (RFC 5032)."""

from __future__ import annotations

from mailproto.imap.server._extensions import within
from tests.imap.server.dialogue import DialogueTestCase, message


class WithinTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(within, "now", lambda: 1_000_000.9)
        for date in (1_000_000 - 3600, 1_000_000 - 3599, 1_000_000, 1_000_050):
            self.inbox.add(message(), (), date)
        self.sign_in(select="INBOX")

    def test_both_include_the_second_itself(self) -> None:
        self.talk(
            """
            C: a SEARCH YOUNGER 3600
            S: * SEARCH 1 2 3 4
            S: a OK SEARCH completed
            C: b SEARCH OLDER 3600
            S: * SEARCH 1
            S: b OK SEARCH completed
            C: c UID SEARCH NOT YOUNGER 3599
            S: * SEARCH 1
            S: c OK UID SEARCH completed
            C: d SEARCH OLDER 9223372036854775807 OR YOUNGER 1 ALL
            S: * SEARCH
            S: d OK SEARCH completed
            """
        )

    def test_what_is_no_interval(self) -> None:
        self.talk(
            """
            C: a SEARCH YOUNGER 0
            S: a BAD ...
            C: b SEARCH OLDER
            S: b BAD ...
            C: c SEARCH OLDER -5
            S: c BAD ...
            C: d SEARCH OLDER 9223372036854775808
            S: d BAD ...
            """
        )

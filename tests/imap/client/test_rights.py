"""Which rights may be given (RFC 4314)."""

from __future__ import annotations

from mailproto.client.errors import NotOffered
from tests.imap.client.dialogue import FEW, ClientTestCase


class ListRightsTests(ClientTestCase):
    def test_what_may_be_given(self) -> None:
        """The example of RFC 4314 3.7, and a user without any."""
        self.signed_in("IMAP4rev1 ACL")
        smith, nobody = self.client.list_rights("~/Mail", "smith"), self.client.list_rights("a b", "x")
        self.converse(
            """
            C: A1 LISTRIGHTS ~/Mail "smith"
            S: * LISTRIGHTS ~/Mail smith la r swicdkxte
            S: A1 OK Listrights completed
            C: A2 LISTRIGHTS "a b" "x"
            S: * LISTRIGHTS "a b" x ""
            S: A2 OK Done
            """
        )
        self.assertEqual(self.result(smith), ("la", ("r", "swicdkxte")))
        self.assertEqual(self.result(nobody), ("", ()))

    def test_not_offered(self) -> None:
        self.signed_in(FEW)
        self.error(self.client.list_rights("INBOX", "smith"), NotOffered)

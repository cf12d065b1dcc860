"""What VRFY and EXPN tell, and whom (RFC 5321 3.5)."""

from __future__ import annotations

from dataclasses import replace

from mailproto.errors import RecipientUnknown, Refused
from mailproto.model import Session
from tests.relay.test_expansion import AliasCase
from tests.relay.test_intake import LMTP, PORT_25, SUBMISSION, TRUSTED

LOCAL = replace(LMTP, account=None)


class EnquiryTests(AliasCase):
    def verify(self, name: str, session: Session = SUBMISSION) -> str:
        return str(self.settled(self.delivery.verify(session, name)))

    def expand(self, name: str) -> list[str]:
        return [str(each) for each in self.settled(self.delivery.expand(SUBMISSION, name))]

    def test_what_is_announced(self) -> None:
        for session, verbs in (
            (SUBMISSION, ["VRFY", "EXPN", "ETRN"]),
            (TRUSTED, ["ETRN"]),
            (PORT_25, []),
            (LOCAL, []),
        ):
            permitted = [each for each in ("VRFY", "EXPN", "ETRN") if self.delivery.permits(session, each)]
            self.assertEqual(permitted, verbs)

    def test_strangers_are_told_nothing(self) -> None:
        for session in (PORT_25, TRUSTED, LOCAL):
            for name in ("alice@example.org", "info@example.org", "gone@example.org", ""):
                self.assertEqual(self.verify(name, session), "None")
                error = self.refused(self.delivery.expand(session, name), Refused)
                self.assertEqual((error.code, error.enhanced), (550, "5.7.2"))

    def test_accounts_are_told_whether_an_address_exists(self) -> None:
        for name, found in (
            ("alice@example.org", "<alice@example.org>"),
            ("alice", "<alice@example.org>"),
            ("<Alice+x@example.org>", "<Alice+x@example.org>"),
            ("info@example.org", "<info@example.org>"),
            ("info", "<info@example.org>"),
            ("any@old.example", "<any@old.example>"),
            ("x@remote.example", "None"),
            ("x@quiet.example", "None"),
        ):
            self.assertEqual(self.verify(name), found, name)

    def test_what_does_not_exist(self) -> None:
        for name in ("gone@example.org", "gone", "a@b@c", "", "<>", "nobody@example.org", "a b"):
            self.refused(self.delivery.verify(SUBMISSION, name), RecipientUnknown)
            self.refused(self.delivery.expand(SUBMISSION, name), RecipientUnknown)
        self.assertEqual(self.refused(self.delivery.expand(SUBMISSION, "a"), Refused).enhanced, "5.4.6")
        self.refused(self.delivery.expand(SUBMISSION, "x@remote.example"), RecipientUnknown)

    def test_who_gets_the_mail_of_an_alias(self) -> None:
        for name, members in (
            ("info", ["<alice@example.org>", "<bob@example.org>", "<bob@elsewhere.example>"]),
            ("deep@example.org", ["<y@other.example>", "<bob@example.org>", "<bob@elsewhere.example>"]),
            ("partly", ["<alice@example.org>"]),
            ("alice", ["<alice@example.org>"]),
        ):
            self.assertEqual(self.expand(name), members, name)

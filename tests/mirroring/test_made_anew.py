"""Accounts that were made anew, or whose stores were lost, between two runs."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from mailproto.client.errors import CommandRefused
from mailproto.mirroring import mirror_account
from mailproto.mirroring._remote_account import RemoteAccount
from tests.imap.server.dialogue import run
from tests.mirroring.accounts import NamesTestCase


class MadeAnewTests(NamesTestCase):
    """An account that is another one now lacks mailboxes because nobody has made them yet."""

    def make(self, **options: Any) -> None:
        for name in ("Work", "Other"):
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"in {name}")
        self.mirror_all(**options)

    def make_anew(self, account: Any) -> None:
        for name in ("Work", "Other"):
            run(account.delete(name))
        inbox = self.box(account, "INBOX")
        inbox.uid_validity += 1000  # the mailbox's id may be the same in another store
        self.delete(inbox, *[each.uid for each in run(inbox.changes_since(0)).changed])

    def test_what_it_lacks_is_not_removed(self) -> None:
        for both in (False, True):
            with self.subTest(both=both):
                self.make(both=both)
                self.make_anew(self.account)
                for _ in range(3):  # the second run knows the new INBOX
                    self.assertEqual(self.mirror_all(both=both, gone="remove").deleted, [])
                for name in ("Work", "Other"):
                    self.assertEqual(self.texts(self.other_account, name), [f"in {name}"])
                    self.assertEqual(name in self.names(self.account), both)
                for name in ("Work", "Other"):
                    run(self.other_account.delete(name))
                self.mirror_all(both=True, gone="remove")
                self.state.unlink()

    def test_a_run_for_some_mailboxes_does_not_hide_it(self) -> None:
        self.make()
        self.make_anew(self.account)
        self.mirror_all(mailboxes=["INBOX"])
        self.assertEqual(self.mirror_all(gone="remove").deleted, [])
        self.assertEqual(self.texts(self.other_account, "Work"), ["in Work"])

    def test_an_inbox_that_cannot_be_opened_just_then(self) -> None:
        """It may be the same or not, so nothing is removed, and its new numbers are not noted."""
        self.make()
        self.make_anew(self.account)
        find, refused = RemoteAccount.identity, CommandRefused("try again")

        async def failing(account: RemoteAccount, name: str) -> Any:
            if name == "INBOX":
                raise refused
            return await find(account, name)

        with patch.object(RemoteAccount, "identity", failing):
            call = mirror_account(
                self.link.client, self.other_account, self.state, clock=self.clock, gone="remove"
            )
            report = self.link.result(call)
        self.assertEqual((report.deleted, [each.mailbox for each in report.failures]), ([], ["INBOX"]))
        self.assertEqual(self.mirror_all(gone="remove").deleted, [])
        self.assertEqual(self.texts(self.other_account, "Work"), ["in Work"])

    def test_a_target_gets_everything_again(self) -> None:
        self.make()
        self.make_anew(self.other_account)
        self.assertEqual(self.mirror_all().created, ["Other", "Work"])
        self.assert_equal()

    def test_without_a_known_inbox_another_mailbox_shows_it(self) -> None:
        for name in ("Work", "Other"):
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"in {name}")
        some = ["Work", "Other"]
        self.mirror_all(mailboxes=some)
        run(self.account.delete("Work"))
        self.assertEqual(self.mirror_all(mailboxes=["Other"], gone="remove").deleted, [])
        call = mirror_account(
            self.link.client,
            self.other_account,
            self.state,
            clock=self.clock,
            gone="remove",
            mailboxes=some,
        )
        self.assertEqual(self.link.result(call).deleted, ["Work"])
        run(self.account.delete("Other"))  # now nothing shows that it is the same account
        self.assertEqual(self.mirror_all(gone="remove").left_out, ["Other"])

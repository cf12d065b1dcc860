"""All mailboxes of two accounts are kept in step."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from mailproto.errors import InvalidMailboxName
from mailproto.mirroring import MirrorError, MirrorReport, compare_accounts, mirror_account
from mailproto.mirroring._local_account import LocalAccount
from tests.imap.server.dialogue import run
from tests.mirroring.sides import MirrorTestCase, contents


class AccountTests(MirrorTestCase):
    def mirror_all(self, **options: Any) -> MirrorReport:
        call = mirror_account(
            self.link.client, self.other_account, self.state, clock=self.clock, between="a and b", **options
        )
        found: MirrorReport = self.link.result(call)
        return found

    def names(self, account: Any) -> dict[str, tuple[bool, list[str]]]:
        return {
            entry.name: (entry.subscribed, sorted(entry.special_use))
            for entry in run(account.list())
            if entry.selectable
        }

    def test_mailboxes_special_uses_and_subscriptions(self) -> None:
        run(self.account.create("Work/Übung"))
        run(self.account.create("Outbox", "\\Sent"))
        run(self.account.subscribe("Work/Übung"))
        self.put(run(self.account.open("Work/Übung")), "deep")
        report = self.mirror_all()
        self.assertEqual(report.failures, [])
        self.assertTrue({"Work", "Work/Übung", "Outbox"} <= set(report.created), report.created)
        self.assertEqual(self.names(self.other_account), self.names(self.account))
        self.assertEqual(len(contents(run(self.other_account.open("Work/Übung")))), 1)

        run(self.account.unsubscribe("Work/Übung"))
        run(self.other_account.subscribe("Outbox"))
        report = self.mirror_all()
        self.assertEqual(report.changes, 0)
        names = self.names(self.other_account)
        self.assertEqual((names["Work/Übung"][0], names["Outbox"][0]), (False, True))

        found = self.link.result(compare_accounts(self.link.client, self.other_account, clock=self.clock))
        self.assertTrue(all(each.agrees for each in found))
        self.delete(run(self.other_account.open("Work/Übung")), 1)
        found = self.link.result(compare_accounts(self.link.client, self.other_account, clock=self.clock))
        self.assertEqual(
            [(each.mailbox, each.missing) for each in found if not each.agrees], [("Work/Übung", 1)]
        )

    def test_both_ways(self) -> None:
        run(self.account.create("One"))
        run(self.other_account.create("Two"))
        run(self.other_account.subscribe("Two"))
        self.put(run(self.other_account.open("Two")), "from two")
        report = self.mirror_all(both=True)
        self.assertEqual((report.failures, report.copied_back), ([], 1))
        self.assertEqual(self.names(self.other_account), self.names(self.account))
        run(self.account.unsubscribe("Two"))
        self.mirror_all(both=True)
        self.assertEqual(self.names(self.other_account), self.names(self.account))
        self.assertFalse(self.names(self.account)["Two"][0])

    def test_a_mailbox_that_is_gone_from_one_side_is_left_alone(self) -> None:
        run(self.account.create("One"))
        self.put(run(self.account.open("One")), "kept")
        self.mirror_all(both=True)
        run(self.account.delete("One"))
        report = self.mirror_all(both=True)
        self.assertEqual((report.changes, report.left_out), (0, ["One"]))
        self.assertNotIn("One", self.names(self.account))
        self.assertEqual(len(contents(run(self.other_account.open("One")))), 1)

    def test_names_that_a_store_cannot_have(self) -> None:
        here = LocalAccount(self.other_account)
        for levels, name in (
            (("50%",), "50_"),
            (("a*b", "c\x07", "d\u2028e", "f\x85"), "a_b/c_/d_e/f_"),
            (("a", "", "b"), "a/_/b"),
            (("x/y", "z"), "x_y/z"),
            (("U\u0308bung",), "\u00dcbung"),  # the spelling of macOS; a store keeps the other one
            (("inbox", "x"), "INBOX/x"),
            (("user", "x"), "_user/x"),  # those names are for the mailboxes of others
            (("shared",), "_shared"),
        ):
            self.assertEqual(here.name_of(levels), name)
            run(here.create(name, None))
            self.assertIn(name, [each.name for each in run(here.mailboxes())])

    def test_what_could_not_be_made_is_not_counted(self) -> None:
        run(self.account.create("One"))
        with patch.object(LocalAccount, "create", side_effect=InvalidMailboxName):
            report = self.mirror_all()
        self.assertNotIn("One", report.created)
        self.assertIn("One", [each.mailbox for each in report.failures])

    def test_a_dry_run(self) -> None:
        run(self.account.create("One"))
        self.put(run(self.account.open("One")), "new")
        before = self.names(self.other_account)
        report = self.mirror_all(dry_run=True)
        self.assertIn("One", report.created)
        self.assertEqual(report.copied, 1)
        self.assertEqual(self.names(self.other_account), before)

    def test_a_state_of_others(self) -> None:
        self.mirror_all()
        call = mirror_account(
            self.link.client, self.other_account, self.state, clock=self.clock, between="a and c"
        )
        with self.assertRaisesRegex(MirrorError, "is the state of a and b, not of a and c"):
            self.link.result(call)

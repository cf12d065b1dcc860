"""Mailboxes that are renamed or removed on one side, or on both."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from mailproto.errors import InvalidMailboxName, MailboxExists
from mailproto.mirroring import _remote_account, _remote_side, mirror_account
from mailproto.mirroring._local_account import LocalAccount
from mailproto.mirroring._remote_account import RemoteAccount
from mailproto.mirroring._state import MirrorState
from tests.imap.server.dialogue import run
from tests.mirroring.accounts import NamesTestCase
from tests.mirroring.sides import contents


class RenamedTests(NamesTestCase):
    def make(self, **options: Any) -> None:
        """Work and Work/Deep, each with mail, on both sides."""
        for name in ("Work", "Work/Deep"):
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"in {name}", "\\Seen")
        run(self.account.subscribe("Work"))
        self.mirror_all(**options)

    def test_with_inferiors(self) -> None:
        self.make()
        run(self.account.rename("Work", "Job/Now"))
        dry = self.mirror_all(dry_run=True)
        self.assertEqual((dry.renamed[0], dry.copied, dry.created), (("Work", "Job/Now"), 0, ["Job"]))
        report = self.mirror_all()
        self.assertEqual((report.renamed, report.copied), ([("Work", "Job/Now")], 0))
        self.assert_equal()
        self.put(self.box(self.account, "Job/Now/Deep"), "later")
        self.assertEqual(self.mirror_all().copied, 1)
        self.assert_equal()
        self.assertEqual(self.mirror_all().changes, 0)

    def test_an_inferior_alone(self) -> None:
        self.make()
        run(self.account.rename("Work/Deep", "Deep"))
        self.assertEqual(self.mirror_all().renamed, [("Work/Deep", "Deep")])
        self.assert_equal()

    def test_both_ways(self) -> None:
        self.make(both=True)
        run(self.other_account.rename("Work/Deep", "Work/Low"))
        self.put(self.box(self.other_account, "Work/Low"), "new there")
        self.mirror_all(both=True)
        self.assert_equal()
        run(self.account.rename("Work/Low", "Deep"))
        run(self.other_account.rename("Work", "Job"))
        self.put(self.box(self.other_account, "Job/Low"), "newer")
        report = self.mirror_all(both=True)
        self.assertEqual((report.copied_back, report.copied), (1, 0))
        self.assertTrue({"Deep", "Job"} <= {*self.names(self.account)})
        self.assertTrue({"Job", "Job/Low"} <= {*self.names(self.other_account)})  # a pair with two names
        self.assertEqual(len(contents(self.box(self.account, "Deep"))), 3)
        self.assertEqual(self.mirror_all(both=True).changes, 0)

    def test_at_the_target_only(self) -> None:
        """One way, the source keeps its name, and its mail comes to where it is now."""
        self.make()
        run(self.other_account.rename("Work/Deep", "Mine"))
        self.put(self.box(self.account, "Work/Deep"), "new")
        report = self.mirror_all()
        self.assertEqual((report.renamed, report.copied, report.created), ([], 1, []))
        self.assertEqual(self.texts(self.other_account, "Mine"), ["in Work/Deep", "new"])
        self.assertNotIn("Mine", self.names(self.account))

    def test_the_same_on_both_sides(self) -> None:
        self.make(both=True)
        for account in (self.account, self.other_account):
            run(account.rename("Work", "Job"))
        self.assertEqual(self.mirror_all(both=True).changes, 0)
        self.assert_equal()

    def test_differently_on_both_sides(self) -> None:
        """They stay a pair, with two names."""
        self.make(both=True)
        run(self.account.rename("Work/Deep", "One"))
        run(self.other_account.rename("Work/Deep", "Other"))
        self.put(self.box(self.account, "One"), "new")
        self.assertEqual(self.mirror_all(both=True).copied, 1)
        self.assertEqual(self.texts(self.other_account, "Other"), ["in Work/Deep", "new"])
        self.assertEqual(self.mirror_all(both=True).changes, 0)

    def test_a_name_that_is_taken_there(self) -> None:
        self.make()
        run(self.other_account.create("Deep"))
        self.put(self.box(self.other_account, "Deep"), "own")
        run(self.account.rename("Work/Deep", "Deep"))
        self.mirror_all()
        self.assertEqual(self.texts(self.other_account, "Deep"), ["own"])
        self.assertEqual(self.texts(self.other_account, "Deep_2"), ["in Work/Deep"])
        self.assertEqual(self.mirror_all().changes, 0)

    def test_a_rename_that_is_refused(self) -> None:
        self.make()
        run(self.account.rename("Work/Deep", "Deep"))
        call = mirror_account(self.link.client, self.other_account, self.state, clock=self.clock)
        with patch.object(LocalAccount, "rename", side_effect=InvalidMailboxName):
            [failure] = self.link.result(call).failures
        self.assertEqual(failure.mailbox, "Work/Deep")
        self.assertEqual(self.texts(self.other_account, "Work/Deep"), ["in Work/Deep"])
        self.put(self.box(self.account, "Deep"), "new")
        self.assertEqual(self.mirror_all().copied, 1)
        self.assertEqual(self.texts(self.other_account, "Work/Deep"), ["in Work/Deep", "new"])


class RenamedWithoutIdsTests(RenamedTests):
    def setUp(self) -> None:
        super().setUp()
        for module in (_remote_account, _remote_side):
            self.patch(module, "permanent_id", lambda told: "")
        find = LocalAccount.identity

        async def without_id(account: LocalAccount, name: str) -> Any:
            found = await find(account, name)
            return found and found._replace(id="")

        self.patch(LocalAccount, "identity", without_id)

    def test_those_that_exchange_their_names(self) -> None:
        """It is by their UIDs that they are others now: nothing is lost, and what is in both is in both."""
        for name in ("A", "B"):
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"was {name}")
        self.mirror_all(both=True)
        for old, new in (("A", "C"), ("B", "A"), ("C", "B")):
            run(self.account.rename(old, new))
        self.mirror_all(both=True)
        self.mirror_all(both=True)
        self.assert_equal()
        for name in ("A", "B"):
            self.assertEqual(self.texts(self.account, name), ["was A", "was B"])

    def test_an_empty_one_is_a_new_one(self) -> None:
        run(self.account.create("Empty"))
        self.mirror_all()
        run(self.account.rename("Empty", "Void"))
        report = self.mirror_all()
        self.assertEqual((report.renamed, report.created, report.left_out), ([], ["Void"], ["Empty"]))

    def test_another_one_with_the_same_uid_validity_is_a_new_one(self) -> None:
        self.make()
        validity = self.box(self.account, "Work/Deep").uid_validity
        run(self.account.delete("Work/Deep"))
        run(self.account.create("Other"))
        self.put(self.box(self.account, "Other"), "something else")
        self.box(self.account, "Other").uid_validity = validity
        report = self.mirror_all()
        self.assertEqual(report.renamed, [])
        self.assertEqual(self.texts(self.other_account, "Work/Deep"), ["in Work/Deep"])
        self.assertEqual(self.texts(self.other_account, "Other"), ["something else"])


class RemovedTests(NamesTestCase):
    def make(self, both: bool = False) -> None:
        run(self.account.create("Work"))
        self.put(self.box(self.account, "Work"), "known")
        self.mirror_all(both=both)

    def test_one_that_is_gone_is_left_alone(self) -> None:
        self.make()
        run(self.account.delete("Work"))
        for _ in range(2):
            report = self.mirror_all()
            self.assertEqual((report.changes, report.left_out), (0, ["Work"]))
        self.assertEqual(self.texts(self.other_account, "Work"), ["known"])

    def test_it_is_removed_if_that_is_wanted(self) -> None:
        for both in (False, True):
            self.make(both)
            run(self.account.delete("Work"))
            self.assertEqual(self.mirror_all(both=both, gone="remove", dry_run=True).deleted, ["Work"])
            self.assertIn("Work", self.names(self.other_account))
            report = self.mirror_all(both=both, gone="remove")
            self.assertEqual((report.deleted, report.left_out), (["Work"], []))
            self.assert_equal()
            self.assertEqual(self.mirror_all(both=both, gone="remove").changes, 0)

    def test_what_is_removed_at_the_target(self) -> None:
        self.make(both=True)
        run(self.other_account.delete("Work"))
        report = self.mirror_all(gone="remove")  # one way
        self.assertEqual((report.changes, report.left_out), (0, ["Work"]))
        self.assertEqual(self.mirror_all(gone="remove", both=True).deleted, ["Work"])
        self.assert_equal()

    def test_mail_that_the_other_side_got_since_is_never_removed(self) -> None:
        self.make(both=True)
        run(self.account.delete("Work"))
        self.put(self.box(self.other_account, "Work"), "new")
        for both in (True, False):
            report = self.mirror_all(both=both, gone="remove")
            self.assertEqual((report.changes, report.left_out), (0, ["Work"]))
        self.assertEqual(self.texts(self.other_account, "Work"), ["known", "new"])

    def test_nor_mail_that_comes_just_then(self) -> None:
        """After the look, and before it is removed."""
        for account, kind in ((self.other_account, LocalAccount), (self.account, RemoteAccount)):
            self.make(both=True)
            box = self.box(account, "Work")
            run((self.account if account is self.other_account else self.other_account).delete("Work"))
            rename = kind.rename

            async def late(side: Any, old: str, new: str, box: Any = box, rename: Any = rename) -> None:
                if old == "Work":
                    self.put(box, "late")
                await rename(side, old, new)

            with patch.object(kind, "rename", late):
                report = self.mirror_all(both=True, gone="remove")
            self.assertEqual((report.deleted, report.left_out), ([], ["Work"]))
            self.assertEqual(self.texts(account, "Work"), ["known", "late"])
            run(account.delete("Work"))
            self.mirror_all(both=True)
            self.state.unlink()

    def test_a_run_that_ends_while_it_removes(self) -> None:
        for ends_in in ("rename", "delete", "forget"):
            for after in (False, True):
                for late in (False, True):
                    with self.subTest(ends_in=ends_in, after=after, late=late):
                        self.make(both=True)
                        box = self.box(self.other_account, "Work")
                        run(self.account.delete("Work"))
                        self.end_in(ends_in, after)
                        stays = late and not (ends_in == "forget" or (ends_in == "delete" and after))
                        if stays:
                            self.put(box, "late")
                        report = self.mirror_all(both=True, gone="remove")
                        self.assertEqual("Work" in self.names(self.other_account), stays, report)
                        if stays:
                            self.assertEqual(self.texts(self.other_account, "Work"), ["known", "late"])
                            run(self.other_account.delete("Work"))
                        self.assertEqual(self.names(self.account), self.names(self.other_account))
                        self.assertEqual(self.mirror_all(both=True, gone="remove").changes, 0)

    def end_in(self, name: str, after: bool) -> None:
        kind: Any = MirrorState if name == "forget" else LocalAccount
        real = getattr(kind, name)

        async def ending(*arguments: Any) -> None:
            if after:
                await real(*arguments)
            raise KeyboardInterrupt

        def ending_now(*arguments: Any) -> None:
            if after:
                real(*arguments)
            raise KeyboardInterrupt

        with (
            patch.object(kind, name, ending_now if name == "forget" else ending),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.mirror_all(both=True, gone="remove")
        self.link.pump()

    def test_a_name_that_was_given_again_meanwhile(self) -> None:
        """Then what was to be removed, and has new mail, keeps its other name."""
        self.make()
        box = self.box(self.other_account, "Work")
        run(self.account.delete("Work"))
        self.end_in_rename(box)
        call = mirror_account(
            self.link.client, self.other_account, self.state, clock=self.clock, gone="remove"
        )
        [failure] = self.link.result(call).failures
        self.assertRegex(str(failure), r"^Work: it is not removed, and called mailproto removes \w+ now: ")
        [aside] = [name for name in self.names(self.other_account) if name.startswith("mailproto")]
        self.assertEqual(self.texts(self.other_account, aside), ["known", "late"])
        self.mirror_all(gone="remove")

    def end_in_rename(self, box: Any) -> None:
        real = LocalAccount.rename

        async def ending(account: Any, old: str, new: str) -> None:
            await real(account, old, new)
            self.put(box, "late")
            run(self.other_account.create("Work"))
            raise KeyboardInterrupt

        with patch.object(LocalAccount, "rename", ending), self.assertRaises(KeyboardInterrupt):
            self.mirror_all(gone="remove")
        self.link.pump()

    def test_one_with_inferiors(self) -> None:
        self.make()
        run(self.account.create("Work/Deep"))
        self.mirror_all()
        run(self.account.delete("Work"))
        self.assertEqual(self.mirror_all(gone="remove").left_out, ["Work"])
        run(self.account.delete("Work/Deep"))
        self.assertEqual(self.mirror_all(gone="remove").deleted, ["Work/Deep", "Work"])
        self.assert_equal()

    def test_a_list_that_is_not_whole_removes_nothing(self) -> None:
        self.make()
        listed = RemoteAccount.mailboxes

        async def hidden(account: RemoteAccount) -> Any:
            return [each for each in await listed(account) if each.name != "Work"]

        with patch.object(RemoteAccount, "mailboxes", hidden):
            self.assertEqual(self.mirror_all(gone="remove").deleted, [])
        self.assertEqual(self.texts(self.other_account, "Work"), ["known"])

        async def nothing(account: RemoteAccount) -> Any:
            return []

        run(self.account.delete("Work"))
        with patch.object(RemoteAccount, "mailboxes", nothing):
            self.assertEqual(self.mirror_all(gone="remove").deleted, [])

    def test_it_is_made_again_if_that_is_wanted(self) -> None:
        self.make()
        run(self.other_account.delete("Work"))
        report = self.mirror_all(gone="restore")
        self.assertEqual((report.created, report.copied), (["Work"], 1))
        self.assert_equal()
        run(self.account.delete("Work"))
        self.assertEqual(self.mirror_all(gone="restore").left_out, ["Work"])  # one way
        self.assertEqual(self.mirror_all(gone="restore", both=True).copied_back, 1)
        self.assert_equal()

    def test_one_that_is_gone_from_both_and_comes_back_is_a_new_one(self) -> None:
        self.make()
        for account in (self.account, self.other_account):
            run(account.delete("Work"))
        run(self.account.create("Work"))
        self.put(self.box(self.account, "Work"), "new")
        self.mirror_all()
        self.assert_equal()

    def test_one_that_is_gone_from_the_target_and_made_anew_at_the_source_is_a_new_one(self) -> None:
        self.make()
        run(self.other_account.delete("Work"))
        run(self.account.delete("Work"))
        self.mirror_all()
        run(self.account.create("Work"))
        self.mirror_all()
        self.assert_equal()


class ClashTests(NamesTestCase):
    def test_names_that_become_equal(self) -> None:
        """``a:b`` and ``a_b`` cannot be told apart where ``:`` separates the levels."""
        self.patch(LocalAccount, "delimiter", ":")
        name_of = LocalAccount.name_of
        self.patch(
            LocalAccount, "name_of", lambda account, levels: name_of(account, levels).replace(":", "_")
        )
        for name in ("a:b", "a_b"):
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"in {name}")
        for both in (False, True):
            self.mirror_all(both=both)
            self.assertEqual(self.texts(self.other_account, "a_b"), ["in a_b"])
            self.assertEqual(self.texts(self.other_account, "a_b_2"), ["in a:b"])
        self.assertEqual(self.mirror_all(both=True).changes, 0)
        self.assertNotIn("a_b_2", self.names(self.account))
        self.state.unlink()
        self.assertEqual(self.mirror_all().copied, 0)  # the same names again

    def test_a_name_that_is_refused(self) -> None:
        create = LocalAccount.create

        async def strict(account: Any, name: str, use: Any) -> bool:
            if not name.isascii() or len(name) > 80:
                raise InvalidMailboxName
            return await create(account, name, use)

        run(self.account.create("Übung/" + "x" * 100))
        self.put(self.box(self.account, "Übung"), "in Übung")
        with patch.object(LocalAccount, "create", strict):
            self.mirror_all()
        self.assertEqual(self.texts(self.other_account, "_bung"), ["in Übung"])
        self.assertIn("_bung/" + "x" * 60, self.names(self.other_account))
        self.assertEqual(self.mirror_all().changes, 0)

    def test_a_name_that_is_equal_for_the_server(self) -> None:
        """As where case does not matter."""
        create = LocalAccount.create

        async def without_case(account: Any, name: str, use: Any) -> bool:
            if any(
                each.casefold() == name.casefold() and each != name for each in self.names(self.other_account)
            ):
                return False
            return await create(account, name, use)

        for name in ("Work", "work"):
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"in {name}")
        with patch.object(LocalAccount, "create", without_case):
            self.mirror_all(both=True)
        self.assertEqual(self.texts(self.other_account, "Work"), ["in Work"])
        self.assertEqual(self.texts(self.other_account, "work_2"), ["in work"])
        self.assertEqual(self.mirror_all(both=True).changes, 0)

    def test_a_mailbox_that_is_made_meanwhile(self) -> None:
        create = self.other_account.create

        def late(name: str, *rest: Any) -> Any:
            run(create(name, *rest))
            raise MailboxExists

        run(self.account.create("Work"))
        with patch.object(self.other_account, "create", late):
            self.mirror_all()
        self.assert_equal()

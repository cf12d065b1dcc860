"""Mailboxes that get each other's names, on servers with permanent ids."""

from __future__ import annotations

import contextlib
import random
from itertools import product
from typing import Any
from unittest.mock import patch

from mailproto.errors import MailError
from mailproto.mirroring import mirror_account
from mailproto.mirroring._local_account import LocalAccount
from tests.imap.server.dialogue import run
from tests.mirroring.accounts import NamesTestCase


class ExchangedTests(NamesTestCase):
    EXCHANGES: tuple[tuple[tuple[str, str], ...], ...] = (
        (("A", "D"), ("B", "A"), ("D", "B")),  # two of them, so that no name is missing
        (("C", "D"), ("B", "C"), ("A", "B")),  # each gets the name of the one before it
        (("C", "D"), ("B", "C"), ("A", "B"), ("D", "A")),  # in a circle
        (("B", "D"), ("A", "B")),
    )

    def test_those_that_exchange_their_names(self) -> None:
        """On one side, on the other, on both in the same way: each has its own mail afterwards, once."""
        self.exchange({0: False, 1: False, 2: False})

    def test_those_that_exchange_their_names_and_have_the_same_uid_validity(self) -> None:
        """As where it is the time, in seconds."""
        self.exchange({0: True, 1: True, 2: True})

    def test_a_dry_run_and_one_way(self) -> None:
        for name in "ABC":
            run(self.account.create(name))
            self.put(self.box(self.account, name), f"was {name}")
        self.mirror_all()
        for old, new in self.EXCHANGES[1]:
            run(self.account.rename(old, new))
        dry = self.mirror_all(dry_run=True, gone="remove")
        self.assertEqual((dry.copied, dry.deleted), (0, []))
        self.assertEqual(self.texts(self.other_account, "C"), ["was C"])
        report = self.mirror_all(gone="remove")
        self.assertEqual(report.renamed, [("C", "D"), ("B", "C"), ("A", "B")])
        self.assert_equal()
        run(self.account.delete("B"))
        run(self.account.rename("C", "B"))  # what was B is gone, and another one has its name
        self.mirror_all()
        self.assertEqual(self.texts(self.account, "B"), ["was B"])
        kept = [self.texts(self.other_account, name) for name in self.names(self.other_account)]
        self.assertIn(["was A"], kept)
        self.assertEqual(kept.count(["was B"]), 1)

    def test_a_run_that_ends_while_names_are_given(self) -> None:
        for step in range(6):
            with self.subTest(step=step):
                self.state.unlink(missing_ok=True)
                for name in "ABC":
                    run(self.account.create(name))
                    self.put(self.box(self.account, name), f"was {name} {step}")
                self.mirror_all(both=True)
                for old, new in self.EXCHANGES[1]:
                    run(self.account.rename(old, new))
                self.end_after(step)
                self.mirror_all(both=True)
                self.assertEqual(self.mirror_all(both=True).changes, 0)
                for account in (self.account, self.other_account):
                    there = [self.texts(account, name) for name in self.names(account) if name != "INBOX"]
                    mail = sorted(text for texts in there for text in texts)
                    self.assertEqual(mail, [f"was {name} {step}" for name in "ABC"])
                    for name in self.names(account):
                        if name != "INBOX":
                            run(account.delete(name))

    def end_after(self, step: int) -> None:
        """End a run before or after one of its renames."""
        left, rename = [step], LocalAccount.rename

        async def ending(account: Any, old: str, new: str) -> None:
            if left[0] > 0:
                await rename(account, old, new)
            left[0] -= 2
            if left[0] < 0:
                raise KeyboardInterrupt

        with patch.object(LocalAccount, "rename", ending), self.assertRaises(KeyboardInterrupt):
            self.mirror_all(both=True)
        self.link.pump()

    def make_equal(self, same: bool) -> None:
        for account, name in product((self.account, self.other_account), "ABCD"):
            if same and name in self.names(account):
                self.box(account, name).uid_validity = 7

    def exchange(self, cases: dict[int, bool]) -> None:
        accounts = (self.account, self.other_account)
        number = 0
        for moves, (where, same) in product(self.EXCHANGES, cases.items()):
            for gone in ("keep", "remove"):
                with self.subTest(moves=moves, where=where, same=same, gone=gone):
                    number += 1
                    self.state.unlink(missing_ok=True)
                    sides = accounts if where == 2 else (accounts[where],)
                    for name in "ABC":
                        run(self.account.create(name))
                        for each in range(ord(name) - 64):
                            self.put(self.box(self.account, name), f"{each} was {name} in {number}")
                    self.make_equal(same)
                    self.mirror_all(both=True)
                    mail = {
                        self.texts(self.account, name)[0]: self.texts(self.account, name) for name in "ABC"
                    }
                    for account in sides:
                        for old, new in moves:
                            run(account.rename(old, new))
                    self.make_equal(same)
                    for each in range(3):
                        report = self.mirror_all(both=True, gone=gone)
                        self.assertEqual((report.copied, report.copied_back, report.removed), (0, 0, 0), each)
                        for account in accounts:
                            names = [name for name in self.names(account) if name in "ABCD"]
                            there = {
                                self.texts(account, name)[0]: self.texts(account, name) for name in names
                            }
                            self.assertEqual(there, mail)
                            self.assertEqual(len(names), 3)
                    for account in accounts:
                        for name in "ABCD":
                            if name in self.names(account):
                                run(account.delete(name))

    def test_any_names(self) -> None:
        """On both sides at once, and also below each other: each message is there once."""
        for seed in range(12):
            with self.subTest(seed=seed):
                self.state.unlink(missing_ok=True)
                for account in (self.account, self.other_account):
                    for name in sorted(self.names(account), reverse=True):
                        if name != "INBOX":
                            run(account.delete(name))
                self.any_names(random.Random(seed))

    def any_names(self, chance: random.Random) -> None:
        accounts, mail = (self.account, self.other_account), 0
        for name in "ABC":
            run(self.account.create(name))
        self.mirror_all(both=True)
        for _ in range(4):
            for _ in range(chance.randrange(6)):
                account = chance.choice(accounts)
                old = chance.choice([name for name in self.names(account) if name != "INBOX"])
                if chance.random() < 0.4:
                    self.put(self.box(account, old), f"{mail}")
                    mail += 1
                    continue
                with contextlib.suppress(MailError):  # the name is taken, or below its own
                    run(account.rename(old, chance.choice(("A", "B", "C", "D", "A/X", "B/X", "C/Y", "D/X"))))
            for _ in range(2):  # a rename may be refused, as to a name below its own
                gone: Any = chance.choice(("keep", "remove"))
                call = mirror_account(
                    self.link.client, self.other_account, self.state, both=True, gone=gone, clock=self.clock
                )
                self.link.result(call)
            for account in accounts:
                there = [text for name in self.names(account) for text in self.texts(account, name)]
                self.assertEqual(sorted(there), sorted(map(str, range(mail))))

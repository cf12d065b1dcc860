from __future__ import annotations

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailproto.dkim import KeyFolder
from mailproto.dkim._folder import LOOK_AGAIN


class KeyFolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.path = Path(self.mktemp())
        self.keys = KeyFolder(self.path, seconds=lambda: self.now)

    def test_the_first_keys_of_a_domain_sign(self) -> None:
        made = self.keys.add("Bücher.example", "mail")
        self.assertEqual(list(made), ["mail", "mail-ed25519"])
        for spelling in ("bücher.example", "xn--bcher-kva.example", "BÜCHER.EXAMPLE."):
            self.assertEqual(list(self.keys.find(spelling)), ["mail", "mail-ed25519"])
        self.assertEqual(self.keys.domains(), ["xn--bcher-kva.example"])
        folder = self.path / "xn--bcher-kva.example"
        self.assertEqual({stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}, {0o600})

    def test_later_ones_sign_when_they_are_chosen(self) -> None:
        """The DNS must know them first."""
        self.keys.add("a.example", "old")
        self.keys.add("a.example", "new")
        self.assertEqual(list(self.keys.find("a.example")), ["old", "old-ed25519"])
        self.keys.use("a.example", "new")
        self.assertEqual(list(self.keys.find("a.example")), ["new", "new-ed25519"])
        self.assertEqual(list(self.keys.selectors("a.example")), ["new", "old"])

    def test_another_program_changes_them(self) -> None:
        self.keys.add("a.example", "old")
        self.keys.find("a.example")
        other = KeyFolder(self.path)
        other.add("a.example", "new")
        other.use("a.example", "new")
        self.assertEqual(next(iter(self.keys.find("a.example"))), "old")
        self.now += LOOK_AGAIN
        self.assertEqual(next(iter(self.keys.find("a.example"))), "new")

    def test_another_program_makes_the_first_one(self) -> None:
        self.assertTrue(self.keys.is_missing)
        KeyFolder(self.path).add("a.example", "mail")
        self.now += LOOK_AGAIN
        self.assertFalse(self.keys.is_missing)

    def test_the_first_one_made_here_counts_at_once(self) -> None:
        self.assertTrue(self.keys.is_missing)
        self.keys.add("a.example", "mail")
        self.assertFalse(self.keys.is_missing)

    def test_a_domain_without_keys(self) -> None:
        for domain in ("a.example", "..", "../../etc", "", "a/b", "[192.0.2.1]"):
            self.assertEqual(dict(self.keys.find(domain)), {})
        self.assertEqual(self.keys.domains(), [])

    def test_one_key_is_enough(self) -> None:
        self.keys.add("a.example", "mail")
        (self.path / "a.example" / "mail-ed25519.pem").unlink()
        self.now += LOOK_AGAIN
        self.assertEqual(list(KeyFolder(self.path).find("a.example")), ["mail"])

    def test_a_broken_key_is_named(self) -> None:
        self.keys.add("a.example", "mail")
        (self.path / "a.example" / "mail.pem").write_text("nonsense")
        with self.assertRaisesRegex(ValueError, r"mail\.pem: it has no private key"):
            KeyFolder(self.path).find("a.example")

    def test_what_is_refused(self) -> None:
        self.keys.add("a.example", "mail")
        with self.assertRaises(FileExistsError):
            self.keys.add("a.example", "mail")
        for domain, selector in (("..", "x"), ("a.example", "../x"), ("a.example", "x-ed25519"), ("", "x")):
            with self.assertRaises(ValueError):
                self.keys.add(domain, selector)
        with self.assertRaisesRegex(ValueError, "no keys of the selector other"):
            self.keys.use("a.example", "other")

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.service._names import account_name, domain_name


class NameTests(SynchronousTestCase):
    def test_kept_as_typed_but_for_the_dot(self) -> None:
        self.assertEqual(domain_name("Example.ORG."), "Example.ORG")
        self.assertEqual(account_name("Zoë+x@Bücher.example."), "Zoë+x@Bücher.example")

    def test_no_domain(self) -> None:
        for text in ("", ".", "a..b", ".a", "a b", "a@b", "a\nb", "x" * 256, "<a>", "a/b"):
            with self.subTest(text=text):
                self.assertRaises(ValueError, domain_name, text)

    def test_no_account(self) -> None:
        for text in (
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b@c",
            "a:b@c",
            '"a"@c',
            "x" * 65 + "@c",
            "ü" * 33 + "@c",
        ):
            with self.subTest(text=text):
                self.assertRaises(ValueError, account_name, text)

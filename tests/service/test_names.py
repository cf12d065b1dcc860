from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.service._names import account_name, domain_name


class NameTests(SynchronousTestCase):
    def test_kept_as_typed_but_for_the_dot(self) -> None:
        self.assertEqual(domain_name("Example.ORG."), "Example.ORG")
        self.assertEqual(account_name("Zoë+x@Bücher.example."), "Zoë+x@Bücher.example")

    def test_composed(self) -> None:
        self.assertEqual(domain_name("bu\u0308cher.example"), "bücher.example")
        self.assertEqual(domain_name("例え。jp。"), "例え.jp")
        self.assertEqual(account_name("zoe\u0308@bu\u0308cher.example"), "zoë@bücher.example")
        self.assertEqual(account_name("o" * 32 + "e\u0308" * 16 + "@c"), "o" * 32 + "ë" * 16 + "@c")

    def test_what_cannot_be_seen(self) -> None:
        for character in "\u200b\u00ad\u202e\u00a0\u3000\u2800\u3164\ufeff\u0000\ufe0f\udcff":
            number = f"U\\+{ord(character):04X}.*cannot be seen"
            for text in (f"al{character}ice@example.org", f"alice@exam{character}ple.org"):
                self.assertRaisesRegex(ValueError, number, account_name, text)
            self.assertRaisesRegex(ValueError, number, domain_name, f"exam{character}ple.org")
        self.assertEqual(domain_name("نامه\u200cای.com"), "نامه\u200cای.com")

    def test_no_domain(self) -> None:
        for text in (
            "xn--a",
            "❤.ws",
            "xn--i-7iq.ws",
            "ü_b.c",
            "a／b",
            "ü。。c",
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a@b",
            "a\nb",
            "x" * 256,
            "<a>",
            "a/b",
            "xn--a",
            "❤.ws",
            "xn--i-7iq.ws",
            "ü_b.c",
            "a／b",
        ):
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
            "a／b@c",
            "a\u037eb@c",
            "a＠b",
            "a@xn--a",
            "ü" * 33 + "@c",
        ):
            with self.subTest(text=text):
                self.assertRaises(ValueError, account_name, text)
